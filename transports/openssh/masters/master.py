"""ControlMaster processes: one login per host that all sessions share, also those of other server processes.

``MasterLauncher.ensure`` returns a live master: the one we have, one that another process started, or a new one
whose jump hosts are brought up first. Who starts or ends a master holds its ``turn``; who uses it holds a ``Use``; the
last user that lets go ends it, and one that nobody lets go of properly (kill -9) ends by itself after the idle time.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import anyio

from transports.api import Destination, Effective, HostKeyCheck, LoginInfo, TransportConfig
from transports.errors import ConnectError, LocalError, TransportError
from transports.mux.client import alive_check, stop_listening, terminate
from transports.openssh.local.control_dir import ID_LENGTH, open_control_dir, remove
from transports.openssh.local.launch import gone, kill_master, kill_strays, lives, truncate
from transports.openssh.local.locks import Use, turn
from transports.openssh.local.single_flight import SingleFlight
from transports.openssh.login import argv
from transports.openssh.login.binaries import probe
from transports.openssh.login.effective import Evaluator, Resolved
from transports.openssh.login.failures import with_hop
from transports.openssh.login.login import JumpRoute, look_at_host_key, start_master
from transports.openssh.login.plan import LaunchContext, LoginPlan, make_plan
from transports.openssh.masters.priority import UrgentWork
from transports.openssh.masters.records import is_dead, read_login, recorded_pid, sweep, write_login
from transports.openssh.masters.unmultiplexed import Unmultiplexed

_ENDING_SECONDS: Final = 1.0
_STOPPED: Final = "[stopped mux]"
"""What ssh calls itself once it has stopped listening (mux.c)."""
_RELEASE_SECONDS: Final = 8.0
_STARTS_PER_CPU: Final = 16
"""Logins at the same time. Over a network a login mostly waits: few at a time would make a fan-out as slow as the round
trips of all of them. Without a bound fifty on a slow machine would each run into its time limit.
"""
_USES_PER_LOG: Final = 1000
_CONTEXT_SECONDS: Final = 0.1
"""How long a look at PATH and the control directory holds: for all hosts of a fan-out, not for the next call."""


@dataclass(frozen=True, slots=True)
class MasterHandle:
    """A live master. ``adopted``: another process logged in. ``via``: names of the jump hosts, from us outwards."""

    control_path: str
    pid: int
    login: LoginInfo
    adopted: bool
    destination: Destination
    via: tuple[str, ...]


@dataclass(slots=True)
class _Warm:
    """A handle and what it was made from: good until a configuration file changes or the master is gone."""

    handle: MasterHandle
    resolved: tuple[Resolved, ...]
    uses: int = 0

    def used(self) -> MasterHandle:
        """The handle, for one more caller. Before 8.5 a master logs each session (some 300 bytes): bounded here."""
        self.uses += 1
        if self.uses % _USES_PER_LOG == 0:
            truncate(self.handle.control_path + ".log")
        return self.handle

    def usable(self) -> bool:
        """No process, no connection: stat calls and a look at the process. The session attempt is the real test."""
        return lives(self.handle.pid) and _exists(self.handle.control_path) and all(r.fresh() for r in self.resolved)


def _exists(path: str) -> bool:
    try:
        os.stat(path)  # noqa: PTH116 - on the path of every call
    except OSError:
        return False
    return True


class MasterLauncher:
    """All masters of one server process."""

    def __init__(self, config: TransportConfig) -> None:
        config = _absolute(config)
        self._config = config
        self._evaluator = Evaluator(config)
        self._warm: dict[tuple[Destination, int], _Warm] = {}
        self._uses: dict[str, Use] = {}
        self._depth: dict[str, int] = {}
        self._retired: dict[int, str] = {}
        self._flights: SingleFlight[tuple[Destination, int], _Warm] = SingleFlight()
        self._starts: anyio.CapacityLimiter | None = None
        self.urgent = UrgentWork()
        self._swept = False
        self._seen: tuple[float, LaunchContext] | None = None
        self._direct = Unmultiplexed()
        self._ssh = "ssh"

    # --- getting one ------------------------------------------------------------------------------------------------

    async def ensure(self, destination: Destination, index: int = 0) -> MasterHandle:
        """A live master of the host, number ``index`` of those that it may have; jump hosts are brought up first.

        Concurrent callers share one attempt and its error; there is no backoff in here. Raises ConnectError and its
        kin, LocalError.
        """
        warm = self._warm.get((destination, index))
        if warm is None or not warm.usable():
            warm = await self._flights.run((destination, index), lambda: self._bring_up(destination, index))
        return warm.used()

    async def connect(self, destination: Destination, *, persist: float) -> MasterHandle:
        """Open the host's first master by hand (``ssh-mcp connect``): a person at the terminal replies to prompts.

        It and its jump hosts' masters are marked, so that no server ends them; unused they last ``persist`` seconds.
        """
        return (await self._bring_up(destination, 0, by_hand=persist)).handle

    async def disconnect(self, destination: Destination) -> int:
        """End every master of the host, whoever uses it, and return how many there were. Jump hosts stay."""
        ended = 0
        for index in range(self._config.max_connections_per_host + 1):  # one more may be up, for endings only
            path, _, _ = await self._locate(destination, index)
            async with turn(path + ".lock"):
                pid = await alive_check(path)
                if pid is not None:
                    await self._end(path, pid)
                    ended += 1
        return ended

    @property
    def _masterless(self) -> bool:
        return self._config.backend == "direct" or os.name != "posix"

    async def _context(self) -> LaunchContext:
        now = anyio.current_time()
        if self._seen is None or now - self._seen[0] > _CONTEXT_SECONDS:
            self._seen = (now, await self._find_context())
        return self._seen[1]

    async def _find_context(self) -> LaunchContext:
        binaries = await probe()
        self._ssh = binaries.ssh
        if self._masterless:
            return LaunchContext(self._config, binaries, self._direct.directory(), self._evaluator)
        directory = open_control_dir(self._config.control_dir)
        if not self._swept:
            self._swept = True
            sweep(directory, self._uses)
        return LaunchContext(self._config, binaries, directory, self._evaluator)

    async def _locate(self, destination: Destination, index: int) -> tuple[str, LoginPlan, list[LoginPlan]]:
        """Where the host's socket would be, its plan, and the plans of its hops from us outwards. Starts nothing."""
        context = await self._context()
        via = ""
        stops = await context.evaluator.chain(destination, context.binaries, context.directory)
        hops = [await make_plan(context, hop) for hop in stops]
        for hop in hops:
            via = hop.identity(0, via)
        plan = await make_plan(context, destination)
        return context.directory.socket(plan.identity(index, via)), plan, hops

    async def _bring_up(self, destination: Destination, index: int, by_hand: float | None = None) -> _Warm:
        path, plan, hops = await self._locate(destination, index)
        route: JumpRoute | None = None
        if plan.hop is not None:
            route = await self._jump_route(plan.hop, by_hand)
        async with turn(path + ".lock"):
            handle = await self._adopt(path, plan, hops)
            if handle is None:
                remove(path + ".keep")  # of a master that a person opened and that has ended since
                try:
                    handle = await self._start(path, plan, hops, route, by_hand)
                except TransportError:
                    plan.context.directory.forget(path[-ID_LENGTH:])
                    raise
            self._hold(path, len(hops))
            if by_hand is not None:
                plan.context.directory.write(f"{path[-ID_LENGTH:]}.keep", "")
        warm = _Warm(handle, (plan.resolved, *(hop.resolved for hop in hops)))
        self._warm[destination, index] = warm
        return warm

    async def _jump_route(self, hop: Destination, by_hand: float | None) -> JumpRoute:
        """The jump host's master, up."""
        try:
            if by_hand is None:
                handle = await self.ensure(hop)
            else:
                handle = (await self._bring_up(hop, 0, by_hand=by_hand)).handle
        except ConnectError as error:
            raise with_hop(error, hop.name) from error
        return JumpRoute(hop.name, handle.control_path)

    async def _adopt(self, path: str, plan: LoginPlan, hops: list[LoginPlan]) -> MasterHandle | None:
        """The master that already listens; None, and the place tidied, where there is none."""
        if not _exists(path):
            return None
        pid = await alive_check(path)
        if pid is None:
            await self._clear(path)
            return None
        return _handle(path, pid, read_login(path, pid), plan, hops, adopted=True)

    async def _clear(self, path: str) -> None:
        """Remove a stale socket; a master that accepts connections but never replies is ended first."""
        if not is_dead(path) and (pid := recorded_pid(path)) is not None:
            await kill_master(pid, path)
        remove(path)

    async def _start(
        self, path: str, plan: LoginPlan, hops: list[LoginPlan], route: JumpRoute | None, by_hand: float | None
    ) -> MasterHandle:
        if self._starts is None:
            self._starts = anyio.CapacityLimiter(_STARTS_PER_CPU * (os.cpu_count() or 1))
        with self.urgent.login():
            async with self._starts:
                login = await self._log_in(plan, path, route, by_hand)
            pid = await alive_check(path)
        if pid is None:
            await kill_strays(path)
            raise ConnectError(
                f"The ssh master for {plan.destination.name} logged in but does not reply on its socket.",
                "Try again; if it stays so, run `ssh-mcp doctor`.",
                sent=False,
            )
        write_login(plan.context.directory, path, pid, login, self._evaluator.record(plan.destination))
        return _handle(path, pid, login, plan, hops, adopted=False)

    async def _log_in(self, plan: LoginPlan, path: str, route: JumpRoute | None, by_hand: float | None) -> LoginInfo:
        try:
            return await start_master(plan, path, route, by_hand=by_hand)
        except ConnectError:
            if route is None or await alive_check(route.control_path) is not None:
                raise
            self._drop_warm(route.control_path)
            raise ConnectError(
                f"The connection to the jump host {route.name} broke while {plan.destination.name} was logged in to.",
                "Try again.",
                sent=False,
                hop=route.name,
            ) from None

    # --- letting go -------------------------------------------------------------------------------------------------

    def _hold(self, path: str, depth: int) -> None:
        """Take our share; the caller has the turn. An old share may be of a lock file that is no longer there."""
        old = self._uses.pop(path, None)
        if old is not None:
            old.drop()
        self._uses[path] = Use(path + ".use")
        self._depth[path] = depth

    def forget(self, control_path: str) -> None:
        """Do not return this master again without a look: a session attempt found it dead."""
        self._drop_warm(control_path)

    async def retire(self, control_path: str, pid: int) -> None:
        """Have new sessions log in again: the host no longer replies over this master's connection.

        Sessions that it carries stay, ours and other processes': the host may only be slow. It ends with the last of
        them, or by its keepalives.
        """
        self._drop_warm(control_path)
        async with turn(control_path + ".lock"):
            found = await alive_check(control_path, _ENDING_SECONDS)
            if found == pid:
                self._retired[pid] = control_path
                await stop_listening(control_path)
                remove(control_path)
            elif found is None:
                await self._clear(control_path)

    def _drop_warm(self, path: str) -> None:
        self._warm = {key: warm for key, warm in self._warm.items() if warm.handle.control_path != path}

    async def stop(self, handle: MasterHandle) -> None:
        """End this master, also one that does not reply, whoever else uses it. Its sessions are lost."""
        path = handle.control_path
        self._drop_warm(path)
        async with turn(path + ".lock"):
            await self._end(path, handle.pid)
            use = self._uses.pop(path, None)
            if use is not None:
                use.drop()

    async def _end(self, path: str, pid: int) -> None:
        """The caller has the turn."""
        with anyio.move_on_after(_ENDING_SECONDS):
            await terminate(path)
        if not await gone(pid, _ENDING_SECONDS):
            await kill_master(pid, path)
        for suffix in ("", ".log", ".login", ".keep"):
            remove(path + suffix)

    async def release(self) -> None:
        """Give back all masters. One that no other process uses, and that no person opened, is ended."""
        self._warm.clear()
        with anyio.move_on_after(_RELEASE_SECONDS, shield=True):
            while self._uses:
                deepest = max(self._depth[path] for path in self._uses)  # targets before their jump hosts
                async with anyio.create_task_group() as group:
                    for path in [p for p in self._uses if self._depth[p] == deepest]:
                        group.start_soon(self._release_one, path, self._uses.pop(path))
        for use in self._uses.values():
            use.drop()
        self._uses.clear()
        self._depth.clear()
        self._direct.close()

    async def _release_one(self, path: str, use: Use) -> None:
        try:
            async with turn(path + ".lock"):
                if use.is_last() and not _exists(path + ".keep"):
                    for retired in [pid for pid, where in self._retired.items() if where == path]:
                        await kill_master(retired, _STOPPED)
                    pid = await alive_check(path, _ENDING_SECONDS)
                    if pid is not None:
                        await self._end(path, pid)
                    for suffix in (".use", ".lock"):
                        remove(path + suffix)
        finally:
            use.drop()

    # --- asking -----------------------------------------------------------------------------------------------------

    async def effective(self, destination: Destination) -> Effective:
        """What ssh would really connect to (``ssh -G``), cached. Raises ConnectError, LocalError."""
        context = await self._context()
        return await self._evaluator.effective(destination, context.binaries, context.directory)

    async def verify_host_key(self, destination: Destination) -> HostKeyCheck:
        """Ask the live host for its key without logging in to it (its jump hosts are logged in to)."""
        try:
            context = await self._context()
            plan = await make_plan(context, destination)
            route: JumpRoute | None = None
            if plan.hop is not None and self._masterless:
                route = JumpRoute(plan.hop.name, command=await self._direct.through(context, plan.hop))
            elif plan.hop is not None:
                route = await self._jump_route(plan.hop, None)
            return await look_at_host_key(plan, route)
        except TransportError as error:
            return HostKeyCheck(None, None, matches=False, error=f"{error.public_name}: {error}")

    # --- command lines for sessions ---------------------------------------------------------------------------------

    def mux_argv(
        self,
        control_path: str,
        destination: Destination,
        *,
        subsystem: str | None,
        command: str | None,
        tty: bool = False,
    ) -> list[str]:
        """One session over the master by a process of its own; it can never log in by itself."""
        return argv.mux_argv(self._ssh, control_path, destination.name, subsystem=subsystem, command=command, tty=tty)

    def mux_shell(self, control_path: str) -> list[str]:
        """An ssh over the master, for a program that adds a destination and a command by itself (rsync -e)."""
        return argv.mux_shell(self._ssh, control_path)

    async def prepare_direct(self, destination: Destination) -> None:
        """Do what ``direct_argv`` needs and cannot await; cheap when done before. Raises ConnectError, LocalError."""
        await self._direct.prepare(await self._context(), destination)

    def direct_argv(
        self, destination: Destination, *, subsystem: str | None, command: str | None, tty: bool = False
    ) -> tuple[list[str], dict[str, str]]:
        """Argv and environment of one unmultiplexed ssh. ``prepare_direct`` must have run for the destination."""
        return self._direct.argv(destination, subsystem=subsystem, command=command, tty=tty)

    def explain_direct(self, destination: Destination, stderr: str) -> ConnectError | LocalError | None:
        """The typed error behind an exit code 255, or None where stderr shows no failure of ssh itself."""
        return self._direct.explain(destination, stderr)


# --- small things -----------------------------------------------------------------------------------------------------


def _absolute(config: TransportConfig) -> TransportConfig:
    """Files as ssh will find them whatever its directory is; ``~`` by HOME."""
    return replace(
        config,
        ssh_config_file=_full(config.ssh_config_file),
        known_hosts_file=_full(config.known_hosts_file),
        default_key=_full(config.default_key),
        control_dir=os.path.expanduser(config.control_dir) if config.control_dir else None,  # noqa: PTH111
    )


def _full(path: str | None) -> str | None:
    return None if path is None else os.path.abspath(os.path.expanduser(path))  # noqa: PTH100, PTH111


def _handle(
    path: str, pid: int, login: LoginInfo, plan: LoginPlan, hops: Iterable[LoginPlan], *, adopted: bool
) -> MasterHandle:
    names = tuple(hop.destination.name for hop in hops)
    return MasterHandle(path, pid, login, adopted, plan.destination, names)
