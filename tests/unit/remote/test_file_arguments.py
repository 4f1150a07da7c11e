"""What callers say about files, and changing text."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssh_mcp.errors import FileConflict, InvalidArgument, Refusal, TooLarge
from ssh_mcp.remote.files import text_edits
from ssh_mcp.remote.files.arguments import Content, Selection, parse_content, parse_mode, parse_selection


@pytest.mark.parametrize(
    ("mode", "bits"),
    [("0644", 0o644), ("644", 0o644), ("0o600", 0o600), (420, 0o644), (493, 0o755), (384, 0o600), (511, 0o777)],
)
def test_modes_are_taken_as_octal_text_or_as_the_number_they_are(mode: int | str, bits: int) -> None:
    assert parse_mode(mode) == bits


@pytest.mark.parametrize(
    ("mode", "right"), [(644, "0644"), (755, "0755"), (600, "0600"), (400, "0400"), (1777, "1777")]
)
def test_an_integer_that_looks_octal_is_refused_with_the_right_spelling(mode: int, right: str) -> None:
    with pytest.raises(InvalidArgument, match=f'Write "{right}"'):
        parse_mode(mode)


@pytest.mark.parametrize("mode", ["", "64", "0888", "u+x", "rw-r--r--", -1, 8 * 0o10000, "777777"])
def test_what_is_no_mode_is_refused(mode: int | str) -> None:
    with pytest.raises(InvalidArgument):
        parse_mode(mode)


def test_content_comes_from_exactly_one_place() -> None:
    assert parse_content("ä", None, None, max_bytes=10) == Content("ä".encode(), None)
    assert parse_content("", None, None, max_bytes=10) == Content(b"", None)
    assert parse_content(None, base64.b64encode(b"\0\xff").decode(), None, max_bytes=10) == Content(b"\0\xff", None)
    assert parse_content(None, None, "/x", max_bytes=10) == Content(None, "/x")
    for wrong in ((None, None, None), ("a", "YQ==", None), ("", None, "/x")):
        with pytest.raises(InvalidArgument, match="exactly one"):
            parse_content(*wrong, max_bytes=10)
    with pytest.raises(TooLarge):
        parse_content("x" * 11, None, None, max_bytes=10)
    for broken in ("YQ=", "a!b=", "é"):
        with pytest.raises(InvalidArgument, match="base64"):
            parse_content(None, broken, None, max_bytes=10)


def test_a_selection_says_one_thing() -> None:
    assert parse_selection(None, None, None, None) == Selection()
    assert parse_selection(None, 5, None, 100) == Selection(last_lines=5, max_bytes=100)
    for wrong in ((1, 1, None, None), (1, None, 0, None), (0, None, None, None), (None, None, -1, None)):
        with pytest.raises(InvalidArgument):
            parse_selection(*wrong)


def test_an_edit_wants_exactly_one_match_or_all() -> None:
    assert text_edits.replace("a b a", "b", "c", "single", "/f") == "a c a"
    assert text_edits.replace("a b a", "a", "", "all", "/f") == " b "
    cases: list[tuple[tuple[str, str, str], type[Refusal], str]] = [
        (("a b a", "a", "c"), FileConflict, "2 times"),
        (("a", "x", "c"), FileConflict, "not in"),
        (("a\r\nb", "a\nb", "c"), FileConflict, "CRLF"),
        (("a", "a", "a"), InvalidArgument, "equal"),
        (("a", "", "a"), InvalidArgument, "empty"),
    ]
    for (text, old, new), error, words in cases:
        with pytest.raises(error, match=words):
            text_edits.replace(text, old, new, "single", "/f")


def test_binary_and_undecodable_files_are_not_edited() -> None:
    with pytest.raises(InvalidArgument, match="byte 3"):
        text_edits.decode(b"caf\xe9", "/f")
    with pytest.raises(InvalidArgument, match="binary"):
        text_edits.decode(b"a\0b", "/f")


_lines = st.lists(st.sampled_from(["a", "b", "c", "", "x y", "\x0cpage", "\u2028", "tab\t", "cr\r"]), max_size=14)


@given(_lines, _lines, st.booleans(), st.booleans())
@settings(max_examples=300, deadline=None)
def test_our_own_diff_applied_gives_the_new_text(
    old: list[str], new: list[str], bare_old: bool, bare_new: bool
) -> None:
    before = "\n".join(old) + ("" if bare_old else "\n")
    after = "\n".join(new) + ("" if bare_new else "\n")
    if before == after or not before or not after:
        return
    shown = text_edits.diff(before, after, "/f")
    assert text_edits.patch(before, shown, "/f") == after


@given(_lines, _lines)
@settings(max_examples=50, deadline=None)
def test_a_diff_of_the_diff_program_applied_gives_the_new_text(
    tmp_path_factory: pytest.TempPathFactory, old: list[str], new: list[str]
) -> None:
    place: Path = tmp_path_factory.mktemp("d")
    before, after = "\n".join(["first", *old]), "\n".join(["first", *new, ""])
    (place / "a").write_text(before, newline="")
    (place / "b").write_text(after, newline="")
    made = subprocess.run(["diff", "-u", "--text", "a", "b"], cwd=place, capture_output=True, check=False)
    if before != after:
        assert text_edits.patch(before, made.stdout.decode(), "/f") == after


PATCH = "--- a/f\n+++ b/f\n@@ -2,2 +2,2 @@\n two\n-three\n+drei\n"


def test_a_patch_has_no_fuzz() -> None:
    assert text_edits.patch("one\ntwo\nthree\n", PATCH, "/f") == "one\ntwo\ndrei\n"
    for text in ("two\nthree\n", "zero\none\ntwo\nthree\n", "one\ntwo\nthree", "one\ntwo\nThree\n", "one\n", ""):
        with pytest.raises(FileConflict, match="Hunk 1 does not fit"):
            text_edits.patch(text, PATCH, "/f")


@pytest.mark.parametrize(
    "diff",
    [
        "",
        "no diff",
        PATCH + PATCH.replace("/f", "/g"),
        "--- a/f\n+++ b/f\n",
        "--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+x\n",
        "--- a/f\n+++ b/f\n@@ -1,3 +1,3 @@\n one\n",
        "--- a/f\n+++ b/f\n@@ -1 +1 @@\n-one\n+one\n",
    ],
)
def test_what_is_no_change_of_one_file_is_refused(diff: str) -> None:
    with pytest.raises(InvalidArgument):
        text_edits.patch("one\ntwo\nthree\n", diff, "/f")


@pytest.mark.parametrize(
    "body",
    [
        "@@ -1,2 +1,2 @@\n one\n-two\n+zwei\n-three\n+drei\n",
        "@@ -1,1 +1,2 @@\n one\n+x\n+y\n",
        "@@ -1,1 +1,1 @@\n-one\n+eins\n-two\n",
        "@@ -1 +1 @@\n-one\n+eins\n two\n",
        "-two\n@@ -1 +1 @@\n-one\n+eins\n",
        "@@ -1 +1 @@\n-one\n+eins\n--- two\n",
    ],
)
def test_a_hunk_that_holds_more_than_its_header_counts_is_refused_whole(body: str) -> None:
    with pytest.raises(InvalidArgument):
        text_edits.patch("one\ntwo\nthree\n", f"--- a/f\n+++ b/f\n{body}", "/f")


def test_a_change_of_lines_that_look_like_headers_is_applied() -> None:
    patch = "--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n-- a\n--- b\n+++ c\n++ d\n"
    assert text_edits.patch("- a\n-- b\n", patch, "/f") == "++ c\n+ d\n"


def test_line_ends_and_a_byte_order_mark_are_named() -> None:
    for text, words in (
        ("one\r\ntwo\r\nthree\r\n", "lines end in CRLF"),
        ("one\n\ufefftwo\nthree\n", "byte order mark"),
    ):
        with pytest.raises(FileConflict, match=words):
            text_edits.patch(text, PATCH, "/f")
    with pytest.raises(FileConflict, match="LF, not in CRLF"):
        text_edits.patch("one\ntwo\nthree\n", PATCH.replace("\n two", "\r\n two").replace("\n", "\r\n"), "/f")
    with pytest.raises(FileConflict, match="LF, not in CRLF"):
        text_edits.replace("a\nb", "a\r\nb", "c", "single", "/f")


def test_a_diff_that_cannot_be_read_is_refused_in_one_line() -> None:
    with pytest.raises(InvalidArgument) as caught:
        text_edits.patch("one\n", "@@ -1,1 +1,1 @@\n-one\n+two\n", "/f")
    assert "\n" not in str(caught.value)
    assert "headers" in str(caught.value)


def test_a_long_diff_is_cut_and_says_so() -> None:
    old = "".join(f"line {n}\n" for n in range(2900))
    few = "".join(f"line {n}\n" for n in range(1200))
    assert "more lines" in text_edits.diff(few, few.replace("line", "row"), "/f")
    assert len(text_edits.diff(old * 10, old.upper() * 10, "/f")) < 21_000
    small = text_edits.diff(old, old.replace("line 2000\n", "changed\n"), "/f")
    assert "@@ -1998,7 +1998,7 @@" in small
