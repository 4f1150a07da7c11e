"""The plan of a synchronisation: pure, from two trees."""

from __future__ import annotations

import pytest

from ssh_mcp.remote.files.sync.plan import Entry, arrived_before, compare, excluding, layout_of, stays_inside

FILE = Entry("file", 3, 100, 0o644)
DIRECTORY = Entry("directory", mode=0o755)


@pytest.mark.parametrize(
    ("path", "target", "inside"),
    [
        ("link", "x", True),
        ("link", "a/b", True),
        ("link", ".", True),
        ("a/link", "../x", True),
        ("a/b/link", "../../x", True),
        ("link", "../x", False),
        ("a/link", "../../x", False),
        ("link", "/etc/passwd", False),
        ("link", "a/../x", False),
        ("a/link", "up/../../x", False),
        ("link", "", False),
        ("link", "a\0b", False),
        ("link", "./../x", False),
        ("a/link", "..//./x", True),
    ],
)
def test_a_link_is_copied_where_it_can_only_lead_inside(path: str, target: str, inside: bool) -> None:
    assert stays_inside(path, target) is inside


def test_only_what_differs_is_in_the_plan() -> None:
    source = {"a": DIRECTORY, "a/new": FILE, "a/same": FILE, "a/newer": Entry("file", 3, 200, 0o644)}
    target = {"a": DIRECTORY, "a/same": FILE, "a/newer": FILE, "gone": FILE}
    plan = compare(source, target, delete=False)
    assert [(s.action, s.path) for s in plan.steps] == [("create", "a/new"), ("update", "a/newer")]
    assert plan.removals == []
    assert plan.unchanged == 1
    assert [s.path for s in compare(source, target, delete=True).removals] == ["gone"]


def test_a_directory_in_the_way_goes_only_with_delete() -> None:
    source, target = {"x": FILE}, {"x": DIRECTORY, "x/y": FILE}
    kept = compare(source, target, delete=False)
    assert kept.steps == []
    assert sum(kept.left_out.values()) == 1
    gone = compare(source, target, delete=True)
    assert [s.path for s in gone.removals] == ["x/y", "x"]
    assert [(s.action, s.path) for s in gone.steps] == [("update", "x")]


def test_names_that_differ_only_in_case_do_not_overwrite_each_other() -> None:
    source = {"README": FILE, "readme": FILE, "Dir": DIRECTORY, "dir": DIRECTORY, "dir/x": FILE}
    plan = compare(source, {}, delete=False, fold=True)
    assert [s.path for s in plan.steps] == ["Dir", "README"]
    assert sum(plan.left_out.values()) == 3
    assert compare({"A": FILE}, {"a": FILE}, delete=True, fold=True).removals == []


def test_devices_and_links_out_are_left_out() -> None:
    plan = compare({"dev": Entry("other"), "out": Entry("symlink", target="/etc")}, {}, delete=False)
    assert plan.steps == []
    assert sum(plan.left_out.values()) == 2


@pytest.mark.parametrize(
    ("pattern", "path", "directory", "excluded"),
    [
        ("*.pyc", "a/b.pyc", False, True),
        ("build/", "a/build", True, True),
        ("build/", "a/build", False, False),
        ("/out", "out", True, True),
        ("/out", "a/out", True, False),
        ("a/*.log", "a/x.log", False, True),
        ("a/*.log", "b/a/x.log", False, False),
        (".git", ".git", True, True),
        ("*", "a\nb", False, True),
    ],
)
def test_patterns_exclude_as_people_know_them(pattern: str, path: str, directory: bool, excluded: bool) -> None:
    assert excluding((pattern,))(path, directory) is excluded


def test_new_directories_take_their_places_whole_and_files_of_others_one_by_one() -> None:
    source = {
        "new": DIRECTORY, "new/f": FILE, "new/deep": DIRECTORY, "new/deep/f": FILE,
        "old": Entry("directory", mode=0o700), "old/f": FILE, "old/new": DIRECTORY, "old/new/f": FILE, "top": FILE,
    }  # fmt: skip
    found = layout_of(compare(source, {"old": DIRECTORY, "top": Entry("file", 9)}, delete=False))
    assert [s.path for s in found.directories] == ["new", "new/deep", "old/new"]
    assert [s.path for s in found.tops] == ["new", "old/new"]
    assert [s.path for s in found.singles] == ["old/f", "top"]
    assert [s.path for s in found.others] == ["old"]


def test_what_a_run_left_whole_is_not_sent_again() -> None:
    plan = compare({"a": DIRECTORY, "a/whole": FILE, "a/cut": FILE}, {}, delete=False)
    staged = {"a": DIRECTORY, "a/whole": FILE, "a/cut": Entry("file", 3, 999, 0o600)}
    assert arrived_before(staged, plan) == {"a/whole"}
    assert arrived_before(staged | {"a/other": FILE}, plan) is None
    assert arrived_before(staged | {"a/cut": Entry("symlink", target="x")}, plan) is None
