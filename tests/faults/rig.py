"""Hosts behind the proxy, the whole program before them, and the invariants that hold after every fault."""

from __future__ import annotations

import contextlib
import os
import random
import re
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest

from ssh_mcp.errors import Refusal
from tests.faults.families import BULK, Failed, Family, Outcome, Trial, call, make_trees
from tests.faults.proxy import Port, Proxy
from tests.integration.conftest import masters_of
from tests.integration.mcp_server import Host, McpServer, McpServerFactory
from tests.integration.transport.test_forwards import echo_server
from tests.peers.sshd import Sshd, alive, kill_all
from transports.errors import TransportError
from transports.openssh.transport import OpenSSHTransport


def _below(root: type[Any]) -> Iterator[type[Any]]:
    for kind in root.__subclasses__():
        yield kind
        yield from _below(kind)


BOUND = 60.0
"""Seconds within which every call must be over, whatever happens: connect, log in and end things together."""
NAMES = frozenset(
    error.public_name for root in (Refusal, TransportError) for error in (root, *_below(root)) if error.public_name
)
"""Every error class that clients may see, from the two trees themselves."""
PEER = "peer"
SETTINGS: dict[str, Any] = {
    "ssh_connect_timeout": 3,
    "ssh_keepalive_interval": 1,
    "ssh_command_timeout": 20,
    "ssh_max_connections_per_host": 1,
    "ssh_read_max_bytes": 1 << 20,
}


def named(error: str) -> bool:
    """``ClassName: one or two sentences.``, the class one of ``NAMES``, nothing of our insides."""
    name, _, text = error.partition(": ")
    return name in NAMES and bool(text.strip()) and "Traceback" not in text and "inside the server" not in text


@dataclass
class Lane:
    """One host behind the proxy."""

    name: str
    sshd: Sshd
    port: Port


