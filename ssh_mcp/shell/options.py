"""Reading the options of a program whose later arguments matter: getopt(3) rules, strict.

A strict reading ends in ``Denied`` wherever the real program might read on differently: an unknown option, an
abbreviated long option, an expansion where an option could be.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ssh_mcp.shell.values import Arg


class Denied(Exception):
    """The command must not run. ``what`` is a clause about ``part``, without capital and full stop."""

    def __init__(self, what: str, part: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.part = part
        self.remedy = remedy


class WritesFile(Denied):
    """The program would change a file by an option of its own; what it starts is known all the same."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a program accepts before its operands. Long names come without dashes, space separated.

    ``flags``/``valued``/``attached``: short letters without value, with value, with an optional attached value. Only
    what is the same in every version of the program may be here: a flag taken for a valued option (or the other
    way round) would shift what is decided about.
    """

    flags: str = ""
    valued: str = ""
    attached: str = ""
    long: str = ""
    long_valued: str = ""
    long_attached: str = ""


def leading(name: str, args: Sequence[Arg], spec: Options) -> tuple[list[tuple[str, Arg | None]], list[Arg]]:
    """The options before the first operand, and what follows them.

    Raises Denied for an option outside of ``spec`` or an argument that might be one.
    """
    found: list[tuple[str, Arg | None]] = []
    rest = list(args)
    while rest and is_option(name, rest[0]):
        if rest[0].value == "--":
            rest.pop(0)
            break
        found.extend(take(name, rest, spec))
    return found, rest


def is_option(name: str, word: Arg) -> bool:
    """Whether ``word`` is an option (``--`` included). Raises Denied where that is not known."""
    if word.value is None and not word.anchored:
        raise Denied(f"it cannot be decided whether this is an option of `{name}`", word.excerpt)
    return word.value is not None and word.value.startswith("-") and word.value != "-"


def take(name: str, rest: list[Arg], spec: Options) -> list[tuple[str, Arg | None]]:
    """Remove one option word, and its value, from the front of ``rest``."""
    word = rest.pop(0)
    if (word.value or "").startswith("--"):
        return [_long(name, word, rest, spec)]
    return _short(name, word, rest, spec)


def _long(name: str, word: Arg, rest: list[Arg], spec: Options) -> tuple[str, Arg | None]:
    option, equals, value = (word.value or "")[2:].partition("=")
    if option in spec.long_valued.split():
        if equals:
            return f"--{option}", Arg(value, value, excerpt=word.excerpt)
        return f"--{option}", _value(name, word, rest)
    if option in spec.long_attached.split():
        return f"--{option}", Arg(value, value, excerpt=word.excerpt) if equals else None
    if option in spec.long.split() and not equals:
        return f"--{option}", None
    raise Denied(f"the option is not among those of `{name}` that can be decided", word.excerpt)


def _short(name: str, word: Arg, rest: list[Arg], spec: Options) -> list[tuple[str, Arg | None]]:
    found: list[tuple[str, Arg | None]] = []
    letters = (word.value or "")[1:]
    for index, letter in enumerate(letters):
        tail = letters[index + 1 :]
        if letter in spec.valued:
            value = Arg(tail, tail, excerpt=word.excerpt) if tail else _value(name, word, rest)
            return [*found, (f"-{letter}", value)]
        if letter in spec.attached:
            return [*found, (f"-{letter}", Arg(tail, tail, excerpt=word.excerpt))]
        if letter not in spec.flags:
            raise Denied(f"the option is not among those of `{name}` that can be decided", word.excerpt)
        found.append((f"-{letter}", None))
    return found


def _value(name: str, word: Arg, rest: list[Arg]) -> Arg:
    if not rest:
        raise Denied(f"an option of `{name}` lacks its value", word.excerpt)
    value = rest.pop(0)
    if value.multi:
        raise Denied(f"the value of an option of `{name}` may become several arguments", value.excerpt)
    return value


class Style(StrEnum):
    """How a parser reads long options, beside ``--name``, ``--name=value`` and any abbreviation of it."""

    GNU = "gnu"
    ONE_DASH = "one dash"
    """``-name`` too: getopt_long_only(3), and parsers of their own."""
    MYSQL = "mysql"
    """With the prefixes that say what an unknown option is worth: ``--loose-name``, ``--enable-name``."""


_LEAVE: Final = "leave the option out, or use the tool that does its job"
_LOOSE: Final = re.compile(r"(?:loose|enable|maximum)-")


@dataclass(frozen=True, slots=True)
class Forbidden:
    """Options that start programs or write files, of a program that is harmless without them.

    ``short`` letters and ``long`` names are refused wherever options may be, abbreviations included, with ``_`` for
    ``-`` as with a joined value; ``valued`` are the short letters that take a value in every version, ``long_valued``
    such long names: what follows them is not an option; ``attached`` the letters with an optional joined value. A long
    name that ends in ``*`` means all that begin so. ``response``: ``@file`` reads further arguments from a file.
    """

    short: str = ""
    long: str = ""
    valued: str = ""
    long_valued: str = ""
    style: Style = Style.GNU
    response: bool = False
    attached: str = ""


def scan(name: str, args: Sequence[Arg], spec: Forbidden) -> list[Arg]:
    """The operands of a program that permutes its arguments (GNU). Raises Denied for what ``spec`` forbids."""
    operands: list[Arg] = []
    rest = list(args)
    while rest:
        word = rest.pop(0)
        if spec.response and (word.value or word.head or "@").startswith("@"):
            raise Denied(f"`{name}` would read further arguments from a file", word.excerpt)
        if word.value is None:
            if _joins_value(word, spec):
                continue
            if not word.anchored:
                raise Denied(
                    f"an expansion could become an option of `{name}`; put `--` or a path before it", word.excerpt
                )
            operands.append(word)
        elif word.value == "--":
            return operands + rest
        elif word.value.startswith("-") and word.value != "-":
            if forbids(spec, word.value):
                raise Denied(
                    f"the option makes `{name}` start a program, load code or write a file", word.excerpt, _LEAVE
                )
            _skip_value(word.value, rest, spec)
        else:
            operands.append(word)
    return operands


def _joins_value(word: Arg, spec: Forbidden) -> bool:
    """``--host="$H"`` and ``-p"$PW"``: a harmless option whose joined value is an expansion."""
    if word.multi:
        return False
    if word.head.startswith("--"):
        return "=" in word.head and not forbids(spec, word.head)
    return (
        word.head[:1] == "-" and word.head[1:2] in tuple(spec.valued + spec.attached) and not forbids(spec, word.head)
    )


def forbids(spec: Forbidden, text: str) -> bool:
    """Whether an option word means something that ``spec`` forbids, in any reading that a parser could have."""
    body = text.lstrip("-")
    name = body.partition("=")[0].replace("_", "-")
    if text.startswith("--"):
        return bool(name) and _is_long(name, spec)
    if spec.style is Style.ONE_DASH:  # -noout is a name; -o and gcc's -B/tmp are letters
        return body[:1] in tuple(spec.short) or (len(name) > 1 and _is_long(name, spec))
    for letter in body:
        if letter in spec.short:
            return True
        if letter in spec.valued or letter in spec.attached:
            return False
    return False


def _is_long(name: str, spec: Forbidden) -> bool:
    """Whether ``name`` is a forbidden long name or an abbreviation of one."""
    readings = {name}
    while spec.style is Style.MYSQL and (found := _LOOSE.match(name)):
        name = name[found.end() :]
        readings.add(name)
    known = spec.long.split()
    return any(
        r and (each.startswith(r) or (each[-1] == "*" and r.startswith(each[:-1]))) for r in readings for each in known
    )


def _skip_value(text: str, rest: list[Arg], spec: Forbidden) -> None:
    """The separate value of a short option is not an option itself; one that looks like an option is read as both."""
    if text.startswith("--"):
        if text[2:] in spec.long_valued.split() and rest and not rest[0].multi and not _dashed(rest[0]):
            rest.pop(0)
        return
    for index, letter in enumerate(text[1:], start=1):
        if letter in spec.valued:
            if index == len(text) - 1 and rest and not rest[0].multi and not _dashed(rest[0]):
                rest.pop(0)
            return


def _dashed(arg: Arg) -> bool:
    return (arg.value or arg.head).startswith("-")


_SETTINGS = re.compile(r"/etc/(?!.*\.\.)[^\0]+|(?:/root|/home/[^/]+|~[^/]*)/(?:\.kube/config|\.my\.cnf)")


def settings_file(arg: Arg | None) -> bool:
    """Whether this is a file of settings that only the operator writes.

    Where settings may name programs to start, a file from elsewhere is as good as a script.
    """
    if arg is None:
        return False
    bare = arg.word.bare or "" if arg.word else ""
    text = bare if bare.startswith("~") else arg.value
    return text is not None and (text is bare or text.startswith("/")) and _SETTINGS.fullmatch(text) is not None
