"""Recordings as text: the format, and that nothing in one moves a terminal beyond its screen."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssh_mcp.recording.asciicast import Event, as_output, encoded, events, header

LEFT = re.compile(r"\x1b\[[0-9;:]*[ABCDEFGHJKfmd]")


def test_a_recording_is_asciicast_v2() -> None:
    first = json.loads(header(1_790_000_000.7, "ssh_exec_run on web01"))
    assert (first["version"], first["width"], first["height"], first["timestamp"]) == (2, 80, 24, 1_790_000_000)
    assert json.loads(encoded(Event(1.23456, "o", "é\r\n"))) == [1.235, "o", "é\r\n"]
    assert list(events(iter(["[", "[1]", '[0.5,"o","x"]', '[1,"i","y"]']))) == [Event(0.5, "o", "x")]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a\nb\r\nc", "a\r\nb\r\nc"),
        ("\x1b[1;31mred\x1b[0m", "\x1b[1;31mred\x1b[0m"),
        ("\x1b[2J\x1b[3;4H", "\x1b[2J\x1b[3;4H"),
        ("\x1b]0;title\x07x", "x"),
        ("\x1b]52;c;ZXZpbA==\x1b\\x", "x"),
        ("\x1bP$q m\x1b\\x", "x"),
        ("\x1b[6nx\x1b[c\x1b[?1049h", "x"),
        ("\x9b6nx", "6nx"),
        ("\x1bcx\x07\x0e", "x"),
        ("x\x1b", "x"),
    ],
)
def test_only_colours_and_cursor_movement_pass(text: str, left: str) -> None:
    assert as_output(text) == left


@given(st.text(st.sampled_from("\x1b[]PX^_0;?1mHnchlJK\\\x07\x9b \r\nab"), max_size=60))
def test_whatever_a_host_prints_is_harmless(text: str) -> None:
    out = as_output(text)
    assert not re.search(r"[\x00-\x07\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]", out)
    assert "\x1b" not in LEFT.sub("", out)
