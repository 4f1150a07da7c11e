"""Names of keys, and what a terminal sends for them (xterm)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from ssh_mcp.errors import InvalidArgument

_PLAIN: Final = {
    "enter": "\r", "return": "\r", "tab": "\t", "escape": "\x1b", "esc": "\x1b", "space": " ", "backspace": "\x7f",
    "insert": "\x1b[2~", "delete": "\x1b[3~", "pageup": "\x1b[5~", "pagedown": "\x1b[6~", "backtab": "\x1b[Z",
    "f1": "\x1bOP", "f2": "\x1bOQ", "f3": "\x1bOR", "f4": "\x1bOS", "f5": "\x1b[15~", "f6": "\x1b[17~",
    "f7": "\x1b[18~", "f8": "\x1b[19~", "f9": "\x1b[20~", "f10": "\x1b[21~", "f11": "\x1b[23~", "f12": "\x1b[24~",
}  # fmt: skip
_CURSOR: Final = {"up": "A", "down": "B", "right": "C", "left": "D", "home": "H", "end": "F"}
_CONTROL: Final = re.compile(r"(?:ctrl[-+]|c-|\^)([a-z@\[\\\]^_])\Z")
"""Such as ``Ctrl-C``, ``C-c`` and ``^C``, in lower case."""
_ALT: Final = re.compile(r"(?:alt[-+]|m-)(.)\Z", re.DOTALL)


def sequence(keys: Sequence[str], *, application: bool = False) -> str:
    """What is sent for ``keys``. ``application``: cursor keys in the form that DECCKM asks for.

    Raises InvalidArgument for a name that is not a key.
    """
    return "".join(_one(key, application=application) for key in keys)


def typed(text: str, keys: Sequence[str]) -> str:
    """``text`` and ``keys`` as a person reads them, and as policy checks them: characters as they are, keys by name."""
    return text + "".join({"space": " ", "enter": "\n"}.get(k.lower(), f"<{k}>") if len(k) > 1 else k for k in keys)


def named(keys: Sequence[str]) -> list[str]:
    """The keys that are no characters: what is typed character by character may be a password too."""
    return [key for key in keys if len(key) > 1 and key.lower() != "space"]


def _one(key: str, *, application: bool) -> str:
    name = key.strip().lower().replace("_", "") if len(key) > 1 else key
    if name in _PLAIN:
        return _PLAIN[name]
    if name in _CURSOR:
        return ("\x1bO" if application else "\x1b[") + _CURSOR[name]
    if control := _CONTROL.match(name):
        return chr(ord(control[1].upper()) & 0x1F)
    if alt := _ALT.match(key) or _ALT.match(name):
        return "\x1b" + alt[1]
    if len(key) == 1 and key.isprintable():
        return key
    raise InvalidArgument(
        f"{key[:20]!r} is not a key.", "Keys are, for example, Enter, Tab, Escape, Up, PageDown, F1, Ctrl-C, Alt-x."
    )
