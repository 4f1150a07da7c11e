"""ssh_sync: make one directory like another, between this machine and a host or between two hosts.

Both trees are looked at, policy decides entry by entry, and the plan that comes out is what is shown, confirmed and
done. However bytes travel, only files of the plan do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Literal

from anyio.to_thread import run_sync

from ssh_mcp.errors import InvalidArgument, LocalPathPolicyError, TooLarge
from ssh_mcp.inventory.values import has_control, shown
from ssh_mcp.policy.switches import require_sync_delete
from ssh_mcp.remote.confirming import tool_matches, write_matches
from ssh_mcp.remote.files.sync import carry
from ssh_mcp.remote.files.sync.carry import Ends
from ssh_mcp.remote.files.sync.local_tree import LocalTree, Scan, open_tree
from ssh_mcp.remote.files.sync.plan import Plan, Tree, compare, excluding
from ssh_mcp.remote.files.sync.remote_tree import RemoteTree, source_tree, target_tree
from ssh_mcp.remote.together import together
from ssh_mcp.results.directories import SyncResult, SyncStep

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ssh_mcp.remote.host import RemoteHost

Direction = Literal["up", "down", "between"]

PLAN_SHOWN: Final = 200
"""Steps that a result lists; all are counted."""
_PATTERNS_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """The caller's arguments."""

    direction: Direction
    remote_path: str
    local_path: str | None
    other: RemoteHost | None
    other_path: str | None
    delete: bool
    dry_run: bool
    exclude: tuple[str, ...]
    checksum: bool

    def check(self) -> None:
        """Raise InvalidArgument where the arguments do not fit together."""
        between = self.direction == "between"
        if between and (self.other is None or self.other_path is None or self.local_path is not None):
            raise InvalidArgument("direction between needs other_host and other_path.", "Give both, no local_path.")
        if not between and (self.local_path is None or self.other is not None or self.other_path is not None):
            raise InvalidArgument(f"direction {self.direction} needs local_path.", "Give it, and no other_host.")
        if len(self.exclude) > _PATTERNS_MAX or any(not p.strip("/") or has_control(p) for p in self.exclude):
            raise InvalidArgument("exclude holds an empty pattern or too many.", "Give patterns such as *.pyc, build/.")


async def sync(host: RemoteHost, wanted: Wanted) -> SyncResult:
    """Do it, or with ``dry_run`` say what would be done. Raises the refusals of both sides' policies."""
    wanted.check()
    writes = wanted.other if wanted.other is not None else host
    if wanted.delete:
        require_sync_delete(writes.policy)
    async with _opened(host, wanted) as ends:
        plan, scans = await _planned(ends, wanted)
        method = await carry.method_for(ends, plan)
        result = _result(host, wanted, plan, scans)
        result.method = method
        if wanted.dry_run:
            return result
        await _confirmed(writes, ends, plan)
        if plan.steps or plan.removals:
            result.method, result.resumed = await carry.carry_out(
                ends, plan, method, checksum=wanted.checksum, left=scans[1].partial
            )
        return result


@asynccontextmanager
async def _opened(host: RemoteHost, wanted: Wanted) -> AsyncIterator[Ends]:
    if wanted.other is not None and wanted.other_path is not None:
        yield Ends(*await together(source_tree(host, wanted.remote_path), target_tree(wanted.other, wanted.other_path)))
        return
    assert wanted.local_path is not None
    down = wanted.direction == "down"
    local = await run_sync(partial(open_tree, wanted.local_path, host.settings, missing=down))
    try:
        if down:
            yield Ends(await source_tree(host, wanted.remote_path), local)
        else:
            yield Ends(local, await target_tree(host, wanted.remote_path))
    finally:
        local.close()  # not in a thread: a cancelled call starts none


