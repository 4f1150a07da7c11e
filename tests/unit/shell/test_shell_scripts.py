"""Scripts of awk and sed that are let through start no program and write no file, in any implementation there is."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from ssh_mcp.shell import awkscript, sedscript
from ssh_mcp.shell.options import Denied
from tests.peers import need

PIECES = tomllib.loads((Path(__file__).parent.parent.parent / "data" / "attacks" / "pieces.toml").read_text())
SECONDS = float(os.environ.get("SSH_MCP_FUZZ_SECONDS", "4"))
SEED = int(os.environ.get("SSH_MCP_FUZZ_SEED", "7"))
PROGRAMS = {
    "awk": [["mawk"], ["gawk"], ["original-awk"], ["busybox", "awk"]],
    "sed": [["sed"], ["busybox", "sed"]],
}
CHECKS: dict[str, Callable[[str], object]] = {"awk": awkscript.check, "sed": sedscript.check}


def mutation(rnd: random.Random, kind: str) -> str:
    pieces: list[str] = PIECES[kind]
    if rnd.random() < 0.5:
        return "".join(rnd.choice(pieces) + rnd.choice(["", " ", "", "\n"]) for _ in range(rnd.randint(2, 10)))
    text: str = rnd.choice(PIECES[f"{kind}_seeds"])
    for _ in range(rnd.randint(1, 4)):
        at = rnd.randint(0, len(text))
        text = f"{text[:at]}{rnd.choice(['', ' '])}{rnd.choice(pieces)}{rnd.choice(['', ' '])}{text[at:]}"
        if rnd.random() < 0.3:
            at = rnd.randint(0, len(text))
            text = text[:at] + text[at + rnd.randint(1, 3) :]
    return text


@pytest.mark.timeout(0)
@pytest.mark.parametrize("kind", PROGRAMS)
def test_an_accepted_script_starts_nothing_and_writes_nothing(kind: str, tmp_path: Path) -> None:
    programs = [p for p in PROGRAMS[kind] if shutil.which(p[0])]
    need(programs, f"no {kind} is installed")
    place, binaries, log = tmp_path / "cwd", tmp_path / "bin", tmp_path / "log"
    place.mkdir()
    binaries.mkdir()
    shell = os.path.realpath(shutil.which("sh") or "/bin/sh")
    (binaries / "sh").symlink_to(shell)
    for name in ("evil", "x", "b"):
        (binaries / name).write_text(f"#!{shell}\necho {name} >>{log}\n")
        (binaries / name).chmod(0o755)
    (place / "in").write_text("evil\nx b a\n1 2 3\nevil x\n")
    rnd, end, accepted = random.Random(SEED), time.monotonic() + SECONDS, 0
    while time.monotonic() < end:
        script = mutation(rnd, kind)
        try:
            CHECKS[kind](script)
        except Denied:
            continue
        if script.lstrip().startswith("-"):  # the program would take it for an option, and so does the reader
            continue
        accepted += 1
        for program in programs:
            run([shutil.which(program[0]) or "", *program[1:], script, "in"], place, binaries)
            assert not log.exists(), f"{program}: {script!r} started {log.read_text()}"
            assert os.listdir(place) == ["in"], f"{program}: {script!r} wrote {os.listdir(place)}"
    assert accepted


def run(argv: list[str], place: Path, binaries: Path) -> None:
    process = subprocess.Popen(
        argv,
        cwd=place,
        env={"PATH": str(binaries), "LANG": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        process.wait(timeout=1)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.wait()
