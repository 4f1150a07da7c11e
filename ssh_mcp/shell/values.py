"""What is known of the values of variables and words, without running anything.

A word of a command may be an expansion. Whether that matters depends on its place: the third argument of ``grep`` is
harmless, an argument of ``find`` could become ``-delete``. ``Variables`` proves two simple things about a variable in
one command text: that it can only hold a number, and that it cannot begin with a dash. Both need *every* binding in
the text to agree and one of them to come before the use on every way (``bound``); values from earlier calls on the
same shell session prove nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ssh_mcp.shell import tree
from ssh_mcp.shell.tree import (
    Arithmetic,
    Case,
    Command,
    For,
    Function,
    Group,
    If,
    Loop,
    Param,
    Part,
    Redirect,
    Sequence,
    Simple,
    Substitution,
    Text,
    Word,
)

_POSSIBLE = 32
"""How many values of one word are looked at."""
_INTEGER = re.compile(r"-?\d+\Z")
_ASSIGNING = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)\Z", re.DOTALL)
_RANGE = re.compile(r"\{\d+\.\.\d+\}\Z")
_COUNTING = frozenset({("date", "+%s"), ("date", "+%s%N"), ("date", "+%Y"), ("nproc",), ("id", "-u"), ("id", "-g")})
_COUNTING_INPUT = frozenset({("wc", "-l"), ("wc", "-c"), ("wc", "-w")})
_ANCHOR = re.compile(r"[A-Za-z0-9/._~%:]")


@dataclass(frozen=True, slots=True)
class Arg:
    """One argument as far as it is known. ``value`` is exact or None; ``head`` is a known beginning ("" if none).

    ``multi``: it may turn out as several arguments or none; ``wild``: and those behind the first may begin with
    anything. ``possible``: all the values of an expansion whose variables were
    set to literal words in the same text. ``excerpt`` is for messages.
    """

    value: str | None
    head: str = ""
    multi: bool = False
    wild: bool = False
    excerpt: str = ""
    word: Word | None = None
    possible: tuple[str, ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """Every text that the argument can be; empty where that is not known."""
        return self.possible if self.value is None else (self.value,)

    @property
    def anchored(self) -> bool:
        """An operand for certain: it cannot turn into an option, however it expands."""
        if self.value is not None:
            return not self.value.startswith("-")
        return bool(self.head) and not self.wild and _ANCHOR.match(self.head) is not None


UNKNOWN = Arg(None, multi=True, wild=True, excerpt="arguments read from standard input")


def known(value: str) -> Arg:
    """An argument that is literally ``value``."""
    return Arg(value, value, excerpt=value)


class Variables:
    """All bindings of one text; ``None`` is a value of which nothing is known."""

    def __init__(self) -> None:
        self.bindings: dict[str, list[Word | None]] = {}
        self.functions: set[str | None] = set()

    def bind(self, name: str, value: Word | None) -> None:
        self.bindings.setdefault(name, []).append(value)

    def _all(self, name: str, test: Callable[[Word], bool]) -> bool:
        values = self.bindings.get(name, [])
        return bool(values) and all(v is not None and test(v) for v in values)

    def numeric(self, name: str, bound: frozenset[str]) -> bool:
        """Whether ``name`` holds an integer wherever it was bound."""
        return name in bound and self._all(name, _is_number)

    def number(self, part: Param, bound: frozenset[str]) -> bool:
        """Whether the expansion ``part`` gives an integer."""
        return part.op == "#len" or (not part.op and (part.name in tree.NUMBERS or self.numeric(part.name, bound)))

    def computes(self, name: str, bound: frozenset[str]) -> bool:
        """Whether ``name`` is fit for arithmetic: a number, or the output of a command that counts."""
        return name in bound and self._all(
            name, lambda w: _is_number(w) or (len(w.parts) == 1 and self.counts(w.parts[0]))
        )

    def counts(self, part: Part) -> bool:
        """Whether ``part`` is a command of the kind ``$(date +%s)``, whose output is a number (or empty)."""
        if not isinstance(part, Substitution) or part.kind != "$(" or len(part.body.items) != 1:
            return False
        pipelines = part.body.items[0].pipelines
        command = pipelines[-1].commands[-1]
        if len(pipelines) != 1 or not isinstance(command, Simple) or command.assignments:
            return False
        words = tuple(w.static for w in command.words)
        fed = len(pipelines[0].commands) > 1 or any(r.op.startswith("<") for r in command.redirects)
        known = words in _COUNTING or (words in _COUNTING_INPUT and fed)
        return known and not self.functions & {words[0]}

    def process_id(self, name: str, bound: frozenset[str]) -> bool:
        """Whether ``name`` holds a number or, from ``$!``, nothing."""
        return name in bound and self._all(name, lambda w: _is_number(w) or _is_last_job(w))

    def anchored(self, name: str, bound: frozenset[str]) -> bool:
        """Whether ``name`` always begins with a character that makes it an operand."""
        if name in {"HOME", "PWD"}:  # no permitted command may set them
            return True
        return name in bound and self._all(name, lambda w: _ANCHOR.match(tree.head(w)) is not None)

    # --- arguments --------------------------------------------------------------------------------------------------

    def arg(self, word: Word, bound: frozenset[str], excerpt: str) -> Arg:
        """``word`` as an argument, with what is known of its variables."""
        value = word.static
        if value is not None:
            return Arg(value, value, excerpt=excerpt, word=word)
        head = tree.head(word)
        first = next((p for p in word.parts if not (isinstance(p, Text) and not p.text)), None)
        if not head and isinstance(first, Param) and not first.op:
            if self.numeric(first.name, bound):
                head = "0"
            elif self.anchored(first.name, bound):
                head = "/"
        wild = self.splits(word, bound)
        spreads = wild or tree.spreads(word)
        return Arg(None, head, spreads, wild, excerpt, word, () if spreads else self.possible(word, bound))

    def possible(self, word: Word, bound: frozenset[str]) -> tuple[str, ...]:
        """All values of ``word``, where each of its variables holds literal words only; empty where it does not."""
        found = [""]
        for part in word.parts:
            options = self._values(part, bound)
            if not options or len(found) * len(options) > _POSSIBLE:
                return ()
            found = [f + o for f in found for o in options]
        return tuple(found)

    def _values(self, part: Part, bound: frozenset[str]) -> list[str]:
        match part:
            case Text(text, _):
                return [text]
            case Arithmetic(_, _, ()):
                return ["0"]
            case Param(name, _, "", _) if name in bound:
                values = [w.static if w else None for w in self.bindings.get(name, [])]
                known = [v for v in values if v is not None]
                return known if len(known) == len(values) else ["0"] if self.numeric(name, bound) else []
            case _:
                return []

    def splits(self, word: Word, bound: frozenset[str]) -> bool:
        """``tree.splits``, but a number never splits."""
        harmless = [p for p in word.parts if isinstance(p, Param) and not p.op and self.numeric(p.name, bound)]
        rest = tuple(p for p in word.parts if p not in harmless)
        return tree.splits(Word(rest, word.start, word.end)) if harmless else tree.splits(word)


def _is_number(word: Word) -> bool:
    """A literal integer, a count, or arithmetic (whose own variables are decided where it occurs)."""
    if word.static is not None:
        return _INTEGER.match(word.static) is not None
    match word.parts:
        case (Arithmetic(),) | (Param(_, _, "#len", _),):
            return True
        case (Param(name, _, "", _),):
            return name in tree.NUMBERS
        case _:
            return False


def _is_last_job(word: Word) -> bool:
    return len(word.parts) == 1 and isinstance(word.parts[0], Param) and word.parts[0].name == "!"


# --- walking --------------------------------------------------------------------------------------------------------


def collect(body: Sequence) -> Variables:
    """Every binding anywhere in ``body``."""
    variables = Variables()
    for command in commands(body):
        match command:
            case Simple(assignments, words, _, _):
                for assignment in assignments:
                    variables.bind(assignment.name, assignment.value)
                _builtin_bindings(words, variables)
            case For(name, None, _, _):
                variables.bind(name, None)
            case For(name, words, _, _):
                for word in words or ():
                    variables.bind(name, _loop_value(word))
            case Function(name, _, _):
                variables.functions.add(name)
            case _:
                pass
    for part in parts(body):
        if isinstance(part, Param) and part.op in ("=", ":="):
            variables.bind(part.name, None)
    return variables


def _loop_value(word: Word) -> Word | None:
    """What a loop's variable holds; ``{1..5}`` is numbers in bash and itself in dash."""
    if _RANGE.match(word.bare or ""):
        return Word((Text("1"),), word.start, word.end)
    return None if tree.has_brace(word) else word


