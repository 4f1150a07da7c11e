"""Pieces of a growing output: nothing repeated, nothing skipped, no character cut, no secret shown by half."""

from __future__ import annotations

import random

import pytest

from ssh_mcp.inventory.model import RedactionPolicy
from ssh_mcp.remote.exec.jobs.text import MARGIN, Window, piece

POLICY = RedactionPolicy()
SECRET = "ghp_" + "a1B2c3D4e5" * 4
KEY = "-----BEGIN PRIVATE KEY-----\n" + "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n" * 60 + "-----END PRIVATE KEY-----\n"


def window(data: bytes, start: int, limit: int, *, growing: bool = False, total: int | None = None) -> Window:
    """What a host sends for a piece: the margin around it."""
    low, high = max(start - MARGIN, 0), start + limit + MARGIN
    return Window(data[low:high], low, len(data) if total is None else total, growing)


def walk(data: bytes, limit: int) -> list[str]:
    at, texts = 0, []
    while at < len(data):
        shown = piece(window(data, at, limit), at, limit, POLICY)
        assert shown.start == at < shown.end <= at + limit
        texts.append(shown.text)
        at = shown.end
    return texts


@pytest.mark.parametrize("limit", [5, 7, 64, 1000])
def test_pieces_side_by_side_are_the_whole(limit: int) -> None:
    rng = random.Random(limit)
    data = "".join(rng.choice("abc äß€𝄞\n\r\t ") for _ in range(3000)).encode()
    assert "".join(walk(data, limit)).encode() == data


def test_a_secret_across_a_bound_is_shown_once_as_a_marker() -> None:
    data = f"{'x' * 50} token {SECRET} {'y' * 50}\n".encode()
    for limit in range(40, 130, 7):
        text = "".join(walk(data, limit))
        assert SECRET[:12] not in text
        assert SECRET[-12:] not in text
        assert text.count("<sha:") == 1, limit


def test_a_cursor_inside_of_a_secret_shows_nothing_of_it() -> None:
    data = f"token {SECRET} end\n".encode()
    shown = piece(window(data, 20, 100), 20, 100, POLICY)
    assert shown.text == " end\n"


def test_a_private_key_is_masked_however_it_is_cut() -> None:
    data = ("before\n" + KEY + "after\n").encode()
    text = "".join(walk(data, 300))
    assert "MIIE" not in text
    assert text.startswith("before\n")
    assert text.endswith("after\n")


def test_an_unfinished_key_of_a_running_job_is_masked() -> None:
    for cut in (400, KEY.index("\n", 400) + 1):
        data = KEY[:cut].encode()
        assert "MIIE" not in piece(window(data, 0, 9999, growing=True), 0, 9999, POLICY).text, cut


def test_the_last_word_of_a_running_job_waits_for_its_rest() -> None:
    shown = piece(window(b"one two thr", 0, 99, growing=True), 0, 99, POLICY)
    assert (shown.text, shown.end, shown.held) == ("one two ", 8, True)
    done = piece(window(b"one two three", 8, 99), 8, 99, POLICY)
    assert (done.text, done.end, done.held) == ("three", 13, False)


def test_a_progress_bar_is_shown_up_to_its_last_return() -> None:
    shown = piece(window(b"10%\r20%\r30", 0, 99, growing=True), 0, 99, POLICY)
    assert (shown.text, shown.end) == ("10%\r20%\r", 8)


def test_bytes_that_are_not_utf8_and_a_cursor_inside_of_a_character_are_shown() -> None:
    assert piece(window(b"a\xffb\n", 0, 99), 0, 99, POLICY).text == "a\ufffdb\n"
    shown = piece(window("aäb\n".encode(), 2, 99), 2, 99, POLICY)
    assert (shown.text, shown.start) == ("b\n", 3)


def test_an_escape_sequence_is_not_cut() -> None:
    data = b"x" * 20 + b"\x1b[31mred\x1b[0m " + b"y" * 20
    assert "".join(walk(data, 23)) == "x" * 20 + "red " + "y" * 20


def test_without_output_redaction_nothing_is_masked() -> None:
    data = f"token {SECRET}\n".encode()
    assert SECRET in piece(window(data, 0, 99), 0, 99, RedactionPolicy(output=False)).text
