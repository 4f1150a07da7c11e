"""The one way into a tool: validate, resolve, audit, run, guard. No tool does any of it, and none can leave it out."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import ValidationError

from ssh_mcp.approval.channels import ClientChannel, NoClient, QuestionForClient
from ssh_mcp.approval.desk import CallApproval
from ssh_mcp.audit.hooks import HookContext, Hooks
from ssh_mcp.audit.sinks import Audit, AuditCall
from ssh_mcp.errors import (
    ApprovalRequired,
    CutShort,
    InvalidArgument,
    PlatformNotSupported,
    Refusal,
    TierClosed,
    UnknownTool,
    public_text,
)
from ssh_mcp.guard.aside import LONG, aside, weight
from ssh_mcp.guard.fit import Budget, fit, has_long_texts
from ssh_mcp.guard.spool import Owner
from ssh_mcp.inventory.values import nearest, shown
from ssh_mcp.policy.closed import ClosedTools
from ssh_mcp.remote.admission import admit
from ssh_mcp.remote.call import Call, ProgressSender, no_progress
from ssh_mcp.remote.caller import Caller
from ssh_mcp.remote.fleet import Fleet
from ssh_mcp.remote.host import RemoteHost
from ssh_mcp.results.base import Result
from ssh_mcp.tools.catalogue import Entry
from ssh_mcp.tools.modules import load
from ssh_mcp.tools.spec import ToolSpec
from transports.errors import TransportError

if TYPE_CHECKING:
    from ssh_mcp.guard.guard import Guard
    from ssh_mcp.recording.moments import Moment
    from ssh_mcp.recording.recorder import Recorder

logger = logging.getLogger("ssh_mcp")

UNKNOWN = Caller()
NOBODY = NoClient()
"""Who calls from within this process: resources, and tests that drive the runner."""

_NAME = re.compile(r"[A-Za-z0-9._:-]{1,253}")
_PREFIX = "ssh_"
_FAN_OUT = 1000
_FIT_IS_LIGHTER = 8
"""How much less cutting takes than guarding, for which the limit of ``aside`` is made."""
_SURROGATE = re.compile("[\ud800-\udfff]")


def child_entry(call: Call, name: str) -> Entry:
    """The open tool that a call may run for each of its hosts. Raises TierClosed, InvalidArgument."""
    runner = call.runner
    assert isinstance(runner, Runner)
    entry = runner.entries.get(name)
    if entry is None:
        closed = runner.fleet.facts.closed
        if name in closed:
            raise closed.refusal(name)
        guess = nearest(name, list(runner.entries))
        instead = f"Did you mean {guess}?" if guess else "Name one of the listed tools."
        raise InvalidArgument(f"There is no tool {shown(name)}.", instead)
    if load(entry.family, entry.name).hosts != ("host",):
        raise InvalidArgument(f"{name} does not take one host.", "Call it directly.")
    return entry


async def run_child(call: Call, entry: Entry, arguments: Mapping[str, Any], *, accepted: bool) -> Result:
    """Run a tool for another call: its own audit line, policy and guard. Raises ToolFailed."""
    runner = call.runner
    assert isinstance(runner, Runner)
    return await runner.run(entry, arguments, caller=call.caller, parent=call, accepted=accepted)


class ToolFailed(Exception):
    """``str()`` is what the client reads: ``ClassName: what happened. What to do.``"""


class SpecLoader(Protocol):
    """Where a tool's spec comes from; the tests put one of their own here."""

    def __call__(self, family: str, name: str) -> ToolSpec: ...


