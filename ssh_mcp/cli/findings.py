"""What a check of ``ssh-mcp doctor`` found, and how the report is printed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from rich.console import Console
from rich.markup import escape

Grade = Literal["ok", "warn", "fail", "info"]

_MARK = {"ok": "[green]ok  [/]", "warn": "[yellow]warn[/]", "fail": "[red]FAIL[/]", "info": "[dim]info[/]"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; ``remedy`` stands below it."""

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
    """Prints sections as they come and counts."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.failures = 0
        self.warnings = 0

    def section(self, title: str, findings: Iterable[Finding]) -> None:
        """Print a section; one without findings is left out."""
        found = list(findings)
        if not found:
            return
        self._console.print(f"\n[bold]{escape(title)}[/]")
        for finding in found:
            self.failures += finding.grade == "fail"
            self.warnings += finding.grade == "warn"
            self._console.print(f"  {_MARK[finding.grade]} {escape(_plain(finding.text))}", soft_wrap=True)
            if finding.remedy:
                self._console.print(f"       [cyan]{escape(_plain(finding.remedy))}[/]", soft_wrap=True)

    def close(self) -> None:
        """The last line: what it comes to."""
        looks = f"{_things(self.warnings)} to look at" if self.warnings else ""
        if self.failures:
            text = f"{_things(self.failures)} would fail{', and ' + looks if looks else ''}."
        else:
            text = f"Nothing here would fail{'; ' + looks if looks else ''}."
        self._console.print(f"\n{text}", soft_wrap=True)


def _things(count: int) -> str:
    return "1 thing" if count == 1 else f"{count} things"


def _plain(text: str) -> str:
    """One line without control characters: hosts and files have a say in these texts, the terminal is ours."""
    return "".join(c if c.isprintable() else " " for c in text)
