"""Every detector: its gate is wider than what it finds, its reach encloses that, and its examples are right."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssh_mcp.redaction.automata import as_ascii, ascii_asks, one_of, rust_asks
from ssh_mcp.redaction.detectors import DETECTORS
from ssh_mcp.redaction.detectors.base import Detector, LineDetector
from ssh_mcp.redaction.detectors.sentences import RULES as SENTENCES
from ssh_mcp.redaction.gate import Gate
from ssh_mcp.redaction.lines import find, page_of
from ssh_mcp.redaction.markers import resolve
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.settled import settled
from ssh_mcp.redaction.stretch import Stretch
from ssh_mcp.redaction.talk import Reading
from tests.unit.redaction.redaction_cases import cases
from tests.unit.redaction.redaction_support import RULES, corpus, output, plain, snippets

ASKS = {d.name: rust_asks("|".join(d.line)) for d in DETECTORS if d.line}
TEXTS = [*(c.text for c in cases()), *(c.text[:6_000] for c in corpus()), *map(plain, snippets("snippets-secret.txt"))]
HITS = [plain(d.hit) for d in DETECTORS]

LINES = sorted({as_ascii(line) for text in (*TEXTS, *HITS) for line in text.split("\n")})[::3]

SPARED = {"gnutls_utf8_password_normalize:"}
"""What only a file's line would be asked for: a help text's flag at the end of its line."""


@pytest.mark.parametrize("detector", [d for d in DETECTORS if d.line], ids=lambda d: d.name)
def test_without_unicode_an_automaton_matches_the_same_ascii_text(detector: Detector) -> None:
    ask = ascii_asks("|".join(detector.line))
    wide = [ascii_asks(one_of([each.pattern])) for each in detector.wide]
    wide_unicode = [rust_asks(one_of([each.pattern])) for each in detector.wide]
    for line in LINES:
        assert ask(line) == ASKS[detector.name](line), line
        assert [each(line) for each in wide] == [each(line) for each in wide_unicode], line


def test_an_operators_key_beyond_ascii_leaves_the_other_patterns_as_they_are() -> None:
    plain_gate, gate = Gate(), Gate(("schlüssel",))
    for line in (*LINES, *(hit + " é" for hit in HITS)):
        assert gate.may_find(line) == plain_gate.may_find(line), line
        assert list(gate.hot(line)) == list(plain_gate.hot(line)), line
    assert list(gate.hot("mein_schlüssel = hunter2x9"))


def lines_of(text: str) -> list[tuple[int, int]]:
    return [m.span() for m in re.finditer(r"[^\n]*\n|[^\n]+", text)]


def matching(detector: Detector, text: str) -> list[tuple[int, int]]:
    """The lines that the detector's own patterns let through."""
    ask = ASKS.get(detector.name)
    return [(a, b) for a, b in lines_of(text) if ask is None or ask(as_ascii(text[a:b]))]


def found(detector: Detector, text: str, lines: list[tuple[int, int]]) -> list[Span]:
    page = page_of(text, RULES, Reading.OUTPUT)
    if not isinstance(detector, LineDetector):
        return detector.find(page, lines)
    stretches = (
        Stretch(text, a, b, RULES.keys, Reading.OUTPUT, page_of(text, RULES, Reading.OUTPUT).lines) for a, b in lines
    )
    return [span for s in stretches for span in detector.find(s)]


def parted(span: Span, text: str) -> list[int]:
    """Line starts inside ``span`` at which a stream would be cut."""
    inside = [m.end() for m in re.finditer("\n", text[span.start : span.end])]
    return [span.start + at for at in inside if settled(text[: span.start + at], RULES)[0] > span.start]


def named(detector: Detector) -> str:
    return detector.name


@pytest.mark.parametrize("detector", DETECTORS, ids=named)
def test_its_hit_is_found_and_its_near_miss_is_not(detector: Detector) -> None:
    text = plain(detector.hit)
    secrets = re.findall(r"«(.*?)»", detector.hit, re.DOTALL)
    got = [text[s.start : s.end] for s in found(detector, text, matching(detector, text))]
    assert all(any(secret in value for value in got) for secret in secrets)
    assert secrets
    assert found(detector, detector.miss, matching(detector, detector.miss)) == []
    assert output(detector.miss) == detector.miss
    assert not any(secret in output(text) for secret in secrets)


@pytest.mark.parametrize("detector", DETECTORS, ids=named)
def test_its_gate_lets_through_and_its_reach_encloses_all_it_finds(detector: Detector) -> None:
    for text in (*TEXTS, *HITS):
        spans = found(detector, text, matching(detector, text))
        assert [text[s.start : s.end] for s in spans if parted(s, text)] == []
        if spans and text.isascii():
            assert RULES.gate.may_find(text)


@pytest.mark.parametrize("detector", [d for d in DETECTORS if isinstance(d, LineDetector)], ids=named)
def test_what_it_finds_without_its_gate_is_found_with_the_gate(detector: Detector) -> None:
    """By this detector or another: what counts is that the gate hides nothing."""
    for text in TEXTS:
        bare = resolve(text, found(detector, text, lines_of(text)))
        seen = find(text, RULES)
        hidden = [text[b.start : b.end] for b in bare if not any(s.start < b.end and b.start < s.end for s in seen)]
        assert set(hidden) <= SPARED, text


@given(st.lists(st.sampled_from(HITS), min_size=1, max_size=4).map("\n".join), st.data())
@settings(max_examples=200, deadline=None)
def test_hits_of_any_detectors_side_by_side_stay_masked(text: str, data: st.DataObject) -> None:
    masked = output(text)
    for detector in DETECTORS:
        for secret in re.findall(r"«(.*?)»", detector.hit, re.DOTALL):
            if plain(detector.hit) in text and "\n" not in detector.hit:
                assert secret not in masked.split()
    assert output(masked) == masked


def test_names_are_unique_and_families_do_not_mix_cases() -> None:
    assert len({d.name for d in DETECTORS}) == len(DETECTORS)
    cases_of: dict[str, set[bool]] = {}
    for detector in DETECTORS:
        for wide in detector.wide:
            cases_of.setdefault(wide.family, set()).add(wide.lower)
    assert all(len(lower) == 1 for lower in cases_of.values())


@pytest.mark.parametrize("rule", SENTENCES, ids=lambda r: r.example)
def test_each_rule_of_a_sentence_finds_its_example(rule: object) -> None:
    example = next(r.example for r in SENTENCES if r is rule)
    secret = re.search(r"«(.*?)»", example)
    assert secret
    assert secret[1] not in output(plain(example))
