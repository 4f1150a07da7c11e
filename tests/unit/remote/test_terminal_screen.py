"""What a terminal shows, and what its keys send."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssh_mcp.errors import CommandIsCheatsheetMatch, CommandNotAllowed, InvalidArgument
from ssh_mcp.inventory.model import CommandPolicy
from ssh_mcp.policy.commands import Circumstances, permit_typed
from ssh_mcp.remote.devices.keys import named, sequence, typed
from ssh_mcp.remote.devices.printed import plain_text
from ssh_mcp.remote.devices.screen import HISTORY_ROWS, TerminalScreen


def test_rows_that_were_wrapped_are_joined_and_others_are_not() -> None:
    screen = TerminalScreen(10, 4)
    screen.feed(b"abcdefghijklmno\r\nabcdefghij\r\nnext")
    assert screen.text == "abcdefghijklmno\nabcdefghij\nnext"


def test_full_rows_are_one_word_where_that_is_asked() -> None:
    screen = TerminalScreen(10, 4)
    screen.feed(b"\x1b[1;1Habcdefghij\x1b[2;1Hklm\x1b[3;1H+--------+\x1b[4;1H| a box  |")
    assert screen.text == "abcdefghij\nklm\n+--------+\n| a box  |"
    assert screen.joined == "abcdefghijklm\n+--------+\n| a box  |"


def test_rows_that_scroll_off_are_kept_to_a_bound() -> None:
    screen = TerminalScreen(20, 5)
    screen.feed(b"\r\n".join(b"line %d" % n for n in range(1000)))
    assert screen.above.splitlines()[-1] == "line 994"
    assert len(screen.above.splitlines()) == HISTORY_ROWS


def test_the_alternate_screen_is_left_as_it_was_entered() -> None:
    screen = TerminalScreen(20, 5)
    screen.feed(b"shell$ vim\x1b[?1049h\x1b[2J\x1b[Hedited")
    assert screen.text == "edited"
    screen.feed(b"\x1b[?1049l")
    assert screen.text == "shell$ vim"


def test_a_terminal_replies_where_its_cursor_is() -> None:
    assert TerminalScreen(20, 5).feed(b"ab\x1b[6n") == b"\x1b[1;3R"


def test_a_sequence_that_never_ends_is_given_up() -> None:
    screen = TerminalScreen(20, 5)
    for _ in range(40):
        screen.feed(b"\x1b]0;" + b"x" * 4096)
    screen.feed(b"\x07\x1b[2J\x1b[Hseen")
    assert screen.text.startswith("seen")


def test_what_has_no_width_takes_nothing_with_it() -> None:
    screen = TerminalScreen(20, 5)
    screen.feed("a\u200db\u2060c\x1b[42Jd e\u0301".encode())
    assert screen.text == "abcd \u00e9"


def test_marks_heaped_on_one_character_are_bounded() -> None:
    screen = TerminalScreen(20, 5)
    for _ in range(50):
        screen.feed(b"e" + "\u0301\u0302".encode() * 100)
    assert len(screen.text) < 20 * 5 * 20


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=40), st.sampled_from(
    [b"\x1b[", b"\x1b[>4;2m", b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?3h", b"\x1b[99999;0r", b"\x1b[9999L", b"\x1b]",
     b"\x1b(0", b"\x1bM", b"\x1bD", b"\x1b[?25;7l", "\u4e2d".encode(), b"\r\n", b"\x1b[;;;H"]))))  # fmt: skip
def test_no_output_breaks_a_screen(parts: list[bytes]) -> None:
    screen = TerminalScreen(20, 6)
    for part in parts:
        screen.feed(part)
        row, column = screen.cursor
        assert 0 <= row < 6
        assert 0 <= column < 20
    assert screen.text.count("\n") < 6
    screen.resize(30, 4)
    assert screen.text.count("\n") < 4


def test_control_sequences_are_no_text() -> None:
    assert plain_text("\x1b[31mred\x1b[0m \x1b]0;title\x07done\r\nnext\x1b(B") == "red done\nnext"


@pytest.mark.parametrize(
    ("keys", "application", "sent"),
    [
        (["Enter"], False, "\r"), (["ctrl-c"], False, "\x03"), (["C-x"], False, "\x18"), (["^["], False, "\x1b"),
        (["Up", "Home"], False, "\x1b[A\x1b[H"), (["Up"], True, "\x1bOA"), (["Alt-x"], False, "\x1bx"),
        (["Page_Down"], False, "\x1b[6~"), (["F12"], False, "\x1b[24~"), (["q", "Q"], False, "qQ"), ([], False, ""),
    ],
)  # fmt: skip
def test_keys_are_what_a_terminal_sends(keys: list[str], application: bool, sent: str) -> None:
    assert sequence(keys, application=application) == sent


def test_what_is_typed_is_checked_as_a_person_reads_it_and_characters_are_no_keys() -> None:
    keys = ["/", "e", "t", "c", "Space", "x", "Tab", "Ctrl-C", "Enter"]
    assert typed("cat ", keys) == "cat /etc x<Tab><Ctrl-C>\n"
    assert named(keys) == ["Tab", "Ctrl-C", "Enter"]


@pytest.mark.parametrize("key", ["", "Enterr", "Ctrl-", "F13", "\x03", "ab"])
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(InvalidArgument):
        sequence([key])


def test_what_is_typed_needs_a_host_that_permits_every_command() -> None:
    with pytest.raises(CommandNotAllowed):
        permit_typed("ls", CommandPolicy(allow=("ls",), allow_any=True))
    with pytest.raises(CommandNotAllowed):
        permit_typed("", CommandPolicy())
    assert permit_typed("", CommandPolicy(allow_any=True)).invocations is None
    assert permit_typed("top\n", CommandPolicy(allow=("*",))).text == "top\n"
    with pytest.raises(CommandIsCheatsheetMatch):
        permit_typed("vi /etc/shadow", CommandPolicy(allow=("*",)), Circumstances(redact_globs=("/etc/shadow",)))
