"""ssh_grep: lines that match, by the host's own grep where it has a shell, over SFTP elsewhere.

Two sessions: the files of the tree are listed and each is decided on; then those that are permitted are searched, their
names going over stdin. Of many, one grep says first which match. Lines are read file by file, each checked after it was
opened: a link swapped in meanwhile, and swapped back, shows nothing. A match is masked in the light of the lines
around it: more of them are read than are shown.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Final

import anyio

from ssh_mcp.errors import InvalidArgument, PathChanged
from ssh_mcp.facts.search import GrepLine, each_lines, relative_paths
from ssh_mcp.guard.aside import aside
from ssh_mcp.guard.guard import decode
from ssh_mcp.guard.shared import guard_for
from ssh_mcp.remote.files.listing import readable
from ssh_mcp.remote.files.paths import in_place
from ssh_mcp.remote.files.search.find import Listed, checked, list_files
from ssh_mcp.remote.files.search.shell import Feed, Program, Searched, search
from ssh_mcp.results.files import GrepMatch, GrepResult, SkippedFiles
from transports.errors import FileError, TransportError

if TYPE_CHECKING:
    from ssh_mcp.facts.capabilities import Capabilities
    from ssh_mcp.remote.host import RemoteHost
    from transports.api import FileHandle, Files

MATCHES_MAX: Final = 2_000
CONTEXT_MAX: Final = 50
PATTERN_MAX: Final = 1_000
_LINE_SHOWN: Final = 1_000
"""Characters of one line that are shown."""
_BEFORE: Final = 60
"""Lines read before a match, for its masking: a private key is up to that long."""
_AFTER: Final = 4
_OUTPUT_MAX: Final = 32 * 1024 * 1024
"""Bytes of grep's output that are kept."""
_SFTP_MAX: Final = 256 * 1024 * 1024
"""Bytes that are read of a host without a shell before the search is ended."""
_CLOSE_WITHIN: Final = 5.0
"""Seconds given to closing a handle that is no longer needed."""
_FEW: Final = 8
"""Files of which each is searched at once: a large log is read once and not twice."""
_STEP: Final = 16
"""Files that match whose lines are read first; where they are not enough, four times as many follow."""
_COMPRESSED: Final = {".gz": "gzip", ".xz": "xz", ".zst": "zstd"}


@dataclass(frozen=True, slots=True)
class GrepQuery:
    """What is looked for, checked."""

    pattern: str
    fixed: bool
    ignore_case: bool
    context: int
    most: int

    @property
    def flags(self) -> str:
        return ("F" if self.fixed else "E") + ("i" if self.ignore_case else "")


def grep_query(pattern: str, *, fixed: bool, ignore_case: bool, context: int, max_matches: int) -> GrepQuery:
    """The caller's arguments as a query. Raises InvalidArgument."""
    if not pattern or len(pattern) > PATTERN_MAX or any(c in pattern for c in "\0\n\r"):
        raise InvalidArgument(
            f"pattern is empty, longer than {PATTERN_MAX} characters or holds a line end.",
            "Give one POSIX extended regular expression, or fixed=true for plain text.",
        )
    if not 0 <= context <= CONTEXT_MAX or not 1 <= max_matches <= MATCHES_MAX:
        raise InvalidArgument(
            f"context {context} or max_matches {max_matches} is out of range.",
            f"context is 0 to {CONTEXT_MAX}, max_matches 1 to {MATCHES_MAX}.",
        )
    return GrepQuery(pattern, fixed, ignore_case, context, max_matches)


@dataclass(slots=True)
class _Haul:
    """Lines by relative path, and what was not searched."""

    lines: dict[str, list[GrepLine]] = field(default_factory=dict)
    skipped: SkippedFiles = field(default_factory=SkippedFiles)
    cut: bool = False

    @property
    def matched(self) -> int:
        """Lines that match so far."""
        return sum(line.matched for lines in self.lines.values() for line in lines)


async def grep(
    host: RemoteHost, path: str, query: GrepQuery, *, name_pattern: str, max_depth: int | None
) -> GrepResult:
    """Matches below ``path``, or in it. Raises InvalidArgument, FileError, RemoteError and the refusals of policy."""
    tree = checked(host, name_pattern, "f", max_depth)
    listed = await list_files(host, path, tree)
    haul = _Haul(skipped=SkippedFiles(restricted=listed.restricted, redact_listed=listed.redact_listed))
    able = await host.capabilities()
    if listed.files:
        if able.has("find") and able.has("grep"):
            await _on_host(host, listed, query, able, haul)
        else:
            await _over_sftp(host, listed, query, haul)
    skipped = haul.skipped
    searched = len(listed.files) - skipped.binary - skipped.unreadable
    matches = await _masked(host, listed.base, haul.lines, query)
    cut = haul.cut or listed.truncated or len(matches) > query.most
    if listed.truncated:
        host.call.warn("Not all files of the tree were searched: narrow path or name_pattern.")
    return GrepResult(
        host=host.name,
        root=listed.root,
        matches=matches[: query.most],
        files_searched=searched,
        files_skipped=skipped,
        truncated=cut,
    )


