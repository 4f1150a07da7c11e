"""Ask rules: which permitted calls need a person's yes. Pure: values in, matches out.

A rule is one entry of ``ask`` (hosts.toml) or SSH_ASK:

- a tier: ``sudo``
- a group: ``group:docker``
- a tool: ``ssh_apt_remove``
- a program, with first words or without: ``command:reboot``, ``command:systemctl restart``
- a glob of paths that are written: ``write:/etc/**``

Rules only ever add a question; nothing here permits anything. Where the text of a command does not show what it does,
every rule about commands matches.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, Literal

from ssh_mcp.policy import globs
from ssh_mcp.policy.permitted import PermittedCommand
from ssh_mcp.policy.tiers import GROUPS, Tier
from ssh_mcp.shell.invocation import Invocation
from ssh_mcp.shell.starters import is_interpreter
from ssh_mcp.shell.tree import names

Kind = Literal["tier", "group", "tool", "command", "write"]

_TOOL: Final = re.compile(r"ssh_[a-z0-9_]+")
_WORD: Final = re.compile(r"[A-Za-z0-9_.+@:,/%=\[\]-]+")
_WRITERS: Final = names(
    "cp mv rm ln tee install touch mkdir rmdir truncate dd sed chmod chown chgrp setfacl unlink rsync tar unzip patch"
    " split csplit sort shred mkfifo mknod link rename crontab visudo git wget curl scp gzip gunzip xz unxz zstd bzip2"
)
"""Programs whose operands may be files that they change: each argument is compared with the ``write:`` rules."""


@dataclass(frozen=True, slots=True)
class AskMatch:
    """``rule`` as the operator wrote it, ``source`` where (file:line or the environment's name), ``part``: what of the
    call it matched.
    """

    rule: str
    source: str
    part: str


@dataclass(frozen=True, slots=True)
class AskRule:
    """One parsed entry. ``value`` is the tier, group, tool, program or glob; ``words`` the program's first words."""

    rule: str
    source: str
    kind: Kind
    value: str
    words: tuple[str, ...] = ()

    def match(self, part: str) -> AskMatch:
        return AskMatch(self.rule, self.source, part)


def check_ask_entry(entry: str, tools: Iterable[str] = ()) -> str | None:
    """What is wrong with one entry, as one clause; None if it is fine.

    ``tools`` are the names of all tools, for an entry that names none of them; empty: names are not compared.
    """
    kind, colon, value = entry.partition(":")
    if not entry or entry != entry.strip():
        return "is empty or has blanks around it"
    if colon:
        return _check_kind(kind, value)
    if entry in set(Tier):
        return None
    if not _TOOL.fullmatch(entry):
        return "is not a tier, tool, group:NAME, command:PROGRAM or write:GLOB" + _near(entry, [*Tier])
    known = sorted(tools)
    return None if not known or entry in known else "is not a tool of this program" + _near(entry, known)


def _check_kind(kind: str, value: str) -> str | None:
    if kind == "group":
        return None if value in GROUPS else "names no group" + _near(value, GROUPS)
    if kind == "command":
        words = value.split()
        fine = words and value == value.strip() and all(_WORD.fullmatch(w) for w in words)
        return None if fine else "must name a program, such as command:reboot or command:systemctl restart"
    if kind == "write":
        fine = value.startswith(("/", "**")) and not any(ord(c) < 32 for c in value)
        return None if fine else "must hold a glob of absolute paths, such as write:/etc/**"
    return "begins with an unknown kind of rule" + _near(kind, ["group", "command", "write"])


def _near(word: str, known: Iterable[str]) -> str:
    found = get_close_matches(word, list(known), 1)
    return f"; did you mean {found[0]}?" if found else ""


class AskRules:
    """All ask rules of one host. Empty rules match nothing."""

    def __init__(self, rules: Sequence[AskRule] = ()) -> None:
        self.rules = tuple(rules)

    @classmethod
    def of(cls, entries: Iterable[tuple[str, str]]) -> AskRules:
        """From (entry, source) pairs that ``check_ask_entry`` accepts. Raises ValueError for another one."""
        return cls([_parse(entry, source) for entry, source in entries])

    def __bool__(self) -> bool:
        return bool(self.rules)

    def for_tool(self, tool: str, group: str, tier: str) -> tuple[AskMatch, ...]:
        """The rules about the tool itself: its tier, its group, its name, and the programs that it runs.

        A tool of the read tier runs nothing that changes a host, so that rules about programs do not concern it.
        """
        named = {"tier": str(tier), "group": group, "tool": tool}
        found = [r.match(named[r.kind]) for r in self.rules if named.get(r.kind) == r.value]
        if tier != Tier.READ:
            found += [r.match(tool) for r in self._of("command") if _same_job(r, tool)]
        return tuple(found)

    def for_command(self, command: PermittedCommand) -> tuple[AskMatch, ...]:
        """The rules about the programs that ``command`` starts, anywhere in it, and the files that it names."""
        return (
            *(m for r in self._of("command") if (m := _in_command(r, command)) is not None),
            *(m for r in self._of("write") if (m := _writes(r, command)) is not None),
        )

    def for_write(self, path: str, *, ignore_case: bool = False) -> tuple[AskMatch, ...]:
        """The rules about a canonical path that would be written, replaced or removed.

        For a directory that is removed or moved whole, a rule about what may lie inside matches too.
        """
        return tuple(
            r.match(path) for r in self._of("write") if globs.matches(path, (r.value,), ignore_case=ignore_case)
        )

    def for_tree(self, directory: str, *, ignore_case: bool = False) -> tuple[AskMatch, ...]:
        """As ``for_write``, where everything below the canonical ``directory`` is changed as well."""
        return tuple(
            r.match(directory)
            for r in self._of("write")
            if globs.may_match_below(directory, (r.value,), ignore_case=ignore_case) is not None
            or globs.matches(directory, (r.value,), ignore_case=ignore_case)
        )

    def _of(self, kind: Kind) -> list[AskRule]:
        return [r for r in self.rules if r.kind == kind]


def _parse(entry: str, source: str) -> AskRule:
    if (problem := check_ask_entry(entry)) is not None:
        raise ValueError(f"{entry} {problem}")
    kind, colon, value = entry.partition(":")
    match kind:
        case "group" if colon:
            return AskRule(entry, source, "group", value)
        case "command" if colon:
            program, *words = value.split()
            return AskRule(entry, source, "command", program, tuple(words))
        case "write" if colon:
            return AskRule(entry, source, "write", value)
        case _:
            return AskRule(entry, source, "tier" if entry in set(Tier) else "tool", entry)


# --- commands -------------------------------------------------------------------------------------------------------


def _in_command(rule: AskRule, command: PermittedCommand) -> AskMatch | None:
    if command.invocations is None:
        return rule.match("a command whose programs cannot be read from its text")
    for invocation in command.invocations:
        if _starts(rule, invocation):
            return rule.match(str(invocation)[:200])
        if is_interpreter(invocation.base) and _mentions(rule, command.text):
            return rule.match(f"{invocation.program}, whose program mentions {rule.value}"[:200])
    return None


def _starts(rule: AskRule, invocation: Invocation) -> bool:
    """Whether the program is the rule's, with its words in this order: options and unknown words may come between.

    This asks more often than an exact reading of the program's options would, and never less often.
    """
    program = invocation.program if "/" in rule.value else invocation.base
    if program != rule.value and not _same_file(rule.value, invocation):
        return False
    given = list(invocation.words)
    for word in rule.words:
        while given and given[0] is not None and not given[0].startswith(word):
            given.pop(0)
        if not given:
            return False
        if given[0] is not None:
            given.pop(0)
    return True


def _same_file(value: str, invocation: Invocation) -> bool:
    """A rule about /sbin/reboot asks for a plain ``reboot`` too: PATH may lead there."""
    return "/" in value and "/" not in invocation.program and value.rpartition("/")[2] == invocation.program


def _mentions(rule: AskRule, text: str) -> bool:
    base = rule.value.rpartition("/")[2]
    return re.search(rf"(?<![\w-]){re.escape(base)}(?![\w-])", text) is not None


def _writes(rule: AskRule, command: PermittedCommand) -> AskMatch | None:
    """Redirections, and the arguments of programs that write. Paths are as written, joined to the directory."""
    if command.invocations is None:
        return rule.match("a command whose files cannot be read from its text")
    if None in command.files:
        return rule.match("a redirection into a file that an expansion names")
    directories = _directories(command)
    for file in command.files:
        if file is not None and _named(rule, file, directories):
            return rule.match(file[:200])
    for invocation in command.invocations:
        if invocation.base not in _WRITERS:
            continue
        for word in invocation.words:
            if word is not None and any(_named(rule, w, directories) for w in {word, word.rpartition("=")[2]}):
                return rule.match(str(invocation)[:200])
    return None


_CHANGE: Final = re.compile(
    r"(?<![\w./-])(?:cd|chdir|pushd|popd)(?![\w./-])(?:[ \t]+(?:-[A-Za-z@]+[ \t]+|--[ \t]+)*(?P<to>[^\s;&|()<>]+))?"
)
"""A change of directory, such as ``cd -P /etc``; in a string it is taken for one too."""
_PLAIN: Final = re.compile(r"[\w./@:+-]+\Z")


def _directories(command: PermittedCommand) -> tuple[str | None, ...]:
    """Where relative names may lie: the directory that the command starts in, and each that it changes to.

    None for one that only the host knows: a rule then matches any relative name.
    """
    found: dict[str | None, None] = {command.default_dir or "": None}
    for change in _CHANGE.finditer(command.text):
        to = (change["to"] or "").strip("\"'")
        if not _PLAIN.match(to) or to == "-":
            found[None] = None
        else:
            found.update(dict.fromkeys([to] if to.startswith("/") else [f"{d}/{to}" for d in found if d is not None]))
    return tuple(found)


def _named(rule: AskRule, text: str, directories: tuple[str | None, ...]) -> bool:
    if text.startswith("/"):
        return _matches(rule, text)
    return any(directory is None or _matches(rule, f"{directory}/{text}") for directory in directories)


def _matches(rule: AskRule, path: str) -> bool:
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return globs.matches("/" + "/".join(parts), (rule.value,))


# --- tools that do a program's job ----------------------------------------------------------------------------------

_JOBS: Final = {
    "ssh_delete": ("rm",),
    "ssh_delete_folder": ("rm", "rmdir"),
    "ssh_cp": ("cp",),
    "ssh_mv": ("mv",),
    "ssh_mkdir": ("mkdir",),
    "ssh_link": ("ln",),
    "ssh_sync": ("rsync",),
}
_FAMILIES: Final = {
    "ssh_systemctl_": ("systemctl",),
    "ssh_apt_": ("apt", "apt-get", "apt-mark"),
    "ssh_docker_compose_": ("docker", "docker-compose", "podman", "podman-compose"),
    "ssh_docker_": ("docker", "podman"),
}


def _same_job(rule: AskRule, tool: str) -> bool:
    """Whether ``tool`` does what the rule's command does: the cheatsheet sends a command like this to the tool."""
    program = rule.value.rpartition("/")[2]
    if program in _JOBS.get(tool, ()):
        return True
    for prefix, programs in _FAMILIES.items():
        if tool.startswith(prefix):
            verb = tool.removeprefix(prefix).replace("_", "-")
            words = [w for w in rule.words if w not in ("compose", "container", "image")]
            return program in programs and (not words or words[0] in (verb, *verb.split("-")))
    return False
