"""Windows of a file and the parts cut out of them: each selection, for files read whole and in part."""

from __future__ import annotations

import pytest

from ssh_mcp.inventory.model import RedactionPolicy
from ssh_mcp.redaction.engine import first_secret, redact_part, rules_from
from ssh_mcp.remote.files.arguments import Selection
from ssh_mcp.remote.files.pieces import Window, cut_piece

LINES = b"".join(b"line %d\n" % n for n in range(100))
RULES = rules_from(RedactionPolicy())


def window(start: int = 0, end: int | None = None) -> Window:
    data = LINES[start:end]
    return Window(data, start, start + len(data) == len(LINES), len(LINES))


@pytest.mark.parametrize(
    ("chosen", "seen", "data", "cut", "more"),
    [
        (Selection(), window(), LINES, False, False),
        (Selection(), window(0, 60), LINES[:50], True, True),
        (Selection(offset=20), window(10, 80), LINES[20:70], True, True),
        (Selection(offset=20, max_bytes=5), window(10, 80), LINES[20:25], False, True),
        (Selection(offset=20, max_bytes=500), window(10, 80), LINES[20:70], True, True),
        (Selection(offset=5000), window(len(LINES)), b"", False, False),
        (Selection(first_lines=2), window(0, 60), b"line 0\nline 1\n", False, True),
        (Selection(first_lines=99), window(0, 70), LINES[:50], True, True),
        (Selection(first_lines=500, max_bytes=3), window(0, 60), b"lin", True, True),
        (Selection(last_lines=2), window(700), b"line 98\nline 99\n", False, False),
        (Selection(last_lines=90), window(600), LINES[-50:], True, False),
    ],
)
def test_a_selection_is_cut_out_of_a_window(
    chosen: Selection, seen: Window, data: bytes, cut: bool, more: bool
) -> None:
    piece = cut_piece(seen, chosen, 50 if not (chosen == Selection() and seen.data == LINES) else 5000)
    assert (piece.data, piece.cut, piece.more, piece.size) == (data, cut, more, len(LINES))
    if data:
        assert LINES[piece.offset : piece.end] == data
    assert piece.before + piece.data + piece.after == seen.data


@pytest.mark.parametrize("told", [0, 4096])
def test_the_end_of_file_counts_where_the_size_is_not_the_contents(told: int) -> None:
    piece = cut_piece(Window(b"always madvise\n", 0, at_end=True, size=told), Selection(), 65536)
    assert (piece.size, piece.cut, piece.more) == (15, False, False)


TEXT = "name = web\ndb_password = canary-h0rse\nport = 80\n"


def test_a_part_is_masked_in_the_light_of_what_is_around_it() -> None:
    at = TEXT.index("canary")
    for start, end in ((at, at + 4), (at + 3, at + 6), (at - 5, len(TEXT)), (0, at + 2)):
        masked = redact_part(TEXT, start, end, RULES, path="/etc/app.conf")
        assert "<sha:" in masked.text
        assert "canary" not in masked.text
        assert [r.key for r in masked.redactions] == ["db_password"]
    assert redact_part(TEXT, 0, 10, RULES).text == "name = web"
    assert redact_part(TEXT, TEXT.index("port"), len(TEXT), RULES).text == "port = 80\n"
    whole = redact_part(TEXT, 0, len(TEXT), RULES, path="/etc/app.conf")
    assert whole.text.endswith(" len:12>\nport = 80\n")
    assert whole.redactions[0].line == 2


def test_only_a_secret_that_reaches_into_the_part_counts() -> None:
    at = TEXT.index("canary")
    assert first_secret(TEXT, RULES, start=at + 3, end=at + 5) is not None
    assert first_secret(TEXT, RULES, start=0, end=10) is None
    assert first_secret(TEXT, RULES, start=TEXT.index("port")) is None


def test_a_private_key_that_the_window_cuts_is_a_secret_to_its_end() -> None:
    body = "MIIEpAIBAAKCAQEA1c7+9z5Pad7OejecsQ0bu3aozN3tihPmljnnudb9G3HECdnH\n" * 20
    text = "-----BEGIN RSA PRIVATE KEY-----\n" + body
    assert first_secret(text, RULES, start=700, end=800) is not None
    masked = redact_part(text, 700, 800, RULES)
    assert "MIIEpAIB" not in masked.text
    assert "ecsQ0bu3" not in masked.text
