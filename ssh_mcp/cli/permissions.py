"""``ssh-mcp client NAME --permissions``: rules for clients that ask their user themselves.

Tools of the read tier run without a question, every other tool is asked about. Each client's file and form is from its
own documentation (2026): Claude Code (code.claude.com/docs/en/permissions), Cursor (cursor.com/docs/reference), Codex
CLI (docs/config.md, "MCP tool approvals"), Kilo Code (kilo.ai/docs, auto-approving actions), opencode
(opencode.ai/docs/permissions), Zed (zed.dev/docs/ai/tool-permissions).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ssh_mcp.policy.tiers import Tier
from ssh_mcp.settings.model import load_settings
from ssh_mcp.tools.catalogue import exists, read

Names = Sequence[str]
Render = Callable[[str, Names, Names], str]
"""The server's name at the client, the tools that run at once, those that are asked about."""


def _json(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"


def _claude_code(server: str, free: Names, asked: Names) -> str:
    """Deny wins over ask and ask over allow, whatever is more specific: a wildcard for the rest would ask for all."""
    rules = {"allow": [f"mcp__{server}__{n}" for n in free], "ask": [f"mcp__{server}__{n}" for n in asked]}
    return _json({"permissions": rules})


def _cursor(server: str, free: Names, _asked: Names) -> str:
    return _json({"mcpAllowlist": [f"{server}:{n}" for n in free]})


def _codex(server: str, free: Names, _asked: Names) -> str:
    lines = [f"[mcp_servers.{server}]", 'default_tools_approval_mode = "prompt"']
    for name in free:
        lines += ["", f"[mcp_servers.{server}.tools.{name}]", 'approval_mode = "approve"']
    return "\n".join(lines) + "\n"


def _last_wins(server: str, free: Names, _asked: Names) -> str:
    """The last rule that matches counts, so that the wildcard comes first."""
    return _json({"permission": {f"{server}_*": "ask"} | {f"{server}_{n}": "allow" for n in free}})


def _zed(server: str, free: Names, asked: Names) -> str:
    tools = {f"mcp:{server}:{n}": {"default": "allow"} for n in free}
    tools |= {f"mcp:{server}:{n}": {"default": "confirm"} for n in asked}
    return _json({"agent": {"tool_permissions": {"tools": tools}}})


@dataclass(frozen=True, slots=True)
class Permissions:
    """Where a client's rules go, and their form."""

    title: str
    file: str
    render: Render
    how: str


PERMISSIONS: Final = {
    "claude-code": Permissions(
        "Claude Code", "~/.claude/settings.json", _claude_code, "Merge it into the file; /permissions shows the rules."
    ),
    "cursor": Permissions(
        "Cursor", "~/.cursor/permissions.json", _cursor, "It takes the place of the allowlist in Cursor's settings."
    ),
    "codex": Permissions(
        "Codex CLI",
        "~/.codex/config.toml",
        _codex,
        "Add the first line to the server's own table, the others below it.",
    ),
    "kilo-code": Permissions("Kilo Code", "~/.config/kilo/kilo.jsonc", _last_wins, "Merge it into the file."),
    "opencode": Permissions("opencode", "~/.config/opencode/opencode.json", _last_wins, "Merge it into the file."),
    "zed": Permissions("Zed", "~/.config/zed/settings.json", _zed, "Merge it into the settings."),
}


def render(client: str, server: str, tiers: Sequence[tuple[str, Tier]]) -> str:
    """The rules of one client for tools with their tiers. Raises KeyError for a client without such rules."""
    free = [name for name, tier in tiers if tier is Tier.READ]
    asked = [name for name, tier in tiers if tier is not Tier.READ]
    return PERMISSIONS[client].render(server, free, asked)


def show(client: str, server: str) -> int:
    """Print the rules on stdout, what to do with them on stderr. Exit status 1 where the client has none."""
    if client not in PERMISSIONS:
        print(
            f"{client} keeps no such rules in a file. Set SSH_ASK (for example low-access,dangerous,sudo) in its "
            "configuration of this server instead; known are " + ", ".join(PERMISSIONS) + ".",
            file=sys.stderr,
        )
        return 1
    settings, _ = load_settings()
    found = PERMISSIONS[client]
    print(f"{found.title}: {found.file}", file=sys.stderr, flush=True)
    print(render(client, server, [(e.name, e.tier) for e in read() if exists(e, settings)]), end="", flush=True)
    print(f"- {found.how}", file=sys.stderr)
    print("- The client decides; SSH_ASK asks a person whatever the client does.", file=sys.stderr)
    return 0