async def _planned(ends: Ends, wanted: Wanted) -> tuple[Plan, tuple[Scan, Scan]]:
    excluded = excluding(wanted.exclude)

    async def look(tree: LocalTree | RemoteTree, *, reading: bool) -> Scan:
        if isinstance(tree, LocalTree):
            return await run_sync(tree.scan, excluded)
        return await tree.scan(excluded, reading=reading)

    source, target = await together(look(ends.source, reading=True), look(ends.target, reading=False))
    same = await _by_content(ends, source.entries, target.entries) if wanted.checksum else None
    if isinstance(ends.target, LocalTree):
        fold = ends.target.policy.ignore_case or await run_sync(ends.target.folds_case, target.entries)
    else:
        fold = ends.target.fold
    plan = await run_sync(partial(compare, source.entries, target.entries, delete=wanted.delete, same=same, fold=fold))
    if isinstance(ends.target, RemoteTree):
        _without_restricted(plan, ends.target)
    plan.left_out["restricted by policy, or this server's own"] += source.barred + target.barred
    plan.left_out["redact-listed"] += source.redact_listed
    plan.left_out["unreadable"] += source.unread
    _check_sizes(ends, plan, wanted)
    return plan, (source, target)


def _without_restricted(plan: Plan, target: RemoteTree) -> None:
    """Drop what would be written into a restricted zone of the target."""
    from ssh_mcp.remote.files.search.hidden import Hidden

    hidden = Hidden(target.root, target.policy)
    before = len(plan.steps)
    plan.steps = [s for s in plan.steps if not hidden.restricts(s.path)]
    plan.removals = [s for s in plan.removals if not hidden.restricts(s.path)]
    plan.left_out["restricted by policy, or this server's own"] += before - len(plan.steps)


def _check_sizes(ends: Ends, plan: Plan, wanted: Wanted) -> None:
    """Raise before anything is done."""
    local = next((t for t in (ends.source, ends.target) if isinstance(t, LocalTree)), None)
    largest = max(plan.files, key=lambda s: s.size, default=None)
    if local is not None and largest is not None and largest.size > local.policy.max_bytes:
        raise LocalPathPolicyError(
            f"{shown(largest.path)} has more than {local.policy.max_bytes} bytes.",
            "Exclude it, or ask the operator to raise SSH_LOCAL_TRANSFER_MAX_BYTES.",
        )
    host = ends.remote.host
    most = host.settings.ssh_delete_folder_max_entries
    if len(plan.removals) > most and not wanted.dry_run:
        raise TooLarge(
            f"{len(plan.removals)} entries would be deleted, and {most} may be.",
            "Look at a dry_run, or ask the operator to raise SSH_DELETE_FOLDER_MAX_ENTRIES.",
        )


async def _by_content(ends: Ends, source: Tree, target: Tree) -> Callable[[str], bool]:
    """Whether a file has the same bytes on both sides; only files of the same size are read."""
    paths = [
        path
        for path, entry in source.items()
        if entry.kind == "file"
        and (old := target.get(path)) is not None
        and (old.kind, old.size) == ("file", entry.size)
    ]

    async def digests(tree: LocalTree | RemoteTree) -> dict[str, str]:
        if isinstance(tree, LocalTree):
            return await run_sync(lambda: {path: tree.digest(path) for path in paths})
        return await tree.digests(paths)

    here, there = await together(digests(ends.source), digests(ends.target)) if paths else ({}, {})
    return lambda path: path in here and here[path] == there.get(path)


async def _confirmed(writes: RemoteHost, ends: Ends, plan: Plan) -> None:
    """One question for all that is written and deleted."""
    call = writes.call
    if not isinstance(ends.target, RemoteTree):
        await call.confirm_tool()
    elif plan.steps or plan.removals:
        root = ends.target.root
        await call.confirm((*tool_matches(call), *write_matches(writes, root, tree=True)), root)


def _result(host: RemoteHost, wanted: Wanted, plan: Plan, scans: tuple[Scan, Scan]) -> SyncResult:
    left_out = Counter({reason: n for reason, n in plan.left_out.items() if n})
    for reason, count in left_out.items():
        host.call.warn(f"{count} left out: {reason}.")
    steps = [*plan.removals, *plan.steps]
    return SyncResult(
        host=host.name,
        other_host=wanted.other.name if wanted.other is not None else None,
        direction=wanted.direction,
        dry_run=wanted.dry_run,
        plan=[SyncStep(action=s.action, path=_readable(s.path), bytes=s.size) for s in steps[:PLAN_SHOWN]],
        plan_total=len(steps),
        created=plan.count("create"),
        updated=plan.count("update"),
        deleted=plan.count("delete"),
        skipped=plan.unchanged + sum(left_out.values()),
        unchanged=plan.unchanged,
        bytes=sum(s.size for s in plan.files),
        resumed=scans[1].partial,
    )


def _readable(path: str) -> str:
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
