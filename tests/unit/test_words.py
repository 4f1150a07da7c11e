"""The project's texts use the words of docs/architecture.md. What to avoid is listed here, and only here."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SUFFIXES = {".py", ".sh", ".md", ".toml", ".example", ".html"}
PLACES = (
    "ssh_mcp",
    "transports",
    "docs",
    "deploy",
    "scripts",
    "README.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "hosts.toml.example",
    "policy-cases.toml.example",
    ".env.example",
)

WORDS = {
    "told": "said, reported, sent",
    "heard": "partial output",
    "anew": "again",
    "mend, mends": "fix",
    "judge, judges, judged": "decide, decided, decision",
    "debt, debts, owe, owes": "pending clean-up",
    "stand, stands, stood": "is, exists, occurs",
    "answers": "returns, replies",
}
"""What is not used, and what is instead."""

PHRASES = {
    r"(?<!here )\bis no (?:valid|regular|absolute|directory|file|tool|target|option|mapping)\b": "is not a …",
    r"\b[Oo]ne (?:ControlMaster|command|connection|file|line|process|program|reader|session|sshd|task|tool|two) an? "
    r"(?:call|command|connection|file|host|line|policy|process|program|server|stream)\b": "per …",
    r"\bbelongs? into\b": "goes in",
    r"\bhow many it were\b": "how many were dropped",
    r"\band that is meant\b": "by design",
    r"\bload as they are\b": "are complete, valid examples",
    r"\bis to be asked for\b": "as passed to",
    r"\bis no (?:business|news)\b": "must not see; is retrieved",
    r"\b(?:hours|days|weeks) earlier\b": "what is true now: documents are not diaries",
}
"""Constructions that a native reader trips over, and what is said instead."""


@cache
def lines() -> tuple[tuple[str, str], ...]:
    """Every line with its place, as ``file:number``."""
    found: list[tuple[str, str]] = []
    for place in map(ROOT.joinpath, PLACES):
        files = [place] if place.is_file() else sorted(p for p in place.rglob("*") if p.suffix in SUFFIXES)
        for path in files:
            text = path.read_text(encoding="utf-8").splitlines()
            found += [(f"{path.relative_to(ROOT)}:{number}", line) for number, line in enumerate(text, 1)]
    return tuple(found)


def hits(pattern: re.Pattern[str]) -> list[str]:
    return [f"{place}: {line.strip()[:100]}" for place, line in lines() if pattern.search(line)]


@pytest.mark.parametrize(("words", "instead"), WORDS.items())
def test_words_that_the_glossary_replaces_are_not_used(words: str, instead: str) -> None:
    pattern = re.compile(r"\b(?:" + "|".join(words.split(", ")) + r")\b", re.IGNORECASE)
    assert hits(pattern) == [], f"say instead: {instead}"


@pytest.mark.parametrize(("phrase", "instead"), PHRASES.items())
def test_phrases_that_have_to_be_read_twice_are_not_used(phrase: str, instead: str) -> None:
    assert hits(re.compile(phrase)) == [], f"say instead: {instead}"
