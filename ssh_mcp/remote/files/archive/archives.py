"""ssh_archive: packing and unpacking on the host itself, by its tar and zip.

Every member is decided on before anything is written. Unpacking goes into a directory of our own beside the target;
what arrived is compared with what was listed, and takes its place file by file. A new archive appears whole.
"""

from __future__ import annotations

import posixpath
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import anyio

from ssh_mcp.errors import FileConflict, InvalidArgument, PlatformNotSupported, TooLarge
from ssh_mcp.inventory.values import shown
from ssh_mcp.policy.paths import Purpose, child, split_parent
from ssh_mcp.remote.files.archive.members import Member, parse_tar, parse_zip, plain, refusal
from ssh_mcp.remote.files.removal import remove_tree
from ssh_mcp.remote.files.sync.local_tree import MAX_ENTRIES
from ssh_mcp.remote.files.sync.movers import seen_by_shell
from ssh_mcp.remote.files.sync.plan import STAGING, Entry, Step, compare
from ssh_mcp.remote.files.sync.remote_tree import RemoteTree, target_tree
from ssh_mcp.remote.files.walking import Walk, walk
from ssh_mcp.remote.files.writer import temporary_name
from ssh_mcp.remote.programs import run_program
from ssh_mcp.remote.together import settled
from ssh_mcp.results.directories import ArchiveMember, ArchiveResult
from transports.errors import RemoteError, TransportError
from transports.programs import program_text

if TYPE_CHECKING:
    from ssh_mcp.policy.permitted_path import PermittedPath
    from ssh_mcp.remote.host import RemoteHost
    from transports.api import Completed

Action = Literal["create", "extract", "list"]

MAX_BYTES: Final = 16 * 1024**3
"""Bytes of all members of an archive that is unpacked or made: a bomb stops here."""
MEMBERS_SHOWN: Final = 500
_LISTING_MAX: Final = 64 * 1024 * 1024
_BLOCK: Final = 512
_AT_ONCE: Final = 128


@dataclass(frozen=True, slots=True)
class _Format:
    """How a name's ending is packed: the program, what compresses, tar's option for it."""

    kind: Literal["tar", "zip"]
    needs: tuple[str, ...]
    option: str = ""


_FORMATS: Final = (
    ((".tar.gz", ".tgz"), _Format("tar", ("tar", "gzip"), "--gzip")),
    ((".tar.xz", ".txz"), _Format("tar", ("tar", "xz"), "--xz")),
    ((".tar.zst", ".tzst"), _Format("tar", ("tar", "zstd"), "--zstd")),
    ((".tar",), _Format("tar", ("tar",))),
    ((".zip",), _Format("zip", ("zip", "unzip"))),
)


async def archive(host: RemoteHost, action: Action, path: str, paths: Sequence[str], dest: str | None) -> ArchiveResult:
    """Raises PlatformNotSupported, the refusals of policy, FileConflict, TooLarge, RemoteError."""
    format_ = await _format(host, path)
    if action == "create":
        if not paths or dest is not None:
            raise InvalidArgument("create needs paths and no dest.", "Give the files and directories to pack.")
        return await _create(host, path, paths, format_)
    if paths or (action == "extract") != (dest is not None):
        raise InvalidArgument(
            f"{action} takes {'dest and ' if action == 'extract' else ''}no paths.", "The whole archive is meant."
        )
    if action == "list":
        await host.call.confirm_tool()
    found = await host.paths.existing(path, Purpose.READ_RAW if action == "extract" else Purpose.STAT)
    members = await _members(host, found, format_)
    if dest is not None:
        await _extract(host, found, members, dest, format_)
    listed = members[:MEMBERS_SHOWN] if action == "list" else []
    return ArchiveResult(
        host=host.name,
        action=action,
        archive=found,
        entries=len(members),
        bytes=sum(m.size for m in members),
        members=[ArchiveMember(path=_readable(m.path), kind=m.kind, bytes=m.size) for m in listed],
    )


