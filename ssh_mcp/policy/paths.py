"""May this path be touched? Pure: the caller canonicalises on the host, this room decides.

The order for every path argument::

    normalise_argument(text)      shape: no NUL, no control characters, absolute or joined to default_dir
    canonical = … on the host …   links followed, in the view in which the operation will happen
    decide(canonical)             inside path_allowlist, outside restricted zones, redact list
    … operate on the PermittedPath that it returns …

Two-path calls use ``decide_two``; whatever moves or deletes a whole tree also asks ``holds_restricted``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from ssh_mcp.errors import InvalidArgument, PathNotAllowed, PathRestricted, RedactBypassBlocked
from ssh_mcp.inventory.model import BypassPolicy, PathPolicy
from ssh_mcp.inventory.values import has_control, shown
from ssh_mcp.policy import globs, windows_paths
from ssh_mcp.policy.permitted_path import POLICY, PermittedPath

if TYPE_CHECKING:
    from ssh_mcp.redaction.model import Finding

MAX_PATH_CHARACTERS: Final = 4096
"""PATH_MAX of Linux; longer arguments are refused unseen."""

_EVERYTHING: Final = ("*", "/")
_DRIVE_ROOT: Final = re.compile(r"/[A-Za-z]:")
_MAGIC: Final = re.compile(
    r"/proc/[^/]+(?:/task/[^/]+)?/(?:(?:root|cwd|exe)(?:/|\Z)|(?:fd|map_files)/.)|/dev/fd/.", re.DOTALL
)
"""proc(5) links that the kernel follows without looking at their text: no path shows what lies behind them."""


class Purpose(StrEnum):
    """What is about to happen to the path. Only READ_RAW, which shows or copies contents, meets the redact list."""

    READ_RAW = "read_raw"
    READ_REDACTED = "read_redacted"
    WRITE = "write"
    DELETE = "delete"
    LIST = "list"
    STAT = "stat"


@dataclass(frozen=True, slots=True)
class _Rules:
    """A policy in the form in which it is compared."""

    everything: bool
    allow: tuple[str, ...]
    restricted: tuple[str, ...]
    restricted_globs: tuple[str, ...]
    redact_globs: tuple[str, ...]
    windows: bool
    fold_deny: bool


# --- the argument ---------------------------------------------------------------------------------------------------


def normalise_argument(path: str, policy: PathPolicy) -> str:
    """An absolute path to canonicalise: single slashes, no ``.``; ``..`` stays, for only the host knows what it means.

    Raises InvalidArgument for a wrong shape and PathNotAllowed for what no policy can decide about.
    """
    if not path:
        raise InvalidArgument("The path is empty.", "Give an absolute path.")
    if len(path) > MAX_PATH_CHARACTERS:
        raise InvalidArgument(f"The path is longer than {MAX_PATH_CHARACTERS} characters.", "Give a shorter path.")
    if has_control(path):
        raise InvalidArgument(f"The path {shown(path)} holds NUL or other control characters.", "Give it without them.")
    if path == "~" or path.startswith(("~/", "~\\")):
        raise InvalidArgument(f"The path {shown(path)} begins with ~, which is not expanded.", "Give an absolute path.")
    if policy.windows:
        return _windows_argument(path, policy)
    return _posix_form(_joined(path, path.startswith("/"), policy, "/srv/app"))


def _joined(path: str, absolute: bool, policy: PathPolicy, example: str) -> str:
    if absolute:
        return path
    if policy.default_dir is None:
        raise InvalidArgument(
            f"The path {shown(path)} is relative and the host has no default_dir.",
            f"Give an absolute path such as {example}.",
        )
    return f"{policy.default_dir}/{path}"


def _windows_argument(path: str, policy: PathPolicy) -> str:
    try:
        return windows_paths.canonical_form(_joined(path, windows_paths.is_absolute(path), policy, "C:/Users/deploy"))
    except windows_paths.Undecidable as error:
        raise PathNotAllowed(
            f"The path {shown(path)} {error}.", "Give the full path with its drive, such as C:/Users/deploy/file.txt."
        ) from None


def _posix_form(path: str) -> str:
    return "/" + "/".join(p for p in path.split("/") if p not in ("", "."))


def split_parent(path: str) -> tuple[str, str]:
    """Directory and last name of a normalised path: for what does not exist yet, or a link that is itself meant.

    Raises InvalidArgument where there is no last name to speak of (``/``, ``…/..``).
    """
    parent, _, name = path.rstrip("/").rpartition("/")
    if name in ("", "..") or _DRIVE_ROOT.fullmatch(path.rstrip("/")):
        raise InvalidArgument(f"The path {shown(path)} names no file.", "Give the path of a file or directory.")
    return (f"{parent}/" if _DRIVE_ROOT.fullmatch(parent) else parent or "/"), name


def child(directory: str, *names: str) -> str:
    """``names`` below a canonical directory. Raises InvalidArgument where a name could lead elsewhere.

    For what does not exist yet: the deepest existing ancestor is canonical, the rest must be plain names.
    """
    for name in names:
        if name in ("", ".", "..") or "/" in name:
            raise InvalidArgument(
                f"The path uses {shown(name or '//')} below a directory that does not exist.",
                "Give the path without it.",
            )
    return "/".join([directory.rstrip("/"), *names])


# --- the decision ---------------------------------------------------------------------------------------------------


def decide(canonical: str, policy: PathPolicy, *, purpose: Purpose, reader: str = "ssh_read_redacted") -> PermittedPath:
    """Decide on a path as the host canonicalised it. ``reader`` is the tool that masks in the same view.

    Raises PathNotAllowed, PathRestricted or RedactBypassBlocked.
    """
    rules = _rules(policy)
    path = _judgeable(canonical, rules)
    if not _allowed(path, rules):
        raise PathNotAllowed(f"{shown(path)} lies outside the host's path_allowlist.", _allow_hint(policy))
    rule = _restricting(path, rules)
    if rule is not None:
        raise PathRestricted(f"{shown(path)} is restricted by {shown(rule)}.", "It cannot be reached by any tool.")
    if _MAGIC.match(path) and not _magic_permitted(rules, purpose):
        raise PathRestricted(
            f"{shown(path)} is a kernel link whose target cannot be known.", "Give the path of the file itself."
        )
    if purpose is not Purpose.READ_RAW or not _matches_deny(path, rules.redact_globs, rules):
        return PermittedPath(path, maker=POLICY)
    if policy.bypass is BypassPolicy.BLOCK:
        raise RedactBypassBlocked(
            f"{shown(path)} is redact-listed and would be shown unmasked.", f"Use {reader} to read it."
        )
    if policy.bypass is BypassPolicy.WARN:
        note = f"{shown(path)} is redact-listed and was delivered unmasked; {reader} masks its secrets."
        return PermittedPath(path, maker=POLICY, warnings=(note,), redact_bypass=True)
    return PermittedPath(path, maker=POLICY, redact_bypass=True)


def decide_below(root: PermittedPath, relative: str, policy: PathPolicy) -> PermittedPath:
    """An entry that was found, or is to be made, below a permitted directory. Raises PathRestricted.

    ``relative`` is its path there, of names that hold no slash and are not ``..``. Unlike an argument it may hold
    control characters: a host has such names. Whether it is redact-listed is the caller's to ask.
    """
    path = f"{root.rstrip('/')}/{relative}"
    rule = restricted_by(path, policy)
    if rule is not None or ".." in relative.split("/"):
        raise PathRestricted(f"{shown(path)} is restricted.", "It cannot be reached by any tool.")
    return PermittedPath(path, maker=POLICY)


def decide_content(path: str, found: Finding, policy: PathPolicy, *, reader: str) -> tuple[str, ...]:
    """May a file that holds the secret ``found`` be delivered unmasked? The warnings to deliver it with.

    The same as for a redact-listed path. Raises RedactBypassBlocked, which names ``reader``.
    """
    what = f"a secret ({found.key or found.kind})"
    if policy.bypass is BypassPolicy.BLOCK:
        raise RedactBypassBlocked(
            f"{shown(path)} holds {shown(what)} and would be shown unmasked.", f"Use {reader} to read it."
        )
    if policy.bypass is BypassPolicy.WARN:
        return (f"The text holds {shown(what)} and was delivered unmasked; {reader} masks its secrets.",)
    return ()


def decide_two(
    source: str,
    target: str,
    policy: PathPolicy,
    *,
    source_purpose: Purpose = Purpose.READ_RAW,
    target_policy: PathPolicy | None = None,
) -> tuple[PermittedPath, PermittedPath]:
    """Both sides of a copy, move, link or transfer.

    A redact-listed file must not get a name under which it could be read raw: unless the target's name is redact-listed
    too, the source counts as READ_RAW whatever is done with it. ``target_policy`` is another host's.
    """
    there = target_policy or policy
    end = decide(target, there, purpose=Purpose.WRITE)
    stays_guarded = redact_listed(end, there)
    purpose = source_purpose
    if source_purpose is Purpose.READ_RAW and stays_guarded:
        purpose = Purpose.READ_REDACTED
    elif not stays_guarded:
        purpose = Purpose.READ_RAW
    return decide(source, policy, purpose=purpose), end


def restricted_by(path: str, policy: PathPolicy) -> str | None:
    """The entry of restricted_paths or restricted_globs that covers ``path``; for entries met while walking a tree."""
    return _restricting(path, _rules(policy))


def redact_listed(path: str, policy: PathPolicy) -> bool:
    """Whether the canonical ``path`` matches redact_paths_globs."""
    return listed_check(policy)(path)


def restricted_check(policy: PathPolicy) -> Callable[[str], bool]:
    """``restricted_by`` as a question, its rules looked up once for all entries of a tree."""
    rules = _rules(policy)
    return lambda path: _restricting(path, rules) is not None


def listed_check(policy: PathPolicy) -> Callable[[str], bool]:
    """``redact_listed``, its rules looked up once for all entries of a tree."""
    rules = _rules(policy)
    if not rules.redact_globs:
        return lambda _: False
    matches = globs.matcher(rules.redact_globs, rules.fold_deny)
    return (lambda path: matches(_normal(path, rules))) if rules.fold_deny else matches


def holds_restricted(directory: str, policy: PathPolicy) -> str | None:
    """A rule that may restrict something in the tree below the canonical ``directory``; None: there surely is nothing.

    A glob is checked without looking at the host: where it may match, walk the tree and ask ``restricted_by``.
    """
    rules = _rules(policy)
    key = _deny_key(directory, rules)
    for entry in rules.restricted:
        if _inside(entry, key) or _inside(key, entry):
            return entry
    return globs.may_match_below(key, rules.restricted_globs, ignore_case=rules.fold_deny)


def may_hold_redact_listed(directory: str, policy: PathPolicy) -> bool:
    """Whether something below ``directory`` could be redact-listed: then a copied or moved tree must be walked."""
    rules = _rules(policy)
    key = _deny_key(directory, rules)
    return globs.may_match_below(key, rules.redact_globs, ignore_case=rules.fold_deny) is not None


def with_resolved_restrictions(policy: PathPolicy, resolved: dict[str, str]) -> PathPolicy:
    """``policy`` with each restricted path also in the form in which the host canonicalises it (``resolved``).

    ``restricted_paths = ["/etc/app"]`` must hold where /etc/app is a link. Only what forbids is extended: an allowlist
    that followed links could be widened by whoever may create one.
    """
    from dataclasses import replace

    further = tuple(resolved[p] for p in policy.restricted if resolved.get(p, p) != p)
    return replace(policy, restricted=(*policy.restricted, *further)) if further else policy


# --- comparing ------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _rules(policy: PathPolicy) -> _Rules:
    fold_deny = policy.windows or policy.fold_case
    draft = _Rules(False, (), (), (), (), policy.windows, fold_deny)
    prefixes = [p for p in policy.allow if p not in _EVERYTHING]
    return _Rules(
        everything=any(p in _EVERYTHING for p in policy.allow),
        allow=tuple(_allow_key(k, draft) for p in prefixes if (k := _entry(p, policy.windows)) is not None),
        restricted=tuple(
            _deny_key(k, draft) for p in policy.restricted if (k := _entry(p, policy.windows)) is not None
        ),
        restricted_globs=_patterns(policy.restricted_globs, draft),
        redact_globs=_patterns(policy.redact_globs, draft),
        windows=policy.windows,
        fold_deny=fold_deny,
    )


def _entry(text: str, windows: bool) -> str | None:
    """One configured prefix. On a Windows host an entry without a drive (the environment's ``/etc``) covers nothing."""
    if not windows:
        return _posix_form(text) if text.startswith("/") else None
    if text == "/":
        return "/"
    try:
        return windows_paths.canonical_form(text)
    except windows_paths.Undecidable:
        return None


def _patterns(patterns: tuple[str, ...], rules: _Rules) -> tuple[str, ...]:
    if not rules.windows:
        return tuple(_normal(p, rules) for p in patterns)
    slashed = [p.replace("\\", "/") for p in patterns]
    return tuple(f"/{p}" if re.match(r"(?:[A-Za-z?*]|\[[^\]]*\]):/", p) else p for p in slashed)


def _normal(text: str, rules: _Rules) -> str:
    """A macOS file system stores names decomposed or composed and finds both."""
    return unicodedata.normalize("NFC", text) if rules.fold_deny and not text.isascii() else text


def _allow_key(path: str, rules: _Rules) -> str:
    return windows_paths.fold(path) if rules.windows else path


def _deny_key(path: str, rules: _Rules) -> str:
    return _normal(path, rules).casefold() if rules.fold_deny else path


def _judgeable(canonical: str, rules: _Rules) -> str:
    """The host's reply in the form that is decided on: absolute, without ``.``, ``..`` and empty parts."""
    try:
        if has_control(canonical):
            raise windows_paths.Undecidable("holds control characters")
        path = windows_paths.canonical_form(canonical) if rules.windows else _posix_form(canonical)
        if not rules.windows and not canonical.startswith("/"):
            raise windows_paths.Undecidable("is not absolute")
        if ".." in path.split("/"):
            raise windows_paths.Undecidable("still holds '..'")
    except windows_paths.Undecidable as error:
        raise PathNotAllowed(
            f"The host resolves the path to {shown(canonical)}, which {error}.", "Give the path of the file itself."
        ) from None
    return path


def _inside(path: str, prefix: str) -> bool:
    """Component-wise: /srv/app holds /srv/app/x and itself, not /srv/apple."""
    return path == prefix or path.startswith(prefix if prefix.endswith("/") else f"{prefix}/")


def _allowed(path: str, rules: _Rules) -> bool:
    key = _allow_key(path, rules)
    return rules.everything or any(_inside(key, prefix) for prefix in rules.allow)


def _restricting(path: str, rules: _Rules) -> str | None:
    if rules.restricted:
        key = _deny_key(path, rules)
        for prefix in rules.restricted:
            if _inside(key, prefix):
                return prefix
    return globs.first_match(_normal(path, rules), rules.restricted_globs, ignore_case=rules.fold_deny)


def _matches_deny(path: str, patterns: tuple[str, ...], rules: _Rules) -> bool:
    return globs.matches(_normal(path, rules), patterns, ignore_case=rules.fold_deny)


def _magic_permitted(rules: _Rules, purpose: Purpose) -> bool:
    guarded = rules.restricted or rules.restricted_globs or (purpose is Purpose.READ_RAW and rules.redact_globs)
    return rules.everything and not guarded


def _allow_hint(policy: PathPolicy) -> str:
    if not policy.allow:
        return "The operator must first set path_allowlist in hosts.toml or SSH_PATH_ALLOWLIST."
    listed = ", ".join(shown(p) for p in policy.allow[:5])
    return f"Allowed: {listed}{' and more' if len(policy.allow) > 5 else ''}."
