"""Temporaries that a lost connection kept us from removing: the next write there removes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transports.api import Destination


class Leftovers:
    """Paths by host. What root left only root can remove, so that both are kept apart."""

    def __init__(self) -> None:
        self._paths: dict[tuple[Destination, bool], set[str]] = {}

    def add(self, where: Destination, path: str, *, root: bool = False) -> None:
        self._paths.setdefault((where, root), set()).add(path)

    def discard(self, where: Destination, *paths: str, root: bool = False) -> None:
        """They are gone."""
        kept = self._paths.get((where, root))
        if kept is not None:
            kept.difference_update(paths)
            if not kept:
                del self._paths[where, root]

    def of(self, where: Destination, *, root: bool = False, directory: str | None = None) -> list[str]:
        """All of a host, or those directly in ``directory``."""
        paths = self._paths.get((where, root), ())
        return [path for path in paths if directory is None or path.rpartition("/")[0] == directory.rstrip("/")]


LEFTOVERS = Leftovers()
"""Those of this process."""