class _Kept:
    """The first bytes of grep's output."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.cut = False

    def begin(self) -> Feed:
        self.data.clear()
        self.cut = False
        return self._feed

    def _feed(self, data: bytes) -> None:
        room = _OUTPUT_MAX - len(self.data)
        self.cut = self.cut or len(data) > room
        self.data += data[:room]


async def _on_host(host: RemoteHost, listed: Listed, query: GrepQuery, able: Capabilities, haul: _Haul) -> None:
    packed = [f for f in listed.files if f.endswith(tuple(_COMPRESSED)) and able.has(_opener(f))]
    plain = list(listed.files)
    if packed:
        apart = frozenset(packed)
        plain = [f for f in plain if f not in apart]
    step = len(plain)
    if step > _FEW and able.dialect("grep") != "busybox":
        plain, step = sorted(await _files_that_match(host, listed, plain, query, haul)), _STEP
    while plain and haul.matched <= query.most:
        await _search_each(host, listed, plain[:step], query, haul)
        plain, step = plain[step:], 4 * step
    haul.cut = haul.cut or bool(plain)
    if packed:
        await _search_each(host, listed, packed, query, haul)


async def _files_that_match(
    host: RemoteHost, listed: Listed, files: Sequence[str], query: GrepQuery, haul: _Haul
) -> list[str]:
    """The files in which one grep for all finds a line; it reads each of them only up to there."""
    output, done = await _search(host, listed, files, {"mode": "names"}, query=query, haul=haul)
    haul.skipped.unreadable += done.unreadable
    return relative_paths(output.split(b"\0")[:-1])


async def _search_each(host: RemoteHost, listed: Listed, files: Sequence[str], query: GrepQuery, haul: _Haul) -> None:
    """The lines of each file by a grep of its own."""
    mark = secrets.token_hex(16)
    values = {
        "mode": "each",
        "mark": mark,
        "before": str(max(query.context, _BEFORE)),
        "after": str(max(query.context, _AFTER)),
        "most": str(query.most + 1),
    }
    output, done = await _search(host, listed, files, values, query=query, haul=haul)
    each = each_lines(output, mark)
    haul.lines.update(each.lines)
    haul.skipped.binary += each.binary + done.done.stderr.count(_BINARY)
    haul.skipped.unreadable += each.unreadable


async def _search(
    host: RemoteHost, listed: Listed, files: Sequence[str], values: dict[str, str], *, query: GrepQuery, haul: _Haul
) -> tuple[bytes, Searched]:
    kept = _Kept()
    names = "".join([f"./{name}\0" for name in files]).encode("utf-8", "surrogateescape")
    values = {"mark": "", "before": "", "after": "", "most": "", **values}
    program = Program(
        "grep.sh", {**values, "flags": query.flags, "pattern": query.pattern}, kept.begin, stdin=names, kinds="df"
    )
    done = await search(host, listed.root, listed.purpose, program)
    haul.cut = haul.cut or kept.cut or done.done.timed_out
    if done.done.timed_out:
        host.call.warn("The search was ended after SSH_COMMAND_TIMEOUT seconds: narrow path or name_pattern.")
    if _is_about_pattern(done.done.stderr.decode("utf-8", "replace")):
        raise InvalidArgument("The host's grep does not accept the pattern.", "Give a POSIX extended expression.")
    return bytes(kept.data), done


def _is_about_pattern(complaint: str) -> bool:
    """Whether grep complains of the pattern. Complaints about files begin with their names: ``grep: ./``."""
    own = [line for line in complaint.lower().splitlines() if line.startswith("grep: ")]
    lines = (line for line in own if not line.startswith(("grep: ./", "grep: warning", "grep: (standard input)")))
    return any(_PATTERN_WORDS.intersection(line.replace(":", " ").split()) for line in lines)


_BINARY: Final = b": binary file matches\n"
"""On stderr from grep 3.5 on; before, and elsewhere, the like is on stdout."""
_PATTERN_WORDS: Final = frozenset(
    {"pattern", "expression", "unmatched", "invalid", "regular", "regex", "trailing", "balanced"}
)


def _opener(name: str) -> str:
    """The program that unpacks the file; empty for what is not compressed."""
    return _COMPRESSED.get(name[name.rfind(".") :], "") if "." in name else ""


async def _over_sftp(host: RemoteHost, listed: Listed, query: GrepQuery, haul: _Haul) -> None:
    """Read every file and search it here: patterns run in linear time, whatever they are (RE2)."""
    matches = _line_matcher(query)
    budget = _SFTP_MAX
    found = 0
    files = await host.paths.files()
    with anyio.move_on_after(host.settings.ssh_command_timeout) as limit:
        for name in listed.files:
            if budget <= 0 or found > query.most:
                haul.cut = True
                break
            try:
                data = await _content(files, f"{listed.base}/{name}", budget)
            except (FileError, PathChanged):
                haul.skipped.unreadable += 1
                continue
            budget -= len(data)
            if b"\0" in data:
                haul.skipped.binary += 1
            elif lines := matching_lines(data, matches, query):
                haul.lines[name] = lines
                found += sum(line.matched for line in lines)
    haul.cut = haul.cut or limit.cancelled_caught


async def _content(files: Files, path: str, most: int) -> bytes:
    """At most ``most`` bytes of a listed file. Raises FileError, and PathChanged where a link was swapped in."""
    handles: list[FileHandle] = []

    async def take() -> None:
        handles.append(await files.open(path, "r"))

    try:
        await in_place(files, path, take())
        parts = bytearray()
        async for part in handles[0].read_stream(0, most):
            parts += part
        return bytes(parts)
    finally:
        for handle in handles:
            with anyio.move_on_after(_CLOSE_WITHIN, shield=True), suppress(TransportError):
                await handle.close()


def _line_matcher(query: GrepQuery) -> Callable[[str], bool]:
    if query.fixed:
        wanted = query.pattern.casefold() if query.ignore_case else query.pattern
        return lambda line: wanted in (line.casefold() if query.ignore_case else line)
    from ssh_mcp.remote.patterns import LinePattern  # late: its library is large

    compiled = LinePattern(query.pattern, ignore_case=query.ignore_case)
    return lambda line: compiled.matches(line.encode("utf-8", "replace"))


def matching_lines(data: bytes, matches: Callable[[str], bool], query: GrepQuery) -> list[GrepLine]:
    """Matches with the lines that their masking needs, as grep -n prints them."""
    lines = data.split(b"\n")
    if lines and not lines[-1]:
        lines.pop()
    hits = [i for i, line in enumerate(lines) if matches(line.decode("utf-8", "replace"))][: query.most + 1]
    wanted: dict[int, bool] = {}
    for hit in hits:
        around = range(max(0, hit - max(query.context, _BEFORE)), min(len(lines), hit + max(query.context, _AFTER) + 1))
        for i in around:
            wanted.setdefault(i, False)
    wanted.update(dict.fromkeys(hits, True))
    return [GrepLine(i + 1, matched, lines[i]) for i, matched in sorted(wanted.items())]


async def _masked(host: RemoteHost, base: str, lines: dict[str, list[GrepLine]], query: GrepQuery) -> list[GrepMatch]:
    """Matches in order of path and line, each group of adjacent lines masked as one text."""
    out: list[GrepMatch] = []
    guard = guard_for(host.policy.redaction)
    names = sorted(lines)
    for name, path in zip(names, readable([f"{base}/{name}" for name in names], host.call), strict=True):
        for group in _groups(lines[name]):
            texts = [decode(line.data)[0].removesuffix("\r") for line in group]
            joined = "\n".join(texts)
            guarded = await aside(len(joined), guard.text, joined)
            for warning in guarded.warnings:
                host.call.warn(warning)
            shown = [text[:_LINE_SHOWN] for text in line_by_line(texts, guarded.text.split("\n"))]
            for i, line in enumerate(group):
                if line.matched:
                    before, after = shown[max(0, i - query.context) : i], shown[i + 1 : i + 1 + query.context]
                    out.append(GrepMatch(path=path, line=line.number, text=shown[i], before=before, after=after))
        if len(out) > query.most:
            break
    return out


def _groups(lines: Iterable[GrepLine]) -> list[list[GrepLine]]:
    """Lines whose numbers follow one another."""
    groups: list[list[GrepLine]] = []
    for line in lines:
        if groups and line.number == groups[-1][-1].number + 1:
            groups[-1].append(line)
        else:
            groups.append([line])
    return groups


def line_by_line(given: Sequence[str], masked: Sequence[str]) -> list[str]:
    """The masked text of each given line, also where a secret of several lines became one marker."""
    if len(given) == len(masked):
        return list(masked)
    out = ["***"] * len(given)
    for tag, low, high, other, _ in SequenceMatcher(None, given, masked, autojunk=False).get_opcodes():
        if tag == "equal":
            out[low:high] = masked[other : other + high - low]
    return out
