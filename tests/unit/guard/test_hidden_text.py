"""Text that a model reads and a person does not see, or that imitates a conversation (tests/data/redaction/found)."""

from __future__ import annotations

import tomllib

import pytest

from ssh_mcp.guard.guard import Guard
from ssh_mcp.inventory.model import RedactionPolicy
from tests.unit.redaction.redaction_support import DATA

CASES = tomllib.loads((DATA / "found" / "hidden_text.toml").read_text(encoding="utf-8"))
GUARD = Guard(RedactionPolicy())


@pytest.mark.parametrize("text", [case["text"] for case in CASES["reported"]], ids=ascii)
@pytest.mark.parametrize("around", ["{}", "a line above\n{}\n", "{}\nmany words below\n"])
def test_hidden_text_and_imitations_are_reported_and_stay(text: str, around: str) -> None:
    text = around.format(text) if "{}" not in text else around.replace("{}", text)
    guarded = GUARD.text(text)
    assert guarded.warnings
    assert guarded.text == text


@pytest.mark.parametrize("text", [case["text"] for case in CASES["plain"]], ids=ascii)
def test_ordinary_text_of_any_language_stays_unremarked(text: str) -> None:
    guarded = GUARD.text(text)
    assert guarded == (guarded.__class__)(text, ())
