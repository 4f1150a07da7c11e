"""A forward against ``ssh -L``: a new connection through it, and bytes in both directions."""

from __future__ import annotations

import contextlib
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from functools import partial

from tests.bench.far_end import BLOCK
from tests.bench.lab import BenchLab
from tests.bench.measure import Row, interleaved
from tests.peers.sshd import free_port


@contextlib.contextmanager
def far_end(lab: BenchLab) -> Iterator[int]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.bench.far_end"], env=lab.env, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.kill()


def carry(port: int, kind: bytes, size: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 60) as conn:
        conn.sendall(struct.pack(">cQ", kind, size))
        if kind == b"U":
            left = size
            while left:
                conn.sendall(BLOCK[:left])
                left -= min(left, len(BLOCK))
            assert conn.recv(1) == b"k"
            return
        buffer, got = bytearray(1 << 20), 0
        while count := conn.recv_into(buffer):
            got += count
        assert got == size, f"{got} of {size} bytes"


def forwards(lab: BenchLab, rounds: int, size: int) -> Iterator[Row]:
    server = lab.server()
    with far_end(lab) as target, lab.bare_master() as mux:
        opened = server.call("ssh_forward_open", host="h0", target=f"127.0.0.1:{target}")
        ours, theirs = int(opened["listen"].rpartition(":")[2]), free_port()
        bare = ["ssh", "-F", "none", *mux, "-O", "forward", "-L", f"127.0.0.1:{theirs}:127.0.0.1:{target}", "x"]
        subprocess.run(bare, check=True, capture_output=True)
        for label, kind, length, repeat in (
            ("a connection, 1 byte and its reply", b"U", 1, rounds),
            (f"{size >> 20:,} MiB up", b"U", size, 3),
            (f"{size >> 20:,} MiB down", b"D", size, 3),
        ):
            turns = (partial(carry, port, kind, length) for port in (ours, theirs))
            mine, other = interleaved(*turns, rounds=repeat)
            yield Row(f"forward: {label}", mine, "ssh -L", other, 1.1 if length > 1 else None)
    server.close()
