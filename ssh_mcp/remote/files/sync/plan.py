"""What a synchronisation does: two trees compared, entry by entry. Pure.

A tree maps relative paths (``a/b``, never ``..``) to entries. Links are copied as links, and only where they lead to
something inside of the tree; a link that could lead out, a device, a pipe or a socket is left out and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from ssh_mcp.policy.globs import matcher

Kind = Literal["file", "directory", "symlink", "other"]
Action = Literal["mkdir", "create", "update", "delete"]

MODE_BITS: Final = 0o777
"""What is copied of a mode: never set-user-id and set-group-id, for the copy has another owner."""
PARTIAL: Final = ".ssh-mcp-partial"
"""Where rsync keeps the beginning of a file whose transfer was cut, beside the file (rsync(1), --partial-dir)."""
STAGING: Final = ".ssh-mcp-sync."
"""Begins the name of the directory in which files arrive before they take their places."""


class Entry(NamedTuple):
    """One entry. ``mtime`` in whole seconds since 1970, ``mode`` the permission bits, ``target`` a link's text.

    A tuple, because a tree makes ten thousands: a frozen dataclass takes three times as long to make.
    """

    kind: Kind
    size: int = 0
    mtime: int = 0
    mode: int = 0o644
    target: str = ""


Tree = Mapping[str, Entry]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do. ``source`` is what will be there, ``old`` what is there now."""

    action: Action
    path: str
    source: Entry | None = None
    old: Entry | None = None

    @property
    def size(self) -> int:
        """Bytes of the file that is copied."""
        return self.source.size if self.source is not None and self.source.kind == "file" else 0


@dataclass(slots=True)
class Plan:
    """The steps, parents before children; removals are apart, children before parents. ``left_out`` counts reasons."""

    steps: list[Step] = field(default_factory=list)
    removals: list[Step] = field(default_factory=list)
    unchanged: int = 0
    left_out: Counter[str] = field(default_factory=Counter)

    @property
    def files(self) -> list[Step]:
        """The steps that copy a file's bytes."""
        return [s for s in self.steps if s.source is not None and s.source.kind == "file"]

    @property
    def links(self) -> list[Step]:
        return [s for s in self.steps if s.source is not None and s.source.kind == "symlink"]

    @property
    def directories(self) -> list[Step]:
        return [s for s in self.steps if s.source is not None and s.source.kind == "directory"]

    def count(self, action: Action) -> int:
        return sum(s.action == action for s in (*self.steps, *self.removals))


@dataclass(slots=True)
class Layout:
    """How what arrived in a staging directory takes its place.

    A directory that is not there yet moves with all that is in it: ``tops`` are the uppermost of these ``directories``.
    ``singles`` are the files of directories that are there already, and ``others`` the directories that are changed.
    """

    directories: list[Step] = field(default_factory=list)
    tops: list[Step] = field(default_factory=list)
    singles: list[Step] = field(default_factory=list)
    others: list[Step] = field(default_factory=list)


def layout_of(plan: Plan) -> Layout:
    """Sort the steps of a plan."""
    found = Layout()
    fresh: set[str] = set()
    for step in plan.steps:
        kind = step.source.kind if step.source is not None else ""
        inside = step.path.rpartition("/")[0] in fresh
        if kind == "directory" and step.old is None:
            fresh.add(step.path)
            found.directories.append(step)
            if not inside:
                found.tops.append(step)
        elif kind == "directory":
            found.others.append(step)
        elif kind == "file" and not inside:
            found.singles.append(step)
    return found


def arrived_before(staged: Tree, plan: Plan) -> set[str] | None:
    """The files of the plan that an earlier run left whole in its staging directory.

    A file that was cut has not got its time yet. None: something else is there too, and all of it has to go.
    """
    wanted = {s.path: s.source for s in plan.steps}
    above = {path[:i] for path in wanted for i, letter in enumerate(path) if letter == "/"}
    found = set()
    for path, entry in staged.items():
        source = wanted.get(path)
        if entry.kind == "directory" and (path in above or (source is not None and source.kind == "directory")):
            continue
        if entry.kind != "file" or source is None or source.kind != "file":
            return None
        if (entry.size, entry.mtime, entry.mode & MODE_BITS) == (source.size, source.mtime, source.mode & MODE_BITS):
            found.add(path)
    return found


