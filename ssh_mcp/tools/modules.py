"""The tool families, one module each: imported when the catalogue is made, or when one of their tools is called."""

from __future__ import annotations

import importlib

from ssh_mcp.tools.spec import REGISTRY, ToolSpec

FAMILIES: tuple[str, ...] = (
    "server",
    "reachability",
    "host",
    "notes",
    "explain",
    "files",
    "directories",
    "exec",
    "jobs",
    "shell",
    "sudo",
    "docker",
    "compose",
    "systemd",
    "packages",
    "forwards",
    "fleet",
    "terminals",
    "devices",
    "output",
)


def load(family: str, name: str) -> ToolSpec:
    """One tool of a family. Raises KeyError where the family does not define it."""
    if name not in REGISTRY:
        importlib.import_module(f"ssh_mcp.tools.{family}")
    return REGISTRY[name]


def load_all() -> dict[str, tuple[str, ToolSpec]]:
    """Every tool with its family, by name."""
    found: dict[str, tuple[str, ToolSpec]] = {}
    for family in FAMILIES:
        importlib.import_module(f"ssh_mcp.tools.{family}")
        for name, spec in REGISTRY.items():
            found.setdefault(name, (family, spec))
    return dict(sorted(found.items()))
