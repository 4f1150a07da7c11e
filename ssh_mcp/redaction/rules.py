"""``Rules``: everything that is decided once per policy, compiled and cached."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from ssh_mcp.inventory.model import RedactionPolicy
from ssh_mcp.redaction.gate import Gate
from ssh_mcp.redaction.keys import KeyMatcher
from ssh_mcp.redaction.markers import Marker


@dataclass(frozen=True, slots=True)
class Rules:
    """Which names are secret, how markers look, whether entropy counts (files only)."""

    keys: KeyMatcher
    marker: Marker
    gate: Gate
    entropy: bool = True


@lru_cache(maxsize=256)
def rules_from(policy: RedactionPolicy) -> Rules:
    """The rules of a policy; the same policy gives the same object."""
    keys = KeyMatcher(policy.keys_add, policy.keys_replace)
    return Rules(
        keys=keys,
        marker=Marker(policy.salt, policy.hint_chars),
        gate=Gate(keys.operator_keys),
        entropy=policy.entropy,
    )
