"""Single values: what passes here must also pass at ssh's door."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssh_mcp.errors import InvalidArgument
from ssh_mcp.inventory import values
from ssh_mcp.inventory.values import BadValue
from ssh_mcp.policy import arguments
from transports.openssh.login.argv import check_name, check_user

LIKELY = st.text(st.sampled_from(string.punctuation + "ab1 \t\n\0é\u200b\u2028"), max_size=8)
ANY = st.text(max_size=12)


@given(LIKELY | ANY)
@settings(max_examples=1500, deadline=None)
def test_every_hostname_we_accept_is_accepted_by_the_transport(text: str) -> None:
    try:
        name = values.hostname(text)
    except BadValue:
        return
    assert check_name(name) == name
    assert not set(name) & set(" \t\n\0;|&$`'\"\\<>(){}*?!#~")


@given(LIKELY | ANY)
@settings(max_examples=1500, deadline=None)
def test_every_user_we_accept_is_accepted_by_the_transport(text: str) -> None:
    try:
        name = values.user(text)
    except BadValue:
        return
    assert check_user(name) == name


@pytest.mark.parametrize(
    "text", ["web01.example.com", "10.0.0.1", "fe80::1%eth0", "::1", "host_name", "bücher.example"]
)
def test_ordinary_hostnames_pass(text: str) -> None:
    assert values.hostname(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "deploy",
        "EXAMPLE\\deploy",
        "CORP\\john doe",
        "deploy@example.com",
        "svc-a.b_c+d",
        "alice:db1",
        "alice#root#10.0.0.7",
    ],
)
def test_ordinary_users_pass(text: str) -> None:
    assert values.user(text) == text


@pytest.mark.parametrize("text", ["a%b", "%h", "%", "fe80::1%", "a\u200bb", "a\\b", "-x", ""])
def test_hostnames_with_tokens_or_invisible_characters_do_not(text: str) -> None:
    with pytest.raises(BadValue):
        values.hostname(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [("WEB.example.", "web.EXAMPLE"), ("[::1]", "0:0:0:0:0:0:0:1"), ("::ffff:10.0.0.1", "10.0.0.1"),
     ("bücher.example", "XN--BCHER-KVA.example")],
)  # fmt: skip
def test_spellings_of_one_host_compare_equal(one: str, other: str) -> None:
    assert values.host_key(one) == values.host_key(other)


@given(ANY)
def test_any_text_can_be_compared(text: str) -> None:
    assert values.host_key(text) == values.host_key(text)


@pytest.mark.parametrize("text", ["/", "//", "/./", "///."])
def test_every_spelling_of_the_root_is_the_root(text: str) -> None:
    assert values.remote_prefix(text, None, everything=True) == "/"


@given(ANY)
def test_shown_text_is_one_bounded_printable_line(text: str) -> None:
    out = values.shown(text * 20)
    assert len(out) <= 80
    assert out.isprintable()


def test_an_empty_value_is_seen_in_a_message() -> None:
    assert values.shown("") == "''"
    with pytest.raises(InvalidArgument, match=r"^'' is no name or id\."):
        arguments.container("")
