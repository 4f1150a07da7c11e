"""Every stored output of a real (or documented) host gives the value stored beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.facts.cases import FACTS, outcome, read, stored


@pytest.mark.parametrize("path", stored(), ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_a_stored_output_gives_the_value_stored_beside_it(path: Path) -> None:
    expected: dict[str, Any] = json.loads(path.with_suffix(".json").read_text())
    assert outcome(FACTS[path.parent.name], read(path)) == expected


@pytest.mark.parametrize("name", sorted(FACTS))
def test_every_fact_has_a_stored_case(name: str) -> None:
    assert [p for p in stored() if p.parent.name == name]


@pytest.mark.parametrize("name", sorted(FACTS))
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_output_makes_a_parser_raise(name: str, data: st.DataObject) -> None:
    cases = [read(p) for p in stored() if p.parent.name == name]
    output = data.draw(
        st.one_of(
            st.text(max_size=400),
            st.binary(max_size=400).map(lambda b: b.decode("utf-8", "replace")),
            _mangled(cases),
        )
    )
    FACTS[name].parse(output)


def _mangled(cases: list[str]) -> st.SearchStrategy[str]:
    """A real output with a stretch cut out and something else put in."""

    def cut(case: str, start: float, end: float, piece: str) -> str:
        a, b = sorted((int(start * len(case)), int(end * len(case))))
        return case[:a] + piece + case[b:]

    share = st.floats(0, 1)
    return st.builds(cut, st.sampled_from(cases), share, share, st.text(max_size=12))


@pytest.mark.parametrize("name", sorted(FACTS))
def test_an_output_cut_at_any_byte_is_read_as_far_as_it_goes(name: str) -> None:
    for path in (p for p in stored() if p.parent.name == name):
        data = path.read_bytes()
        for end in range(0, len(data), max(1, len(data) // 40)):
            FACTS[name].parse(data[:end].decode("utf-8", "replace"))


def test_an_endless_list_of_odd_lines_gives_few_remarks() -> None:
    problems = FACTS["disk"].parse("Filesystem Type 1024-blocks Used Available\n" + "junk line\n" * 5000).problems
    assert 1 < len(problems) < 12
    assert "more like these" in problems[-1]