async def _format(host: RemoteHost, path: str) -> _Format:
    found = next((f for endings, f in _FORMATS if path.lower().endswith(endings)), None)
    if found is None:
        known = ", ".join(endings[0] for endings, _ in _FORMATS)
        raise InvalidArgument(f"{shown(path)} names no known kind of archive.", f"Its name ends in {known}.")
    host.require_posix("tar", "Use ssh_sync or the SFTP tools.")
    capable = await host.require_shell()
    missing = next((p for p in found.needs if not capable.has(p)), None)
    if missing is not None or (found.kind == "tar" and capable.dialect("tar") != "gnu"):
        what = f"no {missing}" if missing is not None else "no GNU tar"
        raise PlatformNotSupported(f"{host.name} has {what}.", "Use another format, or ssh_sync.")
    return found


async def _run(host: RemoteHost, name: str, *arguments: str, stdin: bytes | None = None) -> Completed:
    program = run_program(program_text("ssh_mcp.remote.files.archive", f"{name}.sh"), *arguments)
    done = await host.commands.run(
        program,
        stdin=stdin,
        timeout=None if name == "list" else 86_400,
        stdout_cap=_LISTING_MAX,
        idempotent=name == "list",
    )
    if done.timed_out:
        raise RemoteError(
            "The archive was not read to its end in time.", "Ask the operator to raise SSH_COMMAND_TIMEOUT."
        )
    if done.exit_code:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
        raise RemoteError(
            f"The host's program failed with status {done.exit_code}: {shown(lines[0], 200)}.", "Look at the archive."
        )
    return done


async def _members(host: RemoteHost, path: PermittedPath, format_: _Format) -> list[Member]:
    done = await _run(host, "list", format_.kind, path)
    if done.stdout_total > len(done.stdout):
        raise TooLarge(f"{shown(path)} holds too many members.", f"At most {MAX_ENTRIES} can be listed.")
    try:
        members = (parse_tar if format_.kind == "tar" else parse_zip)(done.stdout)
    except ValueError as error:
        raise RemoteError(f"A line of the listing is unknown: {shown(str(error))}.", "Look at the archive.") from None
    if len(members) > MAX_ENTRIES:
        raise TooLarge(f"{shown(path)} holds more than {MAX_ENTRIES} members.", "Unpack it in parts.")
    return members


# --- unpacking ------------------------------------------------------------------------------------------------------


async def _extract(
    host: RemoteHost, path: PermittedPath, members: Sequence[Member], dest: str, format_: _Format
) -> None:
    target = await target_tree(host, dest)
    if (why := refusal(members)) is not None:
        raise FileConflict(f"{shown(path)} {why}.", "Nothing was unpacked.")
    if sum(m.size for m in members) > MAX_BYTES:
        raise TooLarge(f"{shown(path)} holds more than {MAX_BYTES} bytes.", "Nothing was unpacked.")
    for member in members:
        target.path(plain(member.path) or ".")  # refuses what is restricted
    await host.call.confirm_write(host, target.root, tree=True)
    if not target.exists:
        await target.create()
    async with _staging(target) as staging, seen_by_shell(target, staging.root.rpartition("/")[2]) as same:
        if not same:
            raise PlatformNotSupported(
                f"The shell of {host.name} sees other files than SFTP does.", "Use ssh_sync or ssh_upload."
            )
        blocks = max((m.size for m in members), default=0) // _BLOCK + 1
        await _run(host, "extract", format_.kind, path, staging.root, str(blocks))
        await _place(staging, target, members)


@asynccontextmanager
async def _staging(target: RemoteTree) -> AsyncIterator[RemoteTree]:
    """A private directory in the target, removed at the end with what is left in it."""
    files = await target.host.paths.files()
    root = target.path(f"{STAGING}{secrets.token_hex(8)}")
    await files.mkdir(root, 0o700)
    try:
        yield RemoteTree(target.host, root, target.policy, exists=True)
    finally:
        with anyio.CancelScope(shield=True), suppress(TransportError):
            async with aclosing(walk(files, root, Walk())) as tree:
                left = [one async for one in tree]
            await remove_tree(files, root, left, lambda _done, _total: None)


