"""What the grammars of sqlite3 and lftp permit is read by the real programs: nothing starts, no file appears.

Texts are put together from pieces that do something and pieces that hide it. SSH_MCP_FUZZ_SECONDS makes the
search longer.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from ssh_mcp.errors import Refusal
from ssh_mcp.inventory.model import CommandPolicy
from ssh_mcp.policy.commands import permit
from tests.peers import need

SECONDS = float(os.environ.get("SSH_MCP_FUZZ_SECONDS", "5"))
SEED = int(os.environ.get("SSH_MCP_FUZZ_SEED", "7"))
PIECES = {
    "sqlite3": [
        ".shell evil", ".system evil", ".sh evil", ".output C", ".once C", ".tables", ".schema", ".mode csv",
        ".read C", ".import C t", ".headers on", ".print x", ".dump", ".open C", "select 1;", ".log C",
        "select writefile('C', 'x');", "attach 'C' as z;", "create table z.q(a);", "vacuum into 'C';",
        "/* x */", "-- y", "\n.shell evil", "\t.shell evil", ";.shell evil", "'", '"', ";",
        "create table t(a);", ".excel", ".trace C", ".backup C", ".save C", ".clone C",
        "select edit('x', 'evil');", "select '\n.shell evil';", ".print a |evil", ".schema |evil",
        ".print x >C", ".quit",
    ],
    "lftp": [
        "!evil", "shell evil", "ls", "pwd", "echo x", "echo x > C", "echo x | evil", "( evil )", "eval !evil", "z",
        "alias z !evil", "open file:///tmp", "set net:max-retries 1", "cat /dev/null > C", "lpwd", "source C", "&&",
        "||",
        "set xfer:log-file C", "mirror --script=C a b", "jobs", "quit", "'", '"', ";", "&", "`evil`", "$(evil)",
        "get file:///etc/hostname -o C", "set sftp:connect-program evil",
    ],
}  # fmt: skip


def command(rnd: random.Random, program: str) -> str:
    """A text from some pieces, given to the program in one of the ways that it reads one."""
    gap = rnd.choice([" ", ";", "\n", "; ", ""])
    body = gap.join(rnd.choice(PIECES[program]) for _ in range(rnd.randint(1, 4)))
    quoted = "'" + body.replace("'", "'\\''") + "'"
    call = "sqlite3 :memory:" if program == "sqlite3" else "lftp"
    direct = (
        f"sqlite3 {rnd.choice(['-batch', '-cmd', '-init', '-A', '-csv'])} :memory: {quoted}"
        if program == "sqlite3"
        else f"lftp -c {quoted}"
    )
    return rnd.choice(
        [
            direct, f"{call} {quoted}", f"echo {quoted} | {call}", f"printf {quoted} | {call}",
            f"printf '%s\\n' {quoted} | {call}", f"printf '%b' {quoted} | {call}", f"{call} <<'EOF'\n{body}\nEOF\n",
            f"{call} <<EOF\n{body}\nEOF\n", f'x={quoted}; {call} "$x"',
        ]
    )  # fmt: skip


class Sandbox:
    """A PATH with the real programs and stubs that write their names down."""

    def __init__(self, root: Path) -> None:
        self.bin, self.cwd, self.log = root / "bin", root / "cwd", root / "log"
        self.bin.mkdir()
        for name in (*PIECES, "echo", "printf", "cat"):
            (self.bin / name).symlink_to(shutil.which(name) or "/nonexistent")
        for name in ("evil", "ssh", "sh", "more", "less"):
            (self.bin / name).write_text(f"#!{shutil.which('dash') or '/bin/sh'}\necho {name} >>{self.log}\n")
            (self.bin / name).chmod(0o755)

    def run(self, text: str) -> str | None:
        """What went wrong, or None."""
        shutil.rmtree(self.cwd, ignore_errors=True)
        self.cwd.mkdir()
        self.log.unlink(missing_ok=True)
        env = {"PATH": str(self.bin), "HOME": str(self.cwd), "PAGER": "evil", "SHELL": str(self.bin / "evil")}
        process = subprocess.Popen(
            ["/bin/sh", "-c", text], cwd=self.cwd, env=env, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()
        if self.log.exists():
            return f"started {self.log.read_text()}"
        return "made a file" if (self.cwd / "C").exists() else None


@pytest.mark.timeout(0)
def test_nothing_that_a_grammar_permits_starts_a_program_or_makes_a_file(tmp_path: Path) -> None:
    need(all(map(shutil.which, PIECES)), "sqlite3 and lftp are needed")
    sandbox, rnd, accepted = Sandbox(tmp_path), random.Random(SEED), 0
    assert "evil" in str(sandbox.run("sqlite3 :memory: '.shell evil'"))
    assert "file" in str(sandbox.run("lftp -c 'echo x > C'"))
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        program = rnd.choice(list(PIECES))
        text = command(rnd, program)
        try:
            permit(text, CommandPolicy(allow=(program, "echo", "printf"), cheatsheet=False))
        except Refusal:
            continue
        accepted += 1
        wrong = sandbox.run(text)
        assert wrong is None, f"{text!r}: {wrong}"
    assert accepted
