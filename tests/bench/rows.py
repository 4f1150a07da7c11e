"""The rows on one host and one connection: calls, lists, files."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from ssh_mcp.remote.exec.jobs.program import prelude, question
from tests.bench.lab import BenchLab
from tests.bench.measure import Figure, Row, interleaved, sample
from tests.bench.rpc import RpcServer, empty_server

GIB = 1 << 30


def quiet(argv: list[str], stdin: bytes | None = None) -> None:
    subprocess.run(argv, check=True, input=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def calls(lab: BenchLab, rounds: int) -> Iterator[Row]:
    """Small calls against the empty MCP call and a bare `ssh -S` spawn, all interleaved.

    With a short pause before each, in which the session for the next command is opened; the last row is without it.
    """
    server, empty = lab.server(), empty_server(lab.env)
    server.call("ssh_host_ping", host="h0")
    (lab.files / "small").write_bytes(os.urandom(1000))
    path = str(lab.files)
    with lab.bare_master() as mux:
        spawn = lab.ssh("true", extra=mux)

        def nothing() -> object:
            return empty.call("nothing")

        each: dict[str, Callable[[], object]] = {
            "exec `true`": lambda: server.call("ssh_exec_run", host="h0", command="true"),
            "script of one line": lambda: server.call("ssh_exec_script", host="h0", script="true\n"),
            "stat": lambda: server.call("ssh_sftp_stat", host="h0", path=path + "/small"),
            "host_info": lambda: server.call("ssh_host_info", host="h0"),
            "a call without a host": lambda: server.call("ssh_shell_list"),
        }
        samples = interleaved(nothing, lambda: quiet(spawn), *each.values(), rounds=rounds, warm_up=5, pause=0.02)
    behind = sample(each["exec `true`"], rounds=rounds)
    floor, bare = samples[0], samples[1]
    yield Row("empty MCP call (FastMCP alone)", floor)
    wanted = {"exec `true`": 1.0}
    for name, result in zip(each, samples[2:], strict=True):
        if name in {"exec `true`", "script of one line", "host_info"}:
            yield Row(name, result, "ssh -S … true", bare, wanted.get(name))
        else:
            yield Row(name, result, "empty MCP call", floor, 2.0 if name == "stat" else None)
    yield Row("exec right behind another", behind, "ssh -S … true", bare)
    empty.close()
    server.close()


def long_output(lab: BenchLab, rounds: int) -> Iterator[Row]:
    """Two megabytes of output: shown by its ends and kept whole, then searched."""
    server, empty = lab.server(), empty_server(lab.env)
    command = "seq 1 300000"
    kept = server.call("ssh_exec_run", host="h0", command=command)["output_id"]
    with lab.bare_master() as mux:
        bare_argv = lab.ssh(command, extra=mux)
        ours, bare, found, floor = interleaved(
            lambda: server.call("ssh_exec_run", host="h0", command=command),
            lambda: quiet(bare_argv),
            lambda: server.call("ssh_output_read", output_id=kept, grep="^150000$"),
            lambda: empty.call("nothing"),
            rounds=rounds,
            warm_up=3,
        )
    yield Row("exec of 2 MB, cut and kept", ours, "ssh -S … seq 1 300000", bare)
    yield Row("output_read, one line of 300,000 by pattern", found, "empty MCP call", floor)
    empty.close()
    server.close()


def jobs(lab: BenchLab, rounds: int) -> Iterator[Row]:
    """Jobs against a command that is waited for, and what a host with a thousand of them takes to tell."""
    server = lab.server()
    job = server.call("ssh_job_start", host="h0", command="true")["job_id"]
    run, start, whole, named, status = interleaved(
        lambda: server.call("ssh_exec_run", host="h0", command="true"),
        lambda: server.call("ssh_job_start", host="h0", command="true", wait=0),
        lambda: server.call("ssh_job_start", host="h0", command="true"),
        lambda: server.call("ssh_job_start", host="h0", command="true", name="named"),
        lambda: server.call("ssh_job_status", host="h0", job_id=job),
        rounds=rounds,
        warm_up=3,
        pause=0.05,
    )
    yield Row("job start without a wait", start, "exec `true`", run, 1.5)
    yield Row("job start up to the end of `true`", whole, "exec `true`", run, 3)
    yield Row("the same with a name", named, "exec `true`", run, 3)
    yield Row("job status", status, "exec `true`", run)
    server.close()
    owner, state = "0123456789abcdef", lab.files / "state"
    for number in range(1000):
        kept = state / f"ssh-mcp/jobs/{number:012x}"
        kept.mkdir(parents=True, mode=0o700)
        (kept / "about").write_text(f"{kept.name}\n{owner}\n-\nname\ncommand\n{1.7e9 + number} user boot\n")
        (kept / "pid").write_text("4711 100 1.00\n")
        (kept / "status").write_text("0 1700000000 2.00 10 0\n")
        (kept / "seen").touch()
    text = f"export XDG_STATE_HOME={state}; {prelude()} {question('list', owner).wire()}"
    with lab.bare_master() as mux:
        listed, bare = interleaved(
            lambda: quiet(lab.ssh(text, extra=mux)),
            lambda: quiet(lab.ssh("true", extra=mux)),
            rounds=max(rounds // 3, 3),
        )
    yield Row("1,000 kept jobs in one session", listed, "ssh -S … true", bare)


def sessions(lab: BenchLab, rounds: int) -> Iterator[Row]:
    """The three ways to a session without MCP around them."""
    from tests.bench.backends import run_true

    with lab.bare_master() as mux:
        bare = sample(lambda: quiet(lab.ssh("true", extra=mux)), rounds=rounds, warm_up=3)
    for backend in ("native", "process", "direct"):
        yield Row(
            f"session by {backend}, no MCP", run_true(lab, backend, rounds if backend != "direct" else 5),
            "ssh -S … true", bare, 1.0 if backend == "native" else None,
        )  # fmt: skip


def listings(lab: BenchLab, rounds: int) -> Iterator[Row | Figure]:
    """Directories of 1,000 and 10,000 entries, listed and searched."""
    server, empty = lab.server(), empty_server(lab.env)
    server.call("ssh_host_ping", host="h0")
    for count in (1_000, 10_000):
        directory = lab.files / f"d{count}"
        directory.mkdir()
        for number in range(count):
            (directory / f"file-{number:05}.txt").touch()
        batch = lab.root / "ls.batch"
        batch.write_text(f"ls -ln {directory}\n")
        with lab.bare_master() as mux:
            reference = sftp_batch(lab, batch, mux)
            ours, bare, floor = interleaved(
                lambda path=str(directory), n=count: server.call("ssh_sftp_list", host="h0", path=path, limit=n),  # type: ignore[misc]
                lambda argv=reference: quiet(argv),  # type: ignore[misc]
                lambda: empty.call("nothing"),
                rounds=max(5, rounds // 3),
            )
        yield Row(f"list of {count:,}", ours, "sftp -b ls -ln", bare)
        if count == 1_000:
            yield Figure("list of 1,000 beyond the empty call, the best of each", ours.best - floor.best, "ms", 15)
        found = sample(
            lambda path=str(directory): server.call("ssh_find", host="h0", path=path, name_pattern="*7.txt"),  # type: ignore[misc]
            rounds=max(5, rounds // 3),
        )
        yield Row(f"find in {count:,}", found)
    empty.close()
    server.close()


def sftp_batch(lab: BenchLab, batch: Path, mux: list[str], number: int = 0) -> list[str]:
    sshd = lab.sshds[number]
    options = [*lab.ssh_options(number), *(["-o", f"ControlPath={mux[1]}"] if mux else [])]
    return ["sftp", "-q", *options, "-P", str(sshd.port), "-b", str(batch), f"{sshd.user}@{sshd.address}"]


def files(lab: BenchLab, rounds: int, size: int) -> Iterator[Row]:
    """64 KiB and ``size`` bytes up and down, against `sftp -b` over a warm connection of its own; an edit.

    To a name that is not there yet, for both: `sftp` truncates a file in place and gets the very memory back that it
    has just given up, where ours keeps the old file until the new one is whole. What that costs has rows of its own.
    """
    server = lab.server()
    server.call("ssh_host_ping", host="h0")
    remote = lab.files / "remote"
    remote.mkdir(exist_ok=True)
    for label, length, repeat in (("64 KiB", 65536, rounds), (f"{size >> 20:,} MiB", size, 5)):
        local = lab.root / f"local-{length}"
        blocks = [os.urandom(1 << 20)] * (length >> 20) if length >= 1 << 20 else [os.urandom(length)]
        with local.open("wb") as out:
            out.writelines(blocks)
        there, back = remote / f"r{length}", lab.root / f"back-{length}"
        limit = {"SSH_UPLOAD_MAX_FILE_BYTES": str(2 * GIB)}
        mover = lab.server(**limit)
        mover.call("ssh_host_ping", host="h0")
        for way, target, ours, line in (
            ("up", there, lambda m=mover, a=local, b=there: m.call(
                "ssh_upload", host="h0", path=str(b), local_path=str(a)),
             f"put {local} {there}\n"),
            ("down", back, lambda m=mover, a=back, b=there: m.call(
                "ssh_sftp_download", host="h0", path=str(b), local_path=str(a)),
             f"get {there} {back}\n"),
        ):  # fmt: skip
            batch = lab.root / f"{way}.batch"
            batch.write_text(line)
            with lab.bare_master() as mux:
                argv = sftp_batch(lab, batch, mux)
                turns = (ours, lambda argv=argv: quiet(argv))
                mine, theirs = interleaved(
                    *turns,
                    rounds=repeat,
                    before=lambda target=target: target.unlink(missing_ok=True),  # type: ignore[misc]
                )
                yield Row(f"{label} {way} (local_path)", mine, "sftp -b, warm", theirs, 1.0)
                if length > 1 << 20:
                    mine, theirs = interleaved(*turns, rounds=3)
                    yield Row(f"{label} {way}, over an old file", mine, "sftp -b, warm, in place", theirs)
        mover.close()
    edits = Edits(server, lab.files / "edit.txt")
    yield Row("edit of a 9 KiB file", sample(edits.once, rounds=rounds))
    small = lab.files / "read.txt"
    small.write_text("x" * 65536)
    yield Row("read of 64 KiB as text", sample(
        lambda: server.call("ssh_sftp_download", host="h0", path=str(small)), rounds=rounds))  # fmt: skip
    server.close()


class Edits:
    """One line of a thousand, there and back."""

    def __init__(self, server: RpcServer, path: Path) -> None:
        self.server, self.path, self.done = server, path, 0
        path.write_text("".join(f"line {n}\n" for n in range(1000)))

    def once(self) -> object:
        self.done += 1
        old, new = ("line 500\n", "LINE 500\n")[:: 1 if self.done % 2 else -1]
        return self.server.call("ssh_edit", host="h0", path=str(self.path), old_string=old, new_string=new)


def host_to_host(lab: BenchLab, size: int) -> Iterator[Row]:
    """One file between two hosts, against `scp -3`."""
    source, target, other = lab.files / "t-src", lab.files / "t-dst", lab.files / "t-scp"
    with source.open("wb") as out:
        out.writelines([os.urandom(1 << 20)] * (size >> 20))
    server = lab.server()
    for host in ("h0", "h1"):
        server.call("ssh_host_ping", host=host)
    a, b = lab.sshds[0], lab.sshds[1]
    scp = ["scp", "-3", "-q", *lab.ssh_options(), f"scp://{a.user}@{a.address}:{a.port}/{source}",
           f"scp://{b.user}@{b.address}:{b.port}/{other}"]  # fmt: skip

    def ours() -> object:
        return server.call(
            "ssh_transfer", src_host="h0", src_path=str(source), dst_host="h1", dst_path=str(target), overwrite=True
        )

    def afresh() -> None:
        target.unlink(missing_ok=True)
        other.unlink(missing_ok=True)

    mine, theirs = interleaved(ours, lambda: quiet(scp), rounds=5, before=afresh)
    yield Row(f"{size >> 20:,} MiB host to host, hashes checked", mine, "scp -3 (cold)", theirs, 1.0)
    server.close()


def directories(lab: BenchLab, count: int, size: int) -> Iterator[Row]:
    """``count`` small files to and from a directory that is not there yet, and again with nothing to do; one large one.

    Against rsync over a warm connection of its own, in turns.
    """
    server = lab.server(SSH_LOCAL_TRANSFER_MAX_BYTES=str(2 * GIB))
    server.call("ssh_host_ping", host="h0")
    many, large = lab.root / "many", lab.root / "large"
    for i in range(count):
        path = many / f"d{i % 100}" / f"f{i}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(1000))
    large.mkdir()
    with (large / "one").open("wb") as out:
        out.writelines([os.urandom(1 << 20)] * (size >> 20))
    for label, source, rounds in ((f"{count:,} small files", many, 5), (f"one file of {size >> 20:,} MiB", large, 3)):
        yield from _directory(lab, server, label, source, rounds)
    server.close()


def _directory(lab: BenchLab, server: RpcServer, label: str, source: Path, rounds: int) -> Iterator[Row]:
    there, back = lab.files / source.name, lab.root / "back"
    for way, mine, theirs in (
        ("up", there.with_suffix(".ours"), there.with_suffix(".rsync")),
        ("down", back.with_suffix(".ours"), back.with_suffix(".rsync")),
    ):
        local, remote = (source, mine) if way == "up" else (mine, source)

        def ours(local: Path = local, remote: Path = remote, way: str = way) -> object:
            return server.call("ssh_sync", host="h0", local_path=str(local), remote_path=str(remote), direction=way)

        def afresh(*trees: Path) -> None:
            for tree in trees:
                shutil.rmtree(tree, ignore_errors=True)

        with lab.bare_master() as mux:
            line = ["rsync", "-a", "-e", " ".join(["ssh", "-F", "none", *mux])]
            line += [f"{source}/", f"h:{theirs}/"] if way == "up" else [f"h:{source}/", f"{theirs}/"]
            turns = (ours, partial(quiet, line))
            first, other = interleaved(*turns, rounds=rounds, before=partial(afresh, mine, theirs))
            again, idle = interleaved(*turns, rounds=10)
        yield Row(f"{label} {way}", first, "rsync -e 'ssh -S'", other, 1.1)
        yield Row(f"{label} {way}, nothing to do", again, "rsync -e 'ssh -S'", idle, 1.2)
        afresh(mine, theirs)


def start_up(lab: BenchLab, rounds: int) -> Iterator[Row]:
    """From spawn to the answer of tools/list, against an empty FastMCP server."""

    def ours() -> None:
        server = RpcServer([lab.python, "-m", "ssh_mcp"], lab.env)
        server.request("tools/list")
        server.process.kill()
        server.close()

    def empty() -> None:
        server = empty_server(lab.env)
        server.request("tools/list")
        server.process.kill()
        server.close()

    mine, floor = interleaved(ours, empty, rounds=rounds)
    yield Row("start to tools/list", mine, "an empty FastMCP server", floor, 1.2)
