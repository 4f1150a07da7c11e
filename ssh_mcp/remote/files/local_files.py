"""``local_path=`` for asynchronous code: the blocking work of ``local_io`` in a worker thread."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import anyio

from ssh_mcp.errors import LocalPathPolicyError
from ssh_mcp.remote.files.local_io import LocalSource, LocalTarget, create_for_write, open_for_read

if TYPE_CHECKING:
    from ssh_mcp.settings.model import Settings


@asynccontextmanager
async def local_source(path: str, settings: Settings) -> AsyncIterator[LocalSource]:
    """An open local file to read, permitted. Raises LocalPathPolicyError."""
    source = await anyio.to_thread.run_sync(partial(open_for_read, path, settings))
    try:
        yield source
    finally:
        os.close(source.fd)


@asynccontextmanager
async def local_target(path: str, settings: Settings) -> AsyncIterator[LocalTarget]:
    """A permitted local file to write; it is in its place only after ``commit()``. Raises LocalPathPolicyError."""
    manager = create_for_write(path, settings)
    target = await anyio.to_thread.run_sync(manager.__enter__)
    try:
        yield target
    except BaseException as error:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(manager.__exit__, type(error), error, error.__traceback__)
        raise
    with anyio.CancelScope(shield=True):
        await anyio.to_thread.run_sync(manager.__exit__, None, None, None)


def check_size(size: int, target: LocalTarget) -> None:
    """Refuse what is larger than SSH_LOCAL_TRANSFER_MAX_BYTES."""
    if size > target.policy.max_bytes:
        raise LocalPathPolicyError(
            f"The remote file has {size} bytes, and {target.policy.max_bytes} may be written locally.",
            "The operator can raise SSH_LOCAL_TRANSFER_MAX_BYTES.",
        )


def local_failure(path: str, error: OSError) -> LocalPathPolicyError:
    """The refusal for a local file that could not be read or written to its end."""
    return LocalPathPolicyError(
        f"The local file {path} failed: {error.strerror or 'input/output error'}.",
        "Check the disk of the machine that runs this server.",
    )
