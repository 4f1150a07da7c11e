"""Running commands: our own as tokens, a caller's as shell text that policy has permitted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING

import anyio.to_thread

from ssh_mcp.errors import InvalidArgument
from ssh_mcp.guard.guard import decode
from ssh_mcp.guard.long_stream import count_lines
from ssh_mcp.policy.commands import Circumstances, permit, permit_script, permit_typed
from ssh_mcp.policy.permitted import PermittedCommand, Runnable
from ssh_mcp.policy.tiers import Tier, visible
from ssh_mcp.remote.exec.hints import hint_for
from ssh_mcp.remote.exec.kept_output import KeptOutput
from ssh_mcp.remote.exec.partial_output import partial_output_in_errors
from ssh_mcp.remote.host import connection_of
from ssh_mcp.results.exec import ExecResult
from ssh_mcp.shell.scripts import interpreter
from ssh_mcp.tokens import Command, arg, command
from transports.api import Completed, OutputSink, StreamName

if TYPE_CHECKING:
    from ssh_mcp.remote.host import RemoteHost
    from ssh_mcp.settings.model import Settings

MAX_TIMEOUT = 86_400
"""Seconds: the longest timeout a caller may ask for."""

MAX_SCRIPT_BYTES = 4 * 1024 * 1024
_LONG_SCRIPT = 32 * 1024
"""Characters from which on looking through a script is noticed: a megabyte takes up to a second."""

_SHELLS = frozenset({"sh", "bash", "dash", "ash", "ksh", "mksh", "zsh"})
_READS_STDIN = frozenset({"csh", "tcsh", "fish", "php", "tclsh"})
"""Interpreters that read a program from stdin when they are given no file; the others are asked to by ``-``."""


class Commands:
    """Commands of one host within one call."""

    def __init__(self, host: RemoteHost) -> None:
        self._host = host
        self._kept: tuple[Completed, KeptOutput] | None = None
        """The last command's end, and what it wrote beyond the caps."""

    async def run(
        self,
        own: Command,
        *,
        stdin: bytes | AsyncIterator[bytes] | None = None,
        timeout: float | None = None,
        stdout_cap: int | None = None,
        idempotent: bool = True,
        questions: str | None = None,
    ) -> Completed:
        """Run one of our own commands. ``idempotent`` allows a retry after a lost master: True for questions only.

        ``questions`` is what the audit hashes in place of the command: the same whenever the same is asked.
        """
        settings = self._host.settings
        if questions is None:
            self._host.call.note_command(own.masked())
        else:
            self._host.call.note_questions(questions)
        kept = self.kept_output() if stdout_cap is None else None
        with (
            nullcontext() if idempotent else partial_output_in_errors(self._host, kept)
        ):  # half of a reply is of no use
            done = await connection_of(self._host).run(
                own.wire(),
                stdin=stdin,
                timeout=self.timeout(timeout),
                stdout_cap=settings.ssh_stdout_cap_bytes if stdout_cap is None else stdout_cap,
                stderr_cap=settings.ssh_stderr_cap_bytes,
                on_output=kept,
                framed=not self._host.policy.windows,
                idempotent=idempotent,
            )
        self._kept = None if kept is None else (done, kept)
        self._host.call.note_exit(done.exit_code)
        return done

    def permit(
        self, text: str, *, sudo: bool = False, container: bool = False, directory: str | None = None
    ) -> PermittedCommand:
        """Decide about a caller's shell text. Raises CommandNotAllowed and its kin.

        ``directory`` is where the command will start, if that is not the host's default_dir; ``container`` says that it
        runs inside of one.
        """
        permitted = permit(text, self._host.policy.commands, self._circumstances(sudo, container, directory))
        return self._noted(permitted)

    def permit_typed(self, text: str) -> PermittedCommand:
        """The same for what is typed into a terminal, which may reach a program that runs there already."""
        return self._noted(permit_typed(text, self._host.policy.commands, self._circumstances(False, False, None)))

    async def permit_script(self, body: str, *, sudo: bool = False) -> PermittedCommand:
        """The same for a script, which may be long: then a thread reads it."""
        look = partial(permit_script, body, self._host.policy.commands, self._circumstances(sudo, False, None))
        return self._noted(look() if len(body) < _LONG_SCRIPT else await anyio.to_thread.run_sync(look))

    def _circumstances(self, sudo: bool, container: bool, directory: str | None) -> Circumstances:
        paths = self._host.policy.paths
        return Circumstances(
            redact_globs=paths.redact_globs,
            bypass=paths.bypass,
            default_dir=directory or paths.default_dir,
            sudo=sudo,
            container=container,
            host=self._host.alias,
            elevated=visible(Tier.SUDO, "sudo", self._host.settings),
            closed=self._host.call.fleet.facts.closed,
        )

    def _noted(self, permitted: PermittedCommand) -> PermittedCommand:
        if permitted.redact_bypass:
            self._host.call.note_bypass()
        return permitted

    async def execute(self, text: str, *, timeout: float | None = None, sink: OutputSink | None = None) -> ExecResult:
        """Run a caller's shell text once all of it is permitted. A non-zero exit is data."""
        self._host.call.note_command(text)
        permitted = self.permit(text)
        await self._host.call.confirm_command((self._host, permitted))
        return await self.run_permitted(permitted, timeout=timeout, sink=sink)

    async def run_permitted(
        self, permitted: PermittedCommand, *, timeout: float | None = None, sink: OutputSink | None = None
    ) -> ExecResult:
        """Run what policy permitted and, where a rule asks for it, a person confirmed."""
        return await self._run_permitted(permitted, self.in_default_dir(permitted), None, timeout, sink)

    async def script(self, body: str, *, timeout: float | None = None) -> ExecResult:
        """Run a caller's script: its body goes over stdin, never into an argv."""
        self._host.call.note_command(body)
        program, stdin = script_parts(body)
        permitted = await self.permit_script(body)
        await self._host.call.confirm_command((self._host, permitted))
        done = await self._run_permitted(permitted, self.in_default_dir(program), stdin, timeout, None)
        return with_line_end_hint(done, body)

    async def _run_permitted(
        self,
        permitted: PermittedCommand,
        line: Runnable,
        stdin: bytes | None,
        timeout: float | None,
        sink: OutputSink | None,
    ) -> ExecResult:
        settings = self._host.settings
        kept = self.kept_output(sink)
        with partial_output_in_errors(self._host, kept):
            done = await connection_of(self._host).run(
                line.wire(),
                stdin=stdin,
                timeout=self.timeout(timeout),
                stdout_cap=settings.ssh_stdout_cap_bytes,
                stderr_cap=settings.ssh_stderr_cap_bytes,
                on_output=kept,
            )
        self._host.call.note_exit(done.exit_code)
        return self.result(done, remarks=permitted.warnings, kept=kept)

    def kept_output(self, also: OutputSink | None = None) -> KeptOutput:
        """Keeps what a command writes beyond the caps, for ``result``. ``also`` sees every byte too."""
        settings = self._host.settings
        caps: dict[StreamName, int] = {"stdout": settings.ssh_stdout_cap_bytes, "stderr": settings.ssh_stderr_cap_bytes}
        return KeptOutput(self._host.call.fleet.spool, caps, also)

    def in_default_dir(self, runnable: Runnable) -> Runnable:
        """``runnable``, started where relative paths of the file tools start too."""
        directory = self._host.policy.paths.default_dir
        return command("cd", arg(directory), f"|| exit 1\n{runnable.wire()}") if directory else runnable

    def timeout(self, asked: float | None) -> float:
        """Seconds; the configured default where the caller did not say. Raises InvalidArgument."""
        return seconds_for(asked, self._host.settings)

    def result(
        self,
        done: Completed,
        *,
        remarks: tuple[str, ...] = (),
        hint: str | None = None,
        as_root: bool = False,
        kept: KeptOutput | None = None,
    ) -> ExecResult:
        """The client's view of a command's end. ``remarks`` are the decision's own warnings; ``kept`` has what was
        longer than the caps.
        """
        if kept is None and self._kept is not None and self._kept[0] is done:
            kept = self._kept[1]
        stdout_cut, stderr_cut = done.stdout_total > len(done.stdout), done.stderr_total > len(done.stderr)
        stdout, stdout_remarks = decode(done.stdout, truncated=stdout_cut)
        stderr, stderr_remarks = decode(done.stderr, truncated=stderr_cut)
        warnings = [
            *remarks,
            *(f"stdout: {r}" for r in stdout_remarks),
            *(f"stderr: {r}" for r in stderr_remarks),
        ]
        if done.unended:
            warnings.append("The host no longer replies, so the command may still run; the next call there ends it.")
        if done.lingering:
            warnings.append("A background process still holds the command's output; what it writes later is not shown.")
        if hint is None and not done.timed_out:
            end = kept.tail("stderr").decode("utf-8", "replace") if kept is not None and stderr_cut else ""
            hint = hint_for(
                done.exit_code,
                stderr + end,
                allowed=self._host.policy.commands.allow,
                sudo_open=visible(Tier.SUDO, "sudo", self._host.settings),
                as_root=as_root,
            )
        if done.timed_out and hint is None:
            hint = "The command was ended at its timeout, with all it had started."
            if done.unended:
                hint = "The command reached its timeout on a host that does not reply."
            hint += " Give a larger timeout if it needs one. ssh_job_start runs it without a limit and returns at once."
        made = ExecResult(
            host=self._host.name,
            exit_code=done.exit_code,
            stdout=stdout,
            stderr=stderr,
            stdout_bytes=done.stdout_total,
            stderr_bytes=done.stderr_total,
            stdout_lines=count_lines(done.stdout),
            stderr_lines=count_lines(done.stderr),
            stdout_truncated=stdout_cut,
            stderr_truncated=stderr_cut,
            duration_ms=round(done.duration * 1000),
            timed_out=done.timed_out,
            killed_by_signal=done.signal,
            hint=hint,
            output_warnings=warnings,
        )
        if kept is not None:
            heads: dict[StreamName, tuple[bytes, int]] = {
                "stdout": (done.stdout, done.stdout_total),
                "stderr": (done.stderr, done.stderr_total),
            }
            made.long_texts.update(kept.long_streams(heads))
        return made


