"""How the text of one environment variable becomes a value. Parsers raise ValueError with what is allowed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from ssh_mcp.inventory import values

T = TypeVar("T")
Parser = Callable[[str, Mapping[str, str]], T]
"""The text and the environment in which ``${VAR}`` and ``~`` are looked up."""

_TRUE: Final = frozenset({"true", "1", "yes", "on", "y", "t"})
_FALSE: Final = frozenset({"false", "0", "no", "off", "n", "f"})


def boolean(text: str, _env: Mapping[str, str]) -> bool:
    """true, 1, yes, on and their opposites."""
    word = text.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError("must be true or false")


def word(text: str, _env: Mapping[str, str]) -> str:
    """Text as it is, without control characters."""
    if values.has_control(text):
        raise ValueError("must not hold control characters")
    return text.strip()


def instance(text: str, _env: Mapping[str, str]) -> str:
    """The name of one of several servers: part of handles, so letters, digits, ``.``, ``_`` and ``-`` only."""
    name = text.strip()
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise ValueError("must be at most 64 letters, digits, dots, underscores and hyphens")
    return name


def whole(low: int, high: int) -> Parser[int]:
    """A whole number from ``low`` to ``high``."""

    def parse(text: str, _env: Mapping[str, str]) -> int:
        digits = text.strip()
        number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 20 else None
        if number is None or not low <= number <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return number

    return parse


def seconds(low: float, high: float) -> Parser[float]:
    """A number of seconds."""

    def parse(text: str, _env: Mapping[str, str]) -> float:
        allowed = f"must be a number of seconds from {low:g} to {high:g}"
        try:
            number = float(text)
        except ValueError:
            raise ValueError(allowed) from None
        if not low <= number <= high:
            raise ValueError(allowed)
        return number

    return parse


def choice(*allowed: str, also: Mapping[str, str] | None = None) -> Parser[Any]:
    """One of ``allowed``, in any case; ``also`` maps other spellings to one of them."""
    table = {a.lower(): a for a in allowed} | dict(also or {})

    def parse(text: str, _env: Mapping[str, str]) -> str:
        found = table.get(text.strip().lower())
        if found is None:
            raise ValueError(f"must be one of {', '.join(table[k] if k not in (also or {}) else k for k in table)}")
        return found

    return parse


def path(text: str, env: Mapping[str, str]) -> str:
    """A path on this machine; ``~`` and ``${VAR}`` expand."""
    try:
        return values.local_path(text.strip(), env)
    except values.BadValue as error:
        raise ValueError(str(error)) from None


def items(text: str) -> tuple[str, ...]:
    """``a,b,c`` or a JSON array of strings; blanks around entries and empty entries go."""
    text = text.strip()
    if text.startswith("["):
        try:
            loaded = json.loads(text)
        except ValueError:
            loaded = None
        if not isinstance(loaded, list) or not all(isinstance(x, str) for x in loaded):
            raise ValueError("must be a,b,c or a JSON array of strings")
        entries = [x.strip() for x in loaded]
    else:
        entries = [x.strip() for x in text.split(",")]
    return tuple(dict.fromkeys(x for x in entries if x))


def listed(check: Callable[[str], str] | None = None) -> Parser[tuple[str, ...]]:
    """A list whose entries each pass ``check`` (which raises BadValue)."""

    def parse(text: str, env: Mapping[str, str]) -> tuple[str, ...]:
        found = []
        for entry in items(text):
            try:
                found.append(check(values.expand(entry, env)) if check else entry)
            except values.BadValue as error:
                raise ValueError(f"entry {values.shown(entry)} {error}") from None
        return tuple(found)

    return parse


def ask_entry(entry: str) -> str:
    """One ask rule. Raises BadValue."""
    from ssh_mcp.policy.approval import check_ask_entry  # late: few operators ask

    if (problem := check_ask_entry(entry)) is not None:
        raise values.BadValue(problem, "Write rules such as sudo, command:reboot or write:/etc/**.")
    return entry


def local_roots(text: str, env: Mapping[str, str]) -> tuple[str, ...]:
    """Absolute directories of this machine."""
    found = []
    for entry in items(text):
        root = path(entry, env)
        if not Path(root).is_absolute():
            raise ValueError(f"entry {values.shown(entry)} must be an absolute directory of this machine")
        found.append(root)
    return tuple(found)


def redact_globs(text: str, env: Mapping[str, str]) -> tuple[str, ...]:
    """``none``, or patterns in place of the built-in ones."""
    if text.strip().lower() == "none":
        return ()
    found = listed(values.remote_glob)(text, env)
    if any(x.lower() == "none" for x in found):
        raise ValueError("must be 'none' alone or patterns")
    return found


def command_words(text: str, _env: Mapping[str, str]) -> tuple[str, ...]:
    """A command line split as a shell would, without any expansion."""
    import shlex

    try:
        found = tuple(shlex.split(text))
    except ValueError:
        raise ValueError("must be a command line with balanced quotes") from None
    if not found or values.has_control(text):
        raise ValueError("must be a command line such as 'docker' or 'sudo -n docker'")
    return found


def salt(text: str, _env: Mapping[str, str]) -> str:
    """Kept as it is: blanks may be part of it."""
    if len(text) < 32:
        raise ValueError("must have at least 32 characters")
    return text


def login(text: str, _env: Mapping[str, str]) -> str:
    """A user name that ssh cannot take for an option."""
    try:
        return values.user(text.strip())
    except values.BadValue as error:
        raise ValueError(str(error)) from None
