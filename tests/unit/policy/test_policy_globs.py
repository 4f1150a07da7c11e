"""Patterns against a slow and obvious matcher, and against inputs made to be slow."""

from __future__ import annotations

import re
from functools import cache

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ssh_mcp.policy import globs


def slowly(pattern: str, path: str) -> bool:
    """The definition, by dynamic programming, for patterns without brackets."""

    @cache
    def at(i: int, j: int) -> bool:
        rest = pattern[i:]
        if not rest:
            return j == len(path)
        if rest == "/**" and pattern != "/**" and i > 0 and pattern[:i].strip("/*"):
            return j == len(path) or path[j] == "/"
        if rest.startswith("**"):
            stars = len(rest) - len(rest.lstrip("*"))
            after = i + stars
            whole_segment = i == 0 or pattern[i - 1] == "/"
            if whole_segment and rest[stars:].startswith("/") and at(after + 1, j):
                return True
            return any(at(after, k) for k in range(j, len(path) + 1))
        if rest[0] == "*":
            end = j
            while True:
                if at(i + 1, end):
                    return True
                if end == len(path) or path[end] == "/":
                    return False
                end += 1
        if j == len(path):
            return False
        if rest[0] == "?":
            return path[j] != "/" and at(i + 1, j + 1)
        return rest[0] == path[j] and at(i + 1, j + 1)

    return at(0, 0)


PATTERNS = st.lists(st.sampled_from(["a", "b", "/", "*", "**", "?", "/**/", ".", "**/"]), min_size=1, max_size=9).map(
    "".join
)
PATHS = st.lists(st.sampled_from(["a", "b", "/", ".", "/a", "/b/"]), max_size=12).map("".join)


@given(PATTERNS, PATHS)
@example("a**/*b", "a/ab")
@example("**a*b**b", "/aab/b")
@example("/a/**/b", "/a/b")
@example("/a/**", "/a")
@settings(max_examples=1500, deadline=None)
def test_the_compiled_pattern_says_what_the_definition_says(pattern: str, path: str) -> None:
    assert globs.matches(path, (pattern,)) == slowly(pattern, path)


@given(st.lists(PATTERNS, max_size=4), PATHS)
@settings(max_examples=500, deadline=None)
def test_a_list_matches_where_one_of_its_patterns_does(patterns: list[str], path: str) -> None:
    expected = any(slowly(p, path) for p in patterns)
    assert globs.matches(path, tuple(patterns)) == expected
    assert (globs.first_match(path, tuple(patterns)) is not None) == expected


@pytest.mark.parametrize(
    ("pattern", "inside", "outside"),
    [
        ("**/.env", ["/.env", "/srv/app/.env"], ["/srv/.env.d/x", "/srv/x.env", ".env/x"]),
        ("**/.env.*", ["/srv/.env.local"], ["/srv/.env", "/srv/.env.d/x"]),
        ("/srv/*", ["/srv/a"], ["/srv/a/b", "/srv"]),
        ("/srv/**", ["/srv/a", "/srv/a/b", "/srv"], ["/srvx"]),
        ("/srv/**/k", ["/srv/k", "/srv/a/b/k"], ["/srv/ak", "/k"]),
        ("/a/[a-c]?", ["/a/b1"], ["/a/d1", "/a/b", "/a/b/"]),
        ("/a/[!a]", ["/a/b"], ["/a/a", "/a//"]),
        ("/a/[z-a]", [], ["/a/z", "/a/a"]),
        ("/a/[", ["/a/["], ["/a/b"]),
        ("/a+(b)|c.", ["/a+(b)|c."], ["/aab", "/a+(b)|cx"]),
        ("**", ["/", "/a/b"], []),
        ("/**", ["/", "/a/b"], ["a"]),
        ("**/n\nl", ["/n\nl"], ["/n"]),
    ],
)
def test_examples_of_each_wildcard(pattern: str, inside: list[str], outside: list[str]) -> None:
    assert [p for p in inside if not globs.matches(p, (pattern,))] == []
    assert [p for p in outside if globs.matches(p, (pattern,))] == []


def test_case_counts_by_default() -> None:
    assert not globs.matches("/srv/.ENV", ("**/.env",))
    assert globs.matches("/srv/.ENV", ("**/.env",), ignore_case=True)


def test_hostile_patterns_and_paths_backtrack_neither_far_nor_long() -> None:
    hostile = {
        "**/*a*a*a*a*a*a*a*b": "/" + "a" * 4095,
        "**/a*/**/b*/**/c*/**/d": "/" + "a/b/c/" * 600,
        "**a**a**a**a**a**a**b": "/" + "a" * 4095,
        "/**/**/**/**/**/**/x": "/" + "a/" * 2047,
        "**/a*b*a*b*a*c": "/" + "ab" * 2047,
    }
    for pattern, path in hostile.items():  # exponential or high polynomial matching would hit the test's time limit
        assert not globs.matches(path, (pattern,)), pattern


@given(
    PATTERNS, st.lists(st.sampled_from(["a", "b", ".", "ab"]), max_size=3), st.lists(st.sampled_from("ab"), max_size=3)
)
@settings(max_examples=800, deadline=None)
def test_a_directory_that_is_cleared_holds_no_match(pattern: str, directory: list[str], below: list[str]) -> None:
    pattern = re.sub("/+", "/", f"/{pattern}")
    place = "/" + "/".join(directory)
    inside = "/" + "/".join([*directory, *below])
    if globs.may_match_below(place, (pattern,)) is None:
        assert not globs.matches(inside, (pattern,))


def test_a_pattern_elsewhere_does_not_make_a_directory_suspicious() -> None:
    assert globs.may_match_below("/srv/www", ("/etc/ssh/**", "/srv/*.key", "/srv/www2/*")) is None
    assert globs.may_match_below("/srv", ("/srv/*.key",)) == "/srv/*.key"
    assert globs.may_match_below("/", ("/srv/x/*.key",)) == "/srv/x/*.key"
    assert globs.may_match_below("/srv", ("**/.env",)) == "**/.env"
