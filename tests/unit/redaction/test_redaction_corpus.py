"""Measured aims on the labelled corpus: nothing labelled leaks, hardly any other line changes."""

from __future__ import annotations

from collections import Counter

import pytest

from ssh_mcp.redaction.engine import first_secret
from tests.unit.redaction.redaction_support import RULES, Labelled, corpus, output, plain, shown, snippets, wanted

CORPUS = corpus()


def ids(case: Labelled) -> str:
    return case.name


def test_the_corpus_is_large_enough_to_mean_something() -> None:
    assert len(CORPUS) >= 40
    assert sum(len(c.secrets) for c in CORPUS) >= 200
    assert sum(len(c.text.splitlines()) for c in CORPUS) >= 3000


@pytest.mark.parametrize("case", CORPUS, ids=ids)
def test_no_labelled_secret_survives(case: Labelled) -> None:
    bare = shown(case.redacted())
    assert [s for s, elsewhere in case.secrets.items() if bare.count(s) > elsewhere] == []


@pytest.mark.parametrize("case", CORPUS, ids=ids)
def test_redacting_twice_changes_nothing(case: Labelled) -> None:
    once = case.redacted()
    assert case.redacted(once) == once
    assert output(once) == once


def test_at_most_one_other_line_in_a_hundred_changes() -> None:
    others = 0
    changed: list[str] = []
    for case in CORPUS:
        have = Counter(case.redacted().split("\n"))
        for number, line in enumerate(case.text.split("\n"), 1):
            if number in case.secret_lines:
                continue
            others += 1
            have[line] -= 1
            if have[line] < 0:
                changed.append(f"{case.name}: {line}")
    assert len(changed) / others <= 0.002, changed


@pytest.mark.parametrize("case", [c for c in CORPUS if c.reading == "file"], ids=ids)
def test_a_file_shown_by_a_command_loses_hardly_more_lines_than_by_the_reader(case: Labelled) -> None:
    have = Counter(output(case.text).split("\n"))
    lines = list(enumerate(case.text.split("\n"), 1))
    changed = [line for n, line in lines if n not in case.secret_lines and not have[line]]
    assert len(changed) <= max(1, len(lines) // 20), changed


@pytest.mark.parametrize("marked", snippets("snippets-secret.txt"))
def test_a_secret_in_output_is_masked_and_nothing_beside_it(marked: str) -> None:
    assert shown(output(plain(marked) + "\n")) == wanted(marked) + "\n"


@pytest.mark.parametrize("path", ["", "notes.txt", "app.conf", "settings.ini", ".env", "config.yaml", "data.json"])
def test_a_secret_is_masked_whatever_the_file_is_called(path: str) -> None:
    from tests.unit.redaction.redaction_support import file

    missed = []
    for marked in snippets("snippets-secret.txt"):
        result = shown(file(plain(marked) + "\n", path))
        rest = wanted(marked)
        secrets = [s for s in marked.replace("»", "«").split("«")[1::2] if s not in rest]
        missed += [f"{marked} -> {result}" for s in secrets if s in result.replace(rest, "")]
    assert missed == []


@pytest.mark.parametrize("line", snippets("snippets-harmless.txt"))
def test_a_harmless_line_is_left_alone(line: str) -> None:
    assert output(line + "\n") == line + "\n"


def test_all_harmless_lines_together_are_left_alone_too() -> None:
    text = "\n".join(snippets("snippets-harmless.txt")) + "\n"
    assert output(text) == text
    assert not first_secret(text, RULES)


def test_text_with_secrets_looks_as_if_it_held_some() -> None:
    quiet = [c.name for c in CORPUS if c.secrets and not first_secret(c.text, RULES)]
    assert quiet == ["entropy.txt"]  # nothing names those: only the reader of files finds them
