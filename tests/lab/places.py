"""Where the lab keeps things, and how its parts run programs.

Big and cached things lie under /var/tmp, sockets under /run (their paths must be short), and what tests read lies in
``.lab/`` of the clone. A hash of the clone's path keeps several clones on one machine apart.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class LabError(Exception):
    """The lab cannot be had; ``str()`` says why in one line."""


@dataclass(frozen=True)
class Places:
    """Directories of one clone's lab."""

    root: Path

    @property
    def tag(self) -> str:
        return hashlib.sha256(str(self.root).encode()).hexdigest()[:8]

    @property
    def state_dir(self) -> Path:
        return self.root / ".lab"

    @property
    def state_file(self) -> Path:
        return self.state_dir / "lab.json"

    @property
    def cache(self) -> Path:
        """Outlives ``down``: the debootstrap tarball, shared by all clones."""
        return Path("/var/tmp/ssh-mcp-lab/cache")

    @property
    def big(self) -> Path:
        """Images, containers and build contexts; gone after ``down``."""
        return Path("/var/tmp/ssh-mcp-lab") / self.tag

    @property
    def run(self) -> Path:
        """Sockets and pid files."""
        return Path("/run/sshmcp-lab") / self.tag


def here() -> Places:
    """The lab of the clone that this file lies in, or of the one that SSH_MCP_LAB_ROOT names (worktrees share one)."""
    return Places(Path(os.environ.get("SSH_MCP_LAB_ROOT") or Path(__file__).resolve().parent.parent.parent))


def run(
    *argv: str | Path, env: Mapping[str, str] | None = None, timeout: float = 300, check: bool = True, stdin: str = ""
) -> str:
    """Run a program to its end; returns stdout. Raises LabError with the end of stderr."""
    words = [str(a) for a in argv]
    try:
        done = subprocess.run(
            words,
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
            env={**os.environ, **(env or {})},
        )
    except FileNotFoundError:
        raise LabError(f"{words[0]} is not installed (scripts/lab packages lists what the lab needs)") from None
    except subprocess.TimeoutExpired:
        raise LabError(f"{' '.join(words[:4])} took more than {timeout:.0f} s") from None
    if check and done.returncode != 0:
        raise LabError(f"{' '.join(words[:6])} failed ({done.returncode}): {_tail(done.stderr or done.stdout)}")
    return done.stdout


def works(*argv: str | Path, env: Mapping[str, str] | None = None, timeout: float = 30) -> bool:
    """Whether a program ends well."""
    try:
        run(*argv, env=env, timeout=timeout)
    except LabError:
        return False
    return True


def read_state(places: Places) -> dict[str, Any] | None:
    """What ``up`` wrote, or None where no lab was built."""
    try:
        state: dict[str, Any] = json.loads(places.state_file.read_text())
    except (OSError, ValueError):
        return None
    return state


def write_state(places: Places, state: Mapping[str, Any]) -> None:
    places.state_dir.mkdir(parents=True, exist_ok=True)
    temporary = places.state_file.with_suffix(".tmp")
    temporary.write_text(json.dumps(state, indent=2) + "\n")
    temporary.replace(places.state_file)


def write_script(path: Path, lines: Sequence[str]) -> Path:
    """An executable sh script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n" + "\n".join(lines) + "\n")
    path.chmod(0o755)
    return path


def _tail(text: str, lines: int = 6) -> str:
    return " | ".join(line.strip() for line in text.strip().splitlines()[-lines:]) or "(no output)"
