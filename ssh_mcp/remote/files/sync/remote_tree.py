"""A directory of a host as one side of a synchronisation, over SFTP: the same on every host.

Each directory must still lead to itself right before and right after its entries are changed, so that a link put in its
place does not lead a change elsewhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from itertools import groupby
from typing import TYPE_CHECKING, Final

from ssh_mcp.errors import InvalidArgument, TooLarge
from ssh_mcp.inventory.model import BypassPolicy
from ssh_mcp.inventory.values import shown
from ssh_mcp.policy.paths import Purpose, decide_below, redact_listed
from ssh_mcp.remote.files.listing import entries_of
from ssh_mcp.remote.files.paths import changed, in_place
from ssh_mcp.remote.files.search.hidden import Hidden
from ssh_mcp.remote.files.sync.local_tree import MAX_ENTRIES, Excluded, Scan
from ssh_mcp.remote.files.sync.plan import MODE_BITS, PARTIAL, STAGING, Entry, Kind, Plan, Step
from ssh_mcp.remote.files.walking import Walk, walk
from ssh_mcp.remote.programs import run_program
from ssh_mcp.remote.together import settled, together
from transports.api import FileAttributes, FileHandle, Files
from transports.errors import FileError, FileErrorKind
from transports.programs import program_text

if TYPE_CHECKING:
    from ssh_mcp.inventory.model import PathPolicy
    from ssh_mcp.policy.permitted_path import PermittedPath
    from ssh_mcp.remote.host import RemoteHost

_AT_ONCE: Final = 128
"""Requests on their way at the same time."""
_HASHES_MAX: Final = 64 * 1024 * 1024
_LISTING_MAX: Final = 128 * 1024 * 1024
_KINDS: Final[dict[str, Kind]] = {"f": "file", "d": "directory", "l": "symlink"}
_LINE_MIN: Final = 64
"""Digits of a SHA-256."""


class RemoteTree:
    """A permitted directory. Made by ``source_tree`` and ``target_tree``."""

    def __init__(self, host: RemoteHost, root: PermittedPath, policy: PathPolicy, *, exists: bool) -> None:
        self.host = host
        self.root = root
        self.policy = policy
        self.exists = exists
        self.agrees = False
        """Whether the shell and SFTP were seen to have the same directory here."""

    @property
    def fold(self) -> bool:
        """Whether the host ignores case in names."""
        return self.policy.fold_case or self.policy.windows

    def path(self, relative: str) -> PermittedPath:
        """An entry's canonical path. Raises PathRestricted."""
        return decide_below(self.root, relative, self.policy)

    # --- looking ------------------------------------------------------------------------------------------------------

    async def scan(self, excluded: Excluded, *, reading: bool) -> Scan:
        """All entries that are neither excluded nor hidden by policy; ``reading``: redact-listed ones are hidden too.

        Raises TooLarge beyond MAX_ENTRIES, FileError.
        """
        found = Scan()
        if not self.exists:
            return found
        hidden = Hidden(self.root, self.policy)
        listed = await self._listed()
        if listed is not None:
            _sort_out(listed, lambda path, entry: self._wanted(path, entry, found, hidden, excluded, reading=reading))
        else:
            await self._walk(
                lambda path, entry: self._wanted(path, entry, found, hidden, excluded, reading=reading), found
            )
            await self._read_links(await self.host.paths.files(), found)
        if len(found.entries) > MAX_ENTRIES:
            raise TooLarge(f"{self.root} holds more than {MAX_ENTRIES} entries.", "Synchronise parts of it.")
        found.barred = hidden.restricted
        return found

    async def _walk(self, wanted: Callable[[str, Entry], bool], found: Scan) -> None:
        """Over SFTP."""
        files = await self.host.paths.files()
        closed: set[str] = set()
        log = Walk()
        start = len(self.root.rstrip("/")) + 1
        async with aclosing(walk(files, self.root, log, enter=lambda one: one.path not in closed)) as tree:
            async for one in tree:
                if not wanted(one.path[start:], _entry(one.entry.attributes)):
                    closed.add(one.path)
                elif len(found.entries) > MAX_ENTRIES:
                    return
        found.unread = len(log.unread)

    async def _listed(self) -> dict[str, Entry] | None:
        """All entries, parents first, by the host's own find: a tenth of the time of many directories over SFTP.

        None where it has no GNU find, could not read everything, or the shell sees other files than SFTP does: both
        list the directory itself, and must agree.
        """
        capable = await self.host.capabilities()
        if not capable.posix or capable.dialect("find") != "gnu":
            return None
        program = run_program(program_text("ssh_mcp.remote.files.sync", "list.sh"), self.root)
        files = await self.host.paths.files()
        done, top = await together(
            self.host.commands.run(program, stdout_cap=_LISTING_MAX), entries_of(files, self.root)
        )
        if done.exit_code or done.timed_out or done.stdout_total > len(done.stdout):
            return None
        fields = done.stdout.decode("utf-8", "surrogateescape").split("\0")
        found = dict(_parsed(line, target) for line, target in zip(fields[:-1:2], fields[1::2], strict=True))
        here = {path: (e.kind, e.mtime) for path, e in found.items() if "/" not in path}
        there = {e.name: (_entry(e.attributes).kind, _entry(e.attributes).mtime) for e in top}
        self.agrees = bool(here) and here == there
        return found if here == there else None

    def _wanted(
        self, relative: str, entry: Entry, found: Scan, hidden: Hidden, excluded: Excluded, *, reading: bool
    ) -> bool:
        name = relative.rpartition("/")[2]
        if name == PARTIAL or name.startswith(STAGING):
            found.partial = True
            return False
        if excluded(relative, entry.kind == "directory"):
            return False
        if reading:
            if hidden.hides(relative):
                found.redact_listed = hidden.redact_listed
                return False
            if self.policy.bypass is not BypassPolicy.BLOCK and redact_listed(f"{self.root}/{relative}", self.policy):
                self.host.call.note_bypass()
                if self.policy.bypass is BypassPolicy.WARN:
                    self.host.call.warn("Redact-listed files were copied unmasked; ssh_read_redacted masks secrets.")
        elif hidden.restricts(relative):
            return False
        found.entries[relative] = entry
        return True

    async def _read_links(self, files: Files, found: Scan) -> None:
        links = [path for path, entry in found.entries.items() if entry.kind == "symlink"]
        for start in range(0, len(links), _AT_ONCE):
            chunk = links[start : start + _AT_ONCE]
            targets = await settled([files.readlink(f"{self.root.rstrip('/')}/{path}") for path in chunk])
            for path, target in zip(chunk, targets, strict=True):
                if isinstance(target, Exception):
                    del found.entries[path]
                    found.unread += 1
                else:
                    found.entries[path] = Entry("symlink", target=target)

    async def digests(self, paths: Sequence[str]) -> dict[str, str]:
        """SHA-256 of files, hexadecimal: by the host's own program where it has one."""
        capable = await self.host.capabilities()
        if capable.posix and capable.has("sha256sum"):
            program = run_program(program_text("ssh_mcp.remote.files.sync", "digests.sh"), self.root)
            names = b"".join(b"./" + p.encode("utf-8", "surrogateescape") + b"\0" for p in paths)
            done = await self.host.commands.run(program, stdin=names, stdout_cap=_HASHES_MAX)
            lines = [line.lstrip(b"\\")[:_LINE_MIN] for line in done.stdout.splitlines()]
            if done.exit_code == 0 and len(lines) == len(paths):
                return {p: line.decode("ascii", "replace") for p, line in zip(paths, lines, strict=True)}
        found = {}
        for path in paths:
            handle, _ = await self.open(path)
            digest = hashlib.sha256()
            try:
                async for block in handle.read_stream(0, None):
                    digest.update(block)
            finally:
                await handle.close()
            found[path] = digest.hexdigest()
        return found

    async def open(self, relative: str) -> tuple[FileHandle, FileAttributes]:
        """A regular file, opened where it was found. Raises PathChanged, FileError."""
        path = self.path(relative)
        files = await self.host.paths.files()
        if (await files.lstat(path)).kind != "file":
            raise changed(path)
        handle = await in_place(files, path, files.open(path, "r"))
        return handle, await handle.stat()

    # --- changing -----------------------------------------------------------------------------------------------------

    async def create(self) -> None:
        """Make the root and the directories above it."""
        files = await self.host.paths.files()
        missing: list[str] = []
        here = str(self.root)
        while await files.lookup(here) is None:
            missing.append(here)
            here = here.rpartition("/")[0] or "/"
        for directory in reversed(missing):
            await files.mkdir(directory, 0o755)
        if await files.realpath(self.root) != self.root:
            raise changed(self.root)
        self.exists = True

    async def prepare(self, plan: Plan) -> None:
        """Remove what goes, then make directories. Raises FileError, PathChanged, PathRestricted."""
        files = await self.host.paths.files()
        for kind in ("leaves", "directories"):
            steps = [
                s for s in plan.removals if (s.old is not None and s.old.kind == "directory") == (kind != "leaves")
            ]
            await self.by_depth(steps, lambda step: self._remove(files, step), deepest_first=True)
        replaced = [s for s in plan.directories if s.old is not None and s.old.kind != "directory"]
        await self.by_depth(replaced, lambda step: files.remove(self.path(step.path)))
        await self.by_depth(plan.directories, lambda step: self._mkdir(files, step))

    async def link(self, plan: Plan) -> None:
        """Make the links of the plan; what they replace goes first."""
        files = await self.host.paths.files()
        old = [s for s in plan.links if s.old is not None and s.old.kind != "directory"]
        await self.by_depth(old, lambda step: files.remove(self.path(step.path)))
        await self.by_depth(plan.links, lambda step: _symlink(files, step, self.path(step.path)))

    async def _remove(self, files: Files, step: Step) -> None:
        path = self.path(step.path)
        directory = step.old is not None and step.old.kind == "directory"
        try:
            await (files.rmdir(path) if directory else files.remove(path))
        except FileError as error:
            # gone already, or a directory that holds what is excluded or was added meanwhile
            if error.kind is not FileErrorKind.NOT_FOUND and not directory:
                raise

    async def _mkdir(self, files: Files, step: Step) -> None:
        assert step.source is not None
        path, mode = self.path(step.path), (step.source.mode & MODE_BITS) | 0o700
        if step.action == "mkdir":
            await files.mkdir(path, mode)
        if (await files.lstat(path)).kind != "directory":
            raise changed(path)
        await files.setstat(path, FileAttributes(permissions=mode))

    async def by_depth(
        self,
        steps: Sequence[Step],
        change: Callable[[Step], Awaitable[None]],
        *,
        deepest_first: bool = False,
    ) -> None:
        """Do something to each step's entry, many at a time, where directories still lead to themselves."""
        files = await self.host.paths.files()

        def depth(step: Step) -> int:
            return step.path.count("/")

        for _, level in groupby(sorted(steps, key=depth, reverse=deepest_first), key=depth):
            same = list(level)
            for start in range(0, len(same), _AT_ONCE):
                await self._at_once(files, same[start : start + _AT_ONCE], change)

    async def _at_once(self, files: Files, steps: Sequence[Step], change: Callable[[Step], Awaitable[None]]) -> None:
        above = list(dict.fromkeys(f"{self.root.rstrip('/')}/{s.path}".rpartition("/")[0] or "/" for s in steps))

        async def look() -> None:
            for directory, found in zip(above, await settled([files.realpath(d) for d in above]), strict=True):
                if found != directory:
                    raise found if isinstance(found, Exception) else changed(directory)

        await look()
        outcomes = await settled([change(step) for step in steps])
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome
        await look()


