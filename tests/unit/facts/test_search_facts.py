"""What find, du and grep print is read whole, however it is cut and whatever names hold."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ssh_mcp.facts.search import GrepLine, each_lines, gnu_row, relative_paths, usage_rows, with_stat
from ssh_mcp.remote.files.search.grep import line_by_line


def test_a_row_of_gnu_find_keeps_blanks_and_newlines_of_its_name() -> None:
    row = gnu_row(b"Mf 12 1700000000.5 a b\nc")
    assert row is not None
    assert (row.path, row.kind, row.size, row.mtime) == ("a b\nc", "file", 12, 1700000000.5)
    assert gnu_row(b"Mnonsense") is None


def test_sizes_of_a_tree_that_changed_between_the_walks_are_not_guessed() -> None:
    paths = relative_paths([b"./a", b"./b\xff"])
    assert paths == ["a", "b\udcff"]
    assert with_stat(paths, b"81a4 1 5\n") is None
    joined = with_stat(paths, b"81a4 1 5\n41ed 2 6\n")
    assert joined is not None
    assert [row.kind for row in joined] == ["file", "directory"]


def test_a_name_with_a_newline_stays_one_record_of_du() -> None:
    assert dict(usage_rows(b"4\t./a\nb\n8\t.\n")) == {"a\nb": 4096, ".": 8192}
    assert dict(usage_rows(b"4\t./a\nb\x008\t.\x00")) == {"a\nb": 4096, ".": 8192}


@given(st.binary(max_size=300))
def test_any_bytes_are_read_without_an_error(data: bytes) -> None:
    each_lines(data, "m")
    list(usage_rows(data))
    gnu_row(data)
    relative_paths(data.split(b"\0"))


@given(st.lists(st.text("ab", max_size=3), max_size=8), st.lists(st.text("ab*", max_size=3), max_size=8))
def test_a_masked_text_gives_each_line_its_own_or_stars(given_lines: list[str], masked: list[str]) -> None:
    shown = line_by_line(given_lines, masked)
    assert len(shown) == len(given_lines)
    assert set(shown) <= {*masked, "***"}


def test_lines_behind_a_mark_belong_to_their_file() -> None:
    each = each_lines(b"\nm ./a\0001:hit\n\nm ./b\0!\nm ./c\0x\0y", "m")
    assert each.lines == {"a": [GrepLine(1, True, b"hit")]}
    assert (each.binary, each.unreadable) == (1, 1)
