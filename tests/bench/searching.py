"""Trees and logs searched: ssh_find and ssh_grep against the host's own find and grep over a bare `ssh -S`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.bench.lab import BenchLab
from tests.bench.measure import Figure, Row, interleaved
from tests.bench.rows import quiet
from tests.bench.rpc import RpcServer, empty_server

SIZES = (1_000, 20_000, 200_000)
_PER_DIRECTORY = 500
_LOG_LINE = "2026-11-01T12:00:00 web01 app[17]: request {:09} served in 12 ms, 200 OK, 4096 bytes\n"
_LINES_AT_ONCE = 100_000


def searching(lab: BenchLab, rounds: int, *, sizes: tuple[int, ...] = SIZES) -> Iterator[Row | Figure]:
    """Trees of one-line files. A pattern that one name in a hundred matches, all files, and one matching line."""
    server, empty = lab.server(), empty_server(lab.env)
    server.call("ssh_host_ping", host="h0")
    for count in sizes:
        tree = make_tree(lab.files / f"t{count}", count)
        yield from _tree(lab, server, empty, tree, count, rounds=max(5, min(rounds, 4_000_000 // count)))
    empty.close()
    server.close()


def make_tree(root: Path, count: int) -> Path:
    """``count`` files, 500 in each directory; the last one's line is ``needle``."""
    for number in range(count):
        directory = root / f"d{number // _PER_DIRECTORY:04}"
        if number % _PER_DIRECTORY == 0:
            directory.mkdir(parents=True)
        (directory / f"file-{number:06}.txt").write_text("needle\n" if number == count - 1 else "a line\n")
    return root


def _tree(
    lab: BenchLab, server: RpcServer, empty: RpcServer, tree: Path, count: int, *, rounds: int
) -> Iterator[Row | Figure]:
    path = str(tree)
    with lab.bare_master() as mux:
        few = lab.ssh(f"find {path} -type f -name '*77.txt'", extra=mux)
        every = lab.ssh(f"find {path} -type f", extra=mux)
        lines = lab.ssh(f"grep -rnE needle {path}", extra=mux)
        floor, find, bare_find, all_files, bare_all, grep, bare_grep = interleaved(
            lambda: empty.call("nothing"),
            lambda: server.call("ssh_find", host="h0", path=path, name_pattern="*77.txt"),
            lambda: quiet(few),
            lambda: server.call("ssh_find", host="h0", path=path),
            lambda: quiet(every),
            lambda: server.call("ssh_grep", host="h0", path=path, pattern="needle"),
            lambda: quiet(lines),
            rounds=rounds,
            warm_up=2,
            pause=0.02,
        )
    wanted = 1.2 if count == SIZES[-1] else None
    yield Row(f"find in {count:,}, 1 in 100 matches", find, "ssh -S … find", bare_find, wanted)
    if count == SIZES[0]:
        yield Figure(f"find in {count:,} beyond the empty call, the best of each", find.best - floor.best, "ms", 10)
    yield Row(f"find of {count:,}, all match", all_files, "ssh -S … find", bare_all, wanted)
    yield Row(f"grep in {count:,} files", grep, "ssh -S … grep -r", bare_grep)


def log(lab: BenchLab, rounds: int, mib: int) -> Iterator[Row]:
    """One line near the end of a log of ``mib`` MiB."""
    path = make_log(lab.files / "big.log", mib)
    server = lab.server()
    server.call("ssh_host_ping", host="h0")
    with lab.bare_master() as mux:
        argv = lab.ssh(f"grep -nE 'request [0-9]+ failed' {path}", extra=mux)
        ours, bare = interleaved(
            lambda: server.call("ssh_grep", host="h0", path=str(path), pattern="request [0-9]+ failed"),
            lambda: quiet(argv),
            rounds=rounds,
        )
    yield Row(f"grep in a log of {mib:,} MiB", ours, "ssh -S … grep", bare)
    server.close()


def make_log(path: Path, mib: int) -> Path:
    """Ordinary lines, and before the last of them one that says ``failed``."""
    left = mib << 20
    number = 0
    with path.open("w") as out:
        while left > 0:
            block = "".join(_LOG_LINE.format(n) for n in range(number, number + _LINES_AT_ONCE))[:left]
            out.write(block)
            left -= len(block)
            number += _LINES_AT_ONCE
        out.write("\n2026-11-01T12:00:01 web01 app[17]: request 4711 failed\nend\n")
    return path
