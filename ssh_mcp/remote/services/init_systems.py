"""Services of hosts that OpenRC or runit runs, for the tools that read units: what changes them is refused."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from ssh_mcp.errors import PlatformNotSupported
from ssh_mcp.facts.init_systems import DENIED, INIT_SYSTEMS, InitSystem, Service
from ssh_mcp.remote.facts import ask_one, text_of
from ssh_mcp.remote.services.elevated import with_rights
from ssh_mcp.results import systemd as results
from transports.errors import RemoteError

if TYPE_CHECKING:
    from ssh_mcp.remote.host import RemoteHost

_RUNNING: Final = 0
_NOT_RUNNING: Final = 3
_NO_SUCH: Final = 4
"""systemctl's exit codes, which callers know."""


class Services:
    """One host's services by its init system. ``remarks`` are for output_warnings."""

    def __init__(self, host: RemoteHost, system: InitSystem, rows: tuple[Service, ...], remarks: list[str]) -> None:
        self._host = host
        self._system = system
        self._init: results.InitName = system.name
        self._rows = rows
        self._remarks = remarks

    def _named(self, unit: str) -> Service | None:
        name = unit.removesuffix(".service")
        return next((row for row in self._rows if row.name == name), None)

    def status(self, unit: str) -> results.UnitStatus:
        row = self._named(unit)
        text = (
            f"{unit}: {self._system.title} has no such service.\n"
            if row is None
            else f"{row.name}: {row.word}; {row.detail}\n"
        )
        return results.UnitStatus(
            host=self._host.name,
            unit=unit,
            stdout=text,
            exit_code=_exit_code(row),
            active_state=None if row is None else row.active,
            init=self._init,
            output_warnings=self._remarks,
        )

    def active(self, unit: str) -> results.UnitActive:
        row = self._named(unit)
        state = "unknown" if row is None else row.active
        return results.UnitActive(
            host=self._host.name, unit=unit, state=state, exit_code=_exit_code(row), init=self._init
        )

    def enabled(self, unit: str) -> results.UnitEnabled:
        row = self._named(unit)
        state: results.EnabledState = "not-found" if row is None else "enabled" if row.enabled else "disabled"
        return results.UnitEnabled(
            host=self._host.name, unit=unit, state=state, exit_code=int(state != "enabled"), init=self._init
        )

    def failed(self, unit: str) -> results.UnitFailed:
        row = self._named(unit)
        state = "unknown" if row is None else row.active
        failed = state == "failed"
        return results.UnitFailed(
            host=self._host.name, unit=unit, failed=failed, state=state, exit_code=int(not failed), init=self._init
        )

    def units(self, pattern: str | None, state: str | None, unit_type: str) -> results.UnitList:
        """Inactive ones only with a pattern or a state, as systemctl does; other types than services exist nowhere."""
        wanted = [
            row
            for row in self._rows
            if unit_type == "service"
            and (pattern is None or fnmatchcase(row.name, pattern) or fnmatchcase(f"{row.name}.service", pattern))
            and (state is None or state in (row.active, row.word) or (state == "running" and row.active == "active"))
            and (pattern is not None or state is not None or row.active != "inactive")
        ]
        return results.UnitList(
            host=self._host.name,
            units=[
                results.SystemctlUnitEntry(
                    unit=row.name, load="loaded", active=row.active, sub=row.word, description=row.detail
                )
                for row in wanted
            ],
            exit_code=0,
            init=self._init,
            output_warnings=self._remarks,
        )


def _exit_code(row: Service | None) -> int:
    if row is None:
        return _NO_SUCH
    return _RUNNING if row.active == "active" else _NOT_RUNNING


async def services_of(host: RemoteHost, error: PlatformNotSupported) -> Services:
    """The services of a host that systemd does not run. Raises ``error`` where we know its init system as little."""
    init = (await host.capabilities()).init
    system = INIT_SYSTEMS.get(init or "")
    if system is None:
        raise error
    done = await ask_one(host, system)
    if done.timed_out:
        raise RemoteError(f"{system.title} on {host.name} did not reply in time.", "Try again, or raise the timeout.")
    outcome = await with_rights(host, system.command(), done, DENIED, said=done.stdout)
    parsed = system.parse(text_of(outcome.done.stdout))
    remarks = [*outcome.remarks, *parsed.problems]
    if outcome.missing is not None:
        remarks.append(f"The login user may not see the state of services. {outcome.missing}")
    return Services(host, system, parsed.value, remarks)


async def refusal(host: RemoteHost, error: PlatformNotSupported, unit: str, *, changes: bool) -> PlatformNotSupported:
    """Why a tool of systemd's alone does not serve here, and what does."""
    system = INIT_SYSTEMS.get((await host.capabilities()).init or "")
    if system is None:
        return error
    name = unit.removesuffix(".service")
    by_hand = f"`{(system.change if changes else system.status).format(name=name)}`"
    return PlatformNotSupported(
        f"{host.name} is run by {system.title}, whose services these tools only list and show.",
        f"ssh_systemctl_status and ssh_systemctl_list_units work there. ssh_sudo_exec runs commands like {by_hand}.",
    )
