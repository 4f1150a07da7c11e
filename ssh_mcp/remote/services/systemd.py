"""systemd units of a host. Arguments arrive validated; every value travels as a quoted token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ssh_mcp.errors import PlatformNotSupported
from ssh_mcp.facts import systemd as facts
from ssh_mcp.facts.init_systems import INIT_SYSTEMS
from ssh_mcp.remote.facts import ANSWER_CAP, act, ask_one, require_program, text_of
from ssh_mcp.remote.host import connection_of
from ssh_mcp.remote.services.elevated import Outcome, with_rights
from ssh_mcp.remote.services.init_systems import refusal, services_of
from ssh_mcp.results import systemd as results
from transports.errors import RemoteError

if TYPE_CHECKING:
    from ssh_mcp.facts.base import Fact
    from ssh_mcp.remote.host import RemoteHost
    from transports.api import Completed

_LOGS = "ssh_grep searches its log files: path /var/log, or /var/log/messages, /var/log/syslog."
_INSTEAD = "ssh_host_processes shows what runs; ssh_exec_run reaches another init system's tools."


async def _ask(
    host: RemoteHost, fact: Fact[object], program: str = "systemctl", *, cap: int | None = ANSWER_CAP
) -> Completed:
    """Raises PlatformNotSupported where another init system runs the host, RemoteError."""
    _require_no_other(host)
    done = await ask_one(host, fact, cap=cap)
    _require_systemd(host, done, program)
    if done.timed_out:
        raise RemoteError(f"{program} on {host.name} did not reply in time.", "Try again, or raise the timeout.")
    return done


def _require_systemd(host: RemoteHost, done: Completed, program: str) -> None:
    require_program(host, done.exit_code, text_of(done.stderr), program, what="systemd", instead=_INSTEAD)
    if done.exit_code != 0 and facts.NO_SYSTEMD.search(text_of(done.stderr)):
        raise _not_systemd(host)


def _require_no_other(host: RemoteHost) -> None:
    """Raises PlatformNotSupported where the host is known to be run by another init system."""
    known = host.call.fleet.capabilities.known(connection_of(host).destination)
    if known is not None and known.init in INIT_SYSTEMS:
        raise _not_systemd(host)


def _not_systemd(host: RemoteHost) -> PlatformNotSupported:
    return PlatformNotSupported(f"{host.name} is not run by systemd.", _INSTEAD)


async def _ask_unit_files(host: RemoteHost, fact: Fact[object], *, cap: int | None = ANSWER_CAP) -> Completed:
    """The same for what systemctl reads from unit files, which may be there although another init system runs."""
    await host.capabilities()
    return await _ask(host, fact, cap=cap)


def _cut(done: Completed) -> list[str]:
    """A remark where the output was longer than what is kept."""
    if done.stdout_total > len(done.stdout):
        return [f"The output has {done.stdout_total} bytes; the first {len(done.stdout)} are shown."]
    return []


def _said(done: Completed) -> str:
    """What is shown where stdout has nothing: systemctl explains a missing unit on stderr."""
    return text_of(done.stdout) or text_of(done.stderr)


async def status(host: RemoteHost, unit: str) -> results.UnitStatus:
    fact = facts.UnitStatus(unit)
    try:
        first = await _ask(host, fact, cap=None)
    except PlatformNotSupported as error:
        return (await services_of(host, error)).status(unit)
    # systemctl ends its text with the remark that some of the journal could not be read
    outcome = await with_rights(
        host, fact.command(), first, facts.SEES_NOT_ALL, instead=_journal_groups(host), said=first.stdout[-400:]
    )
    done = outcome.done
    parsed = fact.parse(text_of(done.stdout))
    return results.UnitStatus(
        host=host.name,
        unit=unit,
        stdout=_said(done),
        exit_code=done.exit_code,
        active_state=parsed.value,
        output_warnings=[*outcome.remarks, *_missing(outcome), *_cut(done)],
    )


async def cat(host: RemoteHost, unit: str) -> results.UnitText:
    try:
        done = await _ask_unit_files(host, facts.UnitFiles(unit), cap=None)
    except PlatformNotSupported as error:
        raise await refusal(host, error, unit, changes=False) from None
    return results.UnitText(
        host=host.name, unit=unit, stdout=_said(done), exit_code=done.exit_code, output_warnings=_cut(done)
    )


async def is_active(host: RemoteHost, unit: str) -> results.UnitActive:
    fact = facts.UnitState(unit)
    try:
        done = await _ask(host, fact)
    except PlatformNotSupported as error:
        return (await services_of(host, error)).active(unit)
    state = fact.parse(text_of(done.stdout)).value
    return results.UnitActive(host=host.name, unit=unit, state=state, exit_code=done.exit_code)


async def is_enabled(host: RemoteHost, unit: str) -> results.UnitEnabled:
    fact = facts.UnitFileState(unit)
    try:
        done = await _ask_unit_files(host, fact)
    except PlatformNotSupported as error:
        return (await services_of(host, error)).enabled(unit)
    state = fact.parse(text_of(done.stdout)).value
    return results.UnitEnabled(host=host.name, unit=unit, state=state, exit_code=done.exit_code)


async def is_failed(host: RemoteHost, unit: str) -> results.UnitFailed:
    fact = facts.UnitFailure(unit)
    try:
        done = await _ask(host, fact)
    except PlatformNotSupported as error:
        return (await services_of(host, error)).failed(unit)
    state = fact.parse(text_of(done.stdout)).value
    return results.UnitFailed(
        host=host.name, unit=unit, failed=state == "failed", state=state, exit_code=done.exit_code
    )


async def show(host: RemoteHost, unit: str, properties: tuple[str, ...]) -> results.UnitProperties:
    fact = facts.UnitProperties(unit, properties)
    try:
        done = await _ask(host, fact)
    except PlatformNotSupported as error:
        raise await refusal(host, error, unit, changes=False) from None
    parsed = fact.parse(text_of(done.stdout))
    remarks = [*parsed.problems, *_cut(done)]
    if done.exit_code != 0 and done.stderr.strip():
        remarks.append(text_of(done.stderr).strip()[:400])
    return results.UnitProperties(
        host=host.name, unit=unit, properties=parsed.value, exit_code=done.exit_code, output_warnings=remarks
    )


async def list_units(host: RemoteHost, pattern: str | None, state: str | None, unit_type: str) -> results.UnitList:
    fact = facts.UnitList(pattern, state, unit_type)
    try:
        done = await _ask(host, fact)
    except PlatformNotSupported as error:
        return (await services_of(host, error)).units(pattern, state, unit_type)
    parsed = fact.parse(text_of(done.stdout))
    remarks = [*parsed.problems, *_cut(done)]
    if done.exit_code != 0 and done.stderr.strip():
        remarks.append(text_of(done.stderr).strip()[:400])
    return results.UnitList(host=host.name, units=list(parsed.value), exit_code=done.exit_code, output_warnings=remarks)


async def journal(host: RemoteHost, fact: facts.Journal) -> results.JournalText:
    """The text holds at most what the host's output cap allows; the newest lines are the ones that are kept."""
    try:
        first = await _ask(host, fact, "journalctl")
    except PlatformNotSupported as error:
        raise PlatformNotSupported(error.what, _LOGS) from None
    outcome = await with_rights(
        host, fact.command(), first, facts.SEES_NOT_ALL, cap=ANSWER_CAP, instead=_journal_groups(host)
    )
    done = outcome.done
    cap = host.settings.ssh_stdout_cap_bytes
    lines = fact.without_notices(done.stdout)
    kept = lines[-cap:]
    cut = len(kept) < len(lines) or done.stdout_total > len(done.stdout)
    if len(kept) < len(lines):
        kept = kept[kept.find(b"\n") + 1 :]
    text = text_of(kept)
    remarks = [f"The lines have {done.stdout_total} bytes; the last {len(kept)} are shown."] if cut else []
    if done.exit_code != 0 and done.stderr.strip():
        remarks.append(text_of(done.stderr).strip()[:400])
    remarks = [*outcome.remarks, *_missing(outcome), *remarks]
    return results.JournalText(
        host=host.name,
        unit=fact.unit,
        stdout=text,
        lines_returned=fact.parse(text).value,
        exit_code=done.exit_code,
        stdout_truncated=cut,
        output_warnings=remarks,
    )


