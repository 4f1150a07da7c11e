"""What a call must pass before its tool is looked at: rate, role, and the instance that a handle belongs to."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from ssh_mcp.errors import RateLimited, WrongInstance

if TYPE_CHECKING:
    from ssh_mcp.policy.tiers import Tier
    from ssh_mcp.remote.call import Call

HANDLES: Final = ("session_id", "forward_id", "output_id", "terminal_id")
"""Arguments that name something kept by one instance. Jobs are kept by their host, and every instance finds them."""
_REMEMBERED: Final = 10_000
"""Identities whose rate is counted."""


class Rate:
    """Calls per minute and identity: a bucket that holds ``per_minute`` calls and fills evenly. 0: no limit."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, identity: str) -> None:
        """Count one call. Raises RateLimited with the seconds to wait."""
        if not self._per_minute:
            return
        now = self._clock()
        left, since = self._left.pop(identity, (float(self._per_minute), now))
        left = min(left + (now - since) * self._per_minute / 60, self._per_minute)
        self._left[identity] = (left - 1 if left >= 1 else left, now)  # the last one used is last
        if len(self._left) > _REMEMBERED:
            del self._left[next(iter(self._left))]
        if left < 1:
            wait = math.ceil((1 - left) * 60 / self._per_minute)
            raise RateLimited(
                f"{identity} made more than {self._per_minute} calls in a minute.", f"Try again in {wait} s."
            )


def admit(call: Call, tier: Tier, arguments: Mapping[str, Any]) -> None:
    """Give an authenticated caller its role. Raises IdentityNotAllowed, WrongInstance."""
    if call.caller.authenticated:
        call.role = call.fleet.inventory.roles.of(call.caller.identity, call.caller.claims)
    if call.role is not None:
        call.role.require_tier(tier)
    own = call.fleet.settings.mcp_instance or ""
    for name in HANDLES:
        given = arguments.get(name)
        if isinstance(given, str) and "@" in given and (other := given.rpartition("@")[2][:64]) != own:
            raise WrongInstance(
                f"{name} belongs to the instance {other}, and this is {own or 'one without a name'}.",
                "Send calls that use it to that instance, or open a new one here.",
            )


def handle(token: str, instance: str | None) -> str:
    """A handle that names its instance, where that has a name."""
    return f"{token}@{instance}" if instance else token
