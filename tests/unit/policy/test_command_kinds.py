"""Programs that start others, load code or write files by an option or a language of their own.

``kinds.toml`` holds commands that each did so when they were run; ``siblings.toml`` holds their siblings.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from ssh_mcp.errors import CommandNotAllowed
from ssh_mcp.inventory.model import CommandPolicy
from ssh_mcp.policy.commands import permit
from ssh_mcp.shell import table
from ssh_mcp.shell.fed import NOTHING, UNKNOWN, Fed, from_redirects, through_pipe
from ssh_mcp.shell.options import Forbidden, Style, forbids
from ssh_mcp.shell.parse import parse
from ssh_mcp.shell.starters import entry_warning
from ssh_mcp.shell.tree import Simple

DATA = Path(__file__).parents[2] / "data" / "attacks"
KINDS = tomllib.loads((DATA / "kinds.toml").read_text())
SIBLINGS = tomllib.loads((DATA / "siblings.toml").read_text())
HELPERS = ("echo", "printf", "cat")
NO_PROGRAMS = {*HELPERS, "for", "do", "done", "while", "read", "f", "x", "n"}


def program_of(command: str) -> str:
    """The program that a line of siblings.toml is about: the first that is no helper."""
    words = re.findall(r"(?:^|[|;{])\s*(?:do\s+)?([\w.+-]+)(?= |$)", command)
    return next((w for w in words if w not in NO_PROGRAMS), command.split(maxsplit=1)[0])


def policy(*allow: str) -> CommandPolicy:
    return CommandPolicy(allow=allow, cheatsheet=False)


@pytest.mark.parametrize("case", KINDS["refused"], ids=lambda c: c["command"])
def test_a_case_that_did_harm_when_it_was_run_is_refused(case: dict[str, str]) -> None:
    with pytest.raises(CommandNotAllowed):
        permit(case["command"], policy(case["program"]))


@pytest.mark.parametrize("case", KINDS["allowed"], ids=lambda c: c["command"])
def test_ordinary_use_of_these_programs_is_permitted(case: dict[str, str]) -> None:
    assert permit(case["command"], policy(case["program"])).programs == (case["program"],)


@pytest.mark.parametrize("command", [c for group in SIBLINGS["refused"].values() for c in group])
def test_a_sibling_is_refused(command: str) -> None:
    with pytest.raises(CommandNotAllowed):
        permit(command, policy(program_of(command), *HELPERS))


@pytest.mark.parametrize("command", SIBLINGS["allowed"]["commands"])
def test_ordinary_use_of_a_sibling_is_permitted(command: str) -> None:
    assert program_of(command) in permit(command, policy(program_of(command), *HELPERS)).programs


def test_an_option_is_recognised_however_its_parser_would_take_it() -> None:
    plain = Forbidden("o", "output plugin-dir on-*", "n", attached="p")
    for text in (
        "-o",
        "-xo",
        "-ofile",
        "--output",
        "--out",
        "--output=x",
        "--plugin_dir=x",
        "--plugin-d",
        "--on-end=x",
    ):
        assert forbids(plain, text), text
    for text in ("-x", "-no", "-po", "--input", "--outputs", "--no-output", "-output2x".replace("o", "x")):
        assert not forbids(plain, text), text
    assert forbids(Forbidden(long="shell", style=Style.ONE_DASH), "-shell")
    assert forbids(Forbidden(long="shell", style=Style.ONE_DASH), "-sh")
    mysql = Forbidden(long="tee", style=Style.MYSQL)
    assert forbids(mysql, "--loose-tee=x")
    assert forbids(mysql, "--loose-enable-te=x")
    assert not forbids(mysql, "--skip-tee")


def test_a_program_is_known_under_its_other_names() -> None:
    for name in ("gsort", "sqlite3", "psql-15", "psql15", "nc.openbsd", "x86_64-linux-gnu-nm", "mail.mailutils"):
        assert table.row(name) is not None, name
    for name in ("script.sh", "watch.py", "ls", "gls", "backup.d", "sha256sum", "gcp"):
        assert table.row(name) is None, name


def fed(text: str) -> Fed:
    """What the last command of a pipe finds on its standard input."""
    pipeline = parse(text).body.items[0].pipelines[0]
    last = pipeline.commands[-1]
    assert isinstance(last, Simple)
    before = through_pipe(pipeline.commands[-2]) if len(pipeline.commands) > 1 else NOTHING
    return from_redirects(last.redirects, before)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x", NOTHING),
        ("x </dev/null", NOTHING),
        ("x < file", UNKNOWN),
        ("x <<< 'a b'", Fed(("a b\n",))),
        ("x <<'E'\na $b\nE\n", Fed(("a $b\n",))),
        ("x <<E\na $b\nE\n", UNKNOWN),
        ("echo a | x", Fed(("a\n",))),
        ("echo -n 'a\\nb' | x", Fed(("-n a\nb\n", "-n a\\nb\n", "a\nb\n", "a\\nb\n"))),
        ("printf 'a%sb\\n' 1 2 | x", Fed(("a1b\na2b\n",))),
        ("printf '\\056x' | x", Fed((".x",))),
        ("printf '%d' 5 | x", Fed(("5",))),
        ("printf '%5s' a | x", UNKNOWN),
        ('printf "$y" | x', UNKNOWN),
        ("echo $y | x", UNKNOWN),
        ("cat file | x", UNKNOWN),
        ("cat <<'E' | x\nq\nE\n", Fed(("q\n",))),
        ("echo a | x <<< b", Fed(("b\n",))),
        ("echo a | x 3< file", Fed(("a\n",))),
    ],
)
def test_what_a_program_finds_on_its_input(text: str, expected: Fed) -> None:
    assert fed(text) == expected


def test_entries_that_permit_more_than_they_name_are_warned_of() -> None:
    for entry in ("python3", "/usr/bin/perl", "python3.12", "node", "make", "nginx", "python3 -m"):
        assert entry_warning(entry), entry
    for entry in ("ls", "git log", "systemctl status", "python3 /opt/report.py", "sqlite3", "*"):
        assert entry_warning(entry) is None, entry
