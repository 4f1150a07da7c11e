"""ssh_find: by the host's own find where it has a shell, over SFTP elsewhere, with the same results."""

from __future__ import annotations

import re
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal

import anyio

from ssh_mcp.errors import InvalidArgument
from ssh_mcp.facts.search import Row, gnu_row, relative_paths, with_stat
from ssh_mcp.policy.globs import matcher
from ssh_mcp.policy.paths import Purpose, decide
from ssh_mcp.remote.files.listing import readable, time_of
from ssh_mcp.remote.files.search.hidden import Hidden
from ssh_mcp.remote.files.search.shell import Feed, Program, search
from ssh_mcp.remote.files.walking import Walk, walk
from ssh_mcp.remote.without_shell import require_files
from ssh_mcp.results.files import FindEntry, FindResult
from transports.api import FileAttributes
from transports.errors import FileError, FileErrorKind

if TYPE_CHECKING:
    from ssh_mcp.remote.host import RemoteHost

Sort = Literal["name", "size", "mtime"]

_KINDS: Final = {
    "f": "file", "file": "file", "d": "directory", "dir": "directory", "directory": "directory",
    "l": "symlink", "symlink": "symlink", "link": "symlink", "any": None, "a": None,
}  # fmt: skip
_LETTERS: Final = {"file": "f", "directory": "d", "symlink": "l", None: "-"}
_AGE: Final = re.compile(r"(\d{1,9})([smhdw])")
"""A duration such as 90m or 7d."""
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_COLLECTED_MAX: Final = 500_000
"""Entries that are kept until the whole tree is read; what lies beyond is only counted."""
_KEEP_FACTOR: Final = 4
"""While sorting by size or time, the best so far are kept in a list that may grow to so many times the result."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for, checked. ``newer`` is seconds since 1970, sizes are bytes."""

    pattern: str
    kind: str | None
    depth: int
    asked_depth: int | None
    min_size: int
    newer: float | None
    sort: Sort
    most: int
    fold: bool

    @property
    def details(self) -> bool:
        """Whether type, size and time are needed: they cost the host a look at every entry."""
        return self.sort != "name" or self.min_size > 0 or self.newer is not None

    def named(self, paths: list[str]) -> list[str]:
        """Those of ``paths`` whose last name the pattern accepts."""
        if self.pattern == "*":
            return paths
        accepts = matcher((self.pattern,), self.fold)
        return [path for path in paths if accepts(path.rpartition("/")[2])]

    @property
    def host_pattern(self) -> str:
        """A pattern for find(1) -name that matches at least as much, in any locale: our own match decides."""
        wide = re.sub(r"\[[^]]*\]|\?|[^ -~]", "*", self.pattern)
        return "*" if re.search(r"[\\\[\]]", wide) else re.sub(r"\*+", "*", wide)


def checked(
    host: RemoteHost,
    name_pattern: str,
    kind: str,
    max_depth: int | None,
    *,
    min_size: int = 0,
    newer_than: str = "",
    sort: Sort = "name",
) -> Query:
    """The caller's arguments as a query. Raises InvalidArgument."""
    if not name_pattern or "/" in name_pattern or len(name_pattern) > 255:
        raise InvalidArgument(
            "name_pattern is empty, too long or holds a slash.", "Give a pattern for the last name, such as *.conf."
        )
    if kind not in _KINDS:
        raise InvalidArgument(f"kind {kind[:20]!r} is unknown.", "Give f, d, l or any (or file, dir, symlink).")
    if min_size < 0:
        raise InvalidArgument(f"min_size is {min_size}.", "It is a number of bytes, 0 or more.")
    return Query(
        pattern=name_pattern,
        kind=_KINDS[kind],
        depth=depth_of(host, max_depth),
        asked_depth=max_depth,
        min_size=min_size,
        newer=_time(newer_than),
        sort=sort,
        most=host.settings.ssh_find_max_results,
        fold=host.policy.windows,
    )