@dataclass
class Rig:
    server: McpServer
    lanes: list[Lane]
    work: Path
    control_dir: Path
    temporary: Path
    tools: set[str]
    most_masters: int
    echo: int
    descriptors: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    children: set[int] = field(default_factory=set)
    totals: dict[tuple[str, bool], int] = field(default_factory=dict)
    calls: int = 0

    # --- calls ------------------------------------------------------------------------------------------------------

    def trial(self, lane: Lane) -> Trial:
        self.calls += 1
        made = Trial(lane.name, PEER, self.work / f"t{self.calls}", self.work / "local", self.echo)
        made.prepare()
        return made

    async def attempt(self, family: Family, trial: Trial) -> Outcome:
        """The call, ended one way or the other within BOUND."""
        try:
            with anyio.fail_after(BOUND):
                return Outcome(result=await family.call(self.server, trial))
        except Failed as failed:
            return Outcome(error=str(failed))

    async def works(self, lane: Lane) -> None:
        """The next calls work: at once, or as soon as the back-off of failed logins has passed."""
        errors: Counter[str] = Counter()
        for _ in range(60):
            try:
                with anyio.fail_after(BOUND):
                    done = await call(self.server, "ssh_exec_run", host=lane.name, command="echo next")
                    assert done["stdout"] == "next\n"
                    if "ssh_sftp_stat" in self.tools:
                        await call(self.server, "ssh_sftp_stat", host=lane.name, path="/")
                    return
            except Failed as failed:
                if not str(failed).startswith(("MasterLost: ", "ConnectError: ")):
                    raise AssertionError(f"{lane.name} after a fault: {failed}") from failed
                errors[str(failed)] += 1
                await anyio.sleep(0.1)
        raise AssertionError(f"{lane.name} did not come back: {errors}")

    # --- where a host is --------------------------------------------------------------------------------------------

    def master_of(self, lane: Lane) -> list[psutil.Process]:
        assert self.server.app is not None
        pids = {s.pid for s in self.server.app.fleet._transport.sessions() if s.port == lane.port.number}
        return [p for p in masters_of(self.control_dir) if p.pid in pids]

    async def make_cold(self, lane: Lane) -> None:
        """No master: as after the idle time."""
        await anyio.to_thread.run_sync(kill_all, self.master_of(lane))

    async def measure(self, family: Family, lane: Lane, *, warm: bool) -> int:
        """Bytes that an undisturbed call moves, both directions together, login included where it is cold."""
        key = (family.name, warm)
        if key not in self.totals:
            if not warm:
                await self.make_cold(lane)
            lane.port.arm(None)
            trial = self.trial(lane)
            outcome = await self.attempt(family, trial)
            assert outcome.result is not None, f"{family.name} undisturbed: {outcome.error}"
            family.check(trial, outcome)
            self.totals[key] = lane.port.seen()
        return self.totals[key]

    # --- invariants -------------------------------------------------------------------------------------------------

    def _drop_ready(self) -> None:
        """Close the sessions opened ahead: there may be one a host, and how many there are is a matter of time."""
        assert self.server.app is not None
        transport = self.server.app.fleet._transport
        assert isinstance(transport, OpenSSHTransport)
        for connection in transport._connections.values():
            if connection._warm is not None:
                connection._warm.drop()

    def _open(self) -> int:
        self._drop_ready()
        kept = [f for f in psutil.Process().open_files() if "/spool" in f.path]  # output kept for its session
        return psutil.Process().num_fds() - len(kept)

    def settle(self) -> None:
        """Remember what is there now as what may be there."""
        self._drop_ready()
        self.descriptors = psutil.Process().num_fds()
        self.kinds = _kinds()
        self.children = {p.pid for p in psutil.Process().children()}

    async def close_orphans(self, most: int) -> None:
        """Shells that were open when their opening was cancelled: nobody knows them, and only time would end them."""
        if "ssh_shell_list" in self.tools:
            open_ = (await call(self.server, "ssh_shell_list"))["sessions"]
            assert len(open_) <= most, f"{len(open_)} shell sessions, and only {most} were cancelled"
            for session in open_:
                await call(self.server, "ssh_shell_close", session_id=session["id"])

    async def invariants(self, trials: list[Trial]) -> None:
        numbers = [t.number for t in trials]
        await _eventually(lambda: not _carrying(numbers), "no remote process", lambda: _carrying(numbers))
        await _eventually(
            lambda: self._open() <= self.descriptors,
            "no descriptor leaked",
            lambda: f"{psutil.Process().num_fds()} > {self.descriptors}: {sorted((_kinds() - self.kinds).items())}",
        )
        await _eventually(lambda: not self._strays(), "no local process beyond the masters", self._strays)
        await _eventually(lambda: not self._dead_sockets(), "no socket without a master", self._dead_sockets)
        await _eventually(
            lambda: not list(self.temporary.iterdir()), "no temporary", lambda: list(self.temporary.iterdir())
        )
        leftovers = [p.name for p in self.control_dir.rglob("*") if p.name.startswith((".tmp-", ".new-"))]
        assert not leftovers, leftovers

    def _strays(self) -> list[str]:
        """Direct children that are new (zombies too: unreaped is leaked), and more masters than hosts."""
        new = [f"{p.pid} {p.name()} {p.status()}" for p in _children() if p.pid not in self.children]
        masters = masters_of(self.control_dir)
        return new + ([f"{len(masters)} masters"] if len(masters) > self.most_masters else [])

    def _dead_sockets(self) -> list[str]:
        sockets = [p.name for p in self.control_dir.rglob("*") if p.is_socket()]
        return sockets if len(sockets) > len(masters_of(self.control_dir)) else []

    async def no_temporary_in(self, trial: Trial, host: str, writer: str) -> None:
        """Nothing half-made lies in the directory, or the next write there removes it.

        The next write as the same user: what root's writes leave, nobody else may remove.
        """
        if not _half_made(trial.directory):
            return
        if writer in self.tools:
            path = str(trial.directory / "after")
            await call(self.server, writer, host=host, path=path, content_text="x")
        assert not _half_made(trial.directory), _half_made(trial.directory)


def _half_made(directory: Path) -> list[str]:
    return [
        p.name
        for p in directory.iterdir()
        if p.name not in {"target", "source", "tree", "after"} and ".bak-" not in p.name
    ]


