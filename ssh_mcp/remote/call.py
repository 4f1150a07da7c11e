"""One tool call as the remote room sees it: where its audit facts go, and how it reports progress to the client."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ssh_mcp.errors import InvalidArgument
from ssh_mcp.policy.tiers import Tier
from ssh_mcp.remote.caller import Caller

if TYPE_CHECKING:
    from ssh_mcp.approval.desk import CallApproval
    from ssh_mcp.audit.sinks import AuditCall
    from ssh_mcp.inventory.model import HostPolicy, RedactionPolicy
    from ssh_mcp.inventory.roles import Role
    from ssh_mcp.policy.approval import AskMatch
    from ssh_mcp.policy.permitted import PermittedCommand
    from ssh_mcp.remote.fleet import Fleet
    from ssh_mcp.remote.host import RemoteHost
    from ssh_mcp.settings.model import Settings

PROGRESS_AFTER = 1.0
"""Seconds a call must have lasted before it sends its first progress notification."""

PROGRESS_EVERY = 0.5
"""Seconds between two progress notifications."""

MIN_RESULT_BYTES = 64
"""The least that a caller may bound a result's text to."""

ProgressSender = Callable[[float, float | None, str | None], Awaitable[None]]


async def no_progress(_done: float, _total: float | None, _message: str | None) -> None:
    """For callers that did not ask for progress."""


