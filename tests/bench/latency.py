"""Over a network: a bastion with targets behind it, and a link with 50 ms round-trip time.

The link is a pair of veth interfaces into a network namespace of our own, delayed by ``tc netem``; sshd listens there.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.lab import BenchLab
from tests.bench.measure import Figure, Row, interleaved, summary
from tests.bench.rows import quiet
from tests.bench.rpc import RpcServer
from tests.lab.sshd import Sshd, start_sshd

RTT_MS = 50
NAMESPACE = "smbench"
HERE, THERE = "198.18.0.1", "198.18.0.2"
"""Addresses of the range for benchmarks (RFC 2544), used only between our two interfaces."""


def bastion(*, quick: bool) -> Iterator[Row | Figure]:
    """Targets behind one bastion, all cold, against `ssh -J` to each at once; the bastion's logins are counted."""
    count = 5 if quick else 20
    root = Path(tempfile.mkdtemp(prefix="smb-", dir="/tmp"))
    servers: list[Sshd] = []
    lab: BenchLab | None = None
    try:
        from tests.bench import lab as labs

        jump = start_sshd(root, extra=["MaxStartups 500"])
        servers.append(jump)
        targets = [start_sshd(root, extra=["MaxStartups 500"]) for _ in range(count)]
        servers += targets
        (root / "known_hosts").write_text("".join(s.known_hosts_line() for s in servers))
        tables = [_table("bastion", jump, None)]
        tables += [_table(f"h{n}", t, "bastion") for n, t in enumerate(targets)]
        (root / "hosts.toml").write_text("\n".join(tables))
        (root / "run").mkdir(mode=0o700)
        lab = BenchLab(root, servers, labs._environment(root), root)
        hosts = [f"h{n}" for n in range(count)]
        server = lab.server()
        began = time.perf_counter()
        server.call("ssh_broadcast", hosts=hosts, command="true")
        ours = (time.perf_counter() - began) * 1000
        logins = jump.logins()
        options = lab.ssh_options()
        proxy = f"ssh {' '.join(options)} -p {jump.port} -W %h:%p {jump.user}@{jump.address}"
        began = time.perf_counter()
        from tests.bench.fleet import parallel

        parallel([lab.ssh("true", number=n + 1, extra=["-o", f"ProxyCommand={proxy}"]) for n in range(count)])
        theirs = (time.perf_counter() - began) * 1000
        yield Row(
            f"{count} targets behind a bastion, cold",
            summary([ours]),
            f"{count} x ssh -J at once",
            summary([theirs]),
            1.0,
        )
        yield Figure("logins on the bastion", logins, "logins", 1)
        server.close()
    finally:
        if lab is not None:
            lab.close()
        for each in servers:
            each.stop()
        shutil.rmtree(root, ignore_errors=True)


def _table(alias: str, sshd: Sshd, jump: str | None) -> str:
    return (
        f'[hosts.{alias}]\nhostname = "{sshd.address}"\nport = {sshd.port}\nuser = "{sshd.user}"\n'
        f'path_allowlist = ["*"]\ncommand_allowlist = ["*"]\n'
        + (f'proxy_jump = "{jump}"\n' if jump else "")
        + f'[hosts.{alias}.auth]\nmethod = "key"\nkey = "{sshd.key}"\nidentities_only = true\n'
    )


def _run(*argv: str) -> None:
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


@contextlib.contextmanager
def delayed_link() -> Iterator[None]:
    """Two interfaces with half the round-trip time of delay each way; gone at the end."""
    subprocess.run(["ip", "netns", "del", NAMESPACE], check=False, capture_output=True)
    _run("ip", "netns", "add", NAMESPACE)
    try:
        _run("ip", "link", "add", "smb0", "type", "veth", "peer", "name", "smb1", "netns", NAMESPACE)
        _run("ip", "addr", "add", f"{HERE}/30", "dev", "smb0")
        _run("ip", "link", "set", "smb0", "up")
        inside = ("ip", "netns", "exec", NAMESPACE)
        _run(*inside, "ip", "addr", "add", f"{THERE}/30", "dev", "smb1")
        _run(*inside, "ip", "link", "set", "smb1", "up")
        _run(*inside, "ip", "link", "set", "lo", "up")
        _run("tc", "qdisc", "add", "dev", "smb0", "root", "netem", "delay", f"{RTT_MS / 2}ms", "limit", "100000")
        _run(
            *inside, "tc", "qdisc", "add", "dev", "smb1", "root", "netem", "delay", f"{RTT_MS / 2}ms", "limit", "100000"
        )
        yield
    finally:
        subprocess.run(["ip", "netns", "del", NAMESPACE], check=False, capture_output=True)
        subprocess.run(["ip", "link", "del", "smb0"], check=False, capture_output=True)


