"""Running something as root through sudo, or what a host has in its place, without ever hanging on it.

``sudo -S -p PROMPT --`` prompts on stderr with a random word; only when that word came back on this very session does
the password go over stdin, so that nothing but sudo can read it. Behind sudo runs a small root shell that reports on
stderr that it has started; only then does anything but the password go over stdin, behind one line that the root shell
waits for. A refused password is followed by end of file instead of a second attempt.

sudo's words are asked for in English (``LC_ALL=C``) to be recognised; the command gets the caller's locale back. A sudo
that starts nothing (a PAM module that waits for a person) is waited for until the caller's timeout, and named then.

sudo-rs takes the same options. doas(1) reads a password only from a terminal, so it runs with ``-n``: its rules must
permit without one.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field, replace

import anyio

from ssh_mcp.errors import SudoFailed
from ssh_mcp.tokens import Command, Token, arg, command, lit
from transports.api import Completed, Connection, OutputSink, StreamName
from transports.errors import MasterLost, PartialOutput, TransportError
from transports.programs import program_text, walk_text

END_LIMIT = 10.0
"""Seconds that the end of a root process group may take: a login of sudo's, two seconds between TERM and KILL."""

_HEAD = 65536
"""Bytes of stderr kept for what sudo says before the command starts."""

_REFUSED = (
    "sorry, try again",
    "authentication failed, try again",
    "incorrect password attempt",
    "incorrect authentication",
    "no password was provided",
)
DOAS = "doas"

_NO_TTY = ("must have a tty", "a terminal is required to run")
_NO_RIGHTS = (
    "not in the sudoers file",
    "is not allowed to",
    "may not run sudo",
    "i'm afraid i can't do that",
    "doas: operation not permitted",
    "doas is not enabled",
)
_WANTS_PASSWORD = (
    "a password is required",
    "a terminal is required to read the password",
    "a terminal is required to authenticate",
    "interactive authentication is required",
    "interaction is required",
    "authentication required but not attempted",
    "doas: authentication required",
    "doas: authorization required",
)
_NOT_ALLOWED = re.compile(r"sorry, user \S+ (?:may not run|is not allowed)")
"""sudo's own words, sudo-rs's (its src/common/error.rs and src/pam/error.rs) and doas's (doas.c)."""


@dataclass(slots=True)
class Progress:
    """What stderr has shown so far."""

    mark: bytes
    prompt: bytes
    prompted: anyio.Event = field(default_factory=anyio.Event)
    """sudo asks for the password."""
    started: anyio.Event = field(default_factory=anyio.Event)
    hopeless: anyio.Event = field(default_factory=anyio.Event)
    """sudo refused, or nobody waits for it any more."""
    over: anyio.Event = field(default_factory=anyio.Event)
    refused: bool = False
    released: bool = False
    """The root shell's line was sent: from here on the command runs."""
    processes: tuple[int, int, int] | None = None
    """Root's process, and its group and session where they are proven to be its own (else 0)."""
    head: bytes = b""

    @classmethod
    def fresh(cls) -> Progress:
        """With words of its own."""
        return cls(_word(), _word())

    def see(self, name: StreamName, data: bytes) -> None:
        """Called with every piece of output; looks at stderr until the root shell has started."""
        if name != "stderr" or self.started.is_set():
            return
        self.head = (self.head + data)[-_HEAD:]
        start = self.head.find(self.mark)
        if start >= 0 and b"\n" in self.head[start:]:
            words = self.head[start:].split(b"\n", 1)[0].split()
            if words[1:] == [b"ended"]:  # what should have begun has ended: job.sh
                self.hopeless.set()
                return
            if len(words) == 4 and all(word.isdigit() for word in words[1:]) and int(words[1]) > 1:
                self.processes = int(words[1]), int(words[2]), int(words[3])
            self.started.set()
            return
        prompts = self.head.count(self.prompt)
        if prompts:
            self.prompted.set()
        if not self.hopeless.is_set() and (prompts > 1 or any(word in self.said().lower() for word in _REFUSED)):
            self.refused = True
            self.hopeless.set()

    def said(self) -> str:
        """What sudo has said so far."""
        return self.head.partition(self.mark)[0].replace(self.prompt, b"").decode("utf-8", "replace")


def _word() -> bytes:
    return b"ssh-mcp-" + secrets.token_hex(16).encode()


class _Output:
    """Passes on what the command itself writes: of stderr what comes behind the root shell's line."""

    def __init__(self, seen: Progress, sink: OutputSink) -> None:
        self._seen = seen
        self._sink = sink
        self._before: bytes | None = b""

    def __call__(self, name: StreamName, data: bytes) -> None:
        self._seen.see(name, data)
        if name == "stderr" and self._before is not None:
            self._before += data
            start = self._before.find(self._seen.mark)
            end = self._before.find(b"\n", start) + 1 if start >= 0 else 0
            if not end:
                return
            data, self._before = self._before[end:], None
        if data:
            self._sink(name, data)


