"""One host through the transport (``transports.api.Connection``): its pool, its commands, its kept channels."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Final, TypeVar

import anyio

from transports.api import (
    Completed,
    Destination,
    Effective,
    Files,
    ForwardedStream,
    LoginInfo,
    OutputSink,
    Progress,
    RemoteListener,
    RemoteProcess,
    RsyncCopy,
    RsyncEnded,
    SessionStatus,
    Terminal,
    TransportConfig,
)
from transports.errors import LocalError, MasterLost, SessionRefused, SFTPSubsystemUnavailable, TransportError
from transports.mux.client import NoSlot, alive_check
from transports.openssh.local.tasks import Tasks
from transports.openssh.login.log import clean
from transports.openssh.masters.master import MasterLauncher
from transports.openssh.masters.pool import Pool
from transports.openssh.sessions import forwards
from transports.openssh.sessions.direct import DirectBackend
from transports.openssh.sessions.execution import Collector
from transports.openssh.sessions.native import NativeBackend
from transports.openssh.sessions.process import ProcessBackend
from transports.openssh.sessions.remote_process import start_process
from transports.openssh.sessions.rsync import local_rsync, run_rsync
from transports.openssh.sessions.runner import REFUSAL_SECONDS, Runner
from transports.openssh.sessions.running import Running
from transports.openssh.sessions.session import Backend, BackendName, Handle
from transports.openssh.sessions.subsystem import open_channel
from transports.openssh.sessions.terminal import open_terminal
from transports.openssh.sessions.warm import WarmSession
from transports.refusals import account_refusal
from transports.sftp.client import SftpClient

T = TypeVar("T")

FILES_QUIET_SECONDS: Final = 60.0
"""How long an unused SFTP channel is kept; then the master can idle out."""
_CLOSING_SECONDS: Final = 5.0
_REFUSED_PAUSE: Final = 0.05
_FILES_SCARCE_SECONDS: Final = 1.0
"""How long it is kept where somebody waits for its slot."""


class OpenSSHConnection:
    """Made by ``OpenSSHTransport.connection``."""

    def __init__(
        self, destination: Destination, config: TransportConfig, launcher: MasterLauncher, backend: BackendName
    ) -> None:
        self._destination = destination
        self._config = config
        self._launcher = launcher
        self._effective: Effective | None = None
        self._used_at = 0.0
        self._closed = False
        self._retired: list[Runner] = []
        self._files: SftpClient | None = None
        self._files_lock = anyio.Lock()
        self._files_timer: asyncio.TimerHandle | None = None
        self._closing = Tasks()
        self._use(self._make_backend(backend))

    def __repr__(self) -> str:
        return f"<OpenSSHConnection {self._destination.name} {self._backend.name} {self.pool!r}>"

    def _make_backend(self, name: BackendName) -> Backend:
        if name == "native":
            return NativeBackend(self._launcher, self._destination, self._config.connect_timeout)
        return (ProcessBackend if name == "process" else DirectBackend)(self._launcher, self._destination)

    def _use(self, backend: Backend) -> None:
        """Make sessions by that backend from now on."""
        self._backend = backend
        self.pool: Pool[Handle] = Pool(
            partial(self._launch, backend),
            backend.slots(self._config.max_connections_per_host),
            self._on_scarce,
            masterless=backend.masterless,
            on_lost=backend.forget,
            on_single=self._log_in_for_each,
        )
        self.runner = Runner(self.pool, backend, self._config.connect_timeout, self._take_warm)
        self._warm = WarmSession(self.runner, self._launcher.urgent.until_over) if backend.opens_ahead else None

    async def _launch(self, backend: Backend, index: int) -> Handle:
        handle = await backend.launch(index)
        if backend.masterless:
            return handle
        await forwards.sweep(handle.control_path)
        if self._effective is None:
            self._effective = await self._launcher.effective(self._destination)
        return handle

    def _log_in_for_each(self) -> None:
        """The host ends each connection with its first session (tinysshd): one login per session from now on."""
        if self._warm is not None:
            self._warm.close()
        self._retired.append(self.runner)
        self._use(DirectBackend(self._launcher, self._destination))

    # --- api.Connection -----------------------------------------------------------------------------------------------

    @property
    def destination(self) -> Destination:
        return self._destination

    async def login(self) -> LoginInfo:
        self._touch()
        if self._backend.masterless:
            await self.runner.run(
                "exit 0", stdin=None, timeout=None, collector=Collector(0, 0), framed=not self._destination.windows
            )
            return LoginInfo()
        for _ in range(2):
            lease = await self.pool.acquire(ending=True)
            if await alive_check(lease.handle.control_path) is not None:
                lease.release()
                return lease.handle.login
            lease.lost()
        raise MasterLost("The ssh master ends as soon as it is started.", "Run `ssh-mcp doctor`.", sent=False)

    async def run(
        self,
        command: str,
        *,
        stdin: bytes | AsyncIterator[bytes] | None = None,
        timeout: float | None = None,
        stdout_cap: int = 1 << 20,
        stderr_cap: int = 1 << 20,
        on_output: OutputSink | None = None,
        framed: bool = True,
        idempotent: bool = False,
        leaves: bool = False,
        prelude: str = "",
    ) -> Completed:
        self._touch()
        again = True
        whole = stdin is None or isinstance(stdin, bytes)
        give_up = asyncio.get_running_loop().time() + REFUSAL_SECONDS
        while True:
            collector = Collector(stdout_cap, stderr_cap, on_output)
            try:
                with self._launcher.urgent.command():
                    done = await self.runner.run(
                        command,
                        stdin=stdin,
                        timeout=timeout,
                        collector=collector,
                        framed=framed,
                        leaves=leaves,
                        prelude=prelude,
                    )
            except NoSlot:
                # Without a frame a spawned ssh reports only at its end that it was refused.
                if framed or not whole or asyncio.get_running_loop().time() > give_up:
                    raise
                await anyio.sleep(_REFUSED_PAUSE)
            except SessionRefused as error:
                if not (error.broke_off and again and whole):
                    raise
                again = False  # its shell may have been killed as it started
            except MasterLost as error:
                # A stream may be half taken: what is left of it must not be passed off as all.
                if not again or not whole or (error.sent and not idempotent):
                    raise
                again = False
            else:
                self._touch()
                if framed and self._warm is not None and not self._closed:
                    self._warm.replenish(prelude)
                return done

    async def start(self, command: str) -> RemoteProcess:
        self._touch()
        try:
            return await start_process(self.runner, command)
        except MasterLost as error:
            if error.sent:
                raise
            return await start_process(self.runner, command)

    async def terminal(self, command: str | None, columns: int, rows: int) -> Terminal:
        self._touch()
        return await open_terminal(self.runner, command, columns, rows)

    async def connect_through(self, host: str, port: int, fds: tuple[int, int]) -> ForwardedStream:
        return await self._over_master(lambda path: forwards.connect(path, host, port, fds))

    async def listen_on_host(self, port: int, target_host: str, target_port: int) -> RemoteListener:
        return await self._over_master(lambda path: forwards.listen(path, port, target_host, target_port))

    async def _over_master(self, open_one: Callable[[str], Awaitable[T]]) -> T:
        """What a master does beside its sessions; once more where it turns out to be gone."""
        self._touch()
        if self._backend.masterless:
            raise SessionRefused(
                "Sessions on this host share no connection, and forwarding needs that.",
                "It takes OpenSSH on Linux, macOS or a BSD here, and a server that allows several sessions there.",
                sent=False,
            )
        for last in (False, True):
            lease = await self.pool.acquire(ending=True)
            path = lease.handle.control_path
            try:
                done = await open_one(path)
            except MasterLost:
                if last or await alive_check(path) is not None:
                    lease.release()
                    raise
                lease.lost()
            except BaseException:
                lease.release()
                raise
            else:
                lease.release()  # a stream counts against no MaxSessions
                return done
        raise AssertionError("the loop returns or raises")

    def rsync_available(self) -> bool:
        return not self._backend.masterless and not self._destination.windows and local_rsync() is not None

    async def rsync(self, copy: RsyncCopy, progress: Progress | None = None) -> RsyncEnded:
        self._touch()
        program = local_rsync()
        if program is None or self._backend.masterless:
            raise LocalError("This machine has no rsync that can be used.", "Install rsync 3.1 or newer.", sent=False)
        lease = await self.pool.acquire()
        try:
            ended = await run_rsync(program, self._launcher.mux_shell(lease.handle.control_path), copy, progress)
            if ended.exit_code and await alive_check(lease.handle.control_path) is None:
                lease.lost()
                raise MasterLost(
                    "The connection was lost while files were copied.", "Call again to continue.", sent=True
                )
            if not ended.exit_code:
                lease.opened()
        finally:
            lease.release()
            self._touch()
        return ended

    async def files(self) -> Files:
        self._touch()
        if self._files is not None and not self._files.closed:
            return self._files
        async with self._files_lock:
            if self._files is None or self._files.closed:
                self._files = await self._open_files()
                self._watch_files()
        return self._files

    # --- kept channels ------------------------------------------------------------------------------------------------

    async def _open_files(self) -> SftpClient:
        give_up = asyncio.get_running_loop().time() + REFUSAL_SECONDS
        again = True  # nothing but a greeting was sent
        while True:
            channel = await open_channel(self.runner, "sftp")
            try:
                return await SftpClient.start(
                    channel, windows=self._destination.windows, timeout=self._config.connect_timeout
                )
            except MasterLost:
                if not again:
                    raise
                again = False
            except SFTPSubsystemUnavailable as error:
                if channel.broke_off and again:
                    again = False
                    continue
                if not channel.no_slot or asyncio.get_running_loop().time() > give_up:
                    await self._explain_by_banner(error)
                    raise
                await anyio.sleep(_REFUSED_PAUSE)

    async def _explain_by_banner(self, error: SFTPSubsystemUnavailable) -> None:
        """Raise the account's own reason where the login's banner has one.

        PAM says "You are required to change your password" there, and sshd then ends the subsystem without a word.
        """
        if self._backend.masterless:  # each session's stderr has the banner
            return
        banner = (await self.login()).banner or ""
        if (refusal := account_refusal(banner)) is not None:
            raise SFTPSubsystemUnavailable(
                f"The account {refusal.what}, so the host starts no SFTP. It says: {clean(banner).rstrip('.')}.",
                refusal.remedy,
            ) from error

    def _watch_files(self) -> None:
        files = self._files
        if files is None or files.closed:
            return
        loop = asyncio.get_running_loop()
        left = files.idle_since + FILES_QUIET_SECONDS - loop.time()
        if left <= 0 and not files.busy:
            self._drop_files()
        else:
            self._files_timer = loop.call_later(max(left, 1.0), self._watch_files)

    def _drop_files(self) -> None:
        files, self._files = self._files, None
        if self._files_timer is not None:
            self._files_timer.cancel()
        if files is not None:
            self._closing.start(files.aclose())

    async def _take_warm(self, sink: OutputSink) -> Running | None:
        return await self._warm.take(sink) if self._warm is not None else None

    def _on_scarce(self) -> None:
        """Somebody waits for a slot: give up what only sits there."""
        if self._warm is not None:
            self._warm.drop()
        self.runner.watch.drop()
        files = self._files
        now = asyncio.get_running_loop().time()
        if files is not None and not files.busy and now - files.idle_since >= _FILES_SCARCE_SECONDS:
            self._drop_files()

    # --- the transport's side -----------------------------------------------------------------------------------------

    def _touch(self) -> None:
        if self._closed:
            raise TransportError("The transport is closed.", sent=False)
        self._used_at = asyncio.get_running_loop().time()

    def _idle_seconds(self) -> float:
        """Since the last call, or since the last SFTP request; 0 while a command runs."""
        files = self._files if self._files is not None and not self._files.closed else None
        kept = int(files is not None) + int(self._warm is not None and self._warm.waiting)
        if sum(used for _, used in self.pool.handles()) > kept or (files is not None and files.busy):
            return 0.0
        last = max(self._used_at, files.idle_since if files is not None else 0.0)
        return max(0.0, asyncio.get_running_loop().time() - last)

    def sessions(self) -> list[SessionStatus]:
        """Live masters (with direct sessions: one line while there are any)."""
        idle = self._idle_seconds()
        to, real = self._destination, self._effective
        statuses = []
        for handle, used in self.pool.handles():
            if self._backend.masterless and not used:
                continue
            statuses.append(
                SessionStatus(
                    user=(real.user if real else to.user) or "",
                    host=(real.hostname if real else to.hostname) or to.name,
                    port=(real.port if real else to.port) or 22,
                    idle_seconds=idle,
                    pid=handle.pid,
                    transport=self._backend.name,
                    active_channels=used,
                    via=handle.via,
                )
            )
        return statuses

    async def aclose(self) -> None:
        """Close the kept channels. Masters are the launcher's to release. Bounded."""
        self._closed = True
        if self._warm is not None:
            self._warm.close()
        self._drop_files()
        runners = [*self._retired, self.runner]
        for runner in runners:
            await runner.aclose()
            await runner.pool.aclose()
        await self._closing.finish(_CLOSING_SECONDS)
        for runner in runners:
            await runner.backend.aclose()
