"""The programs that run on the host: package data, sent with their arguments as positional parameters."""

from __future__ import annotations

import re
from functools import cache

from ssh_mcp.tokens import Command, arg, command, lit, quote
from transports.programs import program_text

BOOT_ID = "/proc/sys/kernel/random/boot_id"
"""Where Linux has the id of this boot (random(4))."""


_OPEN = re.compile(r"(?:(?:^|[ ;])(?:do|then|else|in|elif)|[{(|&]|;;|^[^()]*[^()\s]\))$")
"""A line that no ``;`` may follow: it ends in ``then``, ``{``, ``&&``, ``&``, ``;;`` or a ``case`` pattern."""


@cache
def program(*names: str) -> str:
    """The named files on one line, without comments: the host's shell reads it byte by byte, and a line of ASCII needs
    no decoding (frame.py). A line of a file ends where a command does or may go on; none ends inside of a word.
    """
    text = "".join(program_text(__package__, f"{name}.sh") for name in names).replace("\\\n", "")
    lines = [line for line in (line.strip() for line in text.splitlines()) if line]
    return "".join(line + (" " if _OPEN.search(line) else ";") for line in lines)


@cache
def prelude() -> str:
    """What all questions need: their functions, and in variables the programs that a start hands on."""
    return program("place", "look", "await", "claim", "drop", "begin") + "".join(
        f"{name}_sh={quote(program(name))};" for name in ("run", "end", "guard", "keep")
    )


def question(verb: str, owner: str, *parameters: str | int) -> Command:
    """One question behind the prelude, as text for the shell of a session."""
    return command(
        "set --", [arg(str(value)) for value in parameters], lit(f";place {owner} {BOOT_ID};{program(verb)}")
    )


def end_as_root(group: int, job_id: str) -> Command:
    """What ends the processes of a root job, as root's own program; it goes on only if they are that job's."""
    return command("sh -c", arg(program("end")), "ssh-mcp-end", arg(str(group)), "check", arg(job_id))
