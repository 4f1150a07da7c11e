"""What a check of ``ssh-mcp doctor`` found, and how the report is printed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from ssh_mcp.cli.output import lines, print_json, say, width

Grade = Literal["ok", "warn", "fail", "info"]

_MARK = {"ok": "[green]ok  [/]", "warn": "[yellow]warn[/]", "fail": "[red]FAIL[/]", "info": "[dim]info[/]"}
_INDENT = 7
"""Columns in front of a finding's text."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; ``remedy`` is printed below it."""

    grade: Grade
    text: str
    remedy: str = ""


def ok(text: str) -> Finding:
    return Finding("ok", text)


def info(text: str, remedy: str = "") -> Finding:
    return Finding("info", text, remedy)


def warn(text: str, remedy: str) -> Finding:
    return Finding("warn", text, remedy)


def fail(text: str, remedy: str) -> Finding:
    return Finding("fail", text, remedy)


class Report:
    """Prints sections as they come and counts; as JSON it prints once, at the end."""

    def __init__(self, console: Console, *, as_json: bool = False) -> None:
        self._console = console
        self._rows: list[dict[str, str]] | None = [] if as_json else None
        self.failures = 0
        self.warnings = 0

    def section(self, title: str, findings: Iterable[Finding]) -> None:
        """Print a section; one without findings is left out."""
        found = list(findings)
        self.failures += sum(each.grade == "fail" for each in found)
        self.warnings += sum(each.grade == "warn" for each in found)
        if self._rows is not None:
            self._rows += [
                {"section": title, "grade": each.grade, "text": _plain(each.text), "remedy": _plain(each.remedy)}
                for each in found
            ]
            return
        if found:
            self._console.print(f"\n[bold]{escape(title)}[/]")
        for finding in found:
            mark = Text.from_markup(f"  {_MARK[finding.grade]} ")
            first, *rest = lines(_plain(finding.text), width(self._console) - _INDENT)
            self._print(mark.append(first))
            for line in rest:
                self._print(Text(" " * _INDENT + line))
            for line in lines(_plain(finding.remedy), width(self._console) - _INDENT) if finding.remedy else ():
                self._print(Text(" " * _INDENT + line, style="cyan"))

    def close(self) -> None:
        """The last line: what it comes to."""
        if self._rows is not None:
            summary = {"failures": self.failures, "warnings": self.warnings, "findings": self._rows}
            print_json(json.dumps(summary, indent=2))
            return
        looks = f"{_things(self.warnings)} to look at" if self.warnings else ""
        if self.failures:
            text = f"{_things(self.failures)} would fail{', and ' + looks if looks else ''}."
        else:
            text = f"Nothing here would fail{'; ' + looks if looks else ''}."
        self._console.print()
        say(self._console, text)

    def _print(self, line: Text) -> None:
        self._console.print(line, soft_wrap=True)


def _things(count: int) -> str:
    return "1 thing" if count == 1 else f"{count} things"


def _plain(text: str) -> str:
    """One line without control characters: hosts and files have a say in these texts, the terminal is ours."""
    return "".join(c if c.isprintable() else " " for c in text)
