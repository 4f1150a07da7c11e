"""Output in pieces: the same as whole, however it is cut."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssh_mcp.redaction.engine import OutputStream
from ssh_mcp.redaction.stream import HOLD
from tests.unit.redaction_support import RULES, Labelled, corpus, output, shown

CORPUS = corpus()


def streamed(pieces: list[str]) -> str:
    stream = OutputStream(RULES)
    return "".join([*(stream.feed(p) for p in pieces), stream.close()])


def cut(text: str, sizes: list[int], seed: int) -> list[str]:
    rng, pieces, at = random.Random(seed), [], 0
    while at < len(text):
        size = rng.choice(sizes)
        pieces.append(text[at : at + size])
        at += size
    return pieces


@pytest.mark.parametrize("case", CORPUS, ids=lambda c: c.name)
@pytest.mark.parametrize("sizes", [[1], [1, 3, 17, 80, 500], [4096]], ids=["bytes", "mixed", "blocks"])
def test_a_stream_says_the_same_as_the_whole_text(case: Labelled, sizes: list[int]) -> None:
    text = case.text[:20_000]
    assert streamed(cut(text, sizes, 7)) == output(text)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_secret_cut_anywhere_is_masked(data: st.DataObject) -> None:
    text = "line one\nexport DB_PASSWORD=hunter2-long\ncurl -H 'Authorization: Bearer abcdef1234567890' x\nlast\n"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    result = streamed(pieces)
    assert result == output(text)
    assert "hunter2" not in result


def test_whole_lines_without_secrets_go_out_at_once() -> None:
    stream = OutputStream(RULES)
    assert stream.feed("one\ntwo\nthr") == "one\ntwo\n"
    assert stream.feed("ee\n") == "three\n"
    assert stream.close() == ""


def test_a_line_without_an_end_comes_out_at_the_close() -> None:
    stream = OutputStream(RULES)
    assert stream.feed("password=hun") == ""
    assert stream.feed("ter2") == ""
    assert shown(stream.close()) == "password=§"


def test_an_endless_line_is_held_back_boundedly() -> None:
    stream = OutputStream(RULES)
    held = most = 0
    for _ in range(400):
        held += 1000 - len(stream.feed("word " * 200))
        most = max(most, held)
    assert most <= HOLD + 8192
    assert held - len(stream.close()) == 0


def test_a_secret_in_an_endless_line_is_masked() -> None:
    filler = "x=1 " * 30_000
    text = f"{filler}password=hunter2-long {filler}"
    for sizes in ([997], [65_536], [10]):
        result = streamed(cut(text, sizes, 3))
        assert shown(result) == text.replace("hunter2-long", "§")


def test_a_secret_longer_than_all_that_is_held_is_swallowed() -> None:
    secret = "aB3" * 60_000
    result = streamed(cut(f"a\npassword={secret} b\nnext\n", [1000], 1))
    assert "aB3aB3" not in result
    assert result.startswith("a\npassword=<sha:")
    assert result.endswith("next\n")


def test_a_key_block_over_many_pieces_is_one_marker() -> None:
    body = "MIIEpAIBAAKCAQEAabcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKL\n" * 3000
    text = f"before\n-----BEGIN PGP PRIVATE KEY BLOCK-----\n{body}-----END PGP PRIVATE KEY BLOCK-----\nafter\n"
    assert shown(streamed(cut(text, [4096], 1))) == "before\n§\nafter\n"


def test_the_values_of_a_secret_object_are_masked_though_its_kind_comes_last() -> None:
    text = "apiVersion: v1\ndata:\n  a: cGFzcw==\n  b: eHh4\nkind: Secret\nmetadata:\n  name: x\n"
    assert shown(streamed([line + "\n" for line in text.splitlines()])) == text.replace("cGFzcw==", "§").replace(
        "eHh4", "§"
    )
    plain = text.replace("Secret", "ConfigMap")
    assert streamed([line + "\n" for line in plain.splitlines()]) == plain


def test_nothing_fed_is_nothing_shown() -> None:
    stream = OutputStream(RULES)
    assert stream.feed("") == ""
    assert stream.close() == ""
