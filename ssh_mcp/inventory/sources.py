"""Where one entry of a host's merged policy was written: a line of hosts.toml, or a setting. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ssh_mcp.inventory.defaults import REDACT_PATHS_GLOBS
from ssh_mcp.inventory.toml import Document
from ssh_mcp.settings.model import Settings

_SETTINGS: Final = {
    "command_allowlist": "ssh_command_allowlist",
    "path_allowlist": "ssh_path_allowlist",
    "restricted_paths": "ssh_restricted_paths",
    "restricted_globs": "ssh_restricted_globs",
    "redact_paths_globs": "ssh_redact_paths_globs",
}
LISTS: Final = tuple(_SETTINGS)
"""The lists of a host that are united with the environment's."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Looks entries up for one host; ``alias`` may be a name that only SSH_HOSTS_ALLOWLIST has."""

    document: Document
    settings: Settings
    alias: str

    def of(self, field: str, entry: str = "") -> str:
        """``hosts.toml:12`` or ``SSH_COMMAND_ALLOWLIST``; "" for an entry that is in no list.

        An empty ``entry`` asks for the list itself: where it is written, or where it could be.
        """
        for path, layer in self._layers():
            found = getattr(layer, field, None)
            if found is not None and (entry in found if entry else bool(found)):
                return self.document.place((*path, field))
        setting = _SETTINGS.get(field)
        if setting is None:  # only hosts.toml has it
            return "" if entry else self.document.file
        configured = getattr(self.settings, setting)
        if field == "redact_paths_globs" and configured == REDACT_PATHS_GLOBS:
            return "built in" if entry in configured or not entry else ""
        if entry in configured or (not entry and configured):
            return setting.upper()
        return "" if entry else (self.document.file or setting.upper())

    def _layers(self) -> list[tuple[tuple[str, ...], object]]:
        own = self.document.hosts.get(self.alias)
        layers: list[tuple[tuple[str, ...], object]] = [] if own is None else [(("hosts", self.alias), own)]
        return [*layers, (("defaults",), self.document.defaults)]
