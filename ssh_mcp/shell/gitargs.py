"""git(1): which invocations start programs of the caller's choice.

A sub-command must be one of git's own (an alias may run anything), ``-c`` may set harmless keys only, and the options
that name a program, a template or an output file are refused in any abbreviation. What a repository's own
configuration and hooks start is the operator's, who put git on the list.
"""

from __future__ import annotations

import re

from ssh_mcp.shell.options import Denied
from ssh_mcp.shell.tree import names
from ssh_mcp.shell.values import Arg

_COMMANDS = names(
    """
    add am annotate apply archive bisect blame branch cat-file check-ignore checkout cherry cherry-pick clean
    clone commit config count-objects describe diff diff-files diff-index diff-tree fetch for-each-ref fsck gc
    grep init log ls-files ls-remote ls-tree merge merge-base mv name-rev notes pull push range-diff rebase
    reflog remote reset restore rev-list rev-parse revert rm shortlog show show-branch show-ref sparse-checkout
    stash status submodule switch symbolic-ref tag update-index update-ref verify-commit verify-tag version
    whatchanged worktree
    """
)
_FLAGS = names("--no-pager --version --bare --no-replace-objects --literal-pathspecs --no-optional-locks -P")
_KEYS = re.compile(r"(?:color|advice|column)\.[a-z.]+|core\.quotepath|log\.date|safe\.directory|user\.(?:name|email)")
_LONG = (
    "upload-pack", "receive-pack", "exec", "open-files-in-pager", "ext-diff", "textconv", "output", "output-directory",
    "template", "config", "config-env", "exec-path", "separate-git-dir", "edit", "tool", "extcmd", "remote",
    "interactive", "strategy", "unsafe-paths",
)  # fmt: skip
_SHORT = {
    "clone": "uc", "fetch": "", "grep": "O", "rebase": "xis", "archive": "o", "diff": "", "show": "", "log": "",
    "init": "", "commit": "e", "am": "i", "add": "eip", "merge": "s", "pull": "s", "cherry-pick": "s", "revert": "s",
}  # fmt: skip
_READ_CONFIG = names("--get --get-all --get-regexp --list -l get list --get-urlmatch")
_SUBCOMMANDS = {
    "bisect": frozenset({"start", "bad", "good", "log", "reset", "skip", "new", "old", "terms", "view"}),
    "submodule": frozenset({"status", "summary", "init", "sync"}),
}


def check(args: list[Arg]) -> None:
    """Raises Denied for an invocation of git that can start a program or that is not known."""
    rest = list(args)
    while rest and rest[0].value is not None and rest[0].value.startswith("-"):
        _global_option(rest)
    if not rest:
        return
    command = rest.pop(0)
    if command.value not in _COMMANDS:
        raise Denied("this is not a sub-command of git that can be decided", command.excerpt)
    _arguments(command.value or "", rest)


def _global_option(rest: list[Arg]) -> None:
    option = rest.pop(0)
    text = option.value or ""
    if text in _FLAGS:
        return
    if text in ("-C", "--git-dir", "--work-tree") and rest and not rest[0].multi:
        rest.pop(0)
    elif text == "-c" and rest and rest[0].value is not None:
        key = rest.pop(0).value or ""
        name, _, value = key.partition("=")
        if not (_KEYS.fullmatch(name.lower()) or (name.lower() == "core.pager" and value in ("", "cat"))):
            raise Denied("this setting can make git start a program", key)
    elif not text.startswith(("--git-dir=", "--work-tree=")):
        raise Denied("this option of git cannot be decided", option.excerpt)


def _arguments(command: str, rest: list[Arg]) -> None:
    if command == "config" and not (rest and rest[0].value in _READ_CONFIG):
        raise Denied("git config can set what git starts; only reading it can be decided", "git config")
    if command in _SUBCOMMANDS and not (rest and rest[0].value in _SUBCOMMANDS[command]):
        raise Denied(f"this form of git {command} can start programs", f"git {command}")
    for arg in rest:
        if arg.value == "--":
            return
        if arg.value is None and not arg.anchored:
            raise Denied("an expansion could become an option of git; put -- before it", arg.excerpt)
        _argument(command, arg)


def _argument(command: str, arg: Arg) -> None:
    text = arg.value or arg.head
    if text.startswith("--") and text != "--":
        name = text[2:].partition("=")[0]
        if any(known.startswith(name) for known in _LONG):
            raise Denied("this option makes git start a program or write a file", arg.excerpt)
    elif text.startswith("-") and not set(text[1:]).isdisjoint(_SHORT.get(command, "")):
        raise Denied("this option makes git start a program or write a file", arg.excerpt)
    elif re.match(r"(?:ext|fd)::", text):
        raise Denied("this address makes git start a program", arg.excerpt)