@dataclass(slots=True)
class Call:
    """Handed to tools that need no single host, and carried by every ``RemoteHost``."""

    fleet: Fleet
    record: AuditCall
    send_progress: ProgressSender = no_progress
    caller: Caller = field(default_factory=Caller)
    tool: str = ""
    group: str = ""
    tier: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """The client's arguments, validated."""
    approval: CallApproval | None = None
    """How a person is asked; None: nobody can be, so that what must be asked is refused."""
    accepted: bool = False
    """Whether a person said yes to the call that makes this one: nobody is asked twice."""
    role: Role | None = None
    """What an authenticated caller is limited to; None: to what the server permits."""
    runner: object | None = None
    """What runs tools: for the one tool that calls others, which knows its type."""
    started: float = field(default_factory=time.monotonic)
    warnings: list[str] = field(default_factory=list)
    hosts: list[RemoteHost] = field(default_factory=list)
    known_secrets: set[str] = field(default_factory=set)
    """Passwords that the call itself used: masked in all that it returns."""
    result_bytes: int | None = None
    """Bytes of text that the caller wants in the result; None: the operator's SSH_RESULT_MAX_BYTES."""
    _last_progress: float = 0.0

    @property
    def settings(self) -> Settings:
        """The server's, with the tiers closed that the caller's role does not open."""
        if self.role is None:
            return self.fleet.settings
        tiers = self.role.tiers
        return replace(
            self.fleet.settings,
            allow_low_access_tools=self.fleet.settings.allow_low_access_tools and Tier.LOW_ACCESS in tiers,
            allow_dangerous_tools=self.fleet.settings.allow_dangerous_tools and Tier.DANGEROUS in tiers,
            allow_sudo=self.fleet.settings.allow_sudo and Tier.SUDO in tiers,
        )

    def listed(self) -> tuple[HostPolicy, ...]:
        """The hosts that the caller may know of."""
        return tuple(p for p in self.fleet.inventory.listed() if self.role is None or self.role.reaches(p.alias))

    async def host(self, name: str) -> RemoteHost:
        """Resolve one name to a host that carries its policy. Raises HostNotAllowed, HostBlocked."""
        host = await self.fleet.host(name, self)
        self.hosts.append(host)
        return host

    async def confirm_tool(self) -> None:
        """Ask a person where a rule is about this tool itself. The runner does it for all tools but those that are
        registered with ``confirms=True``, which ask once their own policy has decided.

        This and the two below raise ApprovalRequired, ApprovalPending, ApprovalDenied, and QuestionForClient where the
        question is the call's result; in each case nothing was sent.
        """
        from ssh_mcp.remote.confirming import tool_matches

        await self.confirm(tool_matches(self), None)

    async def confirm_as_root(self) -> None:
        """The same for a tool that goes on as root by itself: rules about the sudo tier are meant for it too."""
        from ssh_mcp.remote.confirming import sudo_matches

        await self.confirm(sudo_matches(self), None, root=True)

    async def confirm_command(self, *commands: tuple[RemoteHost, PermittedCommand], where: str | None = None) -> None:
        """The same for commands that policy permitted, all of them in one question: a broadcast names all hosts.

        ``where``: the directory of a shell session, on which the effect of the same text depends.
        """
        from ssh_mcp.remote.confirming import command_matches, tool_matches

        found = [m for host, command in commands for m in command_matches(host, command)]
        texts = dict.fromkeys(command.text for _, command in commands)
        hosts = [host for host, _ in commands]
        await self.confirm((*tool_matches(self), *dict.fromkeys(found)), "\n".join(texts), hosts=hosts, where=where)

    async def confirm_write(self, host: RemoteHost, path: str, *, tree: bool = False) -> None:
        """The same for a canonical path that policy permitted to be written, replaced or removed; ``tree``: with
        everything below it.
        """
        from ssh_mcp.remote.confirming import tool_matches, write_matches

        await self.confirm((*tool_matches(self), *write_matches(host, path, tree=tree)), path)

    async def confirm(
        self,
        matches: Sequence[AskMatch],
        what: str | None,
        *,
        hosts: Sequence[RemoteHost] | None = None,
        where: str | None = None,
        root: bool = False,
    ) -> None:
        """Ask about ``what`` (a command's text, a canonical path) because of ``matches``; none: nobody is asked.

        ``hosts`` are those that it concerns, by default all of the call. What a person accepted already in this call is
        not asked again.
        """
        if not matches or self.accepted:
            return
        from ssh_mcp.errors import ApprovalRequired
        from ssh_mcp.remote.confirming import subject_of

        if self.approval is None:
            raise ApprovalRequired(
                f"The operator wants to be asked first ({matches[0].rule}), and nobody can be asked here.",
                "Make this call through an MCP client.",
            )
        try:
            subject = subject_of(self, self.hosts if hosts is None else hosts, what, where, root=root)
            await self.approval.confirm(subject, tuple(matches))
        finally:
            if self.approval.note is not None:
                self.record.approval(self.approval.note)

    async def progress(self, done: float, total: float | None = None, message: str | None = None) -> bool:
        """Report to the client, at most twice a second and only after the call's first second. False: not sent now."""
        now = time.monotonic()
        if now - self.started < PROGRESS_AFTER or now - self._last_progress < PROGRESS_EVERY:
            return False
        self._last_progress = now
        with contextlib.suppress(ConnectionError, RuntimeError):
            await self.send_progress(done, total, message)
        return True

    def fit_within(self, max_bytes: int | None) -> None:
        """Bound the result's text. Raises InvalidArgument where that is out of range."""
        most = max(self.fleet.settings.ssh_stdout_cap_bytes, MIN_RESULT_BYTES)
        if max_bytes is not None and not MIN_RESULT_BYTES <= max_bytes <= most:
            raise InvalidArgument(f"max_bytes is {max_bytes}.", f"It is {MIN_RESULT_BYTES} to {most}.")
        self.result_bytes = max_bytes

    def note_path(self, canonical: str) -> None:
        """The audit line hashes the canonical paths that the call touches."""
        self.record.path(canonical)

    def note_command(self, text: str) -> None:
        """The audit line hashes the command without its secrets: a short password could be found by its hash."""
        self.record.command(self.masked(text))

    def note_questions(self, text: str) -> None:
        """The same for a text of ours, which comes again and again: what it is with ``***`` is remembered."""
        self.record.command(_masked_before(text, self.fleet.inventory.default_redaction))

    def masked(self, text: str) -> str:
        """``text`` with ``***`` for each secret, to be kept where output would not be."""
        return _masked(text, self.fleet.inventory.default_redaction)

    def note_exit(self, exit_code: int) -> None:
        self.record.exit_code(exit_code)

    def note_bypass(self) -> None:
        """A redact-listed path was delivered raw."""
        self.record.redact_bypass()

    def warn(self, text: str) -> None:
        """A remark for the result's output_warnings."""
        if text not in self.warnings:
            self.warnings.append(text)


def _masked(text: str, policy: RedactionPolicy) -> str:
    from ssh_mcp.redaction.engine import redact_output, rules_from  # late: its patterns are a tenth of the start
    from ssh_mcp.redaction.values import MARKER

    return MARKER.sub("***", redact_output(text, rules_from(policy)).text)


_masked_before = lru_cache(maxsize=64)(_masked)