def excluding(patterns: tuple[str, ...]) -> Callable[[str, bool], bool]:
    """Whether a relative path (and: it is a directory) is excluded.

    ``*.pyc`` matches a name anywhere, ``build/`` directories only, ``/out`` and ``a/b`` from the top; ``**`` crosses
    slashes. What lies below an excluded directory is excluded with it.
    """
    if not patterns:
        return lambda _path, _directory: False

    def anchored(pattern: str) -> str:
        pattern = pattern.rstrip("/")
        return pattern.lstrip("/") if "/" in pattern else f"**/{pattern}"

    anything = tuple(anchored(p) for p in patterns if not p.endswith("/"))
    directories = tuple(anchored(p) for p in patterns)
    any_match = matcher(anything) if anything else (lambda _: False)
    directory_match = matcher(directories)
    return lambda path, directory: directory_match(path) if directory else any_match(path)


def stays_inside(path: str, target: str) -> bool:
    """Whether a link at the relative ``path`` can only lead to something inside of the tree.

    Only leading ``..`` are permitted, no more than the link is deep: ``dir/../..`` climbs from where ``dir`` leads.
    So each link of a tree leads inside, and so does every chain of them.
    """
    if not target or target.startswith("/") or "\0" in target:
        return False
    parts = [p for p in target.split("/") if p not in ("", ".")]
    climbs = 0
    while climbs < len(parts) and parts[climbs] == "..":
        climbs += 1
    return ".." not in parts[climbs:] and climbs <= path.count("/")


def compare(
    source: Tree,
    target: Tree,
    *,
    delete: bool,
    same: Callable[[str], bool] | None = None,
    fold: bool = False,
) -> Plan:
    """What makes ``target`` like ``source``.

    A file is taken for the same where size and whole seconds of the time are; ``same`` decides by content instead, and
    is asked where sizes are equal. ``fold``: the target ignores case in names.
    """
    plan = Plan()
    placed = {p.casefold(): p for p in target} if fold else {}
    seen: set[str] = set()
    blocked: set[str] = set()
    for path in sorted(source):
        entry = source[path]
        if path.rpartition("/")[0] in blocked:
            blocked.add(path)
            plan.left_out["in the place of a file or directory that is kept"] += 1
            continue
        if (reason := _unwanted(path, entry)) is not None:
            plan.left_out[reason] += 1
            continue
        if fold:
            if path.casefold() in seen:
                plan.left_out["of the same name in another case"] += 1
                blocked.add(path)
                continue
            seen.add(path.casefold())
        old = target.get(placed.get(path.casefold(), path) if fold else path)
        if not _add(plan, path, entry, old, delete=delete, same=same):
            blocked.add(path)
    if delete:
        kept = {p.casefold() for p in source} if fold else source
        gone = [p for p in target if (p.casefold() if fold else p) not in kept]
        plan.removals = [Step("delete", p, old=target[p]) for p in sorted(gone, reverse=True)]
        replaced = [s for s in plan.steps if s.old is not None and s.old.kind == "directory" != _kind(s)]
        known = set(gone)
        plan.removals += [Step("delete", s.path, old=s.old) for s in replaced if s.path not in known]
        plan.removals.sort(key=lambda s: s.path, reverse=True)
    return plan


def _kind(step: Step) -> str:
    return step.source.kind if step.source is not None else ""


def _unwanted(path: str, entry: Entry) -> str | None:
    if entry.kind == "other":
        return "a device, pipe or socket"
    if entry.kind == "symlink" and not stays_inside(path, entry.target):
        return "a link that leads out of the tree"
    return None


def _add(
    plan: Plan, path: str, entry: Entry, old: Entry | None, *, delete: bool, same: Callable[[str], bool] | None
) -> bool:
    """Put one entry into the plan. False: something else is in its place and is kept."""
    if old is None:
        plan.steps.append(Step("mkdir" if entry.kind == "directory" else "create", path, entry))
        return True
    if old.kind != entry.kind:
        if old.kind == "directory" and not delete:
            plan.left_out["in the place of a file or directory that is kept"] += 1
            return False
        plan.steps.append(Step("mkdir" if entry.kind == "directory" else "update", path, entry, old))
        return True
    if _same(path, entry, old, same):
        plan.unchanged += entry.kind != "directory"
    else:
        plan.steps.append(Step("update", path, entry, old))
    return True


def _same(path: str, entry: Entry, old: Entry, same: Callable[[str], bool] | None) -> bool:
    if entry.kind == "directory":
        return entry.mode & MODE_BITS == old.mode & MODE_BITS
    if entry.kind == "symlink":
        return entry.target == old.target
    if entry.size != old.size or entry.mode & MODE_BITS != old.mode & MODE_BITS:
        return False
    return same(path) if same is not None else entry.mtime == old.mtime
