"""An independent corpus of outputs and files: whole, as a stream cut anywhere, and by the redacting reader."""

from __future__ import annotations

import random

import pytest

from ssh_mcp.guard.guard import Guard
from ssh_mcp.inventory.model import RedactionPolicy
from ssh_mcp.redaction.engine import OutputStream
from tests.unit.redaction.redaction_cases import Case, cases
from tests.unit.redaction.redaction_support import RULES, file, in_pieces, output

ALL = cases()
FILES = [case for case in ALL if case.path]


def ids(case: Case) -> str:
    return case.name


def shown(case: Case) -> str:
    return Guard(RedactionPolicy()).text(case.text).text


def test_the_corpus_is_large_enough_to_mean_something() -> None:
    assert len(ALL) >= 370
    assert sum(len(case.secrets(reader=True)) for case in ALL) >= 750
    assert sum(len(case.text.splitlines()) for case in ALL) >= 1900


@pytest.mark.parametrize("case", ALL, ids=ids)
def test_no_secret_survives_in_output_and_ordinary_lines_do(case: Case) -> None:
    result = shown(case)
    assert case.leaked(result, reader=False) == []
    assert case.changed(result) == []


@pytest.mark.parametrize("case", FILES, ids=ids)
def test_no_secret_survives_in_a_file_and_ordinary_lines_do(case: Case) -> None:
    result = file(case.text, case.path)
    assert case.leaked(result, reader=True) == []
    assert case.changed(result) == []


@pytest.mark.parametrize("case", ALL, ids=ids)
def test_however_a_stream_is_cut_it_shows_what_the_whole_shows(case: Case) -> None:
    cut = random.Random(case.name)
    for sizes in ((1,), (1, 3, 7, 20), (80,)):
        stream, parts, at = OutputStream(RULES), [], 0
        while at < len(case.text):
            size = cut.choice(sizes)
            parts.append(stream.feed(case.text[at : at + size]))
            at += size
        assert "".join([*parts, stream.close()]) == in_pieces(case.text)


@pytest.mark.parametrize("case", ALL, ids=ids)
def test_what_was_masked_once_is_left_as_it_is(case: Case) -> None:
    once = output(case.text)
    assert output(once) == once


@pytest.mark.parametrize("case", [case for case in ALL if case.name.startswith("tables:")], ids=ids)
def test_tables_with_line_ends_of_windows_are_read_as_well(case: Case) -> None:
    windows = Case(case.name, "", case.marked.replace("\n", "\r\n"))
    result = output(windows.text)
    assert windows.leaked(result, reader=False) == []
    assert windows.changed(result) == []
