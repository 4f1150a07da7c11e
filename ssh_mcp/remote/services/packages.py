"""Debian packages of a host. Arguments arrive validated; every value travels as a quoted token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ssh_mcp.facts import packages as facts
from ssh_mcp.remote.facts import act, ask, ask_one, require_program, text_of
from ssh_mcp.remote.services.elevated import Outcome, with_rights
from ssh_mcp.results import packages as results
from transports.errors import RemoteError

if TYPE_CHECKING:
    from ssh_mcp.facts.base import Fact
    from ssh_mcp.remote.host import RemoteHost
    from ssh_mcp.tokens import Command
    from transports.api import Completed

MAX_PACKAGES = 1000
"""Rows of ssh_apt_list; a whole distribution has sixty thousand."""

MAX_HITS = 200
"""Rows of ssh_apt_search."""

CHANGE_TIMEOUT = 900.0
"""Seconds a change gets unless the caller says otherwise: ending dpkg half way leaves packages half configured."""

_INSTEAD = "These tools need apt; ssh_exec_run reaches the host's own package manager."


def _require_apt(host: RemoteHost, done: Completed) -> None:
    for program in ("apt", "dpkg"):
        require_program(host, done.exit_code, text_of(done.stderr), program, what="apt", instead=_INSTEAD)


async def _ask(host: RemoteHost, fact: Fact[object], timeout: float | None = None) -> Completed:
    done = await ask_one(host, fact, timeout=timeout)
    _require_apt(host, done)
    if done.timed_out:
        raise RemoteError(f"The package database of {host.name} did not reply in time.", "Ask for fewer packages.")
    return done


def _complaints(done: Completed) -> list[str]:
    """What apt said on stderr, its notice about scripts left out."""
    lines = [line.strip() for line in text_of(done.stderr).splitlines()]
    said = [line for line in lines if line and "stable CLI interface" not in line]
    return said[:5] if done.exit_code != 0 else []


async def list_packages(host: RemoteHost, mode: results.AptMode, pattern: str | None) -> results.AptList:
    fact = facts.PackageList(mode, pattern)
    done = await _ask(host, fact)
    parsed = fact.parse(text_of(done.stdout))
    cut = done.stdout_total > len(done.stdout)
    nothing = bool(facts.NO_MATCH.search(text_of(done.stderr)))
    remarks = [*parsed.problems] if nothing else [*parsed.problems, *_complaints(done)]
    if cut or len(parsed.value) > MAX_PACKAGES:
        remarks.append(f"The first {MAX_PACKAGES} of {len(parsed.value)} rows: give a pattern such as 'lib*'.")
    return results.AptList(
        host=host.name,
        mode=mode,
        packages=list(parsed.value[:MAX_PACKAGES]),
        total=len(parsed.value),
        truncated=cut or len(parsed.value) > MAX_PACKAGES,
        output_warnings=remarks,
    )


async def search(host: RemoteHost, pattern: str) -> results.AptSearch:
    fact = facts.PackageSearch(pattern)
    done = await _ask(host, fact)
    parsed = fact.parse(text_of(done.stdout))
    hits = list(parsed.value[:MAX_HITS])
    cut = len(hits) < len(parsed.value) or done.stdout_total > len(done.stdout)
    return results.AptSearch(
        host=host.name,
        pattern=pattern,
        results=hits,
        total=len(parsed.value),
        truncated=cut,
        output_warnings=[*parsed.problems, *_complaints(done)],
    )


async def show(host: RemoteHost, package: str) -> results.AptShow:
    """Two questions, one session. A package that apt does not know has no versions, and a remark says so."""
    policy, record = facts.PolicyOf(package), facts.RecordOf(package)
    replies = await ask(host, policy, record)
    reply = replies.reply(policy)
    require_program(host, reply.exit_code, reply.error_text, "apt-cache", what="apt", instead=_INSTEAD)
    versions, stanza = replies.read(policy), replies.read(record)
    if not versions.known:
        replies.problems.append(f"apt knows no package {package}: ssh_apt_search finds names.")
    return results.AptShow(
        host=host.name,
        package=package,
        installed_version=versions.installed,
        candidate_version=versions.candidate,
        repos=list(versions.repos),
        description=stanza.description,
        depends=stanza.of("Depends"),
        recommends=stanza.of("Recommends"),
        suggests=stanza.of("Suggests"),
        conflicts=stanza.of("Conflicts"),
        breaks=stanza.of("Breaks"),
        replaces=stanza.of("Replaces"),
        output_warnings=replies.problems,
    )


async def holds(host: RemoteHost, timeout: float | None) -> results.AptHolds:
    fact = facts.Holds()
    done = await _ask(host, fact, timeout)
    plain = host.commands.result(done)
    parsed = fact.parse(plain.stdout)
    return results.AptHolds(
        host=host.name,
        held=list(parsed.value),
        stdout=plain.stdout,
        stderr=plain.stderr,
        exit_code=done.exit_code,
        duration_ms=plain.duration_ms,
        stdout_truncated=plain.stdout_truncated,
        output_warnings=[*plain.output_warnings, *parsed.problems],
    )


async def change(
    host: RemoteHost,
    action: results.AptActionName,
    packages: tuple[str, ...],
    command: Command,
    timeout: float | None,
) -> results.AptAction:
    """One apt-get or apt-mark run. Raises RemoteError where another package manager holds the lock."""
    limit = CHANGE_TIMEOUT if timeout is None else timeout
    first = await act(host, command, timeout=limit)
    _require_apt(host, first)
    outcome = await with_rights(host, command, first, facts.MAY_NOT, timeout=limit)
    done = outcome.done
    plain = host.commands.result(done)
    lock = facts.lock_held(plain.stderr) if done.exit_code != 0 else None
    if lock is not None:
        by = f" ({lock.holder})" if lock.holder else ""
        raise RemoteError(
            f"Another package manager is running on {host.name}{by}; nothing was changed.", "Wait until it has ended."
        )
    return results.AptAction(
        host=host.name,
        action=action,
        packages=list(packages),
        exit_code=done.exit_code,
        stdout=plain.stdout,
        stderr=plain.stderr,
        duration_ms=plain.duration_ms,
        stdout_truncated=plain.stdout_truncated,
        timed_out=done.timed_out,
        hint=_hint(done, outcome, plain.stderr + plain.stdout) or plain.hint,
        output_warnings=[*outcome.remarks, *plain.output_warnings],
    )


def _hint(done: Completed, outcome: Outcome, said: str) -> str | None:
    if done.timed_out:
        return "apt was ended at its timeout: 'dpkg --configure -a' repairs what is half configured."
    if done.exit_code == 0:
        return None
    if outcome.missing is not None:
        return f"The login user may not change packages. {outcome.missing}"
    if "dpkg was interrupted" in said:
        return "An earlier run was cut off: 'dpkg --configure -a' repairs it."
    if "Unable to locate package" in said:
        return "apt knows no such package: ssh_apt_search finds names, and update_first fetches new lists."
    if "Held packages were changed" in said:
        return "A held package is in the way: ssh_apt_show_holds lists them, ssh_apt_mark unholds."
    if "unmet dependencies" in said:
        return "A dependency cannot be had: ssh_apt_show names what the package needs."
    return None