async def change(
    host: RemoteHost, action: results.UnitActionName, unit: str, timeout: float | None
) -> results.UnitAction:
    """One systemctl verb. A failure is data, with a hint where its cause is known."""
    verb = facts.unit_action(action, unit)
    await host.capabilities()  # systemctl enables units by their files, whatever init system runs
    try:
        _require_no_other(host)
        first = await act(host, verb, timeout=timeout)
        _require_systemd(host, first, "systemctl")
    except PlatformNotSupported as error:
        raise await refusal(host, error, unit, changes=True) from None
    outcome = await with_rights(host, verb, first, facts.MAY_NOT, timeout=timeout)
    done = outcome.done
    plain = host.commands.result(done)
    return results.UnitAction(
        host=host.name,
        unit=unit,
        action=action,
        exit_code=done.exit_code,
        stdout=plain.stdout,
        stderr=plain.stderr,
        timed_out=done.timed_out,
        hint=_hint(plain.stderr, outcome, action, unit) or plain.hint,
        output_warnings=[*outcome.remarks, *plain.output_warnings],
    )


def _journal_groups(host: RemoteHost) -> str:
    return f"The operator can also add {host.user or 'the login user'} to the group systemd-journal or adm."


def _missing(outcome: Outcome) -> list[str]:
    if outcome.missing is None:
        return []
    return [f"The login user sees only its own journal messages. {outcome.missing}"]


def _hint(stderr: str, outcome: Outcome, action: str, unit: str) -> str | None:
    if outcome.missing is not None:
        return f"The login user may not {action} units. {outcome.missing}"
    if "control process exited" in stderr or 'See "systemctl status' in stderr:
        return f"ssh_systemctl_status and ssh_journalctl of {unit} show why."
    if "is masked" in stderr:
        return "A masked unit cannot be started: ssh_systemctl_unmask first."
    return None
