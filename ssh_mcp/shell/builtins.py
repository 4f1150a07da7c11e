"""Shell builtins that start nothing and touch nothing outside of the shell: they need no entry in an allowlist.

What some of them can do to the *shell* is checked: set a variable that decides which program runs, or make bash
evaluate an array subscript (which runs a command substitution in it). POSIX.1-2017 XCU 2.14, bash(1), dash(1).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ssh_mcp.shell.environment import protected
from ssh_mcp.shell.options import Denied, Options, leading
from ssh_mcp.shell.tree import Param, names
from ssh_mcp.shell.values import Arg, Variables

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_EXPORTING = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=")
_INTEGER = re.compile(r"-?\d+\Z")
_SUBSCRIPT = re.compile(r"\[[^\]]*(?:\$\(|\$\{|`)")
"""A substitution in a subscript: ``x[$(command)]``."""
_COMPUTING = frozenset({"-eq", "-ne", "-lt", "-le", "-gt", "-ge"})
_JOB = re.compile(r"-[lpnrs]\Z|%\d+\Z")
_SET_LETTERS = frozenset("eufxhCvb")
_SET_MODES = names("errexit nounset noglob xtrace pipefail noclobber verbose")

HARMLESS = frozenset(
    {":", "true", "false", "cd", "exit", "return", "break", "continue", "shift", "umask", "times", "pwd"}
)
STATEFUL = frozenset({"read", "export", "local", "unset", "set", "getopts", "trap", "wait", "jobs"})
TESTS = frozenset({"test", "[", "[["})
OTHERS = names("printf echo pwd kill type ulimit test exec command builtin eval trap hash alias cat rm sleep ps sh sed")
"""Further names that must keep their meaning for what runs beside a caller's text in the same shell."""
FREE = HARMLESS | STATEFUL | TESTS


class Scope:
    """What a check needs to know of its surroundings."""

    def __init__(self, variables: Variables, bound: frozenset[str], functions: frozenset[str]) -> None:
        self.variables = variables
        self.bound = bound
        self.functions = functions


def check(name: str, args: list[Arg], scope: Scope) -> None:
    """Decide about the arguments of builtin ``name`` (``trap`` excepted). Raises Denied."""
    checker = _CHECKS.get(name)
    if checker:
        checker(args, scope)


def _name(arg: Arg, what: str) -> str:
    """A literal, unprotected variable name. Bash would run a substitution inside of ``x[$(…)]``."""
    value = arg.value or ""
    if not _IDENTIFIER.match(value):
        raise Denied(f"the variable of `{what}` must be a plain name", arg.excerpt)
    if protected(value):
        raise Denied(f"setting {value} can change which program runs", value)
    return value


def _arithmetic(args: list[Arg], _scope: Scope) -> None:
    """Korn shells compute these arguments, and so run the substitution in ``shift 'x[$(command)]'``."""
    for arg in args:
        if any(_SUBSCRIPT.search(text) for text in arg.texts):
            raise Denied("some shells run what is in these brackets", arg.excerpt)


def _read(args: list[Arg], _scope: Scope) -> None:
    _, rest = leading("read", args, Options("rs", "ptnd"))
    for arg in rest:
        _name(arg, "read")


def _getopts(args: list[Arg], _scope: Scope) -> None:
    if len(args) < 2 or args[0].multi:
        raise Denied("the arguments of `getopts` cannot be decided", "getopts")
    _name(args[1], "getopts")


def _export(args: list[Arg], _scope: Scope) -> None:
    if len(args) == 1 and args[0].value == "-p":
        return
    for arg in args:
        found = _EXPORTING.match(arg.value if arg.value is not None else arg.head)
        if found is None:
            _name(arg, "export")
        elif arg.multi:  # dash splits the value: export X=$y may set PATH
            raise Denied("the value in `export` must be quoted", arg.excerpt)
        elif protected(found.group(1), arg.value and arg.value[found.end() :]):
            raise Denied(f"setting {found.group(1)} can change which program runs", found.group(1))


def _unset(args: list[Arg], scope: Scope) -> None:
    _, rest = leading("unset", args, Options("v"))
    for arg in rest:
        if _name(arg, "unset") in scope.functions:
            raise Denied("a function must not be unset", arg.excerpt)


