"""Texts whose secrets got through once, and ordinary lines that were masked (tests/data/redaction/found)."""

from __future__ import annotations

import tomllib

import pytest

from tests.unit.redaction.redaction_support import DATA, file, output, shown

CASES = tomllib.loads((DATA / "found" / "redaction.toml").read_text(encoding="utf-8"))
SECRETS = ("hunter2secret", "Tr0ub4dor3x", "kJ8sLq2PzR5tWx9B")


def named(case: dict[str, str]) -> str:
    return ascii(case["text"])


@pytest.mark.parametrize("case", CASES["masked"], ids=named)
@pytest.mark.parametrize("secret", SECRETS)
def test_no_secret_shows_in_output_nor_in_a_file_read_redacted(case: dict[str, str], secret: str) -> None:
    for around in ("{}", "a line above\n{}\n"):
        text = around.replace("{}", case["text"]).replace("{}", secret)
        assert secret not in output(text)
        assert secret not in file(text, case["file"])


@pytest.mark.parametrize("case", CASES["unchanged"], ids=named)
def test_ordinary_lines_come_back_byte_for_byte(case: dict[str, str]) -> None:
    for around in ("{}", "a line above\n{}\na line below\n"):
        text = around.replace("{}", case["text"])
        assert shown(output(text)) == text
