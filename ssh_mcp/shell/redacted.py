"""Finds the paths that a command names, however it spells them, and asks whether one of them holds secrets.

Naming is what can be decided from the text: literal paths in any quoting, relative ones joined with every directory
that the command enters, variables with values from the same text, globs, brace lists, ``~``, paths inside of longer
words (``--file=…``, ``@…``, a script for another shell). A path that only comes into being while the command runs (out
of a decoder, a file, an earlier call) names nothing here; the output guard masks what is printed.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable
from functools import lru_cache

from ssh_mcp.shell import tree, values
from ssh_mcp.shell.parse import ShellSyntaxError, parse
from ssh_mcp.shell.shapes import ANY, Budget, Shape, fits, from_glob, literal, normal, normal_path, speaks
from ssh_mcp.shell.tree import AnsiC, Param, Part, Simple, Text, Word
from ssh_mcp.shell.values import Variables

_ALTERNATIVES = 24
_DIRECTORIES = 24
_PATH_MAX = 4096
_DEPTH = 3
_HOMES: tuple[str, ...] = ("/root", "/home/*", "/Users/*", "/var/lib/*")
_HOME_SHAPES: tuple[Shape, ...] = tuple(from_glob(h) for h in _HOMES)
_EVERYTHING = re.compile("")
_DYNAMIC = re.compile(r"[$*?\[{]")
_CUT = re.compile(r"[\s=@:,;|&\"'`()<>{}!#]+")
_CWD = re.compile(r"/+proc/+[^/]+/+cwd/+")
_FALLBACK = re.compile(r"[\s;|&()<>`]+")
_PATTERN_FIRST = tree.names("grep egrep fgrep zgrep rg ag ack jq yq sed awk gawk mawk nawk expr tr")
_DIRECTORY_OPTIONS = tree.names("-C --directory --chdir")


class Finder:
    """One command. ``matches`` decides about an exact path, ``globs`` about shapes."""

    def __init__(
        self,
        globs: tuple[str, ...],
        matches: Callable[[str], bool],
        default_dir: str | None,
        budget: Budget | None = None,
    ) -> None:
        self.globs = globs
        self.matches = matches
        self.homes = _HOME_SHAPES
        self.home_globs = home_globs(globs)
        self.remembered: dict[Shape, bool] = {}
        self.essential = essential(globs)
        self.directories: list[Shape] = [literal(default_dir)] if default_dir else [*self.homes]
        self.directories.append(())
        self.budget = budget or Budget()
        self.variables = Variables()
        self.text = ""

    def find(self, text: str, depth: int = 0) -> str | None:
        """The first path in ``text`` that is redact-listed, as it is written; None: it names none."""
        self.text = text
        try:
            body = parse(text).body
        except ShellSyntaxError:
            return self._in_raw(text)
        self.variables = values.collect(body)
        commands = list(values.commands(body))
        for command in commands:
            if isinstance(command, Simple):
                self._enter(command)
        for command in commands:
            found = self._in_command(command, depth)
            if found:
                return found
        return None

    # --- directories ------------------------------------------------------------------------------------------------

    def _enter(self, command: Simple) -> None:
        """Remember where the command goes: ``cd``, ``-C``, the starting points of ``find``."""
        words = command.words
        program = _program(words)
        searching = program == "find"
        for index, word in enumerate(words[1:], start=1):
            before = words[index - 1].static
            text = tree.head(word)
            searching = searching and text[:1] not in ("-", "(", "!")
            if text.strip("./") == "" and word.static is not None and ".." not in text:
                continue
            if program in ("cd", "pushd") or before in _DIRECTORY_OPTIONS or searching:
                for shape in self._shapes(word):
                    self._add_directory(shape)
            elif text.startswith(("--directory=", "--chdir=")):
                self._add_directory(literal(text.partition("=")[2]))

    def _add_directory(self, shape: Shape) -> None:
        bases = [()] if shape[:1] == ("/",) else list(self.directories)
        for base in bases:
            joined = normal((*base, "/", *shape) if base else shape)
            if len(self.directories) >= _DIRECTORIES:
                joined = (ANY,)
            if joined not in self.directories:
                self.directories.append(joined)
            if any(isinstance(t, int) for t in joined) or self.essential.search("".join(str(t) for t in joined)):
                self.essential = _EVERYTHING

    # --- words ------------------------------------------------------------------------------------------------------

    def _in_command(self, command: tree.Command, depth: int) -> str | None:
        words = values.own_words(command)
        skipped: set[int] = set()
        if isinstance(command, Simple) and command.words:
            skipped = {id(command.words[0])}
            pattern = _pattern_operand(command.words)
            if pattern is not None:
                skipped.add(id(pattern))
        for word in words:
            found = self._in_word(word, bare_names=id(word) not in skipped, depth=depth)
            if found:
                return found
        for redirect in values.redirects(command):
            for part in redirect.heredoc.parts if redirect.heredoc else ():
                if isinstance(part, Text) and (found := self._in_text(part.text, bare_names=True)):
                    return found
        return self._in_find(command) if isinstance(command, Simple) else None

    def _in_word(self, word: Word, *, bare_names: bool, depth: int) -> str | None:
        value = word.static
        if value is None and word.end - word.start > _PATH_MAX:
            return self.text[word.start : word.start + 60]
        if value is not None:
            if (found := self._in_text(value, bare_names=bare_names)) is not None:
                return found
            nested = depth < _DEPTH and re.search(r"[\s;|&]", value) and re.search(r"[\"'\\$*?\[{~/.]", value)
            return self._nested(value, depth) if nested and bare_names else None
        for shape in self._shapes(word):
            if self._shape_names(shape):
                written = self.text[word.start : word.end]
                plain = all(isinstance(t, str) for t in shape) and not set(written) & set("$~")
                return "".join(str(t) for t in shape) if plain else written
        return next(
            (f for p in word.parts if isinstance(p, Text) and (f := self._in_text(p.text, bare_names=False))), None
        )

    def _nested(self, text: str, depth: int) -> str | None:
        inner = Finder(self.globs, self.matches, None, self.budget)
        inner.directories = list(self.directories)
        return inner.find(text, depth + 1)

    def _in_find(self, command: Simple) -> str | None:
        """``find -name 'patt*'`` reads its pattern itself, quotes or not."""
        if _program(command.words) != "find":
            return None
        for before, word in zip(command.words, command.words[1:], strict=False):
            if (before.static or "").lstrip("-") in ("name", "iname", "path", "ipath", "wholename", "iwholename"):
                value = word.static or ""
                if any(self._shape_names(from_glob(v, start=False)) for v in {value, value.lower()}):
                    return value
        return None

    # --- literal text -----------------------------------------------------------------------------------------------

    def _in_text(self, text: str, *, bare_names: bool) -> str | None:
        if not self.essential.search(text):
            return None
        # A whole path first: the words around it make a relative one, which leads elsewhere.
        for candidate in sorted(_candidates(text), key=lambda c: not c.startswith("/")):
            if (bare_names or "/" in candidate) and (found := self._path_names(candidate)):
                return found
        return None

    def _path_names(self, path: str) -> str | None:
        """``path`` if it is listed, made absolute where it is known from where."""
        if path.startswith("/"):
            moved = _CWD.match(path)
            listed = self.matches(normal_path(path)) or (moved and self._path_names(path[moved.end() :]))
            return path if listed else None
        if path.startswith("~"):
            tail = path.partition("/")[2]
            return path if any(self._shape_names((*home, "/", *tail)) for home in self.homes) else None
        for directory in self.directories:
            joined = (*directory, "/", *path)
            if all(isinstance(t, str) for t in joined):
                absolute = normal_path("".join(str(t) for t in joined))
                if self.matches(absolute):
                    return absolute if directory and directory not in self.homes else path
            elif any(fits(normal(joined), g, self.budget) for g in self._globs_below(directory)):
                return path
        return None

    def _globs_below(self, directory: Shape) -> tuple[str, ...]:
        """Patterns that begin with ``**`` were asked about the bare name already."""
        return self.home_globs if directory in self.homes else self.globs

    def _in_raw(self, text: str) -> str | None:
        """A text that was not understood: quotes are dropped, words are cut at blanks and operators."""
        bare = re.sub(r"[\"'\\]", "", text)
        for source in (text, bare):
            for word in dict.fromkeys(_FALLBACK.split(source)):
                if not _DYNAMIC.search(word) and not self.essential.search(word):
                    continue
                pieces = [word, *_candidates(word)] if len(word) <= _PATH_MAX else []
                for piece in dict.fromkeys(pieces):
                    shape = from_glob(re.sub(r"\$(?:\w+|\{[^}]*\}|[@*#?$!-])", "\0", piece))
                    shape = tuple(ANY if t == "\0" else t for t in shape)
                    exact = all(isinstance(t, str) for t in shape)
                    if piece and (self._path_names(piece) if exact else self._shape_names(shape)):
                        return piece
        return None

    # --- shapes -----------------------------------------------------------------------------------------------------

    def _shape_names(self, shape: Shape) -> bool:
        if shape not in self.remembered:
            self.remembered[shape] = any(self._candidate_names(c) for c in _shape_candidates(shape))
        return self.remembered[shape]

    def _candidate_names(self, candidate: Shape) -> bool:
        if candidate[:1] in (("/",), (ANY,)):
            return any(fits(normal(candidate), g, self.budget) for g in self._globs_below(candidate))
        for directory in self.directories:
            place = normal((*directory, "/", *candidate))
            if any(fits(place, g, self.budget) for g in self._globs_below(directory)):
                return True
        return False

    def _shapes(self, word: Word, depth: int = 0) -> list[Shape]:
        """Everything that the word can become, within bounds; what is not known is ANY."""
        shapes: list[Shape] = [()]
        for index, part in enumerate(word.parts):
            options = self._part_shapes(part, first=index == 0, depth=depth)
            if len(shapes) * len(options) > _ALTERNATIVES:
                options = [(ANY,)]
            shapes = [(*s, *o) for s in shapes for o in options]
        return [b for s in shapes for b in _braces(s)] if tree.has_brace(word) else shapes

    def _part_shapes(self, part: Part, *, first: bool, depth: int) -> list[Shape]:
        match part:
            case Text(text, True):
                return [literal(text)]
            case Text(text, _) if first and text.startswith("~"):
                return [(*h, *from_glob(text[text.find("/") :] if "/" in text else "")) for h in self.homes]
            case Text(text, _):
                return [from_glob(text, start=first)]
            case AnsiC(raw):
                return [literal(_ansi(raw))]
            case Param("$" | "PPID", _, "", _):
                return [literal("1")]
            case Param("HOME", _, "", _):
                return list(self.homes)
            case Param(name, _, op, words):
                return self._param_shapes(name, op, words, depth)
            case _:
                return [(ANY,)]

    def _param_shapes(self, name: str, op: str, words: tuple[Word, ...], depth: int) -> list[Shape]:
        known = self.variables.bindings.get(name, [])
        found: list[Shape] = []
        for value in known if len(known) <= _ALTERNATIVES else [None]:
            found += [(ANY,)] if value is None or depth >= _DEPTH else self._shapes(value, depth + 1)
        if op in (":-", "-", ":=", "=", ":+", "+"):
            found += [s for w in words for s in self._shapes(w, depth + 1)]
        if not known or op not in ("", ":-", "-", ":=", "=", ":+", "+"):
            found.append((ANY,))
        return list(dict.fromkeys(found))


@lru_cache(maxsize=64)
def essential(globs: tuple[str, ...]) -> re.Pattern[str]:
    """A search that finds every listed path: the longest literal stretch of each glob."""
    stretches = set()
    for glob in globs:
        literals = re.split(r"\[[!^]?\]?[^\]/]*\]|[*?/]", glob)
        stretches.add(max(literals, key=len))
    if "" in stretches:
        return _EVERYTHING
    return re.compile("|".join(re.escape(s) for s in sorted(stretches)))


@lru_cache(maxsize=64)
def home_globs(globs: tuple[str, ...]) -> tuple[str, ...]:
    """Those that may mean something in a home directory."""
    return tuple(g for g in globs if not g.startswith("**") and _below_a_home(g))


def _below_a_home(glob: str) -> bool:
    heads = [h.rstrip("*") for h in _HOMES]
    fixed = re.split(r"[*?\[]", glob, maxsplit=1)[0]
    return any(h.startswith(fixed) or fixed.startswith(h) for h in heads)


def _program(words: tuple[Word, ...]) -> str:
    return ((words[0].static or "") if words else "").rpartition("/")[2]


def _pattern_operand(words: tuple[Word, ...]) -> Word | None:
    """The word that is a pattern or script by its place: names in it without a slash are none of files."""
    if _program(words) not in _PATTERN_FIRST:
        return None
    for word in words[1:]:
        text = tree.head(word)
        if re.match(r"-[A-Za-z]*[ef]|--(?:regexp|file|expression)", text):
            return None
        if not text.startswith("-"):
            return word
    return None


def _candidates(text: str) -> Iterable[str]:
    """Strings inside of ``text`` that could be paths: also what hangs on a short option, but not a long one's name."""
    found: dict[str, None] = {text: None}
    for piece in _CUT.split(text):
        short = piece[:1] == "-" and piece[:2] != "--"
        if piece.startswith("//localhost/"):  # what follows file:
            found[piece[11:]] = None
        for start in {0, max(piece.find("/"), 0), max(piece.find("~"), 0), 2 if short else 0}:
            found[piece[start:]] = None
    found.pop("", None)
    return [f for f in found if len(f) <= 4096]