def _children() -> Iterator[psutil.Process]:
    for process in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):
            process.name()
            yield process


def _kinds() -> Counter[str]:
    """Open descriptors by what they are, for the message."""
    found: Counter[str] = Counter()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found[re.sub(r"\[\d+\]|/[0-9a-f]{16}", "", os.readlink(f"/proc/self/fd/{name}"))] += 1
    return found


def _carrying(numbers: list[str]) -> list[str]:
    """Live processes with one of the numbers among their arguments."""
    pattern = re.compile("|".join(numbers) or r"\Z\A.")
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            line = " ".join(process.cmdline())
            if pattern.search(line) and alive(process):
                found.append(f"{process.pid} {line[:120]}")
    return found


async def _eventually(
    condition: Callable[[], bool], what: str, detail: Callable[[], object], seconds: float = 15
) -> None:
    with anyio.move_on_after(seconds):
        while not condition():
            await anyio.sleep(0.02)
        return
    raise AssertionError(f"{what}: {detail()}")


# --- building -------------------------------------------------------------------------------------------------------


@contextmanager
def proxied(sshd_factory: Callable[..., Sshd], count: int, **options: Any) -> Iterator[list[Lane]]:
    """``count`` servers behind one proxy process; SFTP by a process of its own, so that it can be killed alone."""
    proxy = Proxy()
    server = next(p for p in ("/usr/lib/openssh/sftp-server", "/usr/libexec/sftp-server") if Path(p).exists())
    try:
        lanes = []
        for i in range(count):
            sshd = sshd_factory(subsystem=server, **options)
            lanes.append(Lane(f"h{i}", sshd, proxy.new(f"h{i}", sshd.port)))
        yield lanes
    finally:
        proxy.close()


@asynccontextmanager
async def rig(
    mcp_server: McpServerFactory,
    lanes: list[Lane],
    peer: Sshd,
    work: Path,
    control_dir: str,
    *,
    kind: type[Rig] = Rig,
    lines: Sequence[str] = (),
    **settings: Any,
) -> AsyncIterator[Rig]:
    """The program with all hosts warm, and what is there now as the baseline. ``lines`` go into the lanes' entries."""
    (work / "local").mkdir()
    (work / "local" / "bulk").write_bytes(BULK)
    make_trees(work / "local")
    options = {**SETTINGS, "ssh_local_transfer_roots": [str(work / "local")], **settings}
    with echo_server() as echo:
        entry = [f'forward_local = ["127.0.0.1:{echo}"]', *lines]
        hosts = {lane.name: Host(replace(lane.sshd, port=lane.port.number), lines=entry) for lane in lanes}
        async with mcp_server({**hosts, PEER: peer}, **options) as server:
            most = (len(lanes) + 1) * options["ssh_max_connections_per_host"]
            tools = {tool.name for tool in await server.client.list_tools()}
            made = kind(server, lanes, work, Path(control_dir), Path(tempfile.gettempdir()), tools, most, echo)
            for lane in lanes:
                await made.works(lane)
            await made.works(Lane(PEER, peer, lanes[0].port))
            for lane in lanes:  # the other way to lose a login; what is made once and for all is made now
                await made.make_cold(lane)
                await made.works(lane)
            await anyio.sleep(0.5)  # sessions that are being opened ahead
            made.settle()
            yield made


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Shorter waits where only their length is unpractical here, and a directory for temporaries of our own."""
    monkeypatch.setattr("transports.openssh.masters.pool.BACKOFF_FIRST", 0.05)
    monkeypatch.setattr("transports.openssh.masters.pool.BACKOFF_MAX", 0.2)
    monkeypatch.setattr(
        "transports.openssh.masters.pool.SHORT_LIFE", 0.0
    )  # here masters are killed again and again by us
    monkeypatch.setattr("transports.openssh.login.login._AUTHENTICATION_SECONDS", 4.0)
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


def moments(rng: random.Random, count: int) -> list[float]:
    """Fractions of a call's bytes, spread over all of it, none twice alike."""
    return [(i + rng.random()) / count for i in range(count)]
