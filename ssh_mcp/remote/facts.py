"""Asking a host: any number of questions in one session, and what came back as values."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from ssh_mcp.errors import PlatformNotSupported
from ssh_mcp.facts import batch
from ssh_mcp.facts.base import Fact, Parsed
from ssh_mcp.facts.batch import Reply
from ssh_mcp.tokens import Command, command
from transports.api import Completed
from transports.errors import RemoteError

if TYPE_CHECKING:
    from ssh_mcp.remote.host import RemoteHost

T = TypeVar("T")

ANSWER_CAP = 8 * 1024 * 1024
"""Bytes: most that all replies of one session may have. Values are made from them, so that it is no output cap."""

NOT_FOUND = 127
"""What a shell returns where it does not find the program."""


@dataclass(slots=True)
class Replies:
    """Replies by question. Reading one collects what could not be read."""

    host: str
    replies: dict[int, Reply]
    timed_out: bool
    problems: list[str] = field(default_factory=list)

    def reply(self, fact: Fact[Any]) -> Reply:
        """The raw reply of a fact that was asked (the same object)."""
        return self.replies[id(fact)]

    def read(self, fact: Fact[T]) -> T:
        """The value of a fact that was asked."""
        reply = self.reply(fact)
        parsed: Parsed[T] = fact.parse(reply.text)
        self.problems += parsed.problems
        if not reply.complete:
            why = "did not reply in time" if self.timed_out else "was cut off"
            self.problems.append(f"{type(fact).__name__}: the host {why}, so that this part may be missing.")
        return parsed.value


def prepared(inner: Command) -> Command:
    """One command in the setting that facts expect: C locale, system directories on PATH."""
    return command(batch.SETUP, inner.tokens)


async def ask(host: RemoteHost, *facts: Fact[Any], timeout: float | None = None) -> Replies:
    """Put all questions in one session. A question that fails is an empty reply, never an error."""
    nonce = secrets.token_hex(batch.NONCE_LENGTH // 2)
    questions = [fact.command() for fact in facts]
    text = "; ".join(q.masked() for q in questions)  # without the mark, which is random
    done = await host.commands.run(
        batch.compose(questions, nonce), timeout=timeout, stdout_cap=ANSWER_CAP, questions=text
    )
    replies = batch.split(done.stdout, done.stderr, len(facts), nonce)
    if not done.timed_out and done.exit_code != 0:
        raise _no_posix_shell(host, done)
    paired = {id(fact): reply for fact, reply in zip(facts, replies, strict=True)}
    return Replies(host.name, paired, done.timed_out)


async def ask_one(
    host: RemoteHost, fact: Fact[Any], *, timeout: float | None = None, cap: int | None = ANSWER_CAP
) -> Completed:
    """One question whose exit code and streams matter. ``cap`` None is the operator's, for what is shown as text."""
    inner = fact.command()
    return await host.commands.run(prepared(inner), timeout=timeout, stdout_cap=cap, questions=inner.masked())


async def act(host: RemoteHost, action: Command, *, timeout: float | None = None) -> Completed:
    """One change: never repeated by itself."""
    try:
        return await host.commands.run(prepared(action), timeout=timeout, idempotent=False)
    finally:
        host.call.note_command(action.masked())


def text_of(data: bytes) -> str:
    """Output as text; undecodable bytes become U+FFFD."""
    return data.decode("utf-8", "replace")


def require_program(
    host: RemoteHost, exit_code: int | None, stderr: str, program: str, *, what: str, instead: str
) -> None:
    """Raise PlatformNotSupported where the shell did not find ``program``; ``what`` is what the host lacks."""
    if exit_code == NOT_FOUND and program in stderr:
        raise PlatformNotSupported(f"{host.name} has no {what}.", instead)


def _no_posix_shell(host: RemoteHost, done: Completed) -> RemoteError:
    said = (text_of(done.stderr) or text_of(done.stdout)).strip().splitlines()
    return RemoteError(
        f"{host.name} could not run the queries (exit {done.exit_code}{': ' + said[-1][:160] if said else ''}).",
        "The account needs a POSIX sh and must be allowed to run commands.",
    )
