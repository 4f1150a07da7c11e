"""Over a network: a bastion with targets behind it, and links with 50 ms round-trip time (see ``relay``)."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator

from tests.bench.fleet import PRELOADED_SECONDS, parallel, timed
from tests.bench.lab import BenchLab, environment, scratch
from tests.bench.measure import Figure, Row, Sample, interleaved, sample, summary
from tests.bench.relay import relays
from tests.bench.rows import Edits, quiet, sftp_batch
from tests.bench.rpc import RpcServer
from tests.peers.sshd import Sshd, start_sshd

RTT_MS = 50
PAUSE_SECONDS = 0.3
"""Before each call over the delayed link: as long as a session ahead of its command takes (two round trips), and less
than any model thinks between two calls.
"""


def bastion(*, quick: bool) -> Iterator[Row | Figure]:
    """Targets behind one bastion, all cold, against `ssh` with a ProxyCommand to each at once, turn by turn."""
    count, rounds = (5, 2) if quick else (20, 3)
    root = scratch()
    servers: list[Sshd] = []
    lab: BenchLab | None = None
    try:
        jump = start_sshd(root, extra=["MaxStartups 500"])
        servers.append(jump)
        targets = [start_sshd(root, extra=["MaxStartups 500"]) for _ in range(count)]
        servers += targets
        (root / "known_hosts").write_text("".join(s.known_hosts_line() for s in servers))
        tables = [_table("bastion", jump, None)]
        tables += [_table(f"h{n}", t, "bastion") for n, t in enumerate(targets)]
        (root / "hosts.toml").write_text("\n".join(tables))
        (root / "run").mkdir(mode=0o700)
        lab = BenchLab(root, servers, environment(root), root)
        hosts = [f"h{n}" for n in range(count)]
        proxy = f"ssh {' '.join(lab.ssh_options())} -p {jump.port} -W %h:%p {jump.user}@{jump.address}"
        bare = [lab.ssh("true", number=n + 1, extra=["-o", f"ProxyCommand={proxy}"]) for n in range(count)]
        ours, theirs, logins = [], [], []
        for _ in range(rounds):
            server = lab.server()
            time.sleep(PRELOADED_SECONDS)
            before = jump.logins()
            ours.append(timed(lambda s=server: s.call("ssh_broadcast", hosts=hosts, command="true")))
            logins.append(jump.logins() - before)
            server.close()
            theirs.append(timed(lambda: parallel(bare)))
        name = f"{count} targets behind a bastion, cold"
        yield Row(name, summary(ours), f"{count} x ssh -J at once", summary(theirs), 1.0)
        yield Figure("logins on the bastion", max(logins), "logins", 1)
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


@contextlib.contextmanager
def _remote_lab(count: int) -> Iterator[tuple[BenchLab, int]]:
    """``count`` sshds, each behind a relay that is RTT_MS away; the port of the relay is the port of the host.

    With them the port of an echo as far away, which tells what a round trip really takes here.
    """
    root = scratch()
    near: list[Sshd] = []
    try:
        near += [start_sshd(root, extra=["MaxStartups 500"]) for _ in range(count)]
        with _echo() as echo, relays(RTT_MS, [*(s.port for s in near), echo]) as ports:
            far = [Sshd(**{**s.__dict__, "port": port}) for s, port in zip(near, ports[:-1], strict=True)]
            (root / "known_hosts").write_text("".join(s.known_hosts_line() for s in far))
            (root / "hosts.toml").write_text("\n".join(_table(f"h{n}", s, None) for n, s in enumerate(far)))
            (root / "run").mkdir(mode=0o700)
            lab = BenchLab(root, far, environment(root), root / "files")
            lab.files.mkdir()
            try:
                yield lab, ports[-1]
            finally:
                lab.close_servers()
    finally:
        for each in near:
            each.stop()
        shutil.rmtree(root, ignore_errors=True)


def over_the_wire(*, quick: bool) -> Iterator[Row | Figure]:
    """The rows again with RTT_MS between us and the hosts, and in round trips where that is what was wanted."""
    hosts, rounds = (10, 7) if quick else (50, 15)
    with _remote_lab(hosts) as (lab, echo):
        trip = _round_trip(echo, rounds)
        yield Row("a round trip of this link", trip)
        server = lab.server()
        time.sleep(PRELOADED_SECONDS)
        cold = timed(lambda: server.call("ssh_exec_run", host="h0", command="true"))
        bare = sample(lambda: quiet(lab.ssh("true")), rounds=3)
        yield Row(_over("first call, cold"), summary([cold]), "ssh … true", bare)
        yield from _calls(lab, server, rounds, trip.median)
        yield from _bulk(lab, server, (16 if quick else 64) << 20)
        server.close()
        yield from _broadcasts(lab, hosts, 3 if quick else 8)


@contextlib.contextmanager
def _echo() -> Iterator[int]:
    """The port of a server that echoes what it gets."""
    with socket.create_server(("127.0.0.1", 0)) as door:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    near, _ = door.accept()
                    while data := near.recv(64):
                        near.sendall(data)

        threading.Thread(target=serve, daemon=True).start()
        yield door.getsockname()[1]


def _round_trip(port: int, rounds: int) -> Sample:
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def there_and_back() -> object:
            line.sendall(b"x")
            return line.recv(1)

        return sample(there_and_back, rounds=rounds, pause=0.02)


def _over(name: str) -> str:
    return f"{name}, over {RTT_MS} ms"


def _calls(lab: BenchLab, server: RpcServer, rounds: int, trip: float) -> Iterator[Row | Figure]:
    directory, small = lab.files / "d", lab.files / "small"
    directory.mkdir()
    for number in range(1000):
        (directory / f"f{number}").touch()
    small.write_text("x" * 65536)
    local = lab.root / "up"
    local.write_bytes(os.urandom(65536))
    edits = Edits(server, lab.files / "edit.txt")
    job = server.call("ssh_job_start", host="h0", command="true")["job_id"]
    each: dict[str, Callable[[], object]] = {
        "exec `true`": lambda: server.call("ssh_exec_run", host="h0", command="true"),
        "script of one line": lambda: server.call("ssh_exec_script", host="h0", script="true\n"),
        "stat": lambda: server.call("ssh_sftp_stat", host="h0", path="/etc/hosts"),
        "list of 1,000": lambda: server.call("ssh_sftp_list", host="h0", path=str(directory), limit=1000),
        "find in 1,000": lambda: server.call("ssh_find", host="h0", path=str(directory), name_pattern="*7"),
        "read of 64 KiB": lambda: server.call("ssh_sftp_download", host="h0", path=str(small)),
        "write of 64 KiB": lambda: server.call(
            "ssh_upload", host="h0", path=str(lab.files / "up"), local_path=str(local)
        ),
        "edit of a 9 KiB file": edits.once,
        "host_info": lambda: server.call("ssh_host_info", host="h0"),
        "job start": lambda: server.call("ssh_job_start", host="h0", command="true", wait=0),
        "job start to its end": lambda: server.call("ssh_job_start", host="h0", command="true"),
        "job status": lambda: server.call("ssh_job_status", host="h0", job_id=job),
    }
    with lab.bare_master() as mux:
        bare, *ours = interleaved(
            lambda: quiet(lab.ssh("true", extra=mux)), *each.values(), rounds=rounds, warm_up=2, pause=PAUSE_SECONDS
        )
    wanted = {"exec `true`": 1.1, "stat": 2.1, "job start": 1.65, "job start to its end": 1.65, "job status": 1.1}
    for name, result in zip(each, ours, strict=True):
        yield Row(_over(name), result, "ssh -S … true", bare)
        yield Figure(_over(name), result.median / trip, "round trips", wanted.get(name))


def _bulk(lab: BenchLab, server: RpcServer, size: int) -> Iterator[Row]:
    local, back = lab.root / "bulk", lab.root / "back"
    with local.open("wb") as out:
        out.writelines([os.urandom(1 << 20)] * (size >> 20))
    there, other = lab.files / "bulk", lab.files / "bulk-sftp"
    batch = lab.root / "batch"
    for way, ours, line in (
        ("up", lambda: server.call("ssh_upload", host="h0", path=str(there), local_path=str(local)),
         f"put {local} {other}\n"),
        ("down", lambda: server.call("ssh_sftp_download", host="h0", path=str(there), local_path=str(back)),
         f"get {other} {back}-sftp\n"),
    ):  # fmt: skip
        batch.write_text(line)
        with lab.bare_master() as mux:
            argv = sftp_batch(lab, batch, mux)
            mine, theirs = interleaved(ours, lambda argv=argv: quiet(argv), rounds=3)  # type: ignore[misc]
        yield Row(_over(f"{size >> 20} MiB {way}"), mine, "sftp -b, warm", theirs, 1.0)


def _broadcasts(lab: BenchLab, count: int, rounds: int) -> Iterator[Row]:
    hosts = [f"h{n}" for n in range(count)]
    bare = [lab.ssh("true", number=n) for n in range(count)]
    server = lab.server()
    time.sleep(PRELOADED_SECONDS)
    cold = timed(lambda: server.call("ssh_broadcast", hosts=hosts, command="true"))
    theirs = summary([timed(lambda: parallel(bare)) for _ in range(2)])
    yield Row(_over(f"broadcast to {count}, cold"), summary([cold]), f"{count} x ssh at once", theirs, 1.0)
    warm = sample(lambda: server.call("ssh_broadcast", hosts=hosts, command="true"), rounds=rounds, pause=PAUSE_SECONDS)
    yield Row(_over(f"broadcast to {count}, warm"), warm)
    server.close()
