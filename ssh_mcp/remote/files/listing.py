"""What stands in a directory, and what one path is."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from ssh_mcp.errors import InvalidArgument
from ssh_mcp.policy.paths import Purpose, child, restricted_by
from ssh_mcp.remote.files.owners import owner_and_group
from ssh_mcp.remote.files.paths import Places, in_place
from ssh_mcp.remote.together import settled
from ssh_mcp.results.files import SftpListing, SftpStat
from transports.api import DirectoryEntry, FileAttributes, Files
from transports.errors import FileError, FileErrorKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ssh_mcp.inventory.model import PathPolicy
    from ssh_mcp.remote.call import Call
    from ssh_mcp.remote.host import RemoteHost

MAX_PAGE: Final = 10_000
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
"""C0 and C1 controls and DEL, such as the escape that starts a terminal sequence."""


class Listing:
    """Directories and single paths of one host within one call."""

    def __init__(self, host: RemoteHost, places: Places) -> None:
        self._host = host
        self._places = places

    async def stat(self, path: str) -> SftpStat:
        """The entry itself; of a link also where it leads. Two round trips on a warm channel."""
        entry = await self._places.entry(path, Purpose.STAT)
        attributes = entry.attributes
        if attributes is None:
            raise FileError(
                FileErrorKind.NOT_FOUND, path, f"Nothing stands at {entry.path}.", "ssh_sftp_list shows what does."
            )
        target = None
        if entry.is_link:
            target = await self._places.asking(lambda files: files.readlink(entry.path))
        owner, group = await self._owner(attributes)
        return SftpStat(
            path=entry.path,
            kind=kind_of(attributes),
            size=attributes.size or 0,
            mode=mode_of(attributes),
            mtime=time_of(attributes),
            owner=owner,
            group=group,
            symlink_target=None if target is None else readable([target], self._host.call)[0],
        )

    async def page(self, path: str, offset: int, limit: int) -> SftpListing:
        """One page of a directory, sorted by name; entries in restricted zones are left out and counted."""
        if offset < 0 or not 1 <= limit <= MAX_PAGE:
            raise InvalidArgument(
                f"offset {offset} or limit {limit} is out of range.", f"offset is 0 or more, limit 1 to {MAX_PAGE}."
            )
        canonical = await self._places.existing(path, Purpose.LIST)
        policy = await self._places.policy()
        found = await self._places.asking(lambda files: in_place(files, canonical, entries_of(files, canonical)))
        shown = unrestricted(found, canonical, policy, self._host.call)
        shown.sort(key=attrgetter("name"))
        page = shown[offset : offset + limit]
        targets = await self._targets(canonical, page)
        names = readable([entry.name for entry in page], self._host.call)
        rows = [_row(entry, name, targets) for entry, name in zip(page, names, strict=True)]
        # one validation of plain rows: a model made row by row takes three times as long, 4 ms a thousand
        return SftpListing.model_validate(
            {
                "host": self._host.name,
                "path": canonical,
                "entries": rows,
                "offset": offset,
                "limit": limit,
                "has_more": offset + limit < len(shown),
            }
        )

    async def _targets(self, directory: str, page: Sequence[DirectoryEntry]) -> dict[str, str]:
        """Where the links of a page lead, all asked at once."""
        links = [entry.name for entry in page if _kind_and_mode(entry.attributes.permissions)[0] == "symlink"]
        if not links:
            return {}
        files = await self._places.files()
        answers = await settled([files.readlink(child(directory, name)) for name in links])
        texts = readable([a if isinstance(a, str) else "" for a in answers], self._host.call)
        return {name: text for name, text in zip(links, texts, strict=True) if text}

    async def _owner(self, attributes: FileAttributes) -> tuple[str | None, str | None]:
        """Names where the server tells them, else the numbers; Windows has neither."""
        uid, gid = attributes.uid, attributes.gid
        if uid is None or gid is None or self._host.policy.windows:
            return None, None
        return await owner_and_group(await self._places.files(), uid, gid)


def _row(entry: DirectoryEntry, name: str, targets: dict[str, str]) -> dict[str, object]:
    attributes = entry.attributes
    mtime = attributes.mtime
    kind, mode = _kind_and_mode(attributes.permissions)
    return {
        "name": name,
        "kind": kind,
        "size": attributes.size or 0,
        "mode": mode,
        "mtime": "" if mtime is None else _utc(mtime),
        "symlink_target": targets.get(entry.name),
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
    """Without those in restricted zones, which no tool can reach; the caller is told how many."""
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
    """Octal such as 0644; empty where the server does not tell."""
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
