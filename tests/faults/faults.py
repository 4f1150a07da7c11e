"""What can happen to a call at byte N: each row holds the traffic there, does its harm, and lets go."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio
import psutil

from tests.faults.families import Family, Outcome, Trial
from tests.faults.rig import Lane, Rig
from tests.peers.sshd import kill_all


@dataclass(frozen=True)
class Fault:
    """``strike`` acts while the traffic is stopped at the moment; ``None``: the cut happens in the proxy itself."""

    name: str
    strike: Callable[[Rig, Lane], Awaitable[None]]
    cancels: bool = False
    must_succeed: bool = False


async def _cut(_rig: Rig, lane: Lane) -> None:
    lane.port.cut()


async def _close(_rig: Rig, lane: Lane) -> None:
    lane.port.cut(reset=False)


async def _stall(_rig: Rig, lane: Lane) -> None:
    """Nothing passes any more, and no end of file either: only keepalives and time limits can tell."""


async def _kill_master(rig: Rig, lane: Lane) -> None:
    victims = rig.master_of(lane)
    await anyio.to_thread.run_sync(kill_all, victims)
    lane.port.go()


async def _kill_login(rig: Rig, lane: Lane) -> None:
    await anyio.to_thread.run_sync(lane.sshd.kill_sessions)
    lane.port.go()


async def _kill_sftp(rig: Rig, lane: Lane) -> None:
    def strike() -> None:
        below: list[psutil.Process] = lane.sshd.session_processes()
        kill_all([p for p in below if _is_sftp(p)])

    await anyio.to_thread.run_sync(strike)
    lane.port.go()


def _is_sftp(process: psutil.Process) -> bool:
    try:
        return "sftp-server" in process.name()
    except psutil.NoSuchProcess:
        return False


async def _gone(_rig: Rig, lane: Lane) -> None:
    lane.port.unlisten()


async def _let_go(_rig: Rig, lane: Lane) -> None:
    lane.port.go()


FAULTS = {
    fault.name: fault
    for fault in (
        Fault("cut", _cut),
        Fault("closed", _close),
        Fault("stall", _stall),
        Fault("master killed", _kill_master),
        Fault("login killed", _kill_login),
        Fault("sftp killed", _kill_sftp),
        Fault("host gone", _gone),
        Fault("cancelled", _let_go, cancels=True),
        Fault("odd chunks", _let_go, must_succeed=True),
    )
}


@dataclass(frozen=True)
class Cell:
    """One case of the matrix. ``moment`` is a fraction of what the undisturbed call moves."""

    family: Family
    fault: Fault
    warm: bool
    moment: float

    def __str__(self) -> str:
        return f"{self.family.name} / {self.fault.name} / {'warm' if self.warm else 'cold'} at {self.moment:.3f}"


@dataclass
class Ran:
    cell: Cell
    trial: Trial
    outcome: Outcome
    struck: bool
    seconds: float


async def run_cell(rig: Rig, lane: Lane, cell: Cell) -> Ran:
    """Play one case on one lane. The lane must be warm; it is left repaired, not checked."""
    total = await rig.measure(cell.family, lane, warm=cell.warm)
    if not cell.warm:
        await rig.make_cold(lane)
    trial = rig.trial(lane)
    outcome = Outcome(error="")
    if cell.fault.must_succeed:
        lane.port.shape(seed=trial.number.__hash__() & 0xFFFF)
    lane.port.arm(max(1, int(total * cell.moment)))
    began = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        done = anyio.Event()
        scope = anyio.CancelScope()

        async def attempt() -> None:
            nonlocal outcome
            with scope:
                outcome = await rig.attempt(cell.family, trial)
            done.set()

        async def strike() -> None:
            while not lane.port.struck.is_set() and not done.is_set():
                await anyio.sleep(0.002)
            if lane.port.struck.is_set():
                await cell.fault.strike(rig, lane)
                if cell.fault.cancels:
                    scope.cancel()

        tasks.start_soon(attempt)
        tasks.start_soon(strike)
    seconds = anyio.current_time() - began
    struck = lane.port.struck.is_set()
    repair(lane, cell, struck=struck)
    return Ran(cell, trial, outcome, struck, seconds)


def repair(lane: Lane, cell: Cell, *, struck: bool) -> None:
    lane.port.arm(None)
    lane.port.shape()
    if cell.fault.name == "stall":
        lane.port.cut()
    if cell.fault.name == "host gone" and struck:
        lane.port.listen()