@dataclass(slots=True)
class Runner:
    """Runs tools of the catalogue. One per server."""

    fleet: Fleet
    audit: Audit
    hooks: Hooks
    load_spec: SpecLoader = load
    recorder: Recorder | None = None
    entries: Mapping[str, Entry] = field(default_factory=dict)
    """The open tools by name: what one tool may call for another."""

    async def run(
        self,
        entry: Entry,
        arguments: Mapping[str, Any],
        send_progress: ProgressSender = no_progress,
        caller: Caller = UNKNOWN,
        client: ClientChannel = NOBODY,
        *,
        parent: Call | None = None,
        accepted: bool = False,
    ) -> Result:
        """Return the tool's guarded result. Raises ToolFailed for every refusal and failure.

        ``parent`` is the call that makes this one, which bounds its own result; ``accepted``: a person was asked there.
        """
        self.fleet.refresh()
        record = self._opened_record(entry, arguments, caller, parent)
        call = Call(
            fleet=self.fleet,
            record=record,
            send_progress=send_progress,
            caller=caller,
            tool=entry.name,
            group=entry.group,
            tier=entry.tier,
            approval=CallApproval(self.fleet.approvals, client, caller.client or "the client"),
            accepted=accepted,
            runner=self,
        )
        failure: BaseException | None = None
        self.fleet.running[record.correlation_id] = call
        try:
            if parent is None:
                self.fleet.rate.take(caller.identity)
            admit(call, entry.tier, arguments)
            self.audit.require(entry.tier)
            guarded = await self._run(entry, arguments, call)
            return guarded if parent is not None else await self._fitted(guarded, call)
        except (Refusal, TransportError) as error:
            failure = error
            await self._record_cut(error, call)
            raise ToolFailed(await self._shown(error, call)) from None
        except QuestionForClient as question:
            failure = question
            raise
        except Exception as error:
            failure = error
            logger.exception("%s %s failed", record.correlation_id, entry.name)
            raise ToolFailed(
                f"RemoteError: {entry.name} failed inside the server ({type(error).__name__}). "
                f"The server's log has it under {record.correlation_id}."
            ) from None
        except BaseException as error:
            failure = error
            raise
        finally:
            self.fleet.running.pop(record.correlation_id, None)
            self.hooks.notify(HookContext.after(record.finish(failure)))

    def _opened_record(
        self, entry: Entry, arguments: Mapping[str, Any], caller: Caller, parent: Call | None
    ) -> AuditCall:
        """The audit record of a call that begins, with the hosts as the caller wrote them; hooks are notified."""
        record = self.audit.begin(entry.name, entry.tier)
        record.caller(caller.identity, caller.client, caller.session)
        claimed = _claimed_host(arguments)
        if claimed is not None:
            record.host(claimed)
        elif "hosts" in entry.input_schema.get("properties", {}):
            record.hosts(_claimed_hosts(arguments))
        if parent is not None:
            record.parent(parent.record.correlation_id)
        self.hooks.notify(HookContext.before(entry.name, entry.tier, claimed, record.correlation_id))
        return record

    async def _shown(self, error: Refusal | TransportError, call: Call) -> str:
        """The guarded text of a failure, without advice to use closed tools."""
        from ssh_mcp.remote.without_shell import with_what_works

        text = public_text(await with_what_works(error, call.hosts))
        for guard in self._guards(call):
            text = (await aside(len(text), guard.text, text)).text
        named = isinstance(error, TierClosed)  # its text names the closed tool to say what opens it
        return text if named else self.fleet.facts.closed.without_advice(text)

    def refuse_absent(self, name: str, arguments: Mapping[str, Any], tier: str, known: Collection[str]) -> str | None:
        """Write the audit line of a call that reaches no tool; ``tier`` is ``?`` where the name is none of ours.

        ``known``: the names of the open tools.

        Returns the sentence for the client where the tool is closed, or where an open one has a similar name; else
        None.
        """
        record = self.audit.begin(name if _NAME.fullmatch(name) else "?", tier)
        claimed = _claimed_host(arguments)
        if claimed is not None:
            record.host(claimed)
        closed = self.fleet.facts.closed
        refusal = closed.refusal(name) if name in closed else None
        record.finish(refusal or UnknownTool("There is no such tool here."))
        if refusal:
            return public_text(refusal)
        guess = nearest_tool(name, known) if _NAME.fullmatch(name) else None
        return f"Unknown tool: {name!r}. Did you mean {guess}?" if guess else None

    def note_bad_state(self, name: str, arguments: Mapping[str, Any], tier: str) -> None:
        """Write the audit line of a call whose state (an approval's) is forged, altered, expired or another call's."""
        record = self.audit.begin(name if _NAME.fullmatch(name) else "?", tier)
        claimed = _claimed_host(arguments)
        if claimed is not None:
            record.host(claimed)
        record.finish(ApprovalRequired("The approval that came with this call is for another call."))

    async def _run(self, entry: Entry, arguments: Mapping[str, Any], call: Call) -> Result:
        spec = self.load_spec(entry.family, entry.name)
        values = _validated(spec, arguments)
        call.arguments = dict(values)
        for name in spec.hosts:
            host = await call.host(values[name])
            values[name] = host
            if spec.windows_instead is not None and host.policy.windows:
                raise PlatformNotSupported(
                    f"{entry.name} needs a POSIX shell, and {host.name} is a Windows host.", spec.windows_instead
                )
            if spec.windows_instead is not None and host.policy.device is not None:
                raise PlatformNotSupported(
                    f"{host.name} is a network device ({host.policy.device.definition}) without a shell.",
                    "ssh_device_run sends it commands; ssh_terminal_open shows its prompt.",
                )
        _note_hosts(call.record, call.hosts)
        if not spec.confirms:
            await call.confirm_tool()
        if spec.call_parameter is not None:
            values[spec.call_parameter] = call
        result = await spec.function(**values)
        guarded = result
        for guard in self._guards(call):
            guarded = await aside(weight(guarded), guard.result, guarded)
        warnings = getattr(guarded, "output_warnings", None)
        if warnings is not None:
            warnings.extend(w for w in call.warnings if w not in warnings)
        if self.recorder is not None:
            await self._record(self.recorder, guarded, call)
        _without_closed_advice(guarded, self.fleet.facts.closed)
        return guarded

    async def _record(self, recorder: Recorder, guarded: Result, call: Call) -> None:
        """Put what a command showed into its recording, redacted also where the result is not."""
        from ssh_mcp.recording.moments import moments

        job_id = call.arguments.get("job_id")
        found = list(
            moments(
                guarded,
                call.record.correlation_id,
                call.record.masked_command,
                job_id if isinstance(job_id, str) else None,
            )
        )
        if found:
            await self._add(recorder, found, weight(guarded), call)

    async def _record_cut(self, error: Exception, call: Call) -> None:
        """Put what had arrived of a lost command into its recording."""
        if self.recorder is None or not isinstance(error, CutShort):
            return
        from ssh_mcp.recording.moments import cut_short

        session_id = call.arguments.get("session_id")
        host = call.hosts[0].name if call.hosts else ""
        own = session_id if isinstance(session_id, str) else None
        part = cut_short(error, host, call.record.correlation_id, call.record.masked_command, own)
        await self._add(self.recorder, [part], len(error.output), call)

    async def _add(self, recorder: Recorder, parts: Sequence[Moment], size: int, call: Call) -> None:
        try:
            made = await aside(size, recorder.add, parts, call.tool, self._guards(call, always=True))
        except OSError as error:
            logger.warning("a call was not recorded: %s", error.strerror or type(error).__name__)
            return
        call.record.recording(made.name, made.sha256)

    async def _fitted(self, result: Result, call: Call) -> Result:
        """The result within its budget; what does not fit is kept for ``ssh_output_read``."""
        settings = self.fleet.settings
        total = call.result_bytes or settings.ssh_result_max_bytes
        goes_on = has_long_texts(result)
        size = 0 if goes_on else len(result.model_dump_json())  # a long text's field alone may be a megabyte
        if size <= total and not goes_on:
            return result
        budget = Budget(total, {"stdout": settings.ssh_stdout_cap_bytes, "stderr": settings.ssh_stderr_cap_bytes})
        keep = partial(self.fleet.spool.keep, Owner(call.caller.identity, call.caller.scope))
        return await aside(LONG if goes_on else size // _FIT_IS_LIGHTER, fit, result, budget, keep)

    def _guards(self, call: Call, *, always: bool = False) -> list[Guard]:
        """The guards of the call's hosts, one per policy: only the tool knows whose text it is, so the strictest wins.

        What a tool has guarded host by host is marked so, and passes. ``always``: they redact whatever the policy says.
        """
        from ssh_mcp.guard.shared import guard_for  # late: its patterns are a tenth of the start

        policies = dict.fromkeys(host.policy.redaction for host in call.hosts)
        policies = policies or dict.fromkeys((self.fleet.inventory.default_redaction,))
        if always:
            policies = dict.fromkeys(replace(policy, output=True) for policy in policies)
        return [guard_for(policy).knowing(call.known_secrets) for policy in policies]


def _without_closed_advice(result: Result, closed: ClosedTools) -> None:
    """Hints and remarks of ours are written for a server with every tool open."""
    if not closed.reasons:
        return
    warnings = getattr(result, "output_warnings", None)
    if warnings:
        warnings[:] = [closed.without_advice(line) for line in warnings]
    hint = getattr(result, "hint", None)
    if isinstance(hint, str) and hint:
        result.hint = closed.without_advice(hint)  # type: ignore[attr-defined]


def nearest_tool(name: str, known: Collection[str]) -> str | None:
    """The tool that ``name`` was probably meant to be. The prefix that all have counts for nothing."""
    by_rest = {each.removeprefix(_PREFIX): each for each in known}
    found = nearest(name.lower().removeprefix(_PREFIX), by_rest)
    return by_rest[found] if found else None


def _claimed_host(arguments: Mapping[str, Any]) -> str | None:
    """The host as the caller wrote it, until it is resolved: a refused name is audited too, if it looks like a name."""
    name = arguments.get("host", arguments.get("src_host"))
    return name if isinstance(name, str) and _NAME.fullmatch(name) else None


def _claimed_hosts(arguments: Mapping[str, Any]) -> list[str]:
    """Those of a fan-out, as the caller wrote them."""
    names = arguments.get("hosts")
    given = names[:_FAN_OUT] if isinstance(names, list) else []
    return list(dict.fromkeys(n for n in given if isinstance(n, str) and _NAME.fullmatch(n)))


def _note_hosts(record: AuditCall, hosts: list[RemoteHost]) -> None:
    if len(hosts) == 1:
        hosts[0].note_login()
    elif hosts:
        record.hosts([host.name for host in hosts])


def _validated(spec: ToolSpec, arguments: Mapping[str, Any]) -> dict[str, Any]:
    for name, value in arguments.items():
        if _has_surrogate(value):
            raise InvalidArgument(
                f"{name[:80] if name in spec.parameters else 'An argument'} of {spec.name} contains a lone "
                "surrogate, which is not valid Unicode.",
                "Give it without, or data as base64.",
            )
    try:
        model = spec.arguments.model_validate(dict(arguments))
    except ValidationError as error:
        raise InvalidArgument(
            f"{spec.name} got wrong arguments: {_in_words(error)}.", _what_it_takes(spec, error)
        ) from None
    return {name: getattr(model, name) for name in spec.parameters}


def _has_surrogate(value: Any) -> bool:
    """Whether a text in ``value`` can be neither sent nor returned: JSON from the wire has none, other callers may."""
    if isinstance(value, str):
        return not value.isascii() and _SURROGATE.search(value) is not None
    if isinstance(value, Mapping):
        return any(_has_surrogate(v) for pair in value.items() for v in pair)
    return isinstance(value, list | tuple) and any(_has_surrogate(v) for v in value)


def _what_it_takes(spec: ToolSpec, error: ValidationError) -> str:
    """The names where a name is wrong: a client that searches for tools may not have the schema at hand."""
    kinds = {c["type"] for c in error.errors(include_url=False, include_context=False, include_input=False)}
    if "extra_forbidden" not in kinds:
        return "The tool's schema says what it takes."
    return f"It takes {', '.join(spec.arguments.model_fields) or 'no arguments'}."


def _in_words(error: ValidationError) -> str:
    """The first three complaints without the values, which may be secrets."""
    complaints = error.errors(include_url=False, include_context=False, include_input=False)
    parts = [f"{'.'.join(shown(str(p), 60) for p in c['loc']) or 'arguments'}: {c['msg']}" for c in complaints[:3]]
    if len(complaints) > 3:
        parts.append(f"and {len(complaints) - 3} more")
    return "; ".join(parts)