def _builtin_bindings(words: tuple[Word, ...], variables: Variables) -> None:
    program = words[0].static if words else None
    if program in ("read", "getopts", "unset", "local", "export", "readonly"):
        for word in words[1:]:
            if word.static:
                variables.bind(word.static, None)
    if program in ("export", "readonly", "local"):
        for word in words[1:]:
            found = _ASSIGNING.match(tree.head(word))
            if found:
                variables.bind(found.group(1), None)


def commands(body: Sequence) -> Iterator[Command]:
    """Every command below ``body``, also inside of substitutions."""
    stack: list[Sequence] = [body]
    while stack:
        sequence = stack.pop()
        pending = [c for item in sequence.items for pipeline in item.pipelines for c in pipeline.commands]
        while pending:
            command = pending.pop()
            yield command
            stack.extend(_bodies(command))
            if isinstance(command, Function):
                pending.append(command.body)
            stack.extend(p.body for p in own_parts(command) if isinstance(p, Substitution))


def parts(body: Sequence) -> Iterator[Part]:
    """Every part of every word below ``body``."""
    for command in commands(body):
        yield from own_parts(command)


def _bodies(command: Command) -> list[Sequence]:
    match command:
        case Group(_, body, _) | For(_, _, body, _):
            return [body]
        case If(conditions, branches, _):
            return [*conditions, *branches]
        case Loop(condition, body, _):
            return [condition, body]
        case Case(_, arms, _):
            return [body for _, body in arms]
        case _:
            return []


def own_words(command: Command) -> list[Word]:
    """The words of ``command`` itself: not those of commands inside of it. Here-documents are no words."""
    words: list[Word] = []
    match command:
        case Simple(assignments, arguments, _, _):
            words += [a.value for a in assignments]
            words += arguments
        case For(_, listed, _, _):
            words += listed or ()
        case Case(subject, arms, _):
            words.append(subject)
            words += [p for patterns, _ in arms for p in patterns]
        case _:
            pass
    words += [r.target for r in redirects(command)]
    return words


def redirects(command: Command) -> tuple[Redirect, ...]:
    return () if isinstance(command, Function) else command.redirects


def own_parts(command: Command) -> Iterator[Part]:
    """The parts of ``command``'s own words and here-documents, down through ``${x:-…}``."""
    stack: list[Part] = [p for w in own_words(command) for p in w.parts]
    stack += [p for r in redirects(command) if r.heredoc for p in r.heredoc.parts]
    while stack:
        part = stack.pop()
        yield part
        if isinstance(part, Param):
            stack.extend(p for w in part.words for p in w.parts)
        elif isinstance(part, Arithmetic):
            stack.extend(part.commands)
