"""The programs that run on the host: package data, sent with their arguments as positional parameters."""

from __future__ import annotations

from functools import cache

from ssh_mcp.tokens import Command, arg, command, lit
from transports.programs import program_text

BOOT_ID = "/proc/sys/kernel/random/boot_id"
"""Where Linux has the id of this boot (random(4))."""


@cache
def program(name: str) -> str:
    """``name``.sh without comments and indentation: the shell on the host reads it byte by byte (frame.py)."""
    lines = (line.lstrip(" ") for line in program_text(__package__, f"{name}.sh").splitlines())
    return "".join(f"{line}\n" for line in lines if line)


def request(verb: str, owner: str, *parameters: str | int) -> Command:
    """One question of job.sh's, as text for the shell of a session."""
    words = [arg(str(value)) for value in (verb, owner, BOOT_ID, *parameters)]
    return command("set --", words, lit(f"\n{program('job')}"))


def start_parameters() -> tuple[str, ...]:
    """The programs that a start hands on."""
    return tuple(program(name) for name in ("run", "end", "guard", "keep"))


def end_as_root(group: int, job_id: str) -> Command:
    """What ends the processes of a root job, as root's own program; it goes on only if they are that job's."""
    return command("sh -c", arg(program("end")), "ssh-mcp-end", arg(str(group)), "check", arg(job_id))
