"""The cases of ``ssh-mcp policy test``: a TOML file of calls with the decision that each must get."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from ssh_mcp.errors import InvalidArgument, Refusal, public_text
from ssh_mcp.inventory.values import nearest, shown
from ssh_mcp.policy.explanation import Explanation
from ssh_mcp.tools.explaining import COMMAND_TOOL, Explainer

_KEYS: Final = ("host", "tool", "command", "arguments", "expect", "because")
_DECISIONS: Final = ("allow", "ask", "deny")
_TABLE: Final = re.compile(r"\s*\[\[\s*cases?\s*\]\]")
_RULE: Final = re.compile(r"\S+|(?:command|write|group|tier|cheatsheet)[: ].*")
"""A ``because`` that is checked: one word, or a rule such as ``command:systemctl restart``. A sentence is a note."""

FIRST_CASES: Final = """\
# Cases for `ssh-mcp policy test FILE`: what policy must decide, checked without connecting anywhere.
# Each has host, command or tool (with arguments), expect ("allow", "ask" or "deny"); because is optional: one word or a
# rule must be among the reasons, a sentence is a note for people.
"""
EXAMPLE: Final = """
[[case]]
host = "{host}"
command = "rm -rf /"
expect = "deny"
because = "Nobody removes a whole system."

[[case]]
host = "{host}"
tool = "ssh_read_redacted"
arguments = {{ path = "/etc/shadow" }}
expect = "deny"
"""


@dataclass(frozen=True, slots=True)
class PolicyCase:
    """One case; ``line`` is where its table begins in the file."""

    line: int
    host: str
    tool: str
    arguments: dict[str, Any]
    expect: str
    because: str = ""

    @property
    def title(self) -> str:
        """The command, or the tool with its arguments."""
        if self.tool == COMMAND_TOOL and "command" in self.arguments:
            return str(self.arguments["command"])
        given = ", ".join(f"{k}={json.dumps(v, ensure_ascii=False)}" for k, v in self.arguments.items())
        return f"{self.tool}({given})"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was decided. ``difference`` is empty where the case passed."""

    case: PolicyCase
    difference: str = ""
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Annotation:
    """One failed case, with the fields of an annotation of GitHub's checks."""

    path: str
    start_line: int
    end_line: int
    title: str
    message: str
    annotation_level: Literal["failure"] = field(default="failure")


def load_cases(file: Path) -> list[PolicyCase]:
    """The cases of ``file``. Raises InvalidArgument with the line of what is wrong."""
    if not file.is_file():
        raise InvalidArgument(f"There is no file {file}.", "`ssh-mcp init` writes a first one.")
    text = file.read_text(encoding="utf-8")
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidArgument(f"{file} is not valid TOML: {shown(str(error), 200)}.", "Fix the syntax.") from None
    unknown = set(content) - {"case", "cases"}
    found = [content.get(name, []) for name in ("case", "cases")]
    tables = [t for part in found for t in (part if isinstance(part, list) else [part])]
    if unknown or not all(isinstance(t, dict) for t in tables):
        raise InvalidArgument(f"{file} holds something other than [[case]] tables.", "Write each case as [[case]].")
    lines = [n for n, line in enumerate(text.splitlines(), 1) if _TABLE.match(line)]
    lines += [1] * (len(tables) - len(lines))
    return [_case(file, line, table) for line, table in zip(lines, tables, strict=False)]


def _case(file: Path, line: int, table: dict[str, Any]) -> PolicyCase:
    for key in table:
        if key not in _KEYS:
            guess = nearest(key, list(_KEYS))
            raise _wrong(file, line, f"{shown(key)} is not a key of a case", f"Did you mean {guess}?" if guess else "")
    host, expect, because = (table.get(key, "") for key in ("host", "expect", "because"))
    command, tool, arguments = table.get("command"), table.get("tool"), table.get("arguments", {})
    if not isinstance(host, str) or not host:
        raise _wrong(file, line, "a case needs a host", 'Write host = "web01".')
    if expect not in _DECISIONS:
        raise _wrong(file, line, "expect is not allow, ask or deny", 'Write expect = "deny".')
    if not isinstance(arguments, dict) or not isinstance(because, str):
        raise _wrong(file, line, "arguments must be a table and because a text", "")
    if not isinstance(command if tool is None else tool, str):
        raise _wrong(file, line, "a case needs a command or a tool", 'Write command = "uptime".')
    given = {**arguments, **({"command": command} if isinstance(command, str) else {})}
    return PolicyCase(line, host, tool or COMMAND_TOOL, given, str(expect), because)


def _wrong(file: Path, line: int, what: str, remedy: str) -> InvalidArgument:
    return InvalidArgument(f"{file}:{line}: {what}.", remedy)


def run_case(explainer: Explainer, case: PolicyCase) -> Outcome:
    """Decide about one case and compare."""
    try:
        found = explainer.explain(case.host, case.tool, case.arguments)
    except Refusal as refusal:  # an unknown or blocked host
        text = public_text(refusal)
        return Outcome(case, _difference(case, "deny", (text,)), (text,))
    said = tuple(_said(found))
    return Outcome(case, _difference(case, found.decision.value, said), said)


def _said(found: Explanation) -> Iterable[str]:
    for reason in found.reasons:
        yield f"{reason.rule} ({reason.source}): {reason.part}{f': {reason.refusal}' if reason.refusal else ''}"
    if found.needs.setting:
        yield f"needs {found.needs.setting}"


def _difference(case: PolicyCase, decision: str, said: tuple[str, ...]) -> str:
    if decision != case.expect:
        return f"expected {case.expect}, but policy says {decision}"
    if case.because and _RULE.fullmatch(case.because) and not any(case.because in text for text in said):
        return f"policy says {decision}, but not because of {case.because}"
    return ""


def as_annotations(file: Path, failed: Iterable[Outcome]) -> list[Annotation]:
    """The failed cases as annotations of their lines."""
    return [
        Annotation(str(file), o.case.line, o.case.line, f"policy: {o.case.host}: {o.case.title}"[:255],
                   "\n".join([o.difference, *o.reasons]))
        for o in failed
    ]  # fmt: skip


def first_cases(hosts: Iterable[str]) -> str:
    """A first file of cases for ``hosts``, as ``ssh-mcp init`` writes it: they hold under any policy but the widest."""
    return FIRST_CASES + "".join(EXAMPLE.format(host=host) for host in hosts)
