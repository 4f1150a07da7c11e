"""Tests for the end of a command's events."""

from __future__ import annotations

import gc
import weakref

from transports.openssh.sessions.execution import Collector, Execution


class Kept(Collector):
    """A collector that can be watched."""


async def test_a_closed_execution_lets_go_of_the_output() -> None:
    collector = Kept(1 << 20, 1 << 20)
    gone = weakref.ref(collector)
    execution = Execution(None, collector)
    execution.data_received("stdout", b"x" * 1000)
    gc.disable()
    try:
        execution.close()
        assert collector.kept("stdout") == b"x" * 1000
        del collector
        assert gone() is None
    finally:
        gc.enable()
    execution.data_received("stdout", b"late")
