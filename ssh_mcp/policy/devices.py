"""Which commands a network device may be sent: whole leading words that the operator listed. Pure.

A device's CLI expands abbreviations, so an entry and a command are compared word by word as they are written: an
abbreviation matches nothing. What joins, redirects or substitutes is refused whatever is listed, since a device reads
more commands behind it; so is everything that is not printable ASCII, with which a terminal edits its line or asks for
help. A pipe may write a file (``| redirect``, ``| tee``, ``| append``, ``| save``), so it needs an entry that has it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from ssh_mcp.errors import CommandNotAllowed, InvalidArgument
from ssh_mcp.policy.permitted_path import POLICY, Maker

MAX_COMMAND: Final = 1000
"""Characters: devices cut longer lines."""
_PLAIN: Final = re.compile(r"[\x20-\x7e]*")
_JOINS: Final = re.compile(r"[;&<>`?]|\$\(")
"""What joins, redirects or substitutes, such as ``show version > flash:x``; ``?`` asks for help."""
_OWN: Final = {
    "mikrotik_routeros": re.compile(r"[][{}$]"),
    **dict.fromkeys(("cumulus_linux", "vyos_vyos", "versa_flexvnf", "cisco_ftd"), re.compile(r"[!\\]")),
}
"""What else runs another command on one system: RouterOS ``ping [/system reboot]``, and bash's ``!`` and line end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PermittedDeviceCommand:
    """One line for a device's CLI. Made by this module alone."""

    maker: Maker
    text: str

    def __post_init__(self) -> None:
        if self.maker is not POLICY:
            raise TypeError("only policy makes a PermittedDeviceCommand")


def permit(line: str, allow: tuple[str, ...], system: str = "") -> PermittedDeviceCommand:
    """Decide about one line. ``allow`` holds leading words; ``"*"`` permits any line of one command.

    An entry with a pipe, such as ``show | include``, permits one pipe: its words begin both sides. ``system`` is the
    name of the definition. Raises InvalidArgument for what is no line, CommandNotAllowed.
    """
    shown = re.sub(r"[^\x20-\x7e]", "?", line)[:60]
    if not line.strip() or len(line) > MAX_COMMAND:
        raise InvalidArgument("A command is empty or too long.", f"Give lines of 1 to {MAX_COMMAND} characters.")
    joins = _JOINS.search(line) or (_OWN[system].search(line) if system in _OWN else None)
    if joins is not None or _PLAIN.fullmatch(line) is None:
        part = f"holds {joins[0]!r}" if joins is not None else "holds what is not printable ASCII"
        raise CommandNotAllowed(f"`{shown}` {part}.", "Give one command per line, without redirections.")
    if not any(_matches(line, entry) for entry in allow):
        listed = ", ".join(allow[:12]) or "none"
        which = "a pipe needs an entry that has it" if "|" in line else "abbreviations do not count"
        raise CommandNotAllowed(
            f"`{shown}` is not permitted on this device; {which}.", f"device_allow in hosts.toml permits: {listed}."
        )
    return PermittedDeviceCommand(maker=POLICY, text=" ".join(line.split()))


def _matches(line: str, entry: str) -> bool:
    """Whether each part between pipes begins with the words of the entry's part."""
    parts, entries = line.split("|"), entry.split("|")
    if entry == "*":
        return len(parts) == 1
    return len(parts) == len(entries) and all(
        bool(wanted) and part.split()[: len(wanted)] == wanted
        for part, wanted in zip(parts, map(str.split, entries), strict=True)
    )
