"""The transport's three backends timed without MCP around them."""

from __future__ import annotations

import time
from typing import Literal

import anyio

from tests.bench.lab import BenchLab
from tests.bench.measure import Sample, summary
from transports.openssh.transport import OpenSSHTransport


def run_true(lab: BenchLab, backend: Literal["native", "process", "direct"], rounds: int) -> Sample:
    """`true` on a warm connection, one after the other."""

    async def work() -> Sample:
        directory = lab.root / f"c-{backend}"
        directory.mkdir(mode=0o700, exist_ok=True)
        config = lab.first.transport_config(backend=backend, control_dir=str(directory))
        transport = OpenSSHTransport(config)
        try:
            connection = transport.connection(lab.first.destination())
            times = []
            for number in range(rounds + 3):
                began = time.perf_counter()
                await connection.run("true")
                if number >= 3:
                    times.append((time.perf_counter() - began) * 1000)
            return summary(times)
        finally:
            await transport.aclose()

    return anyio.run(work)
