"""Tests for the settings of the C allocator."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

ARENAS = """
import ctypes, pathlib, sys, threading
from ssh_mcp.server.allocator import hold_little

if sys.argv[2] == "set":
    assert hold_little()
meet = threading.Barrier(4)

def use():
    kept = bytearray(100_000)
    meet.wait()

threads = [threading.Thread(target=use) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(libc.fopen(sys.argv[1].encode(), b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
print(pathlib.Path(sys.argv[1]).read_text().count("<heap nr"))
"""


def glibc() -> bool:
    try:
        return sys.platform == "linux" and bool(os.confstr("CS_GNU_LIBC_VERSION"))
    except ValueError:
        return False


@pytest.mark.skipif(not glibc(), reason="the C library is not glibc")
def test_threads_share_one_arena(tmp_path: os.PathLike[str]) -> None:
    def arenas(mode: str) -> int:
        argv = [sys.executable, "-c", ARENAS, os.path.join(tmp_path, "info.xml"), mode]
        return int(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)

    assert arenas("set") == 1
    assert arenas("as it is") > 1