def over_the_wire(*, quick: bool) -> Iterator[Row | Figure]:
    """Warm calls over the delayed link, in round trips; skipped with a remark where namespaces cannot be made."""
    if os.geteuid() != 0 or not shutil.which("tc"):
        print("   the delayed link needs root and iproute2: left out")
        return
    rounds = 5 if quick else 20
    try:
        with delayed_link(), _remote_lab() as lab:
            yield from _wire_rows(lab, rounds)
    except subprocess.CalledProcessError as error:
        print(f"   the delayed link cannot be made here: {error.stderr.decode().strip()}")


@contextlib.contextmanager
def _remote_lab() -> Iterator[BenchLab]:
    """A lab whose only sshd listens in the namespace: started there by a wrapper around sshd."""
    from tests.bench import lab as labs

    root = Path(tempfile.mkdtemp(prefix="smb-", dir="/tmp"))
    server = start_sshd(root)
    config = server.config_file.read_text().replace(f"ListenAddress {server.address}", f"ListenAddress {THERE}")
    server.config_file.write_text(config)
    server.stop()
    process = subprocess.Popen(
        ["ip", "netns", "exec", NAMESPACE, "/usr/sbin/sshd", "-D", "-f", str(server.config_file), "-E", f"{root}/l"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    remote = Sshd(**{**server.__dict__, "address": THERE, "process": process})
    (root / "known_hosts").write_text(remote.known_hosts_line())
    (root / "hosts.toml").write_text(_table("h0", remote, None))
    (root / "run").mkdir(mode=0o700)
    lab = BenchLab(root, [remote], labs._environment(root), root)
    try:
        deadline = time.monotonic() + 10
        while (
            subprocess.run(lab.ssh("true"), check=False, capture_output=True).returncode and time.monotonic() < deadline
        ):
            time.sleep(0.1)
        yield lab
    finally:
        process.terminate()
        lab.close()


def _wire_rows(lab: BenchLab, rounds: int) -> Iterator[Row | Figure]:
    server: RpcServer = lab.server()
    began = time.perf_counter()
    server.call("ssh_host_ping", host="h0")
    cold = (time.perf_counter() - began) * 1000
    began = time.perf_counter()
    quiet(lab.ssh("true"))
    yield Row(
        f"first call over {RTT_MS} ms, cold",
        summary([cold]),
        "ssh … true",
        summary([(time.perf_counter() - began) * 1000]),
    )
    directory = lab.root / "d"
    directory.mkdir()
    for number in range(1000):
        (directory / f"f{number}").touch()
    with lab.bare_master() as mux:
        execs, stats, lists, bare = interleaved(
            lambda: server.call("ssh_exec_run", host="h0", command="true"),
            lambda: server.call("ssh_sftp_stat", host="h0", path="/etc/hosts"),
            lambda: server.call("ssh_sftp_list", host="h0", path=str(directory), limit=1000),
            lambda: quiet(lab.ssh("true", extra=mux)),
            rounds=rounds,
            warm_up=2,
        )
    yield Row(f"exec over {RTT_MS} ms, warm", execs, "ssh -S … true", bare)
    yield Figure("exec in round trips", execs.median / RTT_MS, "RTT", 1.1)
    yield Figure("stat in round trips", stats.median / RTT_MS, "RTT", 2.1)
    yield Figure("list of 1,000 in round trips", lists.median / RTT_MS, "RTT")
    local = lab.root / "up"
    local.write_bytes(os.urandom(16 << 20))
    (lab.root / "put").write_text(f"put {local} {lab.root / 'sftp-there'}\n")
    from tests.bench.rows import sftp_batch

    with lab.bare_master() as mux:
        argv = sftp_batch(lab, lab.root / "put", mux)
        mine, theirs = interleaved(
            lambda: server.call("ssh_upload", host="h0", path=str(lab.root / "there"), local_path=str(local)),
            lambda: quiet(argv),
            rounds=3,
        )
    yield Row(f"16 MiB up over {RTT_MS} ms", mine, "sftp -b, warm", theirs, 1.0)
    server.close()