async def _place(staging: RemoteTree, target: RemoteTree, members: Sequence[Member]) -> None:
    """Let what arrived take its place, if it is what was listed."""
    arrived = (await staging.scan(lambda _path, _directory: False, reading=False)).entries
    expected = {path for m in members if (path := plain(m.path))}
    expected |= {above for path in expected for above in _above(path)}
    if strange := next((p for p in arrived if p not in expected), None):
        raise FileConflict(f"{shown(strange)} was unpacked but not listed.", "Nothing was moved into place.")
    plan = compare(arrived, await _present(target, list(arrived)), delete=False, same=lambda _path: False)
    if plan.left_out:
        raise FileConflict(f"The archive holds {next(iter(plan.left_out))}.", "Nothing was moved into place.")
    await target.prepare(plan)
    files = await target.host.paths.files()

    async def move(step: Step) -> None:
        await files.replace(staging.path(step.path), target.path(step.path))

    await target.by_depth([s for s in plan.steps if s not in plan.directories], move)


def _above(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:i]) for i in range(1, len(parts))]


async def _present(target: RemoteTree, paths: Sequence[str]) -> dict[str, Entry]:
    """What is there already, of the paths that will be written."""
    files = await target.host.paths.files()
    found: dict[str, Entry] = {}
    for start in range(0, len(paths), _AT_ONCE):
        chunk = paths[start : start + _AT_ONCE]
        for path, entry in zip(chunk, await settled([files.lookup(target.path(p)) for p in chunk]), strict=True):
            if isinstance(entry, Exception):
                continue  # a directory above is missing, or is a link: making it fails where it must
            if entry is not None:
                kind = "other" if entry.kind == "unknown" else entry.kind
                found[path] = Entry(kind, mode=(entry.permissions or 0) & 0o7777)
    return found


# --- packing --------------------------------------------------------------------------------------------------------


async def _create(host: RemoteHost, path: str, paths: Sequence[str], format_: _Format) -> ArchiveResult:
    target = await host.paths.target(path)
    roots = [await host.paths.existing(p, Purpose.READ_RAW) for p in paths]
    base = posixpath.commonpath([split_parent(root)[0] for root in roots])
    names, size = await _packed(host, roots, base, target)
    if format_.kind == "zip" and any("\n" in name for name in names):
        host.call.warn("Names with a newline cannot be packed by zip and were left out.")
        names = [name for name in names if "\n" not in name]
    if len(names) > MAX_ENTRIES or size > MAX_BYTES:
        raise TooLarge(f"These are {len(names)} entries of {size} bytes.", "Pack less at once.")
    # zip could take a name for an option and drops "./"; tar takes names verbatim and keeps it
    begin, end = (b"", b"\0") if format_.kind == "tar" else (b"./", b"\n")
    listed = b"".join(begin + name.encode("utf-8", "surrogateescape") + end for name in names)
    directory, _ = split_parent(target)
    beside = f"{temporary_name()}{'.zip' if format_.kind == 'zip' else ''}"
    temporary = host.paths.decide(child(directory, beside), await host.paths.policy(), Purpose.WRITE)
    files = await host.paths.files()
    try:
        await _run(host, "create", format_.kind, temporary, base, format_.option, stdin=listed)
        await files.replace(temporary, target)
    except BaseException:
        with anyio.CancelScope(shield=True), suppress(TransportError):
            await files.remove(temporary)
        raise
    return ArchiveResult(host=host.name, action="create", archive=target, entries=len(names), bytes=size)


async def _packed(
    host: RemoteHost, roots: Sequence[PermittedPath], base: str, target: PermittedPath
) -> tuple[list[str], int]:
    """The names to pack, relative to ``base``, and their bytes. What policy hides is left out and counted."""
    policy = await host.paths.policy()
    start = len(base.rstrip("/")) + 1
    names: dict[str, int] = {}
    hidden = 0
    for root in roots:
        found = await (await host.paths.files()).lstat(root)
        names[root[start:]] = found.size or 0 if found.kind == "file" else 0
        if found.kind != "directory":
            continue
        tree = RemoteTree(host, root, policy, exists=True)
        scan = await tree.scan(lambda _path, _directory: False, reading=True)
        hidden += scan.barred + scan.redact_listed
        for path, entry in scan.entries.items():
            if entry.kind != "other" and f"{root}/{path}" != target:
                names[f"{root[start:]}/{path}"] = entry.size if entry.kind == "file" else 0
    if hidden:
        host.call.warn(f"{hidden} left out: restricted by policy or redact-listed.")
    return list(names), sum(names.values())


def _readable(path: str) -> str:
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
