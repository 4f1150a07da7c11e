"""Results about systemd units."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ssh_mcp.results.base import Ours, Result, Spooled

ActiveState = Literal["active", "inactive", "failed", "activating", "deactivating", "reloading", "unknown"]
EnabledState = Literal[
    "enabled",
    "enabled-runtime",
    "linked",
    "linked-runtime",
    "alias",
    "masked",
    "masked-runtime",
    "static",
    "indirect",
    "disabled",
    "generated",
    "transient",
    "bad",
    "not-found",
    "unknown",
]
UnitActionName = Literal["start", "stop", "restart", "reload", "enable", "disable", "mask", "unmask", "reset-failed"]


InitName = Literal["systemd", "openrc", "runit"]
"""What runs the host's services. The states of the others are given in systemd's words."""


class UnitText(Spooled):
    """A unit's text as systemctl prints it. Counts are given where the text is cut."""

    host: Ours
    unit: Ours
    stdout: str
    exit_code: int
    stdout_bytes: int = 0
    stdout_lines: int = 0
    stdout_truncated: bool = False


class UnitStatus(UnitText):
    """Exit codes 3 (not running) and 4 (no such unit) are data."""

    active_state: str | None = None
    init: InitName = "systemd"


class JournalText(UnitText):
    """Journal lines, oldest first, times in ISO form."""

    lines_returned: int


class UnitActive(Result):
    """Result of ssh_systemctl_is_active."""

    host: Ours
    unit: Ours
    state: ActiveState
    exit_code: int
    init: InitName = "systemd"


class UnitEnabled(Result):
    """Result of ssh_systemctl_is_enabled."""

    host: Ours
    unit: Ours
    state: EnabledState
    exit_code: int
    init: InitName = "systemd"


class UnitFailed(Result):
    """Result of ssh_systemctl_is_failed."""

    host: Ours
    unit: Ours
    failed: bool
    state: str
    exit_code: int
    init: InitName = "systemd"


class SystemctlUnitEntry(Result):
    """One row of ``systemctl list-units``."""

    unit: str
    load: str
    active: str
    sub: str
    description: str


class UnitList(Spooled):
    """Result of ssh_systemctl_list_units."""

    host: Ours
    units: list[SystemctlUnitEntry] = Field(default_factory=list)
    exit_code: int
    init: InitName = "systemd"


class UnitProperties(Spooled):
    """``systemctl show``; a property that is printed several times has its values on lines of their own."""

    host: Ours
    unit: Ours
    properties: dict[str, str] = Field(default_factory=dict)
    exit_code: int


class UnitAction(Spooled):
    """How an action on a unit ended. ``hint`` says what to do about a recognisable failure."""

    host: Ours
    unit: Ours
    action: UnitActionName
    exit_code: int
    stdout: str
    stderr: str
    timed_out: bool = False
    hint: Ours | None = None
