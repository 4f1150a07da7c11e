"""What to do about failures that can be recognised from a command's exit code and stderr. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

_NOT_FOUND = re.compile(
    r"""^(?:\S*sh|eval|-\w+):\ (?:(?:line\ )?\d+:\ |eval:\ )*['"`]?([\w./+-]+)['"`]?:\ (?:command\ )?not\ found\b
    |\bcommand\ not\ found:\ ([\w./+-]+)|([\w./+-]+):\ command\ not\ found(?!:)
    |^\S*env:\ ['"\u2018`]?([\w./+-]+)['"\u2019`]?:\ No\ such\ file""",
    re.MULTILINE | re.VERBOSE,
)
"""sh, bash, BusyBox, zsh and env, each in its own words."""

_NO_TTY = (
    "not a tty",
    "stdin is not a terminal",
    "input device is not a tty",
    "inappropriate ioctl for device",
    "must be run from a terminal",
)
_SUDO = re.compile(
    r"^(sudo|sudo-rs|doas): .*(?:password is required|terminal is required|must have a tty|[Aa]uthentication (?:is )?"
    r"required|Authentication failed)",
    re.MULTILINE,
)
"""``sudo: a password is required``, ``sudo-rs: interactive authentication is required``,
``doas: Authentication required`` and what doas says without a terminal, ``doas: Authentication failed``.
"""
_DENIED = ("permission denied", "operation not permitted", "must be root", "are you root?", "requires root")
_ROOT = {
    True: "ssh_sudo_exec runs it as root.",
    False: "As root it needs the sudo tier: the operator sets ALLOW_DANGEROUS_TOOLS and ALLOW_SUDO.",
}
_DISK_FULL = "no space left on device"


def hint_for(
    exit_code: int, stderr: str, *, allowed: Sequence[str], sudo_open: bool, as_root: bool = False
) -> str | None:
    """One or two sentences for the caller, or None where nothing useful can be said.

    ``allowed`` are the bare program names the host's command allowlist permits; ``sudo_open`` says whether the sudo
    tools exist, ``as_root`` that the command ran as root already.
    """
    if exit_code == 0:
        return None
    low = stderr[-4000:].lower()
    asking = _SUDO.search(stderr[-4000:])
    if asking is not None and not as_root:
        return f"{asking[1]} within a command cannot ask for a password. {_ROOT[sudo_open]}"
    if any(sign in low for sign in _NO_TTY):
        return (
            "The program wants a terminal and commands run without one. "
            "Use its batch or non-interactive flag, or a dedicated tool."
        )
    missing = _NOT_FOUND.search(stderr[-4000:])
    if missing is not None:
        return _not_found_hint(next(name for name in missing.groups() if name), allowed)
    if exit_code == 127:
        return "The host has no program of that name on its PATH; an absolute path may help."
    if exit_code == 126 and "permission denied" not in low:
        return "The file was found but is not executable."
    if any(sign in low for sign in _DENIED):
        if as_root:
            return "Even root may not do this: look for a read-only or remote filesystem, file attributes, a container."
        return f"The login user may not do this. {_ROOT[sudo_open]}"
    if _DISK_FULL in low:
        return "The filesystem is full. ssh_host_disk_usage shows which one."
    return None


def _not_found_hint(program: str, allowed: Sequence[str]) -> str:
    name = program.rsplit("/", 1)[-1]
    near = difflib.get_close_matches(name, [a.rsplit("/", 1)[-1] for a in allowed], n=1, cutoff=0.6)
    if near and near[0] != name:
        return f"{name} is not installed or not on PATH. The nearest allowed program is {near[0]}."
    return f"{name} is not installed on the host or not on its PATH; an absolute path may help."
