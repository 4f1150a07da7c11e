"""From what a caller writes for hosts to names."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssh_mcp.errors import InvalidArgument
from ssh_mcp.inventory.model import HostPolicy
from ssh_mcp.inventory.selectors import complete_selection, fold, select


def host(alias: str, *tags: str) -> HostPolicy:
    return HostPolicy(alias=alias, hostname=alias, ssh_name=alias, tags=tags)


HOSTS = [host("web01", "web", "eu"), host("web02", "web"), host("web03", "web", "eu"), host("db1", "db"), host("x.y-z")]


@pytest.mark.parametrize(
    ("items", "names"),
    [
        (["web01"], ["web01"]),
        (["nobody"], ["nobody"]),
        (["web[01-02]"], ["web01", "web02"]),
        (["@web&@eu"], ["web01", "web03"]),
        (["@web!web03"], ["web01", "web02"]),
        (["@db,web01"], ["db1", "web01"]),
        (["@web", "web01", "db1"], ["web01", "web02", "web03", "db1"]),
        (["@web^@eu"], ["web02"]),
        (["web*"], ["web01", "web02", "web03"]),
        (["x.y-z"], ["x.y-z"]),
    ],
)
def test_a_selection_means_these_hosts(items: list[str], names: list[str]) -> None:
    assert select(items, HOSTS) == names


@pytest.mark.parametrize(
    ("items", "words"),
    [
        (["@wbe"], "Did you mean @web"),
        (["@web&@db"], "is empty"),
        (["web[01-"], "cannot be read"),
        (["a[1-999999999]"], "too large"),
        (["a[1-900]b[1-900]"], "too large"),
        (["a[1-501]"], "more than 500"),
    ],
)
def test_what_selects_nothing_says_why(items: list[str], words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        select(items, HOSTS)


def test_names_are_folded_and_unfold_to_themselves() -> None:
    assert fold(["web01", "web02", "web03", "db1"]) in ("db1,web[01-03]", "web[01-03],db1")
    assert select([fold(["web01", "web03"])], HOSTS) == ["web01", "web03"]


def test_the_last_name_or_tag_of_a_set_is_completed() -> None:
    assert complete_selection("@", HOSTS) == ["@db", "@eu", "@web"]
    assert complete_selection("@web&@e", HOSTS) == ["@web&@eu"]
    assert complete_selection("@web!WEB0", HOSTS) == ["@web!web01", "@web!web02", "@web!web03"]
    assert complete_selection("zzz", HOSTS) == []


@given(st.text("web0123@db,&!^[]-*", max_size=20))
def test_any_text_is_a_selection_or_is_refused(text: str) -> None:
    with contextlib.suppress(InvalidArgument):
        assert select([text], HOSTS)