def depth_of(host: RemoteHost, asked: int | None) -> int:
    """Levels to search, at most SSH_FIND_MAX_DEPTH. Raises InvalidArgument below 1."""
    most = host.settings.ssh_find_max_depth
    if asked is None:
        return most
    if asked < 1:
        raise InvalidArgument(f"max_depth is {asked}.", "It is 1 or more; 1 is the directory's own entries.")
    if asked > most:
        host.call.warn(f"max_depth was cut to {most}, which is SSH_FIND_MAX_DEPTH.")
    return min(asked, most)


def _time(text: str) -> float | None:
    if not text:
        return None
    age = _AGE.fullmatch(text.strip())
    if age is not None:
        try:
            return (datetime.now(UTC) - timedelta(**{_UNITS[age[2]]: int(age[1])})).timestamp()
        except OverflowError:
            return 0.0
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InvalidArgument(
            f"newer_than {text[:40]!r} is not a time.", "Give a duration such as 90m, 2h or 7d, or a time in ISO 8601."
        ) from None
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


async def find(host: RemoteHost, path: str, query: Query) -> FindResult:
    """Paths below ``path`` that match. Raises InvalidArgument, FileError and the refusals of policy."""
    able = await host.capabilities()
    if able.has("find"):
        return await _on_host(host, path, query)
    require_files(able)
    return await _over_sftp(host, path, query)


@dataclass(frozen=True, slots=True)
class Listed:
    """The regular files of a tree that may be read, by path relative to ``base``; the rest is counted."""

    root: str
    base: str
    purpose: Purpose
    files: tuple[str, ...]
    restricted: int = 0
    redact_listed: int = 0
    truncated: bool = False


async def list_files(host: RemoteHost, path: str, query: Query) -> Listed:
    """The files of the tree that ``path`` leads to, or the one file. Raises FileError and the refusals of policy."""
    able = await host.capabilities()
    if able.has("find"):
        collected = _Collected(able.dialect("find") or "bsd", details=False)
        done = await search(
            host, path, Purpose.LIST, Program("find.sh", _values(query, collected.dialect), collected.begin)
        )
        root, kind, policy = done.root, done.kind, done.policy
        hidden = Hidden(root, policy)
        relative = collected.paths
        cut = done.done.timed_out or collected.beyond > 0
    else:
        require_files(able)
        root, attributes = await host.paths.existing_file(path, Purpose.LIST)
        policy = await host.paths.policy()
        kind = {"file": "f", "directory": "d", "unknown": "d"}.get(attributes.kind, "o")
        hidden = Hidden(root, policy)
        relative, cut = await _files_over_sftp(host, root, query, hidden) if kind == "d" else ([], False)
    if kind == "f":
        directory, _, name = decide(root, policy, purpose=Purpose.READ_RAW).rpartition("/")
        return Listed(root, directory, Purpose.READ_RAW, (name,))
    if kind != "d":
        raise FileError(FileErrorKind.FAILURE, root, f"{root} is neither a file nor a directory.", "Give one of these.")
    files = tuple(name for name in query.named(relative) if not hidden.hides(name))
    base = "" if root == "/" else root
    return Listed(root, base, Purpose.LIST, files, hidden.restricted, hidden.redact_listed, cut)


async def _files_over_sftp(host: RemoteHost, root: str, query: Query, hidden: Hidden) -> tuple[list[str], bool]:
    """Relative paths of the regular files, and whether time ran out."""
    start = len(root.rstrip("/")) + 1
    found: list[str] = []
    with anyio.move_on_after(host.settings.ssh_command_timeout) as limit:
        tree = walk(
            await host.paths.files(), root, Walk(), max_depth=query.depth,
            enter=lambda each: not hidden.restricts(each.path[start:]),
        )  # fmt: skip
        async with aclosing(tree):
            found += [each.path[start:] async for each in tree if each.entry.attributes.kind == "file"]
    return found, limit.cancelled_caught


def _values(query: Query, dialect: str) -> dict[str, str]:
    """The variables of find.sh."""
    return {
        "dialect": dialect,
        "depth": str(query.depth),
        "edge": "./" + "/".join("*" * query.depth),
        "kind": _LETTERS[query.kind],
        "name": query.host_pattern,
        "details": "1" if query.details else "0",
    }