def seconds_for(asked: float | None, settings: Settings) -> float:
    """How long a command may take: the configured default where the caller did not say. Raises InvalidArgument."""
    if asked is None:
        return settings.ssh_command_timeout
    if not 0 < asked <= MAX_TIMEOUT:
        raise InvalidArgument(f"A timeout of {asked} seconds is out of range.", f"It is 1 to {MAX_TIMEOUT} seconds.")
    return asked


def with_line_end_hint(result: ExecResult, body: str) -> ExecResult:
    """The result of a script, with the hint that its line ends may be why it failed."""
    if "\r\n" not in body or (result.exit_code == 0 and not result.stderr):
        return result
    hint = "The script has Windows line ends (CRLF), which shells take for a part of words. Send it with plain LF."
    return result.model_copy(update={"hint": hint})


def script_parts(body: str) -> tuple[Command, bytes]:
    """What to run, and what to give it on stdin, for a script's text. Raises InvalidArgument.

    A shell takes all of stdin before it evaluates it, so that no command of the script can eat the rest of it; they
    all find stdin at its end. A ``#!`` line chooses the interpreter; one that is no shell reads the script from stdin.
    """
    data = body.encode("utf-8", "surrogateescape")
    if not body.strip():
        raise InvalidArgument("The script is empty.", "Give at least one command.")
    if "\0" in body:
        raise InvalidArgument("The script holds a NUL byte.", "Shells cannot read it.")
    if len(data) > MAX_SCRIPT_BYTES:
        raise InvalidArgument(
            f"The script has {len(data)} bytes.", f"The limit is {MAX_SCRIPT_BYTES}: upload it instead."
        )
    words = interpreter(body)
    name = words[0].rsplit("/", 1)[-1]
    if name in _SHELLS:
        # Where bash finds SSH_CLIENT or a socket on stdin it reads ~/.bashrc for "bash -c" too (its run_startup_files).
        quiet = "--norc" if name == "bash" else ""
        return command(arg(words[0]), quiet, map(arg, words[1:]), "-c 'eval \"$(cat)\n\"'"), data
    return command(map(arg, words), *(() if name in _READS_STDIN else ("-",))), data
