"""A helper that replies to exactly one prompt of ssh, once, with what a local command prints; it refuses all others.

ssh runs ``$SSH_ASKPASS`` with the prompt as its argument and takes the first line of its stdout (ssh(1), ENVIRONMENT).
The helper is an ``sh`` script made for one login, in a private directory with a random name. It holds the expected
prompts and the operator's command line; the secret itself goes from that command's stdout to ssh and is never in an
argument, an environment, a file or a log. A question about a host key, a PIN, a one-time code: no answer, and the
login fails.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from transports.api import Auth, AuthMethod
from transports.errors import LocalError
from transports.openssh.login.binaries import Binaries

_KEY_IN_PROMPT_MAX: Final = 100
"""sshconnect2.c prints at most this many bytes of the key file's name."""


_PROMPT_SHOWN: Final = 120

KINDS: Final = ("passphrase", "password")

_PASSWORD_WORDS: Final = (
    "[Pp]assword:", "'Passwort:'", "'Mot de passe :'", "'Contraseña:'", "'Senha:'", "'Wachtwoord:'", "'Hasło:'",
)  # fmt: skip
"""What PAM asks in the server's language (Linux-PAM's own translations of "Password: "), as shell patterns."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """``patterns`` are shell patterns of the prompts (already quoted where literal), ``command`` prints the secret."""

    kind: str
    patterns: tuple[str, ...]
    command: str


@dataclass(frozen=True, slots=True)
class HelperReport:
    """One clause on what the helper has to do with a failed login, empty where nothing.

    ``unexpected``: the prompt, which the clause quotes, is for a person.
    """

    clause: str = ""
    unexpected: bool = False


NOTHING_REPORTED: Final = HelperReport()


@dataclass(frozen=True, slots=True)
class Askpass:
    """A made helper: its directory, and the variables that make ssh use it."""

    directory: str
    environment: tuple[tuple[str, str], ...]

    def outcome(self) -> HelperReport:
        """What the helper has to do with a login that failed."""
        try:
            words = Path(self.directory, "outcome").read_text(encoding="utf-8", errors="replace").split()
        except FileNotFoundError:
            words = [f"again {kind}" for kind in KINDS if Path(self.directory, f"asked-{kind}").exists()]
            words = words[-1].split() if words else []
        if words[:1] == ["refused"]:
            prompt = " ".join(words[1:])[:_PROMPT_SHOWN]
            return HelperReport(f"ssh asked {prompt!r}, which no configured command is for", unexpected=True)
        if words[:1] == ["failed"]:
            return HelperReport(f"the command for the {words[1]} failed with exit code {words[2]}")
        if words[:1] == ["again"]:
            return HelperReport(f"the {words[1]} from the command was not accepted")
        return NOTHING_REPORTED


def prompts(auth: Auth, *, user: str, hosts: Iterable[str], keys: Iterable[str]) -> tuple[Prompt, ...]:
    """Which prompts may be answered.

    ``user`` and ``hosts`` are as ssh shows them (resolved name, HostKeyAlias), ``keys`` the host's own key files.
    """
    found = []
    if auth.passphrase_cmd is not None and auth.method is not AuthMethod.PASSWORD:
        patterns = tuple(dict.fromkeys(shlex.quote(f"Enter passphrase for key '{_shown(key)}': ") for key in keys))
        found.append(Prompt("passphrase", patterns, auth.passphrase_cmd))
    if auth.password_cmd is not None:
        found.append(Prompt("password", tuple(_password_prompts(user, hosts)), auth.password_cmd))
    return tuple(prompt for prompt in found if prompt.patterns)


def _shown(key: str) -> str:
    return os.fsencode(os.path.expanduser(key))[:_KEY_IN_PROMPT_MAX].decode(errors="ignore")  # noqa: PTH111


def _password_prompts(user: str, hosts: Iterable[str]) -> Iterator[str]:
    """Ssh's own prompt, and PAM's and BSD's by keyboard-interactive, which 8.7 and later put ``(user@host)`` before."""
    tails = [word + end for word in (*_PASSWORD_WORDS, "'Password for '*@*:") for end in ("", "' '")]
    yield from tails
    for host in hosts:
        yield shlex.quote(f"{user[:30]}@{host[:128]}'s password: ")
        for tail in tails:
            yield shlex.quote(f"({user}@{host}) ") + tail


_SCRIPT: Final = """#!/bin/sh
# Made by ssh-mcp for one login: replies to the expected prompt once and refuses every other.
place={directory}
give_up() {{ printf '%s\\n' "$*" >"$place/outcome"; exit 1; }}
ask() {{
  {once}mkdir "$place/asked-$1" 2>/dev/null || give_up again "$1"
  sh -c "$2" </dev/null 2>/dev/null || give_up failed "$1" $?
  exit 0
}}
case "$1" in
{cases}*) give_up refused "$1" ;;
esac
"""


def script(directory: str, wanted: Iterable[Prompt], *, once: bool = True) -> str:
    """The helper's text. ``once`` False replies again and again: for sessions that each log in on their own."""
    cases = "".join(
        f"{'|'.join(prompt.patterns)}) ask {prompt.kind} {shlex.quote(prompt.command)} ;;\n" for prompt in wanted
    )
    return _SCRIPT.format(directory=shlex.quote(directory), cases=cases, once="" if once else ": ")


def make(wanted: tuple[Prompt, ...], binaries: Binaries, preferred_dir: str, *, once: bool = True) -> Askpass:
    """Write the helper where programs may be started (a runtime directory can be mounted noexec).

    Raises LocalError where there is no such place. Remove it with ``dispose``.
    """
    directory = tempfile.mkdtemp(prefix="a-", dir=_executable_place(preferred_dir))
    path = Path(directory, "askpass")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o700)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(script(directory, wanted, once=once))
    environment = [("SSH_ASKPASS", str(path)), ("SSH_ASKPASS_REQUIRE", "force")]
    if not binaries.askpass_require:
        environment.append(("DISPLAY", os.environ.get("DISPLAY") or "none"))
    return Askpass(directory, tuple(environment))


def dispose(askpass: Askpass) -> None:
    """Remove the helper."""
    shutil.rmtree(askpass.directory, ignore_errors=True)


def _executable_place(preferred: str) -> str:
    cache = str(Path.home() / ".cache")
    for place in (preferred, cache, tempfile.gettempdir(), "/var/tmp"):
        with contextlib.suppress(OSError):
            if os.access(place, os.W_OK | os.X_OK) and not os.statvfs(place).f_flag & getattr(os, "ST_NOEXEC", 0):
                return place
    raise LocalError(
        "No directory allows programs to be started, and the passphrase or password helper has to be one.",
        "Mount the runtime or cache directory without noexec, or use an agent.",
        sent=False,
    )