@dataclass(slots=True)
class _Run:
    """One command under sudo."""

    connection: Connection
    program: str
    password: bytes | None
    seen: Progress
    output: OutputSink
    scope: anyio.CancelScope = field(default_factory=lambda: anyio.CancelScope(shield=True))
    """Shielded: root's processes are ended first, and only then what the login user may end."""
    done: Completed | None = None
    failure: Exception | None = None

    async def run(
        self, inner: Command, stdin: bytes | AsyncIterator[bytes] | None, timeout: float, caps: tuple[int, int]
    ) -> None:
        with self.scope:
            try:
                self.done = await self.connection.run(
                    sudo_command(inner, self.seen, has_password=self.password is not None, program=self.program).wire(),
                    stdin=feed(self.seen, self.password, stdin),
                    timeout=timeout + END_LIMIT,
                    stdout_cap=caps[0],
                    stderr_cap=caps[1] + _HEAD,
                    on_output=self.output,
                )
            except Exception as error:  # noqa: BLE001 - raised again outside of the task group
                self.failure = error
        self.seen.over.set()

    async def end(self) -> None:
        """End what runs as root, as root; bounded. A sudo that has not started anything gives up at end of file."""
        self.seen.hopeless.set()
        if self.seen.processes is None or self.seen.over.is_set():
            return
        helper = Progress.fresh()
        end = walk_text() + program_text(__package__, "end.sh")
        inner = command("sh -c", arg(end), "sh", [arg(str(n)) for n in self.seen.processes])
        line = sudo_command(inner, helper, has_password=self.password is not None, program=self.program)
        with suppress(TransportError), anyio.move_on_after(END_LIMIT):
            await self.connection.run(
                line.wire(), stdin=feed(helper, self.password, None), timeout=END_LIMIT, on_output=helper.see
            )


def sudo_words(seen: Progress, *, has_password: bool, program: str) -> str:
    """Shell text before a program that makes it root; its words to us are English, and a password comes on stdin."""
    return command("LC_ALL=C", lit(program), _asking(seen, has_password=has_password), "--").wire()


def _asking(seen: Progress, *, has_password: bool) -> list[Token]:
    """How sudo is to ask. A prompt that is a whole line passes whoever reads stderr by lines, or waits for a mark."""
    return [lit("-S -p"), arg(f"{seen.prompt.decode()}\n")] if has_password else [lit("-n")]


def sudo_command(inner: Command, seen: Progress, *, has_password: bool, program: str = "sudo") -> Command:
    """The whole line for the login user's shell. ``inner`` is the program to start as root, with its arguments;
    ``program`` makes it root: sudo, sudo-rs or doas.
    """
    return command(
        lit("__o=${LC_ALL-}; LC_ALL=C"),
        lit(program),
        _asking(seen, has_password=has_password),
        lit("--"),
        lit("sh -c"),
        arg(program_text(__package__, "root_shell.sh")),
        lit("sh"),
        arg(seen.mark.decode()),
        lit('"$__o"'),
        lit('"$PPID"'),
        *inner.tokens,
    )


async def run_as_root(
    connection: Connection,
    inner: Command,
    *,
    program: str,
    password: bytes | None,
    stdin: bytes | AsyncIterator[bytes] | None = None,
    timeout: float,
    stdout_cap: int,
    stderr_cap: int,
    on_output: OutputSink | None = None,
) -> Completed:
    """Run a program as root to its end. Raises SudoFailed where sudo did not start it.

    At the timeout, and when cancelled, root's processes are ended by root (TERM, grace, KILL): the login user may not
    signal them.
    """
    seen = Progress.fresh()
    run = _Run(connection, program, password, seen, seen.see if on_output is None else _Output(seen, on_output))
    began = time.monotonic()
    timed_out = False
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run.run, inner, stdin, timeout, (stdout_cap, stderr_cap))
        try:
            with anyio.move_on_after(timeout):
                await seen.over.wait()
            if not seen.over.is_set():
                timed_out = True
                await run.end()
                await seen.over.wait()
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True):
                await run.end()
            run.scope.cancel()
            raise
    if run.failure is not None:
        if isinstance(run.failure, MasterLost) and run.failure.partial is not None:
            run.failure.partial = _partial_of_root(run.failure.partial, seen, stderr_cap)
        raise run.failure
    assert run.done is not None
    if not seen.released:
        raise refusal(
            seen, run.done, timeout if timed_out else None, has_password=password is not None, program=program
        )
    done = _without_mark(run.done, seen.mark, stderr_cap)
    return replace(
        done,
        duration=time.monotonic() - began,
        timed_out=timed_out,
        exit_code=-1 if timed_out else done.exit_code,
        signal=None if timed_out else done.signal,
    )


