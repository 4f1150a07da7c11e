"""What a check of ``ssh-mcp doctor`` found, and how a list of findings is printed."""

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


def info(text: str) -> Finding:
    return Finding("info", text)


def warn(text: str, remedy: str) -> Finding:
    return Finding("warn", text, remedy)


def fail(text: str, remedy: str) -> Finding:
    return Finding("fail", text, remedy)


def show(console: Console, title: str, findings: Iterable[Finding]) -> int:
    """Print a section; answers how many of its findings are failures."""
    console.print(f"\n[bold]{escape(title)}[/]")
    failures = 0
    for finding in findings:
        failures += finding.grade == "fail"
        console.print(f"  {_MARK[finding.grade]} {escape(finding.text)}", soft_wrap=True)
        if finding.remedy:
            console.print(f"       [cyan]{escape(finding.remedy)}[/]", soft_wrap=True)
    return failures
