"""Listings of archives, and which archives may be unpacked."""

from __future__ import annotations

import pytest

from ssh_mcp.remote.files.archive.members import Member, parse_tar, parse_zip, plain, refusal

TAR = rb"""drwxr-xr-x 0/0               0 2026-11-27 23:00 "a/"
-rw-r--r-- 1000/1000        12 2026-11-27 23:00 "a/odd\nname \"x\" -> y"
lrwxrwxrwx 0/0               0 2026-11-27 23:00 "a/\303\274" -> "b \\ c"
hrw-r--r-- 0/0               0 2026-11-27 23:00 "a/hard" link to "a/first"
crw-r--r-- 0/0             1,3 2026-11-27 23:00 "null"
"""
ZIP = b"""Archive:  x.zip
Zip file size: 470 bytes, number of entries: 3
drwxr-xr-x  3.0 unx        0 bx stor 26-Nov-27 10:00 a/
-rw-r--r--  3.0 unx       12 tx defN 26-Nov-27 10:00 a/two words
lrwxrwxrwx  3.0 unx       11 bx stor 26-Nov-27 10:00 link
3 files, 23 bytes uncompressed, 23 bytes compressed:  0.0%
"""


def test_tar_listings_are_read_whatever_names_hold() -> None:
    assert parse_tar(TAR) == [
        Member("a", "directory"),
        Member('a/odd\nname "x" -> y', "file", 12),
        Member("a/ü", "symlink", 0, "b \\ c"),
        Member("a/hard", "file", 0, "a/first", hard=True),
        Member("null", "other"),
    ]
    with pytest.raises(ValueError, match="tar: strange"):
        parse_tar(b"tar: strange line\n")


def test_zip_listings_are_read() -> None:
    assert parse_zip(ZIP) == [
        Member("a", "directory"),
        Member("a/two words", "file", 12),
        Member("link", "symlink", 11),
    ]


@pytest.mark.parametrize(
    "members",
    [
        [Member("/etc/passwd", "file")],
        [Member("a/../../x", "file")],
        [Member("..", "directory")],
        [Member("dev", "other")],
        [Member("l", "symlink", target="/etc")],
        [Member("l", "symlink", target="../x")],
        [Member("d/l", "symlink", target="up/../../x")],
        [Member("l", "symlink", target="d"), Member("l/x", "file")],
        [Member("l", "symlink", target="d"), Member("./l//x", "file")],
        [Member("l", "symlink", target="d"), Member("l", "file")],
        [Member("h", "file", target="/etc/passwd", hard=True)],
        [Member("h", "file", target="missing", hard=True)],
    ],
)
def test_an_archive_that_could_write_elsewhere_is_refused(members: list[Member]) -> None:
    assert refusal(members) is not None


def test_an_ordinary_archive_is_permitted() -> None:
    members = [
        Member(".", "directory"),
        Member("./a", "directory"),
        Member("a/x", "file", 3),
        Member("a/y", "file", target="a/x", hard=True),
        Member("a/l", "symlink", target="../b"),
        Member("...", "file"),
    ]
    assert refusal(members) is None
    assert plain("./a//b/") == "a/b"
