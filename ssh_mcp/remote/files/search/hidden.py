"""Which entries of a tree never come back: those in restricted zones, and those that are redact-listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ssh_mcp.inventory.model import BypassPolicy
from ssh_mcp.policy.paths import holds_restricted, listed_check, restricted_check

if TYPE_CHECKING:
    from ssh_mcp.inventory.model import PathPolicy


class Hidden:
    """Decides entry by entry and counts. What lies below a restricted directory is restricted too."""

    def __init__(self, root: str, policy: PathPolicy) -> None:
        self._root = root.rstrip("/")
        self._guarded = holds_restricted(root, policy) is not None
        self._forbids = restricted_check(policy)
        self._lists = listed_check(policy) if policy.bypass is BypassPolicy.BLOCK else None
        self._directories: dict[str, bool] = {}
        self.restricted = 0
        self.redact_listed = 0

    def restricts(self, relative: str) -> bool:
        """Whether a directory must not be entered; what lies there counts as one entry."""
        if not self._guarded or not self._restricted(f"{self._root}/{relative}"):
            return False
        self.restricted += 1
        return True

    def hides(self, relative: str) -> bool:
        """Whether the entry must not come back."""
        path = f"{self._root}/{relative}"
        if self._guarded and self._restricted(path):
            self.restricted += 1
            return True
        if self._lists is not None and self._lists(path):
            self.redact_listed += 1
            return True
        return False

    def _restricted(self, path: str) -> bool:
        parent = path.rpartition("/")[0]
        if len(parent) > len(self._root):
            known = self._directories.get(parent)
            if known is None:
                known = self._directories[parent] = self._restricted(parent)
            if known:
                return True
        return self._forbids(path)