class _Matches:
    """What was found so far: the first ``most`` by name, or the best ``most`` by size or time."""

    def __init__(self, query: Query, hidden: Hidden) -> None:
        self._query = query
        self._hidden = hidden
        self._accepts = None if query.pattern == "*" else matcher((query.pattern,), query.fold)
        self.rows: list[Row] = []
        self.paths: list[str] = []
        """Instead of rows where no details are wanted: ten thousand rows take as long as the search."""
        self.found = 0
        self.edge = 0

    @property
    def full(self) -> bool:
        """Whether a further match by name could not be shown any more."""
        return self._query.sort == "name" and len(self.rows) + len(self.paths) >= self._query.most

    def take(self, row: Row) -> None:
        query = self._query
        if query.kind is not None and row.kind is not None and row.kind != query.kind:
            return
        if self._accepts is not None and not self._accepts(row.path.rpartition("/")[2]):
            return
        if query.details and (
            (row.size or 0) < query.min_size or (query.newer is not None and (row.mtime or 0.0) < query.newer)
        ):
            return
        if not self.full and self._hidden.hides(row.path):
            return
        self.found += 1
        if self.full:
            return
        if not query.details:
            self.paths.append(row.path)
            return
        self.rows.append(row)
        if query.sort != "name" and len(self.rows) >= _KEEP_FACTOR * query.most:
            self.rows = self.sorted()

    def take_paths(self, paths: list[str]) -> None:
        """The same for many of which only the names are known, and matter."""
        paths = self._query.named(paths)
        hides, at = self._hidden.hides, 0
        while at < len(paths) and (room := self._query.most - len(self.paths)) > 0:
            some = paths[at : at + room]
            self.paths += [path for path in some if not hides(path)]
            at += len(some)
        self.found += len(self.paths) + len(paths) - at

    def sorted(self) -> list[Row]:
        """The rows to show, in their order: largest or newest first, names ascending."""
        sort = self._query.sort
        if sort == "name":
            return sorted(self.rows, key=lambda row: row.path)[: self._query.most]
        key = (lambda row: (-(row.size or 0), row.path)) if sort == "size" else (lambda r: (-(r.mtime or 0.0), r.path))
        return sorted(self.rows, key=key)[: self._query.most]


class _Fields:
    """NUL-terminated fields of a stream, cut anywhere."""

    def __init__(self) -> None:
        self._rest = b""
        self.tail = bytearray()
        self.in_tail = False

    def split(self, data: bytes) -> list[bytes]:
        """The fields that are complete now. After an empty one all else is the tail."""
        if self.in_tail:
            self.tail += data
            return []
        *fields, self._rest = (self._rest + data).split(b"\0")
        if b"" in fields:
            end = fields.index(b"")
            self.in_tail = True
            self.tail += b"\0".join([*fields[end + 1 :], self._rest])
            fields = fields[:end]
        return fields


class _Collected:
    """What find.sh prints, as long as it fits: paths, or rows where GNU find says type, size and time with them."""

    def __init__(self, dialect: str, details: bool, most: int = _COLLECTED_MAX) -> None:
        self.dialect = dialect
        self._most = most
        self._gnu = dialect == "gnu"
        self._details = details
        self.begin()

    def begin(self) -> Feed:
        """Forget an attempt whose connection was lost."""
        self._fields = _Fields()
        self.paths: list[str] = []
        self._rows: list[Row] = []
        self.beyond = 0
        self.edge = 0
        return self._feed

    def _feed(self, data: bytes) -> None:
        room = max(self._most - len(self.paths) - len(self._rows), 0)
        if not room and not self._details:
            self.beyond += data.count(b"\0")  # a tree without end costs only its counting
            return
        fields = self._fields.split(data)
        if self._gnu and (edge := fields.count(b"B")):
            self.edge += edge
            fields = [field for field in fields if field != b"B"]
        self.beyond += max(len(fields) - room, 0)
        if self._gnu and self._details:
            self._rows += [row for field in fields[:room] if (row := gnu_row(field)) is not None]
        else:
            self.paths += relative_paths(fields[:room], "M" if self._gnu else "./")

    def rows(self) -> list[Row] | None:
        """Rows with details; None where the second walk saw another tree."""
        return self._rows if self._gnu else with_stat(self.paths, bytes(self._fields.tail))


