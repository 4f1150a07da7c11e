"""The installed program as a process of its own: over HTTP, on the command line, nothing of the user's around it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

PLAIN_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LIMIT = 60


def environment(home: Path, **settings: object) -> dict[str, str]:
    """What a client would give: PATH, HOME, and settings in lower case; a runtime directory for the sockets."""
    runtime = home / "run"
    runtime.mkdir(mode=0o700, exist_ok=True)
    base = {"PATH": PLAIN_PATH, "HOME": str(home), "XDG_RUNTIME_DIR": str(runtime)}
    return {**base, **{name.upper(): str(value) for name, value in settings.items()}}


def ssh_mcp(
    *words: str, env: Mapping[str, str], cwd: Path | None = None, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    """One command line, run to its end."""
    return subprocess.run(
        [sys.executable, "-m", "ssh_mcp", *words],
        env=dict(env),
        cwd=cwd or Path(env["HOME"]),
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )


@dataclass
class Serving:
    """A server over HTTP. ``url`` is what it said it listens on."""

    process: subprocess.Popen[str]
    url: str
    token_file: Path | None
    log: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        found = re.search(r":(\d+)/", self.url)
        assert found
        return int(found[1])

    @property
    def token(self) -> str | None:
        """The fresh token that the server wrote for itself."""
        return self.token_file.read_text().strip() if self.token_file else None


@contextmanager
def serving(env: Mapping[str, str], words: Sequence[str] = (), *, prefix: Sequence[str] = ()) -> Iterator[Serving]:
    """Start one on a free port and wait for its line; it is killed at the end where it still runs."""
    process = subprocess.Popen(
        [*prefix, sys.executable, "-m", "ssh_mcp", *words],
        env={"MCP_HTTP_PORT": "0", **env},
        cwd=env["HOME"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    log: list[str] = []
    reader = threading.Thread(target=log.extend, args=(process.stderr,), daemon=True)
    try:
        for line in process.stderr:
            log.append(line)
            if found := re.search(r"listening on (http://\S+)(?: \(token in (.*)\)$)?", line):
                reader.start()
                yield Serving(process, found[1], Path(found[2]) if found[2] else None, log)
                break
        else:
            raise AssertionError(f"the server ended: {''.join(log)}")
    finally:
        process.kill()
        process.wait()
        if reader.ident is not None:
            reader.join(10)
        process.stderr.close()


def private(path: Path, text: str) -> Path:
    """A file of mode 0600."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    return path
