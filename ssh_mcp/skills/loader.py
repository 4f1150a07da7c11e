"""Finds skills and runbooks: those in the wheel, or the operator's own directories.

A skill is a folder with a ``SKILL.md`` whose front part (YAML between ``---`` lines) names and describes it. Nothing is
read before somebody asks, and a front part in the simple shape that we generate is read without a YAML parser, since
importing one costs more than reading a hundred files.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Final, Literal

logger = logging.getLogger("ssh_mcp.skills")

MAIN_FILE: Final = "SKILL.md"
MAX_FILE: Final = 1024 * 1024  # bytes; a larger file is not served
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SIMPLE_LINE: Final = re.compile(r"([A-Za-z][A-Za-z0-9_-]*):[ \t]*(.*)")
_NOT_PLAIN: Final = ("", *"'|>&*![{%@`")


@dataclass(frozen=True, slots=True)
class Skill:
    """One skill or runbook. ``name`` is its folder's name, ``front`` the scalar fields of its front part."""

    name: str
    description: str
    kind: Literal["skill", "runbook"]
    folder: Path
    front: dict[str, str] = field(default_factory=dict)
    edit: Callable[[str], str] | None = None
    """What is done to the text of SKILL.md before it is served; None for an operator's own files."""

    @property
    def uri(self) -> str:
        return f"skill://{self.name}/{MAIN_FILE}"

    def read(self, relative: str = MAIN_FILE) -> bytes:
        """A file of the skill. Raises FileNotFoundError for what is not there, is too large, or leads out of it."""
        folder = self.folder.resolve()
        target = (folder / relative).resolve()
        if not target.is_relative_to(folder) or not target.is_file() or target.stat().st_size > MAX_FILE:
            raise FileNotFoundError(f"The skill {self.name} has no readable file {relative}.")
        content = target.read_bytes()
        if self.edit is None or relative != MAIN_FILE:
            return content
        return self.edit(content.decode("utf-8")).encode()


class Library:
    """All skills and runbooks of a server, read at first use. Where names clash the skill wins.

    ``skills_dir`` and ``runbooks_dir`` replace the shipped ones; ``visible`` hides the skills of tools that are not
    offered (it gets the folder's name and is asked only for shipped skills); ``edit`` changes shipped texts as they are
    served.
    """

    def __init__(
        self,
        skills_dir: Path | None = None,
        runbooks_dir: Path | None = None,
        *,
        runbooks: bool = True,
        visible: Callable[[str], bool] | None = None,
        edit: Callable[[str], str] | None = None,
    ) -> None:
        self._skills_dir = skills_dir
        self._runbooks_dir = runbooks_dir
        self._runbooks = runbooks
        self._visible = visible
        self._edit = edit

    @cached_property
    def all(self) -> dict[str, Skill]:
        """By name, skills first, each kind in alphabetical order."""
        found: dict[str, Skill] = {}
        for skill in self._scan(self._skills_dir, "skill"):
            if self._skills_dir is not None or self._visible is None or self._visible(skill.name):
                found[skill.name] = skill
        if self._runbooks:
            for book in self._scan(self._runbooks_dir, "runbook"):
                if book.name in found:
                    logger.warning("the runbook %s has a skill's name and is left out", book.name)
                else:
                    found[book.name] = book
        return found

    def _scan(self, own: Path | None, kind: Literal["skill", "runbook"]) -> Iterator[Skill]:
        """Those of the operator's directory as they are, or the shipped ones, fitted to the open tools."""
        if own is not None:
            return _scan(own, kind)
        return (replace(skill, edit=self._edit) for skill in _scan(shipped(f"{kind}s"), kind))  # type: ignore[arg-type]

    def get(self, uri: str) -> tuple[Skill, str] | None:
        """The skill and the file in it that ``skill://NAME/FILE`` names, or None."""
        name, _, relative = uri.removeprefix("skill://").partition("/")
        if not uri.startswith("skill://") or name not in self.all:
            return None
        return self.all[name], relative or MAIN_FILE


def shipped(kind: Literal["skills", "runbooks"]) -> Path:
    """The folder in the installed package."""
    return Path(str(resources.files(f"ssh_mcp.{kind}")))


def _scan(root: Path, kind: Literal["skill", "runbook"]) -> Iterator[Skill]:
    try:
        folders = sorted(entry for entry in root.iterdir() if (entry / MAIN_FILE).is_file())
    except OSError as error:
        logger.warning("no %ss: %s cannot be read: %s", kind, root, error.strerror)
        return
    for folder in folders:
        if not _NAME.fullmatch(folder.name):
            logger.warning("the %s folder %r is left out: its name does not fit into a URI", kind, folder.name)
            continue
        try:
            front = read_front((folder / MAIN_FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            logger.warning("the %s %s is left out: %s", kind, folder.name, error)
            continue
        yield Skill(folder.name, front.get("description", folder.name), kind, folder, front)


def read_front(text: str) -> dict[str, str]:
    """The scalar fields of a front part; empty where there is none. Raises ValueError where it is broken."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    if not text.startswith("---\n"):
        return {}
    end = text.find("\n---\n", 3)
    if end < 0:
        raise ValueError("its front part has no end")
    block = text[4 : end + 1]
    simple = _read_simple(block)
    return simple if simple is not None else _read_yaml(block)


def body_of(text: str) -> str:
    """A skill's text behind its front part."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    end = text.find("\n---\n", 3)
    return text[end + 5 :].lstrip("\n") if text.startswith("---\n") and end >= 0 else text


def _read_simple(block: str) -> dict[str, str] | None:
    """``key: plain`` and ``key: "JSON string"`` lines and comments, or None where there is more to it than that."""
    fields: dict[str, str] = {}
    for line in block.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        match = _SIMPLE_LINE.fullmatch(line)
        if match is None:
            return None
        key, value = match[1], match[2].strip()
        if value.startswith("{") and value.endswith("}"):
            continue  # a mapping of our own front part; only scalars are wanted
        if value.startswith('"'):
            try:
                value = json.loads(value)
            except ValueError:
                return None
        elif value[:1] in _NOT_PLAIN or " #" in value or ": " in value:
            return None
        fields[key] = value
    return fields


def _read_yaml(block: str) -> dict[str, str]:
    import yaml

    try:
        value = yaml.load(block, Loader=yaml.BaseLoader)  # noqa: S506 - BaseLoader makes strings, lists and maps only
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError("its front part is not YAML") from error
    if not isinstance(value, dict):
        raise ValueError("its front part is not a mapping")  # noqa: TRY004 - the text is wrong, not a type
    return {str(key): " ".join(text.split()) for key, text in value.items() if isinstance(text, str)}
