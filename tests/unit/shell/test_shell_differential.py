"""What the reader lets through is run by real shells, and only allowed programs may start.

Every program on PATH is a stub that writes its name down, and the directory is watched for new files. Commands are
mutations of the tables of attacks and honest commands. SSH_MCP_FUZZ_SECONDS makes the search longer (a few seconds
otherwise), SSH_MCP_FUZZ_SEED changes where it begins.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
import tomllib
from pathlib import Path

import pytest

from ssh_mcp.errors import Refusal
from ssh_mcp.inventory.model import CommandPolicy
from ssh_mcp.policy.commands import permit
from tests.peers import need

DATA = Path(__file__).parent.parent.parent / "data" / "attacks"
SECONDS = float(os.environ.get("SSH_MCP_FUZZ_SECONDS", "6"))
SEED = int(os.environ.get("SSH_MCP_FUZZ_SEED", "7"))
"""Read before the fixtures take SSH_* out of the environment."""
SHELLS = {"dash": ["dash"], "bash": ["bash"], "bash as sh": ["bash", "--posix"], "busybox ash": ["busybox", "ash"]}
ALLOWED = tuple(tomllib.loads((DATA / "pieces.toml").read_text())["allowed"])
STUBS = ("okls", "okcat", "okgrep", "evil", "function", "select", "coproc")
REAL = ("env", "xargs", "find", "sed", "awk", "sh")
PIECES = [*STUBS, *ALLOWED, "\udc81", *tomllib.loads((DATA / "pieces.toml").read_text())["pieces"]]

SESSION = 'for c in "$@"; do command eval "$c"; done'


def seeds() -> list[str]:
    """The tables, with stubs for the usual programs and ``evil`` for what attacks start."""
    attacks = tomllib.loads((DATA / "commands.toml").read_text())["attack"]
    found = [c for table in attacks for c in table["commands"]] + tomllib.loads((DATA / "honest.toml").read_text())[
        "commands"
    ]
    names = {"ls": "okls", "cat": "okcat", "grep": "okgrep", "touch": "evil", "{canary}": "canary"}
    out = []
    for text in found:
        for old, new in names.items():
            text = text.replace(old, new)  # noqa: PLW2901
        out.append(text)
    return out


def mutation(rnd: random.Random, known: list[str]) -> str:
    if rnd.random() < 0.4:
        return "".join(
            rnd.choice(PIECES) + rnd.choice([" ", " ", " ", "", "\n", ";"]) for _ in range(rnd.randint(2, 9))
        )
    text = rnd.choice(known)
    for _ in range(rnd.randint(0, 3)):
        at = rnd.randint(0, len(text))
        kind = rnd.random()
        if kind < 0.6:
            text = f"{text[:at]}{rnd.choice(['', ' '])}{rnd.choice(PIECES)}{rnd.choice(['', ' '])}{text[at:]}"
        elif kind < 0.8:
            text = text[:at] + text[at + rnd.randint(1, 4) :]
        else:
            other = rnd.choice(known)
            begin = rnd.randint(0, len(other))
            text = text[:at] + other[begin : rnd.randint(begin, len(other))] + text[at:]
    return text


class Sandbox:
    """A PATH of stubs, a directory with tempting file names, variables with tempting values."""

    def __init__(self, root: Path) -> None:
        self.bin, self.cwd, self.log = root / "bin", root / "cwd", root / "log"
        self.bin.mkdir()
        self.cwd.mkdir()
        for name in REAL:
            real = shutil.which(name)
            if real:
                (self.bin / name).symlink_to(real)
        shell = shutil.which("dash") or "/bin/sh"
        for name in STUBS:
            # The shell's own output may be closed, so that the log gets a descriptor of its own.
            (self.bin / name).write_text(f'#!{shell}\necho {name} >>{self.log}\necho "$*"\n')
            (self.bin / name).chmod(0o755)
        for name in ("a", "-exec", "evil", "-delete", "x.txt"):
            (self.cwd / name).write_text("a[$(evil)]\n-exec evil ;\n1e evil\n")
        self.names = sorted(os.listdir(self.cwd))
        self.env = {"PATH": str(self.bin), "HOME": str(self.cwd), "LANG": "C.UTF-8"}
        self.env |= {"X": "a[$(evil)]", "Y": "-v a[$(evil)] -o x", "Z": "-exec evil ;"}

    def run(self, shell: list[str], *commands: str) -> str | None:
        """What went wrong, or None. Several commands are calls on one shell session, one after the other."""
        self.log.unlink(missing_ok=True)
        program = shutil.which(shell[0])
        assert program
        process = subprocess.Popen(
            [program, *shell[1:], "-c", SESSION, "sh", *commands],
            cwd=self.cwd,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            process.wait(timeout=3)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()
        started = set(self.log.read_text(errors="replace").split()) if self.log.exists() else set()
        if started - {"okls", "okcat", "okgrep"}:
            return f"started {started}"
        now = sorted(os.listdir(self.cwd))
        return f"files {set(now) ^ set(self.names)}" if now != self.names else None


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path)


def test_the_sandbox_sees_a_forbidden_program_and_a_new_file(sandbox: Sandbox) -> None:
    assert sandbox.run(["dash"], "okls; evil") == "started {'okls', 'evil'}" or "evil" in str(
        sandbox.run(["dash"], "evil")
    )
    assert "canary" in str(sandbox.run(["dash"], "okls > canary"))


@pytest.mark.timeout(0)
def test_no_accepted_command_starts_what_is_not_allowed_or_makes_a_file(sandbox: Sandbox) -> None:
    shells = [s for s in SHELLS.values() if shutil.which(s[0])]
    need(len(shells) >= 2, "two of dash, bash and busybox are needed")
    rnd = random.Random(SEED)
    known, policy = seeds(), CommandPolicy(allow=ALLOWED, cheatsheet=False)
    end = time.monotonic() + SECONDS
    accepted, before = 0, ":"
    while time.monotonic() < end:
        command = mutation(rnd, known)
        try:
            permit(command, policy)
        except Refusal:
            continue
        accepted += 1
        for shell in shells:
            wrong = sandbox.run(shell, *(([before] if rnd.random() < 0.3 else []) + [command]))
            assert wrong is None, f"{shell}: {command!r} perhaps after {before!r}: {wrong}"
        before = command
    assert accepted