async def _on_host(host: RemoteHost, path: str, query: Query) -> FindResult:
    dialect = (await host.capabilities()).dialect("find") or "bsd"
    exact = query.host_pattern == query.pattern and not query.details
    collected = _Collected(dialect, query.details, 2 * query.most if exact else _COLLECTED_MAX)
    done = await search(host, path, Purpose.LIST, Program("find.sh", _values(query, dialect), collected.begin))
    if done.kind != "d":
        raise _no_directory(done.root)
    hidden = Hidden(done.root, done.policy)
    matches = _Matches(query, hidden)
    if not query.details:
        matches.take_paths(collected.paths)
    elif (rows := collected.rows()) is None:
        host.call.warn("The tree changed while it was searched: sizes and times are missing. Search again.")
    else:
        for row in rows:
            matches.take(row)
    matches.found += collected.beyond
    matches.edge = collected.edge
    return _result(host, done.root, query, matches, hidden, unread=done.unreadable, timed_out=done.done.timed_out)


async def _over_sftp(host: RemoteHost, path: str, query: Query) -> FindResult:
    root, attributes = await host.paths.existing_file(path, Purpose.LIST)
    if attributes.kind not in ("directory", "unknown"):
        raise _no_directory(root)
    hidden = Hidden(root, await host.paths.policy())
    matches = _Matches(query, hidden)
    log = Walk()
    start = len(root.rstrip("/")) + 1
    with anyio.move_on_after(host.settings.ssh_command_timeout) as limit:
        files = await host.paths.files()
        tree = walk(files, root, log, max_depth=query.depth, enter=lambda f: not hidden.restricts(f.path[start:]))
        async with aclosing(tree):
            async for found in tree:
                entry = found.entry.attributes
                matches.take(Row(found.path[start:], entry.kind, entry.size, entry.mtime))
                if matches.found > query.most and query.sort == "name":
                    break
    matches.edge = log.below
    return _result(host, root, query, matches, hidden, unread=len(log.unread), timed_out=limit.cancelled_caught)


def _utc(seconds: float | None) -> str:
    return time_of(FileAttributes(mtime=None if seconds is None else int(seconds)))


def _no_directory(root: str) -> FileError:
    return FileError(
        FileErrorKind.NOT_DIRECTORY, root, f"{root} is not a directory.", "ssh_sftp_stat shows what it is."
    )


def _result(
    host: RemoteHost, root: str, query: Query, matches: _Matches, hidden: Hidden, *, unread: int, timed_out: bool
) -> FindResult:
    rows = matches.sorted()
    relative = [row.path for row in rows] if query.details else sorted(matches.paths)
    base = "" if root == "/" else root
    paths = readable([f"{base}/{path}" for path in relative], host.call)
    cut = matches.found > len(paths)
    warn = host.call.warn
    if cut:
        warn("There are more matches than SSH_FIND_MAX_RESULTS: narrow path or name_pattern.")
    if timed_out:
        warn("The search was ended after SSH_COMMAND_TIMEOUT seconds: narrow path or max_depth.")
    if hidden.restricted:
        warn(f"{hidden.restricted} restricted entries are not shown.")
    if hidden.redact_listed:
        warn(f"{hidden.redact_listed} redact-listed entries are not shown; ssh_sftp_list shows their names.")
    if unread:
        warn(f"{unread} directories could not be read.")
    if matches.edge and query.asked_depth is None:
        warn(f"{matches.edge} directories lie at SSH_FIND_MAX_DEPTH and were not searched.")
    entries = [
        FindEntry(path=path, kind=row.kind or "other", size=row.size or 0, mtime=_utc(row.mtime))
        for path, row in zip(paths, rows, strict=False)
    ]
    return FindResult(
        host=host.name, root=root, matches=paths, truncated=cut or timed_out, found=matches.found, entries=entries
    )
