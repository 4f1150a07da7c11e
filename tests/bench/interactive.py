"""A device's command and a program in a terminal, against the same input piped into a bare `ssh -S -tt`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from tests.bench.lab import BenchLab
from tests.bench.measure import Row, interleaved, sample
from tests.bench.rows import quiet
from tests.peers.sshd import start_sshd

IOS = Path(__file__).parents[1] / "peers" / "ios.py"
_TYPED = b"enable\rletmein\rterm width 511\rterm len 0\rshow version\rexit\r"


def interactive(lab: BenchLab, rounds: int) -> Iterator[Row]:
    """A simulated IOS behind an sshd of its own. A terminal's calls wait 0.25 s until its screen counts as drawn."""
    number = _device(lab)
    server = lab.server()
    server.call("ssh_host_ping", host="h0")
    run = {"host": "device", "commands": ["show version"]}
    with lab.bare_master(number) as mux:
        bare = lab.ssh(number=number, extra=[*mux, "-tt"])
        ours, theirs = interleaved(
            lambda: server.call("ssh_device_run", **run), lambda: quiet(bare, stdin=_TYPED), rounds=rounds, warm_up=2
        )
    yield Row("device: one command", ours, "the same piped into ssh -S -tt", theirs, 2.0)
    ten = sample(lambda: server.call("ssh_device_run", host="device", commands=["show version"] * 10), rounds=rounds)
    yield Row("device: ten commands in one call", ten, "one command", ours, 2.0)
    opened = server.call("ssh_terminal_open", host="h0", command="cat")
    typed = sample(
        lambda: server.call("ssh_terminal_send", terminal_id=opened["terminal_id"], text="x", timeout=5), rounds=rounds
    )
    yield Row("terminal: a key and the screen after it", typed)
    server.close()


def _device(lab: BenchLab) -> int:
    """Another sshd and its entry in hosts.toml; its number."""
    sshd = start_sshd(lab.root, force_command=f"{sys.executable} {IOS} {lab.root / 'state'}")
    lab.sshds.append(sshd)
    with (lab.root / "known_hosts").open("a") as known:
        known.write(sshd.known_hosts_line())
    with (lab.root / "hosts.toml").open("a") as hosts:
        hosts.write(
            f'\n[hosts.device]\nhostname = "{sshd.address}"\nport = {sshd.port}\nuser = "{sshd.user}"\n'
            'platform = "cisco_iosxe"\ndevice_allow = ["show version"]\n'
            "device_enable_cmd = \"printf 'letmein\\\\n'\"\n"
            f'[hosts.device.auth]\nmethod = "key"\nkey = "{sshd.key}"\nidentities_only = true\n'
        )
    return len(lab.sshds) - 1
