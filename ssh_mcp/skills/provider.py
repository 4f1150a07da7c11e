"""Skills and runbooks as MCP resources ``skill://NAME/SKILL.md``, runbooks as MCP prompts too.

FastMCP has a provider of its own for skill folders. Measured with our hundred and fifteen: it reads and hashes every
file when it is made (48 ms at start), keeps one provider a skill, so that every tool call asks a hundred providers
whether the tool is theirs (3 ms of each call), and takes 144 ms to list. This one is a single provider that reads
nothing before somebody asks.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from fastmcp.prompts import Message, Prompt, PromptArgument, PromptResult
from fastmcp.resources.base import Resource, ResourceContent, ResourceResult
from fastmcp.server.providers.base import Provider
from fastmcp.utilities.versions import VersionSpec
from pydantic import AnyUrl

from .loader import MAIN_FILE, Library, Skill, body_of

if TYPE_CHECKING:
    from ssh_mcp.policy.closed import ClosedTools
    from ssh_mcp.settings.model import Settings


class SkillFile(Resource):
    """One file of a skill; read when asked for."""

    skill: Skill
    relative: str

    async def read(self) -> ResourceResult:
        content = self.skill.read(self.relative)
        try:
            return ResourceResult([ResourceContent(content.decode("utf-8"), mime_type=self.mime_type)])
        except UnicodeDecodeError:
            return ResourceResult([ResourceContent(content, mime_type="application/octet-stream")])


class RunbookPrompt(Prompt):
    """A runbook that a client's user picks: its text, for the host that the user names."""

    skill: Skill

    async def render(self, arguments: dict[str, Any] | None = None) -> PromptResult:
        text = body_of(self.skill.read().decode("utf-8", "replace"))
        host = str((arguments or {}).get("host") or "").strip()
        start = f"Follow this runbook on host {host}.\n\n" if host else "Follow this runbook.\n\n"
        return PromptResult([Message(start + text)], description=self.description)


class SkillsProvider(Provider):
    """Lists each skill's SKILL.md, and runbooks as prompts too; other files of a skill's folder are readable."""

    def __init__(self, library: Library) -> None:
        super().__init__()
        self.library = library

    async def _list_resources(self) -> Sequence[Resource]:
        return [_resource(skill, MAIN_FILE) for skill in self.library.all.values()]

    async def _get_resource(self, uri: str, version: VersionSpec | None = None) -> Resource | None:
        del version  # skills have none
        if not uri.startswith("skill://"):
            return None
        found = self.library.get(unquote(uri))
        if found is None:
            return None
        skill, relative = found
        try:
            skill.read(relative)
        except (OSError, ValueError):  # ValueError: a NUL in the name
            return None
        return _resource(skill, relative)

    async def _list_prompts(self) -> Sequence[Prompt]:
        return [_prompt(skill) for skill in self.library.all.values() if skill.kind == "runbook"]

    async def _get_prompt(self, name: str, version: VersionSpec | None = None) -> Prompt | None:
        del version  # runbooks have none
        found = self.library.all.get(name)
        return _prompt(found) if found is not None and found.kind == "runbook" else None


def skill_provider(settings: Settings, closed: ClosedTools) -> SkillsProvider:
    """The provider as the settings want it: whose directories, with runbooks or not, skills of open tools only."""
    return SkillsProvider(
        Library(
            Path(settings.ssh_skills_dir) if settings.ssh_skills_dir else None,
            Path(settings.ssh_runbooks_dir) if settings.ssh_runbooks_dir else None,
            runbooks=settings.ssh_enable_runbooks,
            visible=lambda name: name not in closed,
            edit=closed.skill,
        )
    )


def _prompt(skill: Skill) -> RunbookPrompt:
    host = PromptArgument(name="host", description="Alias of the host that it is about", required=False)
    return RunbookPrompt(name=skill.name, description=skill.description, arguments=[host], skill=skill)


def _resource(skill: Skill, relative: str) -> SkillFile:
    guess = "text/markdown" if PurePosixPath(relative).suffix == ".md" else mimetypes.guess_type(relative)[0]
    return SkillFile(
        uri=AnyUrl(f"skill://{skill.name}/{relative}"),
        name=skill.name if relative == MAIN_FILE else f"{skill.name}/{relative}",
        description=skill.description if relative == MAIN_FILE else None,
        mime_type=guess or "text/plain",
        tags={skill.kind},
        skill=skill,
        relative=relative,
    )