def _shape_candidates(shape: Shape) -> list[Shape]:
    """The shape, and what follows a separator or the first slash in it; only what holds a letter or digit."""
    starts = {0} | {i + 1 for i, t in enumerate(shape) if isinstance(t, str) and t in "=@:,"}
    if "/" in shape:
        starts.add(shape.index("/"))
    if len(starts) > _ALTERNATIVES:
        starts = {0, *sorted(starts)[-_ALTERNATIVES:]}
    cut = [shape[s:] for s in sorted(starts)]
    return [c for c in cut if any(speaks(c, i) for i in range(len(c)))]


def _braces(shape: Shape) -> list[Shape]:
    """The alternatives of brace lists, innermost first. A range, and what would be too many, becomes ANY."""
    done: list[Shape] = []
    pending: list[Shape] = [shape]
    while pending:
        current = pending.pop()
        closed = current.index("}") if "}" in current else -1
        opened = max((i for i, t in enumerate(current[:closed]) if t == "{"), default=-1) if closed > 0 else -1
        inner = current[opened + 1 : closed]
        if opened < 0:
            done.append(current)
            continue
        options = _split(inner)
        if len(options) == 1 or len(done) + len(pending) + len(options) > _ALTERNATIVES:
            options = [(ANY,)]
        pending.extend((*current[:opened], *o, *current[closed + 1 :]) for o in options)
    return done


def _split(shape: Shape) -> list[Shape]:
    out: list[list[str | int]] = [[]]
    for token in shape:
        if token == ",":
            out.append([])
        else:
            out[-1].append(token)
    return [tuple(o) for o in out]


def _ansi(raw: str) -> str:
    """Bash's reading of ``$'…'``; where it holds no escapes dash's is the same."""
    try:
        return codecs.decode(raw.encode("latin-1", "backslashreplace"), "unicode_escape")
    except UnicodeDecodeError:
        return raw
