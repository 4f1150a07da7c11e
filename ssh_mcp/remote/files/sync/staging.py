"""The directory of a host in which files arrive before they take their places (``plan.STAGING``)."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from typing import Final

from ssh_mcp.errors import FileConflict
from ssh_mcp.inventory.values import shown
from ssh_mcp.remote.files.removal import remove_tree
from ssh_mcp.remote.files.sync.plan import STAGING, Layout, Plan, arrived_before
from ssh_mcp.remote.files.sync.remote_tree import RemoteTree
from ssh_mcp.remote.files.walking import Walk, walk
from transports.errors import FileError

_OTHERS: Final = 0o077


async def open_staging(target: RemoteTree, key: str, plan: Plan) -> tuple[RemoteTree, set[str]]:
    """A private directory below the target, and the files that an earlier run left whole in it.

    Raises FileConflict where others can reach it, FileError.
    """
    files = await target.host.paths.files()
    tree = RemoteTree(target.host, target.path(f"{STAGING}{key}"), target.policy, exists=True)
    found = await files.lookup(tree.root)
    if found is not None:
        if found.kind != "directory" or (found.permissions or 0) & _OTHERS:
            raise FileConflict(f"{shown(tree.root)} is not ours.", "Remove it and call again.")
        arrived = arrived_before((await tree.scan(lambda _path, _directory: False, reading=False)).entries, plan)
        if arrived is not None:
            return tree, arrived
        await drop_staging(tree)
    await files.mkdir(tree.root, 0o700)
    return tree, set()


async def drop_staging(staging: RemoteTree) -> None:
    """Remove it with what is left in it. Raises FileError, PathChanged."""
    files = await staging.host.paths.files()
    try:
        await files.rmdir(staging.root)
    except FileError:
        async with aclosing(walk(files, staging.root, Walk())) as tree:
            left = [one async for one in tree]
        await remove_tree(files, staging.root, left, lambda _done, _total: None)


async def drop_left(target: RemoteTree, key: str) -> None:
    """Remove what an earlier run left, if it is there. Raises FileError, PathChanged."""
    files = await target.host.paths.files()
    tree = RemoteTree(target.host, target.path(f"{STAGING}{key}"), target.policy, exists=True)
    found = await files.lookup(tree.root)
    if found is not None and found.kind == "directory":
        await drop_staging(tree)


async def move_in(staging: RemoteTree, target: RemoteTree, plan: Plan, layout: Layout, arrived: set[str]) -> None:
    """Remove and make what the plan says, and let what arrived take its place. Raises FileError, PathChanged."""
    fresh = {s.path for s in layout.directories}
    await target.prepare(replace(plan, steps=[s for s in plan.steps if s.path not in fresh]))
    files = await target.host.paths.files()
    await target.by_depth(layout.tops, lambda step: files.rename(staging.path(step.path), target.path(step.path)))
    singles = [s for s in layout.singles if s.path in arrived]
    await target.by_depth(singles, lambda step: files.replace(staging.path(step.path), target.path(step.path)))
