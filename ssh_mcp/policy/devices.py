"""Which commands a network device may be sent: whole leading words that the operator listed. Pure.

A device's CLI expands abbreviations, so that an entry and a command are compared word by word as they are written: what
is abbreviated matches nothing. What joins, pipes or redirects is refused whatever is listed, since a device reads more
commands behind it; so is everything that is no printable ASCII, with which a terminal edits its line or asks for help.
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
_JOINS: Final = re.compile(r"[|;&<>`?]|\$\(")
"""What joins, pipes, redirects or substitutes, such as ``show version | redirect tftp://…``; ``?`` asks for help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PermittedDeviceCommand:
    """One line for a device's CLI. Made by this module alone."""

    maker: Maker
    text: str

    def __post_init__(self) -> None:
        if self.maker is not POLICY:
            raise TypeError("only policy makes a PermittedDeviceCommand")


def permit(line: str, allow: tuple[str, ...]) -> PermittedDeviceCommand:
    """Decide about one line. ``allow`` holds leading words; ``"*"`` permits any line of one command.

    Raises InvalidArgument for what is no line, CommandNotAllowed.
    """
    shown = re.sub(r"[^\x20-\x7e]", "?", line)[:60]
    if not line.strip() or len(line) > MAX_COMMAND:
        raise InvalidArgument("A command is empty or too long.", f"Give lines of 1 to {MAX_COMMAND} characters.")
    joins = _JOINS.search(line)
    if joins is not None or _PLAIN.fullmatch(line) is None:
        part = f"holds {joins[0]!r}" if joins is not None else "holds what is no printable ASCII"
        raise CommandNotAllowed(f"`{shown}` {part}.", "Give one command a line, without pipes and redirections.")
    words = line.split()
    if "*" not in allow and not any(words[: len(entry)] == entry for entry in map(str.split, allow) if entry):
        listed = ", ".join(allow[:12]) or "none"
        raise CommandNotAllowed(
            f"`{shown}` is not permitted on this device; abbreviations do not count.",
            f"device_allow in hosts.toml permits: {listed}.",
        )
    return PermittedDeviceCommand(maker=POLICY, text=" ".join(words))
