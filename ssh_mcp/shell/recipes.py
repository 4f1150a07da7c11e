"""Which dedicated tool does the whole job of a simple command: tables of recipes, one per program.

A recipe returns None where the command asks for more than the tool can give (several files, an option that changes the
output's meaning): such a command is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

Value = str | int | bool | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Recipe:
    """``pattern_id`` is stable: audit lines carry it. A value of None in ``params`` renders as an ellipsis."""

    pattern_id: str
    tool: str
    params: tuple[tuple[str, Value], ...]
    sudo_tool: str | None = None
    """The tool for the same job under sudo: its name, SAME, ELEVATED, or None: the command is left alone."""
    exact: str = ""
    """A tool with the same arguments that gives the exact bytes, where ``tool`` masks secrets."""


SAME = ""
"""The same tool: what it reads needs no more rights than a login has."""
ELEVATED = "+"
"""The same tool, but only where it uses sudo by itself; else its refusal would name sudo again."""


def recipe(pattern_id: str, tool: str, sudo_tool: str | None = SAME, /, **params: Value) -> Recipe:
    return Recipe(pattern_id, tool, tuple(params.items()), sudo_tool)


_EXACT = {"ssh_read_redacted": "ssh_sftp_download", "ssh_sudo_read_redacted": "ssh_sudo_read"}


def read(pattern_id: str, **params: Value) -> Recipe:
    """Showing a file: the masked reader, as the output of the command would be masked too."""
    return Recipe(pattern_id, "ssh_read_redacted", tuple(params.items()), "ssh_sudo_read_redacted", "ssh_sftp_download")


def under_sudo(found: Recipe, *, elevated: bool) -> Recipe | None:
    """The recipe where the command runs as root; None: no tool can do it with the rights that the login has."""
    match found.sudo_tool:
        case None:
            return None
        case "":
            return found
        case "+":
            return found if elevated else None
        case tool:
            return replace(found, tool=tool, sudo_tool=SAME, exact=_EXACT.get(tool, ""))


Maker = Callable[[list[str]], Recipe | None]


def parse_options(
    args: list[str], flags: str, valued: str = "", long: str = ""
) -> tuple[dict[str, str], list[str]] | None:
    """Options and operands where only the named options occur; None otherwise. Options may be anywhere."""
    options: dict[str, str] = {}
    operands: list[str] = []
    rest = list(args)
    while rest:
        word = rest.pop(0)
        if word == "--":
            operands += rest
            break
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            if name not in long.split():
                return None
            options[name] = value if equals else ""
        elif word.startswith("-") and len(word) > 1:
            if not _cluster(word[1:], rest, flags, valued, options):
                return None
        else:
            operands.append(word)
    return options, operands


def _cluster(letters: str, rest: list[str], flags: str, valued: str, options: dict[str, str]) -> bool:
    for index, letter in enumerate(letters):
        if letter in valued:
            tail = letters[index + 1 :]
            if not tail and not rest:
                return False
            options[letter] = tail or rest.pop(0)
            return True
        if letter not in flags:
            return False
        options[letter] = ""
    return True


# --- reading --------------------------------------------------------------------------------------------------------


def _one(args: list[str], flags: str, long: str = "") -> str | None:
    found = parse_options(args, flags, "", long)
    return found[1][0] if found and len(found[1]) == 1 and found[1][0] != "-" else None


def _cat(args: list[str]) -> Recipe | None:
    path = _one(args, "u")
    return read("read-cat", path=path) if path else None


def _pager(args: list[str]) -> Recipe | None:
    path = _one(args, "RNSFXinrEef")
    return read("read-less", path=path) if path else None


def _head(args: list[str]) -> Recipe | None:
    return _ends(args, "head", "first_lines")


def _tail(args: list[str]) -> Recipe | None:
    return _ends(args, "tail", "last_lines")


def _ends(args: list[str], name: str, param: str) -> Recipe | None:
    args = [f"-n{a[1:]}" if re.fullmatch(r"-\d+", a) else a for a in args]
    found = parse_options(args, "q", "nc", "lines bytes")
    if not found or len(found[1]) != 1 or found[1][0] == "-":
        return None
    options, (path,) = found
    count = options.get("n", options.get("lines", ""))
    size = options.get("c", options.get("bytes", ""))
    if size:
        if name == "tail" or not size.isdigit():
            return None
        return read("read-head", path=path, max_bytes=int(size))
    if (count and not re.fullmatch(r"-?\d+", count)) or (name == "head" and count.startswith("-")):
        return None
    lines = int(count.lstrip("-")) if count else 10
    return read(f"read-{name}", path=path, **{param: lines})


def _ls(args: list[str]) -> Recipe | None:
    path = _one(args, "laA1hFnpog", "all almost-all human-readable color")
    return recipe("list-ls", "ssh_sftp_list", "ssh_sudo_sftp_list", path=path) if path else None


# --- changing files -------------------------------------------------------------------------------------------------


def write(pattern_id: str, path: str) -> Recipe:
    """Text into a file, by whatever means."""
    return recipe(pattern_id, "ssh_upload", "ssh_sudo_write", path=path, content_text=None)


def _mkdir(args: list[str]) -> Recipe | None:
    found = parse_options(args, "pv", "m", "parents verbose mode")
    if not found or len(found[1]) != 1:
        return None
    options, (path,) = found
    params: dict[str, Value] = {"path": path}
    if "p" in options or "parents" in options:
        params["parents"] = True
    mode = options.get("m") or options.get("mode")
    if mode:
        params["mode"] = mode
    return recipe("mkdir", "ssh_mkdir", None, **params)


def _two(pattern_id: str, tool: str, flags: str) -> Maker:
    def make(args: list[str]) -> Recipe | None:
        found = parse_options(args, flags)
        if not found or len(found[1]) != 2:
            return None
        source, target = found[1]
        return recipe(pattern_id, tool, None, src=source, dst=target)

    return make


def _rm(args: list[str]) -> Recipe | None:
    found = parse_options(args, "rRfvdi", "", "recursive force verbose")
    if not found or len(found[1]) != 1:
        return None
    options, (path,) = found
    if {"r", "R", "recursive"} & set(options):
        return recipe("rm", "ssh_delete_folder", None, path=path, recursive=True)
    return recipe("rm", "ssh_delete", None, path=path)


def _rmdir(args: list[str]) -> Recipe | None:
    path = _one(args, "v")
    return recipe("rmdir", "ssh_delete_folder", None, path=path) if path else None


def _ln(args: list[str]) -> Recipe | None:
    found = parse_options(args, "sfnvT", "", "symbolic force no-dereference")
    if not found or len(found[1]) != 2:
        return None
    options, (source, target) = found
    symbolic = "s" in options or "symbolic" in options
    return recipe("ln", "ssh_link", None, src=source, dst=target, symbolic=symbolic)


# --- packages -------------------------------------------------------------------------------------------------------

_APT_QUIET = "yqVf"
_APT_LONG = "yes assume-yes quiet no-install-recommends installed upgradable all-versions purge auto-remove"


def _apt(args: list[str]) -> Recipe | None:
    found = parse_options(args, _APT_QUIET, "", _APT_LONG)
    if not found or not found[1]:
        return None
    options, (verb, *names) = found
    if verb == "list" and len(names) <= 1:
        mode = "installed" if "installed" in options else "upgradable" if "upgradable" in options else "all"
        return recipe("apt-list", "ssh_apt_list", mode=mode, **({"pattern": names[0]} if names else {}))
    if verb == "search" and len(names) == 1:
        return recipe("apt-search", "ssh_apt_search", pattern=names[0])
    if verb == "show" and len(names) == 1:
        return recipe("apt-show", "ssh_apt_show", package=names[0])
    if verb == "install" and names:
        return recipe("apt-install", "ssh_apt_install", ELEVATED, packages=tuple(names))
    if verb in ("remove", "purge") and names:
        purge = verb == "purge" or "purge" in options
        return recipe(
            "apt-remove", "ssh_apt_remove", ELEVATED, packages=tuple(names), **({"purge": True} if purge else {})
        )
    if verb in ("upgrade", "autoremove") and not names:
        return recipe(f"apt-{verb}", f"ssh_apt_{verb}", ELEVATED)
    return None


def _apt_mark(args: list[str]) -> Recipe | None:
    match args:
        case ["showhold"]:
            return recipe("apt-show-holds", "ssh_apt_show_holds")
        case ["hold" | "unhold" as action, *names] if names:
            return recipe("apt-mark", "ssh_apt_mark", ELEVATED, action=action, packages=tuple(names))
        case _:
            return None


# --- units ----------------------------------------------------------------------------------------------------------

_UNIT_READS = frozenset({"status", "show", "cat", "is-active", "is-enabled", "is-failed"})
_UNIT_VERBS = frozenset(
    {
        "status", "show", "cat", "is-active", "is-enabled", "is-failed", "start", "stop", "restart", "reload", "enable",
        "disable", "mask", "unmask", "reset-failed",
    }
)  # fmt: skip


def _systemctl(args: list[str]) -> Recipe | None:
    found = parse_options(
        args, "lqa", "tpn", "no-pager full quiet all failed type state property lines plain no-legend"
    )
    if not found:
        return None
    options, operands = found
    verb, *units = operands or ["list-units"]
    if verb == "list-units" and len(units) <= 1:
        state = "failed" if "failed" in options else options.get("state")
        kind = options.get("t") or options.get("type")
        given = {"pattern": units[0] if units else None, "state": state, "unit_type": kind}
        return recipe("systemctl-list-units", "ssh_systemctl_list_units", **{k: v for k, v in given.items() if v})
    if verb in _UNIT_VERBS and len(units) == 1 and not {"failed", "state", "t", "type"} & set(options):
        params: dict[str, Value] = {"unit": units[0]}
        properties = options.get("p") or options.get("property")
        if properties and verb == "show":
            params["properties"] = tuple(properties.split(","))
        rights = SAME if verb in _UNIT_READS else ELEVATED
        return recipe(f"systemctl-{verb}", f"ssh_systemctl_{verb.replace('-', '_')}", rights, **params)
    return None


def _journalctl(args: list[str]) -> Recipe | None:
    spread = _separate(args, ("unit", "since", "until", "lines", "grep"))
    found = parse_options(spread, "qe", "unSUg", "unit since until lines grep no-pager quiet")
    if not found or found[1]:
        return None
    options, _ = found
    unit = options.get("u") or options.get("unit")
    if not unit:
        return None
    params: dict[str, Value] = {"unit": unit}
    for name, letter in (("since", "S"), ("until", "U"), ("grep", "g")):
        value = options.get(name) or options.get(letter)
        if value:
            params[name] = value
    lines = options.get("n") or options.get("lines") or ""
    if lines.isdigit():
        params["lines"] = int(lines)
    return recipe("journalctl", "ssh_journalctl", ELEVATED, **params)


def _separate(args: list[str], names: tuple[str, ...]) -> list[str]:
    """``--since X`` written as ``--since=X``."""
    out: list[str] = []
    for arg in args:
        if out and out[-1].startswith("--") and out[-1][2:] in names:
            out[-1] += f"={arg}"
        else:
            out.append(arg)
    return out


FILES: dict[str, Maker] = {
    "cat": _cat,
    "head": _head,
    "tail": _tail,
    "less": _pager,
    "more": _pager,
    "ls": _ls,
    "mkdir": _mkdir,
    "cp": _two("cp", "ssh_cp", "fpv"),
    "mv": _two("mv", "ssh_mv", "fv"),
    "rm": _rm,
    "rmdir": _rmdir,
    "ln": _ln,
}
SYSTEM: dict[str, Maker] = {
    "systemctl": _systemctl,
    "journalctl": _journalctl,
    "apt": _apt,
    "apt-get": _apt,
    "apt-cache": _apt,
    "apt-mark": _apt_mark,
}
