"""A program for a host's PATH, as ``rsync`` or ``tar``, that does what the file MODE beside it says.

rsync's names are exchanged in what the real one sends: ``swap OLD NEW``, of equal length; ``other DIRECTORY`` serves
another directory than asked for. tar sends the file that MODE names (``send PATH``). Both: ``garbage``,
``endless`` and ``silent``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(sys.argv[0]).parent


def real(name: str) -> str:
    """The program of that name which is not this one."""
    found = shutil.which(name, path="/usr/local/bin:/usr/bin:/bin")
    assert found is not None
    return found


def main() -> None:
    name = Path(sys.argv[0]).name
    words = (HERE / "MODE").read_text().split()
    if "--version" in sys.argv or not words:
        os.execv(real(name), [name, *sys.argv[1:]])
    elif words[0] == "garbage":
        os.write(1, b"Welcome to the machine.\n" * 1000)
    elif words[0] == "endless":
        while True:
            os.write(1, bytes(65536))
    elif words[0] == "silent":
        time.sleep(30)
    elif words[0] == "send":
        os.write(1, Path(words[1]).read_bytes())
    elif words[0] == "other":
        # the directory travels inside of the protocol (--protect-args): a directory of the same name elsewhere
        os.execvp("unshare", ["unshare", "-m", "sh", "-c", 'mount --bind "$1" "$2" && shift 2 && exec "$@"', "sh",
                              words[1], words[2], real(name), *sys.argv[1:]])  # fmt: skip
    else:
        with subprocess.Popen([real(name), *sys.argv[1:]], stdout=subprocess.PIPE) as served:
            assert served.stdout is not None
            while data := os.read(served.stdout.fileno(), 65536):
                os.write(1, data.replace(words[1].encode(), words[2].encode()))


if __name__ == "__main__":
    main()
