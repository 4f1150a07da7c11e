"""What ``ssh -G`` printed for another process, kept in the record of the master that was started by it.

A server that starts while masters are up asks the same about each of their hosts: 5 ms of ssh and 2 of ours per
host, half of an adoption. The output is reused where nothing that it depends on can have changed: the same
question (our fragment, the name, the ssh, HOME and the user), the files as they were, and nothing in these files that
asks anything else (``Match exec``, networks, canonical names, environment variables).

The records lie in the control directory: whoever can write there has our sessions already.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterable, Mapping
from typing import Any, Final

from transports.openssh.local.control_dir import ID_LENGTH, ControlDir
from transports.openssh.local.launch import read_text
from transports.openssh.login.binaries import Binaries

Stamp = tuple[str, int, int, int]
Remembered = tuple[dict[str, tuple[str, ...]], tuple[Stamp, ...]]

_RECORDS_MAX: Final = 512
_FILE_MAX: Final = 256 * 1024
_ASKS_MORE: Final = re.compile(
    r"^\s*match\b.*\b(?:exec|localnetwork|canonical|final)\b|canonicalizehostname|\$\{", re.IGNORECASE | re.MULTILINE
)


def question(fragment: str, name: str, binaries: Binaries) -> str:
    """A hash of everything given to ``ssh -G``."""
    seen = os.stat(binaries.ssh)  # noqa: PTH116
    who = [os.environ.get(name, "") for name in ("HOME", "USER", "LOGNAME")]
    parts = [
        fragment,
        name,
        binaries.ssh,
        binaries.version_text,
        seen.st_mtime_ns,
        seen.st_size,
        getattr(os, "getuid", int)(),
        *who,
    ]
    return hashlib.sha256(json.dumps(parts).encode("utf-8", "surrogateescape")).hexdigest()


def record(asked: str, settings: Mapping[str, tuple[str, ...]], stamps: Iterable[Stamp]) -> dict[str, Any]:
    """What is written beside the login; nothing where ``ssh -G`` may print something else next time."""
    kept = tuple(stamps)
    if any(_asks_more(path) for path, *_ in kept):
        return {}
    return {"question": asked, "settings": dict(settings), "stamps": kept}


def _asks_more(path: str) -> bool:
    try:
        seen = os.stat(path)  # noqa: PTH116
    except OSError:
        return False
    if stat.S_ISDIR(seen.st_mode):
        return False
    return seen.st_size >= _FILE_MAX or _ASKS_MORE.search(read_text(path)) is not None


def read_all(directory: ControlDir) -> dict[str, Remembered]:
    """All records of the control directory, by question. Files that are not our records are skipped."""
    found: dict[str, Remembered] = {}
    with contextlib.suppress(OSError):
        names = [n for n in os.listdir(directory.path) if n.endswith(".login") and len(n) == ID_LENGTH + 6]  # noqa: PTH208
        for name in names[:_RECORDS_MAX]:
            with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
                kept = json.loads(read_text(f"{directory.path}/{name}"))
                settings = {str(k): tuple(map(str, v)) for k, v in kept["settings"].items()}
                stamps = tuple((str(p), int(m), int(s), int(i)) for p, m, s, i in kept["stamps"])
                found[str(kept["question"])] = settings, stamps
    return found
