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
from typing import Any, Final, cast

from ssh_mcp.cli.client_rows import SERVER_NAME, Entry
from ssh_mcp.cli.client_text import toml_table, yaml_item, yaml_lines
from ssh_mcp.cli.clients import Snippet
from ssh_mcp.errors import FileConflict

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|/\*.*?\*/|[{}\[\],:]', re.DOTALL)
"""JSON with comments: a string, a comment, or a mark."""
_COMMENT: Final = re.compile(r"(?:^|\s)#", re.MULTILINE)
"""May begin a comment in TOML and YAML: ``command = "x"  # mine``. Also found in a string, where it does no harm."""
_ENVIRONMENT: Final = ("env", "environment")
_STARTING: Final = frozenset({"command", "args", *_ENVIRONMENT})
_REACHING: Final = frozenset({"url", "serverUrl", "httpUrl", "headers", "http_headers", "requestOptions"})
_OURS: Final = _STARTING | _REACHING | {"name", "type"}
"""What an entry says about how the server is started or reached. All else is the user's once it is in the file."""


def write_entry(found: Snippet, path: str) -> str:
    """Put the entry into the file at ``path`` (``~`` and ``%VAR%`` expand). Returns a sentence for the person.

    Of an older entry of ours, the user's own settings stay (see ``combined``). Raises FileConflict where that entry has
    comments inside, or the file cannot be parsed.
    """
    file = Path(os.path.realpath(os.path.expandvars(os.path.expanduser(_posix(path)))))  # noqa: PTH111
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    after = found.text if not before.strip() else merged(found, before, file)
    if after == before:
        return f"{file} has this entry already."
    _replace(file, after)
    older, _ = _split(found, before)
    kept = ", ".join(_kept(older, found.entry)) if older else ""
    also = f" Of the older entry these stay: {kept}." if kept else ""
    return f"{file}: the {SERVER_NAME} entry was written; all else is as it was.{also}"


def _posix(path: str) -> str:
    return re.sub(r"%(\w+)%", r"${\1}", path).replace("\\", "/") if "%" in path else path


def combined(old: Entry, new: Entry) -> Entry:
    """``new``, with what the user put into ``old``.

    That is: environment variables that ``new`` does not set, and the client's own settings, such as ``disabled``,
    ``timeout`` or a list of tools.
    """
    entry = {**new, **{key: value for key, value in old.items() if key not in _OURS}}
    for key in _ENVIRONMENT:
        before = old.get(key)
        if isinstance(before, dict) and "command" in new and (before or key in new):
            after = new.get(key, {})
            entry[key] = {**before, **(after if isinstance(after, dict) else {})}
    return entry


def _kept(old: Entry, new: Entry) -> list[str]:
    """Names of what ``combined`` took from ``old`` against or beside ``new``."""
    entry = combined(old, new)
    names = [key for key in entry if key not in _OURS and entry[key] != new.get(key)]
    for key in _ENVIRONMENT:
        ours, theirs = new.get(key, {}), entry.get(key, {})
        if isinstance(ours, dict) and isinstance(theirs, dict):
            names += [name for name in theirs if name not in ours]
    return names


def merged(found: Snippet, text: str, file: Path) -> str:
    """``text`` with our entry in it. Raises FileConflict where its shape is not understood."""
    try:
        old, others = _split(found, text)
        entry = found.entry if old is None else combined(old, found.entry)
        if entry == old:
            return text
        new = {"json": _into_json, "toml": _into_toml, "yaml": _into_yaml}[found.format](found.container, entry, text)
        if _split(found, new) != (entry, others):
            raise ValueError("the entry is missing, or something else changed")
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise FileConflict(
            f"{file} has a shape that cannot be changed safely ({type(error).__name__}), and was left as it is.",
            f"Add the entry by hand: ssh-mcp client {found.client} prints it.",
        ) from None
    return new


