"""May this path of our own machine be read or written? Pure.

The caller, ``ssh_mcp.remote.files.local_io``, resolves links, passes what it found, and opens the file so that the
decision still holds when its bytes move.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

from ssh_mcp.errors import LocalPathPolicyError
from ssh_mcp.inventory.values import has_control, shown

Kind = Literal["file", "directory", "link", "missing", "other"]
"""What is at the path itself, its last link not followed; ``other``: device, pipe, socket."""


@dataclass(frozen=True, slots=True)
class LocalPolicy:
    """Directories and files of this machine, absolute and with links resolved.

    ``never``: directories that stay closed even inside a root (``~/.ssh``). ``own``: files of this server itself,
    among them the audit, together with their siblings that begin with the same name (rotated audit files); ``closed``:
    its directories, with the grants, keys and sockets of approval.
    """

    roots: tuple[PurePath, ...]
    never: tuple[PurePath, ...]
    own: tuple[PurePath, ...]
    max_bytes: int
    closed: tuple[PurePath, ...] = ()
    ignore_case: bool = False


@dataclass(frozen=True, slots=True)
class LocalVerdict:
    """A permitted path as a root and the names below it, to be walked without following a link."""

    root: PurePath
    names: tuple[str, ...]


def check_argument(text: str, policy: LocalPolicy) -> None:
    """Before anything is looked at. Raises LocalPathPolicyError."""
    if not policy.roots:
        raise LocalPathPolicyError(
            "Local files are off.", "The operator must first set SSH_LOCAL_TRANSFER_ROOTS; or pass content instead."
        )
    if not text or has_control(text):
        raise LocalPathPolicyError("local_path is empty or holds control characters.", "Give a plain absolute path.")
    if not PurePath(text).is_absolute():
        raise LocalPathPolicyError(f"local_path {shown(text)} is not absolute.", f"Give a path below {_roots(policy)}.")


def decide(resolved: PurePath, kind: Kind, policy: LocalPolicy, *, writing: bool) -> LocalVerdict:
    """Decide about a path whose directories are resolved; the last name is as given. Raises LocalPathPolicyError."""
    named = shown(str(resolved))
    root = next((r for r in policy.roots if _inside(resolved, r, policy)), None)
    if root is None:
        raise LocalPathPolicyError(f"{named} lies outside the local transfer roots.", f"Use {_roots(policy)}.")
    if any(_inside(resolved, closed, policy) for closed in policy.never):
        raise LocalPathPolicyError(f"{named} lies in a directory of SSH keys.", "It is never read or written.")
    if any(_is_own(resolved, own, policy) for own in policy.own) or any(
        _inside(resolved, closed, policy) for closed in policy.closed
    ):
        raise LocalPathPolicyError(f"{named} belongs to this server itself.", "It is never read or written.")
    if kind in ("directory", "link", "other"):
        what = {"directory": "a directory", "link": "a symbolic link"}.get(kind, "not a regular file")
        raise LocalPathPolicyError(f"{named} is {what}.", "Give the path of a regular file.")
    if kind == "missing" and not writing:
        raise LocalPathPolicyError(f"{named} does not exist.", "Check the path on the machine that runs this server.")
    if len(resolved.parts) <= len(root.parts):
        raise LocalPathPolicyError(f"{named} names no file.", "Give the path of a regular file.")
    return LocalVerdict(root, resolved.parts[len(root.parts) :])


def decide_tree(resolved: PurePath, policy: LocalPolicy) -> LocalVerdict:
    """May the directory ``resolved`` (links resolved) be one side of a synchronisation? Raises LocalPathPolicyError.

    ``barred_below`` says which entries in it stay closed all the same.
    """
    named = shown(str(resolved))
    root = next((r for r in policy.roots if _inside(resolved, r, policy)), None)
    if root is None:
        raise LocalPathPolicyError(f"{named} lies outside the local transfer roots.", f"Use {_roots(policy)}.")
    if any(_inside(resolved, closed, policy) for closed in (*policy.never, *policy.closed)):
        raise LocalPathPolicyError(f"{named} lies in a directory of keys or of this server.", "It stays closed.")
    return LocalVerdict(root, resolved.parts[len(root.parts) :])


Barred = Callable[[str], bool]
"""Whether a path relative to a tree, with ``/``, must not be touched."""


def barred_below(directory: PurePath, policy: LocalPolicy) -> Barred:
    """Which entries below ``directory`` stay closed: directories of keys, and what belongs to this server."""
    here = _parts(directory, policy)

    def relative(paths: Iterable[PurePath]) -> tuple[str, ...]:
        found = (_parts(p, policy) for p in paths)
        return tuple("/".join(parts[len(here) :]) for parts in found if parts[: len(here)] == here)

    closed = relative((*policy.never, *policy.closed))
    own = relative(policy.own)
    if not closed and not own:
        return lambda _path: False

    def barred(path: str) -> bool:
        key = path.casefold() if policy.ignore_case else path
        return any(key == c or key.startswith(f"{c}/") for c in closed) or any(
            key == o or (key.startswith(f"{o}.") and "/" not in key[len(o) :]) for o in own
        )

    return barred


def too_large(size: int, policy: LocalPolicy) -> LocalPathPolicyError | None:
    """The refusal for a local file of ``size`` bytes, if it is one too many."""
    if size <= policy.max_bytes:
        return None
    return LocalPathPolicyError(
        f"The local file has more than {policy.max_bytes} bytes.",
        "The operator can raise SSH_LOCAL_TRANSFER_MAX_BYTES.",
    )


def _inside(path: PurePath, directory: PurePath, policy: LocalPolicy) -> bool:
    return _parts(path, policy)[: len(directory.parts)] == _parts(directory, policy)


def _is_own(path: PurePath, own: PurePath, policy: LocalPolicy) -> bool:
    here, there = _parts(path, policy), _parts(own, policy)
    return (
        len(here) == len(there)
        and here[:-1] == there[:-1]
        and (here[-1] == there[-1] or here[-1].startswith(f"{there[-1]}."))
    )


def _parts(path: PurePath, policy: LocalPolicy) -> tuple[str, ...]:
    return tuple(p.casefold() for p in path.parts) if policy.ignore_case else path.parts


def _roots(policy: LocalPolicy) -> str:
    return _or([shown(str(r)) for r in policy.roots])


def _or(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last
