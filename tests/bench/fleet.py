"""The rows over many hosts: fan-out, bastion, memory."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from random import Random

import psutil

from tests.bench.lab import BenchLab
from tests.bench.measure import Figure, Row, interleaved, sample, summary

PRELOADED_SECONDS = 2.5
"""After its start a server loads what first calls need (``ssh_mcp.server.preload``); clients come later still."""


def parallel(argvs: list[list[str]]) -> None:
    running = [
        subprocess.Popen(a, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for a in argvs
    ]
    for process in running:
        if process.wait() != 0:
            raise RuntimeError("a bare ssh failed")


def concurrent_on_one(lab: BenchLab, rounds: int) -> Iterator[Row]:
    """Fifty commands at once on one host, against fifty `ssh -S` on a bare master."""
    server = lab.server()
    server.call("ssh_host_ping", host="h0")
    jobs = [{"host": "h0", "command": "true"}] * 50
    with lab.bare_master() as mux:
        argvs = [lab.ssh("true", extra=mux)] * 50
        ours, bare = interleaved(lambda: server.calls("ssh_exec_run", jobs), lambda: parallel(argvs), rounds=rounds)
    yield Row("50 execs at once on one host", ours, "50 x ssh -S", bare, 1.0)
    server.close()


def fan_out(lab: BenchLab, rounds: int) -> Iterator[Row | Figure]:
    """The same command on all hosts: cold, warm, and after a restart of the server; memory with all masters."""
    hosts = [f"h{n}" for n in range(len(lab.sshds))]
    bare = [lab.ssh("true", number=n) for n in range(len(hosts))]
    cold, cold_bare = [], []
    for _ in range(3):
        server = lab.server()
        time.sleep(PRELOADED_SECONDS)
        cold.append(timed(lambda s=server: s.call("ssh_broadcast", hosts=hosts, command="true")))
        server.close()
        cold_bare.append(timed(lambda: parallel(bare)))
    yield Row(f"broadcast to {len(hosts)}, cold", summary(cold), f"{len(hosts)} x ssh at once", summary(cold_bare), 1.0)
    server = lab.server()
    time.sleep(PRELOADED_SECONDS)
    idle = _memory(server.process.pid)
    server.call("ssh_broadcast", hosts=hosts, command="true")
    warm = sample(lambda: server.call("ssh_broadcast", hosts=hosts, command="true"), rounds=rounds)
    stat = {"hosts": hosts, "tool": "ssh_sftp_stat", "arguments": {"path": "/"}}
    server.call("ssh_fleet", **stat)
    fleet = sample(lambda: server.call("ssh_fleet", **stat), rounds=rounds)
    yield Row(f"ssh_fleet stat on {len(hosts)}, warm", fleet, "broadcast, warm", warm, 1.5)
    masters = [lab.bare_master(n) for n in range(len(hosts))]
    options = [m.__enter__() for m in masters]
    multiplexed = [lab.ssh("true", number=n, extra=options[n]) for n in range(len(hosts))]
    bare_warm = sample(lambda: parallel(multiplexed), rounds=rounds)
    for master in masters:
        master.__exit__(None, None, None)
    yield Row(f"broadcast to {len(hosts)}, warm", warm, f"{len(hosts)} x ssh -S at once", bare_warm, 1.0)
    yield Figure("memory of the server, idle", idle, "MiB")
    yield Figure(f"memory of the server with {len(hosts)} masters", _memory(server.process.pid), "MiB")
    adopted = []
    for _ in range(3):
        second = lab.server()
        time.sleep(PRELOADED_SECONDS)
        adopted.append(timed(lambda s=second: s.call("ssh_broadcast", hosts=hosts, command="true")))
        second.close()
    yield Row(f"broadcast to {len(hosts)}, a second server adopting", summary(adopted), "warm", warm)
    server.close()


def memory_after_a_mix(lab: BenchLab, count: int) -> Iterator[Figure]:
    """Memory before and after ``count`` mixed calls, up to eight at once, some with a megabyte of output."""
    place = lab.files / "mix"
    place.mkdir()
    for number in range(300):
        (place / f"{number}.conf").write_text(f"line {number} of text, password=hunter2abcd\n" * 20)
    (place / "long.log").write_text("abc def ghi jkl\n" * 60_000)
    mix: list[tuple[str, dict[str, object]]] = [
        ("ssh_exec_run", {"command": "true"}),
        ("ssh_exec_run", {"command": f"cat {place}/long.log"}),
        ("ssh_sftp_list", {"path": str(place), "limit": 300}),
        ("ssh_sftp_download", {"path": f"{place}/long.log"}),
        ("ssh_host_info", {}),
        ("ssh_host_processes", {}),
        ("ssh_grep", {"path": str(place), "pattern": "line 1"}),
        ("ssh_read_redacted", {"path": f"{place}/3.conf"}),
    ]
    server = lab.server()
    time.sleep(PRELOADED_SECONDS)
    yield Figure("memory of the server before a mix of calls", _memory(server.process.pid), "MiB")
    done, random = 0, Random(16)
    while done < count:
        tool, arguments = random.choice(mix)
        at_once = random.choice((1, 1, 1, 4, 8))
        server.calls(tool, [{"host": "h0", **arguments}] * at_once)
        done += at_once
    yield Figure(f"memory of the server after {count:,} mixed calls", _memory(server.process.pid), "MiB")
    server.close()


def timed(once: object) -> float:
    began = time.perf_counter()
    once()  # type: ignore[operator]
    return (time.perf_counter() - began) * 1000


def _memory(pid: int) -> float:
    return float(psutil.Process(pid).memory_info().rss) / (1 << 20)
