"""``ssh-mcp client NAME --write``: our entry into a client's own file, everything else kept as it is.

The file belongs to another program and to its user, who may have comments and an order of their own in it: the entry is
put into the text, and the rest stays byte for byte. The result is parsed before it replaces anything.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ssh_mcp.cli.client_rows import SERVER_NAME
from ssh_mcp.cli.client_text import toml_table, yaml_item
from ssh_mcp.cli.clients import Snippet
from ssh_mcp.errors import FileConflict

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|/\*.*?\*/|[{}\[\],:]', re.DOTALL)
"""JSON with comments: a string, a comment, or a mark."""


def write_entry(found: Snippet, path: str) -> str:
    """Put the entry into the file at ``path`` (``~`` and ``%VAR%`` expand). Returns a sentence for the person.

    Raises FileConflict where the file holds another entry of ours with comments around, or cannot be parsed.
    """
    file = Path(os.path.realpath(os.path.expandvars(os.path.expanduser(_posix(path)))))  # noqa: PTH111
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    after = found.text if not before.strip() else merged(found, before, file)
    if after == before:
        return f"{file} has this entry already."
    _replace(file, after)
    return f"{file}: the {SERVER_NAME} entry was written; all else is as it was."


def _posix(path: str) -> str:
    return re.sub(r"%(\w+)%", r"${\1}", path).replace("\\", "/") if "%" in path else path


def merged(found: Snippet, text: str, file: Path) -> str:
    """``text`` with our entry in it. Raises FileConflict where its shape is not understood."""
    try:
        new = {"json": _into_json, "toml": _into_toml, "yaml": _into_yaml}[found.format](found, text)
        _check(found, new)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise FileConflict(
            f"{file} has a shape that is not understood ({type(error).__name__}), and was left as it is.",
            f"Add the entry by hand: ssh-mcp client {found.client} prints it.",
        ) from None
    return new


def _check(found: Snippet, text: str) -> None:
    """Raise ValueError where the entry is not to be found in the new text."""
    if found.format == "toml":
        entry = tomllib.loads(text)[found.container][SERVER_NAME]
    elif found.format == "yaml":
        named = [each for each in _yaml(text)[found.container] if each["name"] == SERVER_NAME]
        entry = named[0] if len(named) == 1 else None
    else:
        entry = json.loads(_without_comments(text))[found.container][SERVER_NAME]
    if entry != found.entry:
        raise ValueError("the entry is not there")


# -- JSON, with comments and trailing commas as the editors allow them ------------------------------------------------


def _without_comments(text: str) -> str:
    plain = _TOKEN.sub(lambda m: " " if m[0].startswith("/") else m[0], text)
    return re.sub(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])', lambda m: m[1] or "", plain)


def _into_json(found: Snippet, text: str) -> str:
    content = json.loads(_without_comments(text))
    there = content.get(found.container, {})
    if there.get(SERVER_NAME) == found.entry:
        return text
    if SERVER_NAME in there:
        return _replaced(found, text)
    if found.container in content:
        return _insert(text, _start_of(text, (found.container,)), SERVER_NAME, found.entry, depth=2)
    return _insert(text, _start_of(text, ()), found.container, {SERVER_NAME: found.entry}, depth=1)


def _replaced(found: Snippet, text: str) -> str:
    start = _start_of(text, (found.container, SERVER_NAME)) - 1
    end = _end_of(text, start)
    return text[:start] + _indented(found.entry, 2) + text[end:]


def _insert(text: str, at: int, key: str, value: object, *, depth: int) -> str:
    """As the first member of the object whose brace ends at ``at``."""
    rest = _without_comments(text[at:]).lstrip()
    comma = "" if rest.startswith("}") else ","
    empty_on_one_line = re.match(r"[ \t]*}", text[at:])
    close = "\n" + "  " * (depth - 1) if empty_on_one_line else ""
    return f"{text[:at]}\n{'  ' * depth}{json.dumps(key)}: {_indented(value, depth)}{comma}{close}{text[at:]}"


def _indented(value: object, depth: int) -> str:
    return json.dumps(value, indent=2).replace("\n", "\n" + "  " * depth)


def _marks(text: str, start: int = 0) -> Iterator[re.Match[str]]:
    return (m for m in _TOKEN.finditer(text, start) if not m[0].startswith("/"))


def _start_of(text: str, keys: tuple[str, ...]) -> int:
    """Behind the opening brace of the object that ``keys`` lead to. Raises ValueError."""
    path: list[str] = []
    last = ""
    for mark in _marks(text):
        token = mark[0]
        if token == "{":
            path.append(last)
            last = ""
            if tuple(path[1:]) == keys:
                return mark.end()
        elif token == "[":
            path.append("[")
        elif token in "}]":
            path.pop()
        elif token.startswith('"'):
            last = json.loads(token)
        elif token == ",":
            last = ""
    raise ValueError("no such object")


def _end_of(text: str, start: int) -> int:
    """Behind the brace that closes the one at ``start``."""
    depth = 0
    for mark in _marks(text, start):
        depth += (mark[0] in "{[") - (mark[0] in "}]")
        if depth == 0:
            return mark.end()
    raise ValueError("never closed")


# -- TOML and YAML ----------------------------------------------------------------------------------------------------


def _into_toml(found: Snippet, text: str) -> str:
    there = tomllib.loads(text).get(found.container, {}).get(SERVER_NAME)
    if there == found.entry:
        return text
    name = f"{found.container}.{SERVER_NAME}"
    if there is not None:
        if set(there) - {*found.entry, "command", "args", "env", "url", "http_headers"}:
            raise ValueError("settings of the user's own in our table")
        text = re.sub(rf"^\[{re.escape(name)}(?:\.[^\]]*)?\]\n(?:(?!\[)[^\n]*\n?)*", "", text, flags=re.MULTILINE)
    return f"{text.rstrip()}\n\n{toml_table(name, found.entry)}".lstrip("\n")


def _into_yaml(found: Snippet, text: str) -> str:
    listed = _yaml(text).get(found.container) or []
    if found.entry in listed:
        return text
    if any(each.get("name") == SERVER_NAME for each in listed):
        raise ValueError("another entry of ours")
    head = re.search(rf"^{found.container}:[ \t]*(?:\[\][ \t]*)?(?:#[^\n]*)?$", text, re.MULTILINE)
    if head is None:
        return f"{text.rstrip()}\n{found.container}:\n{yaml_item(found.entry)}"
    begin = re.compile(r"\n([ ]*)- ").match(text, head.end())
    item = yaml_item(found.entry)
    if begin is not None:
        item = re.sub(r"^  ", begin[1], item, flags=re.MULTILINE)
    return f"{text[: head.start()]}{found.container}:\n{item.rstrip()}{text[head.end() :]}"


def _yaml(text: str) -> dict[str, Any]:
    """Raises ValueError for what is no mapping."""
    import yaml

    try:
        value = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise ValueError("no YAML") from error
    if not isinstance(value, dict):
        raise ValueError("no mapping")  # noqa: TRY004 - the text is wrong, not a type
    return value


def _replace(file: Path, text: str) -> None:
    """All or nothing, with the mode that the file had; a new one is for the user alone: it may hold a token."""
    file.parent.mkdir(parents=True, exist_ok=True)
    mode = file.stat().st_mode & 0o777 if file.exists() else 0o600
    handle, part = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as new:
            new.write(text)
        os.chmod(part, mode)  # noqa: PTH101
        os.replace(part, file)  # noqa: PTH105
    except BaseException:
        os.unlink(part)  # noqa: PTH108
        raise
