"""The client's words of SOCKS: whole, byte by byte, and garbage."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssh_mcp.remote.forwards import socks

FIVE_NAME = b"\x05\x01\x00\x03\x0bdb.internal\x15\x38"
FIVE_V4 = b"\x05\x01\x00\x01\x0a\x00\x00\x01\x00\x50"
FOUR = b"\x04\x01\x00\x50\x0a\x00\x00\x01me\x00"
FOUR_A = b"\x04\x01\x00\x50\x00\x00\x00\x01me\x00db\x00"


@pytest.mark.parametrize(
    ("data", "host", "port"),
    [(FIVE_NAME, "db.internal", 5432), (FIVE_V4, "10.0.0.1", 80), (FOUR, "10.0.0.1", 80), (FOUR_A, "db", 80)],
)
def test_a_request_is_complete_with_its_last_byte(data: bytes, host: str, port: int) -> None:
    for end in range(1, len(data)):
        assert socks.request(data[:end]) is None
    asked = socks.request(data)
    assert asked is not None
    assert (asked.host, asked.port) == (host, port)


def test_only_a_greeting_that_offers_no_authentication_is_accepted() -> None:
    assert socks.greeting(b"\x05\x02\x02\x00") == b"\x05\x00"
    assert socks.greeting(b"\x05\x02\x02") is None
    with pytest.raises(socks.SocksError) as refused:
        socks.greeting(b"\x05\x01\x02")
    assert refused.value.reply == b"\x05\xff"
    with pytest.raises(socks.SocksError):
        socks.greeting(b"GET / HTTP/1.1")


@given(st.binary(max_size=64))
def test_garbage_is_refused_or_waited_for(data: bytes) -> None:
    try:
        socks.greeting(data)
        socks.request(data)
    except socks.SocksError:
        pass
