"""Entries of directories: which of them are shown, and how."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from ssh_mcp.policy.paths import child, restricted_by
from transports.api import DirectoryEntry, FileAttributes, Files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ssh_mcp.inventory.model import PathPolicy
    from ssh_mcp.remote.call import Call

MAX_PAGE: Final = 10_000
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
"""C0 and C1 controls and DEL, such as the escape that starts a terminal sequence."""


def row_of(entry: DirectoryEntry, name: str, targets: dict[str, str]) -> dict[str, object]:
    """One entry of a listing; ``name`` is how it is shown, ``targets`` where links lead, by their own names."""
    attributes = entry.attributes
    mtime = attributes.mtime
    kind, mode = _kind_and_mode(attributes.permissions)
    return {
        "name": name,
        "kind": kind,
        "size": attributes.size or 0,
        "mode": mode,
        "mtime": "" if mtime is None else _utc(mtime),
        "symlink_target": targets.get(entry.name) or None,
    }


@lru_cache(maxsize=1024)
def _kind_and_mode(permissions: int | None) -> tuple[str, str]:
    attributes = FileAttributes(permissions=permissions)
    return kind_of(attributes), mode_of(attributes)


async def entries_of(files: Files, directory: str) -> list[DirectoryEntry]:
    """All entries of a canonical directory."""
    return [entry async for batch in files.scandir(directory) for entry in batch]


def unrestricted(
    entries: Sequence[DirectoryEntry], directory: str, policy: PathPolicy, call: Call
) -> list[DirectoryEntry]:
    """Without those in restricted zones, which no tool can reach; the result says how many."""
    if not (policy.restricted or policy.restricted_globs):
        return list(entries)
    kept = [entry for entry in entries if restricted_by(child(directory, entry.name), policy) is None]
    if hidden := len(entries) - len(kept):
        call.warn(f"{hidden} restricted entries are not shown.")
    return kept


def kind_of(attributes: FileAttributes) -> str:
    """file, directory, symlink or other."""
    kind = attributes.kind
    return "other" if kind == "unknown" else kind


def mode_of(attributes: FileAttributes) -> str:
    """Octal such as 0644; empty where the server does not send it."""
    return "" if attributes.permissions is None else f"{attributes.permissions & 0o7777:04o}"


def time_of(attributes: FileAttributes) -> str:
    """Time of the last change of content, UTC."""
    return "" if attributes.mtime is None else _utc(attributes.mtime)


@lru_cache(maxsize=4096)
def _utc(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19] + "Z"


def readable(names: Sequence[str], call: Call) -> list[str]:
    """Names as UTF-8 text, with a remark for those that cannot be shown as they are, and so not be used in a call."""
    if _CONTROL.search("".join(names)):
        count = sum(_CONTROL.search(name) is not None for name in names)
        call.warn(f"{count} names hold control characters or escape sequences, which are not shown as they are.")
    if all(map(str.isascii, names)):
        return list(names)
    shown = [_utf8(name) for name in names]
    if broken := sum(a != b for a, b in zip(names, shown, strict=True)):
        call.warn(f"{broken} names are not UTF-8; their undecodable bytes are shown as U+FFFD.")
    return shown


def _utf8(name: str) -> str:
    if name.isascii():
        return name
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
