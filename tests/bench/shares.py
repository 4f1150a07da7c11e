"""How much of a call the guard and the audit are: timed within the server, set against what its client waits."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from statistics import median
from timeit import timeit
from typing import Any

from ssh_mcp.inventory.model import CommandPolicy
from ssh_mcp.policy.approval import AskRules
from ssh_mcp.policy.commands import permit
from tests.bench.lab import BenchLab
from tests.bench.measure import Figure
from tests.bench.rpc import RpcServer

_PAUSE = 0.02
"""Seconds between calls, as in the rows of calls: the session for the next command is opened meanwhile."""


def guard_and_audit(lab: BenchLab, rounds: int) -> Iterator[Figure]:
    """The medians' ratio in per cent, for small calls and for those that return most text."""
    directory = lab.files / "shares"
    directory.mkdir()
    for number in range(1000):
        (directory / f"file-{number:05}.txt").touch()
    (directory.parent / "text").write_text("one of many ordinary lines of a log, number 17\n" * 1400)
    calls: dict[str, tuple[str, dict[str, Any]]] = {
        "exec `true`": ("ssh_exec_run", {"command": "true"}),
        "exec that prints 200 kB": ("ssh_exec_run", {"command": f"cd {lab.files}; cat text text text"}),
        "stat": ("ssh_sftp_stat", {"path": str(lab.files / "text")}),
        "list of 1,000": ("ssh_sftp_list", {"path": str(directory), "limit": 1000}),
        "read of 64 KiB": ("ssh_sftp_download", {"path": str(lab.files / "text")}),
    }  # fmt: skip
    told = lab.root / "shares.txt"
    server = RpcServer(
        [sys.executable, "-m", "tests.bench.watched_server", str(told)], lab.env, log=lab.root / "server.log"
    )
    server.call("ssh_host_ping", host="h0")
    for name, (tool, arguments) in calls.items():
        waited = []
        for _ in range(rounds + 3):
            time.sleep(_PAUSE)
            began = time.perf_counter()
            server.call(tool, host="h0", **arguments)
            waited.append((time.perf_counter() - began) * 1000)
        spent = median([float(line) for line in told.read_text().split()][-rounds:])
        share = 100 * spent / median(waited[3:])
        yield Figure(f"guard and audit of {name}", share, "% of the call", 10, f"{spent:.2f} ms")
        if tool == "ssh_exec_run" and arguments["command"] == "true":
            asked = _ask_rules()
            yield Figure(
                "20 ask rules on exec `true`", 100 * asked / median(waited[3:]), "% of the call", 5, f"{asked:.2f} ms"
            )
    server.close()


def _ask_rules(rounds: int = 500) -> float:
    """Milliseconds that a command takes to pass twenty ask rules, none of which it matches."""
    entries = ["sudo", "group:docker", "command:systemctl restart", "write:/etc/**", "ssh_delete_folder"]
    rules = AskRules.of((e, "SSH_ASK") for e in [*entries, *(f"command:program{n}" for n in range(15))])
    command = permit("true", CommandPolicy(allow=("*",)))

    def once() -> None:
        assert not rules.for_tool("ssh_exec_run", "exec", "dangerous")
        assert not rules.for_command(command)

    return timeit(once, number=rounds) / rounds * 1000
