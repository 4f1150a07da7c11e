"""Network systems by scrapli's definition files: their modes, prompts, how one mode leads to another, their errors.

Only the files are used, not scrapli's driver: ``docs/adr/0015-devices-by-our-own-driver.md`` says why.
"""

from __future__ import annotations

import importlib.util
import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

from ssh_mcp.errors import PlatformNotSupported

_PASSWORD: Final = r"pass(?:word|code):\s*\Z"
"""What a device asks where its definition's own pattern does not match, such as ``Enable password:``."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line to send. ``ask`` matches the question that may follow; it is answered with the enable secret.

    ``write``: what comes back is not tied to a prompt, and is over once it pauses.
    """

    kind: Literal["send", "ask", "write"]
    text: str
    ask: re.Pattern[str] | None = None


@dataclass(frozen=True, slots=True)
class Mode:
    """``ways``: the steps that lead to another mode, by its name."""

    name: str
    prompt: re.Pattern[str]
    excludes: tuple[str, ...]
    ways: Mapping[str, tuple[Step, ...]]

    def shows(self, prompt: str) -> bool:
        return self.prompt.search(prompt) is not None and not any(each in prompt for each in self.excludes)


@dataclass(frozen=True, slots=True)
class Definition:
    """One system. ``opening`` is sent in its default mode before anything else: no pager, a wide line."""

    name: str
    modes: tuple[Mode, ...]
    default_mode: str
    errors: tuple[str, ...]
    opening: tuple[Step, ...]

    def mode_of(self, prompt: str) -> str | None:
        """The first mode whose prompt that is."""
        return next((mode.name for mode in self.modes if mode.shows(prompt)), None)

    def mode(self, name: str) -> Mode | None:
        return next((mode for mode in self.modes if mode.name == name), None)

    @property
    def configuration(self) -> str | None:
        """The mode that lines are configured in."""
        return next((m.name for m in self.modes if m.name.startswith(("config", "system_view"))), None)

    def route(self, start: str, target: str) -> list[tuple[str, tuple[Step, ...]]] | None:
        """The shortest way between two modes: each next mode and the steps to it. None where there is none."""
        queue: deque[tuple[str, list[tuple[str, tuple[Step, ...]]]]] = deque([(start, [])])
        seen = {start}
        while queue:
            name, way = queue.popleft()
            if name == target:
                return way
            mode = self.mode(name)
            for following, steps in mode.ways.items() if mode is not None else ():
                if following not in seen:
                    seen.add(following)
                    queue.append((following, [*way, (following, steps)]))
        return None


_VTYSH_ERRORS: Final = (
    "% Unknown command",
    "% Command incomplete",
    "% Ambiguous command",
    "% There is no matched command",
    "% Invalid",
    "% Malformed",
    "% Configuration failed",
    "% Can't",
    "Can't open configuration file",
    "Can't backup old configuration file",
)
_FRR_CONFIGURATION: Final = r"^[\w.\-]+\(config[\w.\-:/]*\)#\s*$"
_END: Final = [{"send_input": {"input": "end"}}]
_CONFIGURE: Final = [{"send_input": {"input": "configure terminal"}}]


def _fixed_vtysh(text: dict[str, Any]) -> None:
    """FRR's vtysh.

    The definition enters the configuration by ``conifgure terminal``, knows the prompt of no mode below it, such as
    ``r1(config-router)#``, leaves one level at a time, and has error texts of a version before 5.
    """
    modes = {mode["name"]: mode for mode in text["modes"]}
    modes["configuration"]["prompt_pattern"] = _FRR_CONFIGURATION
    modes["configuration"]["accessible_modes"] = [{"name": "exec", "instructions": _END}]
    for way in modes["exec"]["accessible_modes"]:
        if way["name"] == "configuration":
            way["instructions"] = _CONFIGURE
    text["failure_indicators"] = [*text["failure_indicators"], *_VTYSH_ERRORS]
    text["on_open_instructions"].append({"send_input": {"input": "no terminal paginate"}})


def _fixed_sonic(text: dict[str, Any]) -> None:
    """The same ``conifgure terminal``."""
    for mode in text["modes"]:
        for way in mode.get("accessible_modes", ()):
            if way["name"] == "configuration":
                way["instructions"] = _CONFIGURE


_FIXES: Final = {"cumulus_vtysh": _fixed_vtysh, "dell_enterprisesonic": _fixed_sonic}
"""What is wrong in the definitions of scrapli 2026.10."""


@lru_cache(maxsize=8)
def definition(name: str) -> Definition:
    """Raises PlatformNotSupported where the extra is not installed, or has no such system."""
    import yaml

    try:
        loaded: dict[str, Any] = yaml.safe_load(_file(name).read_text("utf-8"))
    except FileNotFoundError:
        raise PlatformNotSupported(
            f"The installed scrapli has no definition of {name}.", "The operator installs a newer one."
        ) from None
    if name in _FIXES:
        _FIXES[name](loaded)
    return Definition(
        name=name,
        modes=tuple(_mode(mode) for mode in loaded["modes"]),
        default_mode=str(loaded["default_mode"]),
        errors=tuple(loaded.get("failure_indicators") or ()),
        opening=_steps(loaded.get("on_open_instructions") or ()),
    )


def _file(name: str) -> Path:
    # Importing scrapli loads its native library, which nothing here needs.
    spec = importlib.util.find_spec("scrapli")
    if spec is None or not spec.submodule_search_locations:
        raise PlatformNotSupported(
            "This server cannot drive network devices.", "The operator installs it: pip install 'ssh-mcp[network]'."
        )
    return Path(spec.submodule_search_locations[0]) / "definitions" / f"{name}.yaml"


def _mode(loaded: Mapping[str, Any]) -> Mode:
    return Mode(
        name=str(loaded["name"]),
        prompt=re.compile(loaded["prompt_pattern"], re.MULTILINE | re.IGNORECASE),
        excludes=tuple(loaded.get("prompt_excludes") or ()),
        ways={way["name"]: _steps(way["instructions"]) for way in loaded.get("accessible_modes") or ()},
    )


def _steps(instructions: Sequence[Mapping[str, Any]]) -> tuple[Step, ...]:
    steps = []
    for instruction in instructions:
        for kind, given in instruction.items():
            if kind == "send_input":
                steps.append(Step("send", given["input"]))
            elif kind == "send_prompted_input":
                steps.append(Step("ask", given["input"], _question(given)))
            elif kind == "write":
                steps.append(Step("write", given["input"].replace("\\n", "\n")))
    return tuple(steps)


def _question(given: Mapping[str, Any]) -> re.Pattern[str]:
    """``prompt_exact`` holds a pattern in some definitions."""
    exact = given.get("prompt_exact") or ""
    own = given.get("prompt_pattern") or (exact if exact[:1] in {"^", "["} else re.escape(exact) + r"\s*\Z")
    return re.compile(f"(?:{own})|{_PASSWORD}", re.MULTILINE | re.IGNORECASE)
