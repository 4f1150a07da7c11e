"""An sftp-server whose connection dies after so many bytes: ``Subsystem sftp python cutting_sftp.py BUDGET``.

The file BUDGET holds ``in N`` or ``out N``: after N bytes of requests (or of answers) the server is killed with -9 and
the channel ends. ``slow N`` waits N milliseconds before each 64 KiB instead. It counts for the next channel only: the
file is removed when it is read. Without it nothing happens.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time

SERVER = "/usr/lib/openssh/sftp-server"


def budgets(path: str) -> dict[str, int]:
    try:
        with open(path) as file:
            side, count = file.read().split()
        os.unlink(path)
    except (OSError, ValueError):
        return {}
    return {side: int(count)}


def write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def main() -> None:
    left = {"in": 1 << 60, "out": 1 << 60, "slow": 0} | budgets(sys.argv[1])
    server = subprocess.Popen([SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdin is not None
    assert server.stdout is not None
    pairs = {0: ("in", server.stdin.fileno()), server.stdout.fileno(): ("out", 1)}
    try:
        while True:
            for fd in select.select(list(pairs), [], [])[0]:
                side, target = pairs[fd]
                data = os.read(fd, min(65536, left[side]))
                if not data:
                    return
                time.sleep(left["slow"] / 1000)
                write_all(target, data)
                left[side] -= len(data)
                if left[side] <= 0:
                    return
    except OSError:
        return
    finally:
        server.kill()


if __name__ == "__main__":
    main()
