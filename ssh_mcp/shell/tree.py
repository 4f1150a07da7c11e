"""The syntax tree of a shell command: values only.

It covers the part of the shell language that dash, BusyBox ash and bash (also as ``sh``) read alike; POSIX.1-2017,
"Shell Command Language" (XCU 2). What lies outside of that part never becomes a tree (``parse.ShellSyntaxError``).
Positions are character offsets into the text that was parsed; a nested text (backticks) keeps the offsets of the whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


def names(text: str) -> frozenset[str]:
    """A set of names, written as people read it."""
    return frozenset(text.split())


# --- words ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Text:
    """Literal characters. ``quoted``: no glob, brace, tilde or reserved word can be made of them."""

    text: str
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Param:
    """``$name`` or ``${name<op>words}``. ``op`` is empty, ``#len`` for a length, or the operator as written."""

    name: str
    quoted: bool
    op: str = ""
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class Substitution:
    """``$(…)``, backticks (kind "$(") or, bash only, ``<(…)`` and ``>(…)``."""

    kind: Literal["$(", "<(", ">("]
    body: Sequence
    quoted: bool


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """``$((…))`` of numbers, operators, the variables named in ``names`` and the output of commands."""

    names: tuple[str, ...]
    quoted: bool
    commands: tuple[Substitution, ...] = ()


@dataclass(frozen=True, slots=True)
class AnsiC:
    """``$'…'``: bash decodes the escapes, older dash reads a dollar sign and a plain quoted string."""

    raw: str


Part = Text | Param | Substitution | Arithmetic | AnsiC


@dataclass(frozen=True, slots=True)
class Word:
    """One word as written, before expansion."""

    parts: tuple[Part, ...]
    start: int
    end: int

    @property
    def static(self) -> str | None:
        """The one value that this word has in every shell, or None where it depends on anything."""
        return static_value(self)

    @property
    def bare(self) -> str | None:
        """The text of a wholly unquoted literal word: the only kind that can be a reserved word."""
        if len(self.parts) == 1 and isinstance(self.parts[0], Text) and not self.parts[0].quoted:
            return self.parts[0].text
        return None


# --- commands -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Heredoc:
    """A here-document: ``parts`` of its body (one literal Text where the delimiter was quoted)."""

    parts: tuple[Part, ...]
    delimiter: str


@dataclass(slots=True)
class Redirect:
    """``op`` as written (``>``, ``<``, ``>&``, ``<<``, ``<<<``, ``&>`` …). The here-document arrives after its line."""

    op: str
    fd: str
    target: Word
    start: int
    heredoc: Heredoc | None = None


@dataclass(frozen=True, slots=True)
class Assignment:
    name: str
    value: Word
    start: int


@dataclass(frozen=True, slots=True)
class Simple:
    """A simple command. Without words it only assigns or redirects."""

    assignments: tuple[Assignment, ...]
    words: tuple[Word, ...]
    redirects: tuple[Redirect, ...]
    start: int


@dataclass(frozen=True, slots=True)
class Group:
    """``{ …; }`` (kind "{") or a subshell (kind "(")."""

    kind: Literal["{", "("]
    body: Sequence
    redirects: tuple[Redirect, ...] = ()


@dataclass(frozen=True, slots=True)
class If:
    """``conditions[i]`` leads to ``branches[i]``; a last branch without condition is the ``else``."""

    conditions: tuple[Sequence, ...]
    branches: tuple[Sequence, ...]
    redirects: tuple[Redirect, ...] = ()


@dataclass(frozen=True, slots=True)
class Loop:
    """``while`` or ``until``."""

    condition: Sequence
    body: Sequence
    redirects: tuple[Redirect, ...] = ()


