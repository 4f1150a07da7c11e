"""Results of the device tools."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ssh_mcp.results.base import Ours, Spooled


class DeviceOutput(Spooled):
    """One command's text. ``failed`` is by the indicators of the system's definition; unknown where it has none."""

    command: str
    text: str = ""
    failed: bool | Literal["unknown"] = "unknown"
    duration_ms: int = 0


class DeviceResult(Spooled):
    """What a device printed. ``mode`` is the CLI's mode as its definition calls it."""

    host: Ours
    outputs: list[DeviceOutput] = Field(default_factory=list)
    prompt: str = ""
    mode: Ours | None = None


class DeviceConfigured(DeviceResult):
    """``diff`` is the system's own, null where it has none; ``applied`` False: nothing of it is in force."""

    diff: str | None = None
    applied: bool = False
    saved: bool = False