async def feed(
    seen: Progress, password: bytes | None, stdin: bytes | AsyncIterator[bytes] | None
) -> AsyncIterator[bytes]:
    """The password, then (only once the root shell runs) its line and the command's own input."""
    if password is not None and await _any(seen.prompted, seen.started, seen) and not seen.started.is_set():
        yield password + b"\n"
    if not await _any(seen.started, seen.started, seen):
        return
    seen.released = True
    yield seen.mark + b"\n"
    if isinstance(stdin, bytes):
        yield stdin
    elif stdin is not None:
        async for chunk in stdin:
            yield chunk


async def _any(one: anyio.Event, other: anyio.Event, seen: Progress) -> bool:
    """Wait for one of two events; False where sudo has refused, or nothing more is to be hoped for."""
    async with anyio.create_task_group() as tasks:

        async def wait(event: anyio.Event) -> None:
            await event.wait()
            tasks.cancel_scope.cancel()

        for event in (one, other, seen.hopeless, seen.over):
            tasks.start_soon(wait, event)
    return (one.is_set() or other.is_set()) and not (seen.hopeless.is_set() or seen.over.is_set())


def _without_mark(done: Completed, mark: bytes, cap: int) -> Completed:
    """Take the root shell's line (and what sudo said before it, a lecture say) out of stderr."""
    start = done.stderr.find(mark)
    if start < 0:
        return done
    end = done.stderr.find(b"\n", start) + 1
    rest = done.stderr[end:]
    return replace(done, stderr=rest[:cap], stderr_total=done.stderr_total - end)


def _partial_of_root(partial: PartialOutput, seen: Progress, cap: int) -> PartialOutput:
    """What the command itself had printed: nothing where it had not started."""
    if not seen.started.is_set():
        return PartialOutput(b"", b"", 0, 0)
    end = partial.stderr.find(b"\n", partial.stderr.find(seen.mark)) + 1
    return replace(partial, stderr=partial.stderr[end:][:cap], stderr_total=partial.stderr_total - end)


def refusal(seen: Progress, done: Completed, timeout: float | None, *, has_password: bool, program: str) -> SudoFailed:
    """Name the cause from the program's own words (in English; other words come through as they are).

    ``timeout``: the seconds that were waited for it, where it had neither started the command nor refused it by then.
    """
    text = seen.said()
    low = text.lower()
    said = " ".join(text.split())[:300]
    if done.exit_code == 127 or f"{program}: not found" in low or f"{program}: command not found" in low:
        return SudoFailed(
            "The host has no sudo, sudo-rs or doas.",
            "The operator installs one or grants the login user what it needs.",
        )
    if any(words in low for words in _NO_TTY):
        return SudoFailed(
            "sudo on the host wants a terminal (requiretty).",
            "The operator adds 'Defaults:USER !requiretty' for the login user to sudoers.",
        )
    if any(words in low for words in _NO_RIGHTS) or _NOT_ALLOWED.search(low):
        return SudoFailed(
            f"The login user has no {program} rights for this on the host.",
            f"The operator grants them in {'doas.conf' if program == DOAS else 'sudoers'}.",
        )
    if any(words in low for words in _WANTS_PASSWORD) and not has_password:
        return _wants_password(program)
    if seen.refused or (has_password and timeout is None and seen.prompted.is_set()):
        return SudoFailed(f"{program} refused the password configured for this host.", "The operator corrects it.")
    says = f" It says: {said}" if said else ""
    if timeout is not None or done.timed_out:
        return SudoFailed(
            f"{program} did not start the command within {timeout or END_LIMIT:g} s.{says}",
            f"Give a larger timeout if it waits for a person, or try `{program} true` on the host by hand.",
        )
    return SudoFailed(f"{program} did not start the command.{says}", f"Try `{program} true` on the host by hand.")


def _wants_password(program: str) -> SudoFailed:
    if program == DOAS:
        return SudoFailed(
            "doas asks for a password on this host, which it reads only from a terminal.",
            "The operator permits the login user without one ('permit nopass LOGIN as root' in doas.conf) or installs "
            "sudo.",
        )
    return SudoFailed(
        f"{program} asks for a password and none is configured for this host.",
        "The operator puts it in the keyring (service ssh-mcp-sudo, user = alias) or sets SSH_SUDO_PASSWORD_CMD.",
    )