@dataclass(frozen=True, slots=True)
class For:
    """``words`` None: over the positional parameters."""

    name: str
    words: tuple[Word, ...] | None
    body: Sequence
    redirects: tuple[Redirect, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    subject: Word
    arms: tuple[tuple[tuple[Word, ...], Sequence], ...]
    redirects: tuple[Redirect, ...] = ()


@dataclass(frozen=True, slots=True)
class Function:
    name: str
    body: Group
    start: int


Command = Simple | Group | If | Loop | For | Case | Function


@dataclass(frozen=True, slots=True)
class Pipeline:
    commands: tuple[Command, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """Pipelines joined by ``&&``/``||`` (``operators`` are between them), in the background or not."""

    pipelines: tuple[Pipeline, ...]
    operators: tuple[str, ...] = ()
    background: bool = False


@dataclass(frozen=True, slots=True)
class Sequence:
    """What is between ``;``, ``&`` and newlines."""

    items: tuple[Item, ...] = ()


@dataclass(slots=True)
class Marks:
    """Offsets at which the parser found something that matters; compared with tree-sitter's (``grammar.py``)."""

    programs: set[int] = field(default_factory=set)
    redirects: set[int] = field(default_factory=set)
    assignments: set[int] = field(default_factory=set)
    substitutions: set[int] = field(default_factory=set)
    functions: set[int] = field(default_factory=set)
    words: int = 0


@dataclass(frozen=True, slots=True)
class Script:
    """A whole parsed text."""

    body: Sequence
    marks: Marks


# --- values of words ------------------------------------------------------------------------------------------------

GLOB = frozenset("*?[")


def has_glob(text: str) -> bool:
    """Whether unquoted ``text`` can become file names."""
    return not GLOB.isdisjoint(text)


def has_brace(word: Word) -> bool:
    """Whether bash would brace-expand the word (dash never does): unquoted ``{``, then ``,`` or ``..``, then ``}``."""
    bare = "".join(p.text if isinstance(p, Text) and not p.quoted else "\0" for p in word.parts)
    opened = bare.find("{")
    if opened < 0:
        return False
    closed = bare.rfind("}")
    inner = bare[opened + 1 : closed]
    return closed > opened and ("," in inner or ".." in inner)


def static_value(word: Word) -> str | None:
    """See ``Word.static``: no expansion, glob, brace list or tilde. A lone ``[`` or ``[[`` is a command, no pattern."""
    if word.bare in {"[", "[["}:
        return word.bare
    out = []
    for index, part in enumerate(word.parts):
        if not isinstance(part, Text):
            return None
        if not part.quoted and (has_glob(part.text) or (index == 0 and part.text.startswith("~"))):
            return None
        out.append(part.text)
    if has_brace(word):
        return None
    return "".join(out)


def head(word: Word) -> str:
    """The characters with which every word made from this one begins; empty where that is not known."""
    out = []
    for part in word.parts:
        if isinstance(part, Substitution) and part.kind != "$(":
            out.append("/dev/fd/")
        if not isinstance(part, Text):
            break
        if part.quoted:
            out.append(part.text)
            continue
        cut = min((i for i, c in enumerate(part.text) if c in "*?[{"), default=len(part.text))
        out.append(part.text[:cut])
        if cut < len(part.text):
            break
    return "".join(out)


# Parameters whose value is always a number. ``$!`` is not one of them: without a background job it is empty.
NUMBERS = frozenset("#?$")


def spreads(word: Word) -> bool:
    """Whether the word can become several words that all begin with its ``head``: globs and brace lists."""
    if word.bare in {"[", "[["}:
        return False
    return has_brace(word) or any(isinstance(p, Text) and not p.quoted and has_glob(p.text) for p in word.parts)


def splits(word: Word) -> bool:
    """Whether the word can become none or several words of any beginning: unquoted expansions and ``"$@"``."""
    return any(_part_splits(part) for part in word.parts)


def _part_splits(part: Part) -> bool:
    match part:
        case Param(name, quoted, op, words):
            if op == "#len" or (name in NUMBERS and not op):
                return False
            return name == "@" or not quoted or any(splits(w) for w in words)
        case Substitution(kind, _, quoted):
            return kind == "$(" and not quoted
        case _:
            return False
