"""Packages of a host by whichever package manager it has. Every value travels as a quoted token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ssh_mcp.errors import InvalidArgument, PlatformNotSupported
from ssh_mcp.facts import managers as facts
from ssh_mcp.facts.packages import lock_held
from ssh_mcp.policy import arguments
from ssh_mcp.remote.facts import act, ask_one, text_of
from ssh_mcp.remote.services.elevated import with_rights
from ssh_mcp.remote.services.packages import CHANGE_TIMEOUT, MAX_PACKAGES
from ssh_mcp.results import packages as results
from transports.errors import RemoteError

if TYPE_CHECKING:
    from ssh_mcp.remote.host import RemoteHost

_MAX_CHANGED: Final = 100
_UPDATES_THERE: Final = 100
"""Exit code of dnf and yum check-update where there are updates (dnf(8))."""


async def _manager(host: RemoteHost) -> str:
    """Raises PlatformNotSupported."""
    able = await host.require_shell()
    if able.package_manager is None:
        raise PlatformNotSupported(
            f"{host.name} has no package manager that these tools know.",
            f"They know {', '.join(facts.MANAGERS)}; ssh_exec_run reaches others.",
        )
    return able.package_manager


async def query(host: RemoteHost, what: results.PackageQuestion, name: str | None) -> results.PackageList:
    """Raises InvalidArgument where the question needs a name, PlatformNotSupported, RemoteError."""
    if name is None and what in ("search", "show", "owner"):
        raise InvalidArgument(f"{what} needs a name.", "Give name a package, a word, or with owner an absolute path.")
    if name is not None:
        name = _checked(what, name)
    fact = facts.PackageQuery(await _manager(host), what, name)
    done = await ask_one(host, fact)
    if done.timed_out:
        raise RemoteError(f"{fact.manager} on {host.name} did not reply in time.", "Ask for fewer packages.")
    text = text_of(done.stdout)
    parsed = fact.parse(text)
    rows = list(parsed.value[:MAX_PACKAGES])
    remarks = [*parsed.problems]
    if done.exit_code not in (0, _UPDATES_THERE) and done.stderr.strip():
        remarks += text_of(done.stderr).strip().splitlines()[:5]
    if len(rows) < len(parsed.value):
        remarks.append(f"The first {MAX_PACKAGES} of {len(parsed.value)} rows: give a name.")
    return results.PackageList(
        host=host.name,
        manager=fact.manager,
        what=what,
        packages=rows,
        text=text if fact.question.reader is None else "",
        total=len(parsed.value),
        truncated=len(rows) < len(parsed.value) or done.stdout_total > len(done.stdout),
        exit_code=done.exit_code,
        output_warnings=remarks,
    )


def _checked(what: results.PackageQuestion, name: str) -> str:
    if what == "owner":
        if not name.startswith("/"):
            raise InvalidArgument("owner needs an absolute path.", "Such as /usr/sbin/nginx.")
        return name
    return arguments.package_search(name) if what == "search" else arguments.any_package(name)


async def change(
    host: RemoteHost,
    action: results.PackageChangeName,
    packages: list[str],
    *,
    dry_run: bool,
    timeout: float | None,
) -> results.PackageChange:
    """One run of the package manager, as root where the login may not. Raises RemoteError where it is locked."""
    if not packages and action != "upgrade":
        raise InvalidArgument(f"{action} needs packages.", "Name at least one.")
    if len(packages) > _MAX_CHANGED:
        raise InvalidArgument(f"{len(packages)} packages at once.", f"Name at most {_MAX_CHANGED}.")
    names = tuple(arguments.any_package(p) for p in packages)
    manager = await _manager(host)
    if manager == "apt":
        names = tuple(arguments.package_with_version(p) for p in names)
    run = facts.change(manager, action, names, dry_run=dry_run)
    limit = CHANGE_TIMEOUT if timeout is None else timeout
    first = await act(host, run, timeout=limit)
    said = first.stderr + first.stdout[-2000:] if first.exit_code != 0 else b""
    outcome = await with_rights(host, run, first, facts.MANAGERS[manager].may_not, timeout=limit, said=said)
    done = outcome.done
    plain = host.commands.result(done)
    lock = lock_held(plain.stderr) if done.exit_code != 0 else None
    if lock is not None:
        raise RemoteError(
            f"Another package manager is running on {host.name}; nothing was changed.", "Wait until it has ended."
        )
    missing = outcome.missing and f"The login user may not change packages. {outcome.missing}"
    return results.PackageChange(
        host=host.name,
        manager=manager,
        action=action,
        packages=list(names),
        dry_run=dry_run,
        exit_code=done.exit_code,
        stdout=plain.stdout,
        stderr=plain.stderr,
        duration_ms=plain.duration_ms,
        stdout_truncated=plain.stdout_truncated,
        timed_out=done.timed_out,
        hint=missing or plain.hint,
        output_warnings=[*outcome.remarks, *plain.output_warnings],
    )