def _split(found: Snippet, text: str) -> tuple[Entry | None, dict[str, Any]]:
    """Our entry in a file, and everything else. Raises ValueError for what cannot be parsed or holds ours twice."""
    parse = {"json": _json, "toml": tomllib.loads, "yaml": _yaml}[found.format]
    content = parse(text) if text.strip() else {}
    there = content.pop(found.container, None) or {}
    if isinstance(there, list):
        mine = [each for each in there if each.get("name") == SERVER_NAME]
        if len(mine) > 1:
            raise ValueError("two entries of ours")
        others: Any = [each for each in there if each not in mine]
        return (mine[0] if mine else None), {**content, **({found.container: others} if others else {})}
    own = there.pop(SERVER_NAME, None)
    return own, {**content, **({found.container: there} if there else {})}


# -- JSON, with comments and trailing commas as the editors allow them ------------------------------------------------


def _json(text: str, /) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads(_without_comments(text)))


def _without_comments(text: str) -> str:
    plain = _TOKEN.sub(lambda m: " " if m[0].startswith("/") else m[0], text)
    return re.sub(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])', lambda m: m[1] or "", plain)


def _into_json(container: str, entry: Entry, text: str) -> str:
    content = _json(text)
    if SERVER_NAME in content.get(container, {}):
        return _replaced(container, entry, text)
    if container in content:
        return _insert(text, _start_of(text, (container,)), SERVER_NAME, entry, depth=2)
    return _insert(text, _start_of(text, ()), container, {SERVER_NAME: entry}, depth=1)


def _replaced(container: str, entry: Entry, text: str) -> str:
    start = _start_of(text, (container, SERVER_NAME)) - 1
    end = _end_of(text, start)
    if any(mark[0].startswith("/") for mark in _TOKEN.finditer(text, start, end)):
        raise ValueError("comments in our entry")
    return text[:start] + _indented(entry, 2) + text[end:]


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


def _into_toml(container: str, entry: Entry, text: str) -> str:
    name = f"{container}.{SERVER_NAME}"
    ours = re.compile(rf"^\[{re.escape(name)}(?:\.[^\]]*)?\]\n(?:(?!\[)[^\n]*\n?)*", re.MULTILINE)
    if any(_COMMENT.search(table[0]) for table in ours.finditer(text)):
        raise ValueError("comments in our entry")
    return f"{ours.sub('', text).rstrip()}\n\n{toml_table(name, entry)}".lstrip("\n")


def _into_yaml(container: str, entry: Entry, text: str) -> str:
    import yaml

    root = yaml.compose(text)
    listed = next((value for key, value in root.value if key.value == container), None) if root else None
    if listed is None:
        return f"{text.rstrip()}\n{container}:\n{yaml_item(entry)}"
    for item in listed.value if isinstance(listed, yaml.SequenceNode) else []:
        if any((key.value, value.value) == ("name", SERVER_NAME) for key, value in item.value):
            return _replaced_item(text, item, entry)
    if isinstance(listed, yaml.SequenceNode) and listed.flow_style and listed.value:
        at = listed.start_mark.index + 1
        return f"{text[:at]}{json.dumps(entry)}, {text[at:]}"
    head = re.search(rf"^{container}:[ \t]*(?:\[\][ \t]*)?(?:#[^\n]*)?$", text, re.MULTILINE)
    if head is None:
        raise ValueError("no list")
    begin = re.compile(r"\n([ ]*)- ").match(text, head.end())
    new = yaml_item(entry)
    if begin is not None:
        new = re.sub(r"^  ", begin[1], new, flags=re.MULTILINE)
    return f"{text[: head.start()]}{container}:\n{new.rstrip()}{text[head.end() :]}"


def _replaced_item(text: str, item: Any, entry: Entry) -> str:
    """``item``: the node of our entry in the list. A block's node reaches to the next token, over remarks between."""
    start: int = item.start_mark.index
    ours = text[start : item.end_mark.index]
    if not item.flow_style:
        ours = re.sub(r"(?:\n[ \t]*(?:#[^\n]*)?)*\Z", "", ours)
    if _COMMENT.search(ours):
        raise ValueError("comments in our entry")
    lines = [json.dumps(entry)] if item.flow_style else yaml_lines(entry)
    indented = ("\n" + " " * int(item.start_mark.column)).join(lines)
    return text[:start] + indented + text[start + len(ours) :]


def _yaml(text: str, /) -> dict[str, Any]:
    """Raises ValueError for what is not a mapping."""
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