def _set(args: list[Arg], _scope: Scope) -> None:
    rest = list(args)
    while rest:
        value = rest.pop(0).value
        if value is None:
            raise Denied("the arguments of `set` could become options; write set -- before them", "set")
        if value == "--" or value[:1] not in ("-", "+"):
            return
        letters = value[1:]
        if letters.endswith("o") and rest and rest[0].value in _SET_MODES:
            rest.pop(0)
            letters = letters[:-1]
        if not letters and len(value) == 1:
            raise Denied("this form of `set` cannot be decided", value)
        if not set(letters) <= _SET_LETTERS:
            raise Denied("this option of `set` can change which program runs", value)


def _wait(args: list[Arg], scope: Scope) -> None:
    for arg in args:
        if arg.value is not None and not arg.value.startswith("-"):
            continue
        part = arg.word.parts[0] if arg.word and len(arg.word.parts) == 1 else None
        if not isinstance(part, Param) or part.op:
            raise Denied("`wait` may be given process ids only", arg.excerpt)
        if part.name != "!" and not scope.variables.process_id(part.name, scope.bound):
            raise Denied("`wait` may be given process ids only", arg.excerpt)


def _jobs(args: list[Arg], _scope: Scope) -> None:
    """``jobs -x command`` of bash starts the command."""
    for arg in args:
        if arg.value is None or not _JOB.match(arg.value):
            raise Denied("`jobs` may only list", arg.excerpt)


# --- test, [ and [[ --------------------------------------------------------------------------------------------------


def _test(args: list[Arg], scope: Scope) -> None:
    """Bash evaluates the subscript in ``[ -v 'x[$(command)]' ]``: no operand may come behind a possible ``-v``."""
    if any(arg.value in _COMPUTING for arg in args):
        _arithmetic(args, scope)
    for index, arg in enumerate(args):
        following = args[index + 1] if index + 1 < len(args) else None
        if arg.wild:
            raise Denied("an expansion inside of a test must be quoted", arg.excerpt)
        if arg.value in ("-v", "-R"):
            if following is not None and not _IDENTIFIER.match(following.value or ""):
                raise Denied("the operand of -v must be a plain name", following.excerpt)
        elif arg.value is None and not arg.anchored and following is not None and "[" in (following.value or "["):
            raise Denied("this test cannot be decided", arg.excerpt)


def _bracket(args: list[Arg], scope: Scope) -> None:
    if not args or args[-1].value != "]":
        raise Denied("`]` is missing", "[")
    _test(args[:-1], scope)


def _double_bracket(args: list[Arg], scope: Scope) -> None:
    """Bash's keyword, where it can be read as a simple command. Its number comparisons are arithmetic."""
    if not args or args[-1].value != "]]" or any(a.value == "]]" for a in args[:-1]):
        raise Denied("`]]` is missing", "[[")
    inside = args[:-1]
    for index, arg in enumerate(inside):
        if arg.value in _COMPUTING:
            for operand in (*inside[max(index - 1, 0) : index], *inside[index + 1 : index + 2]):
                _number(operand, scope)
        if arg.value in ("-v", "-R") and not _IDENTIFIER.match(
            inside[index + 1].value or "" if inside[index + 1 :] else ""
        ):
            raise Denied("the operand of -v must be a plain name", arg.excerpt)


def _number(arg: Arg, scope: Scope) -> None:
    if arg.value is not None and _INTEGER.match(arg.value):
        return
    part = arg.word.parts[0] if arg.word and len([p for p in arg.word.parts if p]) == 1 else None
    if isinstance(part, Param) and scope.variables.number(part, scope.bound):
        return
    raise Denied("a number comparison in [[ ]] runs what its operand holds; use [ ] with quotes", arg.excerpt)


_CHECKS: dict[str, Callable[[list[Arg], Scope], None]] = {
    **dict.fromkeys(("shift", "break", "continue", "return", "exit", "ulimit"), _arithmetic),
    "read": _read,
    "getopts": _getopts,
    "export": _export,
    "local": _export,
    "unset": _unset,
    "set": _set,
    "wait": _wait,
    "jobs": _jobs,
    "test": _test,
    "[": _bracket,
    "[[": _double_bracket,
}