async def _symlink(files: Files, step: Step, path: str) -> None:
    assert step.source is not None
    await files.symlink(step.source.target, path)


def _parsed(line: str, target: str) -> tuple[str, Entry]:
    """One entry of list.sh, such as ``f 644 12 1600000000.5 a/b``."""
    kind, mode, size, time, path = line.split(" ", 4)
    return path, Entry(_KINDS.get(kind, "other"), int(size), int(time.partition(".")[0]), int(mode, 8), target)


def _sort_out(entries: dict[str, Entry], wanted: Callable[[str, Entry], bool]) -> None:
    """Ask about each entry, but not about what lies below a directory that is not wanted. Parents come first."""
    closed: set[str] = set()
    for path, entry in entries.items():
        if (closed and path.rpartition("/")[0] in closed) or not wanted(path, entry):
            closed.add(path)


def _entry(attributes: FileAttributes) -> Entry:
    found = attributes.kind
    kind: Kind = "other" if found == "unknown" else found
    return Entry(kind, attributes.size or 0, attributes.mtime or 0, (attributes.permissions or 0o644) & 0o7777)


async def source_tree(host: RemoteHost, path: str) -> RemoteTree:
    """A directory to read from. Raises the refusals of policy, FileError, InvalidArgument."""
    root = await host.paths.existing(path, Purpose.LIST)
    await _directory(host, root)
    return RemoteTree(host, root, await host.paths.policy(), exists=True)


async def target_tree(host: RemoteHost, path: str) -> RemoteTree:
    """A directory to write into, which need not exist. A person is asked later: there may be nothing to do."""
    canonical, policy = await host.paths.ancestry(path)
    root = host.paths.decide(canonical, policy, Purpose.WRITE)
    found = await (await host.paths.files()).lookup(root)
    if found is not None:
        await _directory(host, root)
    return RemoteTree(host, root, policy, exists=found is not None)


async def _directory(host: RemoteHost, root: str) -> None:
    if (await (await host.paths.files()).stat(root)).kind != "directory":
        raise InvalidArgument(f"{shown(root)} is not a directory.", "Give a directory; ssh_upload copies one file.")
