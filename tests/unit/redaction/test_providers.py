"""Every provider's token shape: found wherever it occurs, by the gate as well, and distinguished from identifiers."""

from __future__ import annotations

import re
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssh_mcp.redaction.automata import rust_asks
from ssh_mcp.redaction.detectors.providers import INFIXES, SHAPES, Infix, Shape, gate_of
from ssh_mcp.redaction.detectors.tokens import is_token
from ssh_mcp.redaction.values import looks_random
from tests.unit.redaction.redaction_support import RULES, output

asks = cache(rust_asks)
ROWS: tuple[Shape | Infix, ...] = (*SHAPES, *INFIXES)


def pattern_of(row: Shape | Infix) -> str:
    return row.pattern if isinstance(row, Infix) else f"(?:{row.start}){row.rest}"


def named(row: Shape | Infix) -> str:
    return f"{row.provider}-{pattern_of(row)[:16]}"


@pytest.mark.parametrize("row", ROWS, ids=named)
@given(data=st.data())
@settings(max_examples=6, deadline=None)
def test_a_token_is_masked_behind_words_and_alone(row: Shape | Infix, data: st.DataObject) -> None:
    token = data.draw(st.from_regex(re.compile(pattern_of(row), re.ASCII), fullmatch=True))
    if isinstance(row, Shape) and row.random:
        body = token[len((re.match(row.start, token) or [""])[0]) :]
        if not looks_random(body):
            return
    for text in (token, f"got {token} from it", f'"{token}"'):
        assert asks(gate_of(row))(text)
        assert RULES.gate.may_find(text)
        assert list(RULES.gate.hot(text))
        assert token not in output(text)


def test_every_row_names_its_source_and_there_are_more_than_a_hundred_providers() -> None:
    assert all(row.source for row in ROWS)
    assert len(ROWS) >= 160
    assert len({row.provider for row in ROWS}) >= 108


@pytest.mark.parametrize(
    "word",
    [
        "hf_requiredCharacteristicTypesForDisplayMetadata",
        "hf_servingcellpriorityparameters_h_prio",
        "npm_config_registry_url_of_the_default",
        "re_compiled_patterns_for_everything",
        "pk_12345_name",
        "secret_santa_assignments_for_the_year",
        "YCbCrConversionMatrixCoefficientsForHd",
        "tk_initialise_and_create_windows",
        "gsk_renderer_create_with_default_display",
        "EAAccessibilityElementsContainerDescription",
        "fw_download_and_install_the_newest",
        "cioInternalStructureOfTheBufferQueue",
        "API-DOCUMENTATION-OF-THE-SERVER",
        "SKIP_EVERYTHING_THAT_IS_LONG_ENOUGH",
    ],
)
def test_an_identifier_that_begins_alike_stays(word: str) -> None:
    assert output(f"see {word} there") == f"see {word} there"
    assert not is_token(word)
