"""Reads words: quotes, escapes and expansions, character by character.

Only what dash, BusyBox ash and bash read alike is accepted, or what one of them reads and the others call a syntax
error. POSIX.1-2017 XCU 2.2 (quoting), 2.6 (expansions); where the shells differ a comment says how.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import NoReturn

from ssh_mcp.shell.tree import AnsiC, Arithmetic, Marks, Param, Part, Sequence, Substitution, Text, Word

MAX_DEPTH = 24
"""Nested constructs. People stay below six; each level costs some ten Python frames."""

MAX_WORDS = 3000
"""Words of a command, so that no command takes noticeable time to be read."""

META = frozenset(" \t\n;&|<>()")
_PLAIN = re.compile(r"[A-Za-z0-9_./:,@%+=\-\[\]{}*?~!^#]+")
_DQUOTE_PLAIN = re.compile(r'[^"$`\\]+')
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ARITHMETIC = re.compile(r"(?:[ \t0-9A-Za-z_+\-*/%<>=!&|^~?:,]|\$[A-Za-z_][A-Za-z0-9_]*|\$\{[A-Za-z_][A-Za-z0-9_]*\})*")
_ARITHMETIC_NAME = re.compile(r"(?<![0-9A-Za-z_])[A-Za-z_][A-Za-z0-9_]*")
_BRACE_OPS = (":-", ":=", ":?", ":+", "%%", "##", "//", "-", "=", "?", "+", "%", "#", "/")
_PARAM = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|\d+|[@*#?$-]")
_SUBSTRING = re.compile(r":\d+(?::\d+)?\}")
_INVISIBLE = frozenset("\u200b\u200c\u200d\u2060\ufeff\u00ad\u180e")


class ShellSyntaxError(Exception):
    """The text lies outside of the understood part of the language. ``part`` is the excerpt that is to blame."""

    def __init__(self, reason: str, part: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.part = part


class WordReader:
    """A cursor over one text. The grammar (``parse.Parser``) adds the commands and hands in ``sub``.

    ``stop`` is the end of what may be read; offsets in the tree are those of ``text``. ``nested`` is true inside of a
    substitution, where old bash versions look for the closing bracket with a scanner of their own.
    """

    def __init__(self, text: str, pos: int, stop: int, *, depth: int, nested: bool, marks: Marks) -> None:
        self.text = text
        self.pos = pos
        self.stop = stop
        self.depth = depth
        self.nested = nested
        self.marks = marks
        self.sub: Callable[[WordReader, str], Sequence] | None = None

    # --- cursor -----------------------------------------------------------------------------------------------------

    def peek(self, ahead: int = 0) -> str:
        at = self.pos + ahead
        return self.text[at] if at < self.stop else ""

    def starts(self, prefix: str) -> bool:
        return self.text.startswith(prefix, self.pos, self.stop)

    def fail(self, reason: str, at: int | None = None) -> NoReturn:
        start = self.pos if at is None else at
        raise ShellSyntaxError(reason, self.text[start : min(start + 40, self.stop)])

    # --- words ------------------------------------------------------------------------------------------------------

    def read_word(self) -> Word:
        """The word that begins here; the caller has skipped blanks and seen that no operator begins here."""
        start = self.pos
        self.marks.words += 1
        if self.marks.words > MAX_WORDS:
            self.fail(f"the command has more than {MAX_WORDS} words")
        parts: list[Part] = []
        while self.pos < self.stop:
            c = self.text[self.pos]
            if c in "<>" and self.peek(1) == "(":
                parts.append(self._process_substitution(c))
            elif c in META:
                break
            else:
                parts.extend(self._part(c))
        return Word(_joined(parts), start, self.pos)

    def _part(self, c: str) -> list[Part]:
        if c == "'":
            return [self._single_quoted()]
        if c == '"':
            return self._double_quoted()
        if c == "\\":
            return [self._escaped()]
        if c == "$":
            return [self._dollar(quoted=False)]
        if c == "`":
            return [self._backtick(quoted=False)]
        return [self._plain(c)]

    def _plain(self, c: str) -> Text:
        found = _PLAIN.match(self.text, self.pos, self.stop)
        if found:
            self.pos = found.end()
            return Text(found.group())
        if not c.isascii() and (c.isspace() or c in _INVISIBLE):
            self.fail("there is an invisible or non-ASCII blank character outside of quotes")
        self.pos += 1
        return Text(c)

    def _single_quoted(self) -> Text:
        end = self.text.find("'", self.pos + 1, self.stop)
        if end < 0:
            self.fail("a single quote is not closed")
        value = self.text[self.pos + 1 : end]
        self.pos = end + 1
        return Text(value, quoted=True)

    def _escaped(self) -> Text:
        following = self.peek(1)
        if following == "":
            self.fail("the text ends in a backslash")
        if following == "\n":
            self.fail("there is a line continuation inside a word")
        if not following.isascii() and (following.isspace() or following in _INVISIBLE):
            self.fail("there is an invisible or non-ASCII blank character outside of quotes")
        self.pos += 2
        return Text(following, quoted=True)

    def _double_quoted(self) -> list[Part]:
        opened = self.pos
        self.pos += 1
        parts: list[Part] = [Text("", quoted=True)]
        while self.peek() != '"':
            if self.pos >= self.stop:
                self.fail("a double quote is not closed", opened)
            parts.append(self.quoted_piece('$`"\\\n'))
        self.pos += 1
        return parts

    def quoted_piece(self, escapable: str) -> Part:
        """One piece inside double quotes or a here-document, whose sets of escapable characters differ."""
        c = self.text[self.pos]
        if c == "$":
            return self._dollar(quoted=True)
        if c == "`":
            return self._backtick(quoted=True)
        if c == "\\":
            following = self.peek(1)
            if following == "":
                self.fail("the text ends in a backslash")
            self.pos += 2
            if following not in escapable:
                return Text(c + following, quoted=True)
            return Text("" if following == "\n" else following, quoted=True)
        found = _DQUOTE_PLAIN.match(self.text, self.pos, self.stop)
        if not found:  # a double quote in a here-document
            self.pos += 1
            return Text(c, quoted=True)
        self.pos = found.end()
        return Text(found.group(), quoted=True)

    # --- expansions -------------------------------------------------------------------------------------------------

    def _dollar(self, *, quoted: bool) -> Part:
        following = self.peek(1)
        if following == "(":
            return self._arithmetic(quoted=quoted) if self.peek(2) == "(" else self._substitution("$(", quoted=quoted)
        if following == "{":
            return self._braced(quoted=quoted)
        if following == "[":  # bash: $[ … ] is arithmetic, dash: a dollar sign and a pattern
            self.fail("$[ is read differently by different shells")
        if following == '"' and not quoted:  # bash: a translated string
            self.fail('$" is read differently by different shells')
        if following == "'" and not quoted:
            return self._ansi_c()
        name = _NAME.match(self.text, self.pos + 1, self.stop)
        if name:
            self.pos = name.end()
            return Param(name.group(), quoted)
        if following and following in "@*#?-$!0123456789":
            self.pos += 2
            return Param(following, quoted)
        self.pos += 1
        return Text("$", quoted=quoted)

    def _ansi_c(self) -> AnsiC:
        end = self.text.find("'", self.pos + 2, self.stop)
        if end < 0:
            self.fail("a single quote is not closed")
        raw = self.text[self.pos + 2 : end]
        if raw.endswith("\\"):  # bash goes on after \', dash ends here
            self.fail("a backslash before the closing quote of $'…' is read differently by different shells")
        self.pos = end + 1
        return AnsiC(raw)

    def _arithmetic(self, *, quoted: bool) -> Arithmetic:
        opened = self.pos
        self.marks.substitutions.add(opened)
        self.pos += 3
        level, names, commands = 0, [], []
        while True:
            found = _ARITHMETIC.match(self.text, self.pos, self.stop)
            names += _ARITHMETIC_NAME.findall(found.group() if found else "")
            self.pos = found.end() if found else self.pos
            if self.starts("$(") and not self.starts("$(("):
                commands.append(self._substitution("$(", quoted=True))
                continue
            c = self.peek()
            if c == ")" and level == 0 and self.peek(1) == ")":
                break
            if c not in ("(", ")") or (c == ")" and level == 0):
                self.fail("arithmetic may hold numbers, variables and operators only", opened)
            level += 1 if c == "(" else -1
            self.pos += 1
        self.pos += 2
        return Arithmetic(tuple(dict.fromkeys(names)), quoted, tuple(commands))

    def _substitution(self, kind: str, *, quoted: bool) -> Substitution:
        opened = self.pos
        self.marks.substitutions.add(opened)
        self.pos += 2
        body = self._nested_sequence(")")
        if self.peek() != ")":
            self.fail(f"{kind} is not closed", opened)
        self.pos += 1
        return Substitution("$(" if kind == "$(" else "<(" if kind == "<(" else ">(", body, quoted)

    def _process_substitution(self, c: str) -> Substitution:
        """Bash runs it, dash and ash call it a syntax error: either way only permitted programs run."""
        return self._substitution(c + "(", quoted=False)

    def _nested_sequence(self, closer: str) -> Sequence:
        if self.depth >= MAX_DEPTH:
            self.fail(f"constructs are nested deeper than {MAX_DEPTH}")
        if self.sub is None:  # pragma: no cover - the parser always sets it
            self.fail("substitutions are not read here")
        return self.sub(self, closer)

    def _backtick(self, *, quoted: bool) -> Substitution:
        """Shells cut the text at the next backtick before they parse it; escapes inside are where they differ."""
        opened = self.pos
        end = self.text.find("`", opened + 1, self.stop)
        if end < 0:
            self.fail("a backtick is not closed")
        raw = self.text[opened + 1 : end]
        if "\\" in raw or (quoted and '"' in raw):
            self.fail("backticks with quotes or escapes inside are read differently by different shells", opened)
        self.marks.substitutions.add(opened)
        outer, self.stop, self.pos = self.stop, end, opened + 1
        body = self._nested_sequence("`")
        self.stop, self.pos = outer, end + 1
        return Substitution("$(", body, quoted)

    # --- ${…} -------------------------------------------------------------------------------------------------------

    def _braced(self, *, quoted: bool) -> Param:
        opened = self.pos
        self.pos += 2
        if self.starts("#") and self.peek(1) != "}":
            self.pos += 1
            name = self._param_name(opened)
            self._close_brace(opened)
            return Param(name, quoted, "#len")
        name = self._param_name(opened)
        if self.peek() == "}":
            self.pos += 1
            return Param(name, quoted)
        slice_ = _SUBSTRING.match(self.text, self.pos, self.stop)
        if slice_:  # bash; dash says "bad substitution"
            self.pos = slice_.end()
            return Param(name, quoted, ":")
        op = next((o for o in _BRACE_OPS if self.starts(o)), None)
        if op is None or name == "!":
            self.fail("this form of ${…} cannot be decided", opened)
        self.pos += len(op)
        if self.depth >= MAX_DEPTH:
            self.fail(f"constructs are nested deeper than {MAX_DEPTH}")
        self.depth += 1
        words = [self._brace_word(opened, quoted=quoted)]
        self.depth -= 1
        self._close_brace(opened)
        return Param(name, quoted, op, tuple(words))

    def _param_name(self, opened: int) -> str:
        found = _PARAM.match(self.text, self.pos, self.stop)
        if not found:  # ${!name} takes its value for a name, ${x[…]} computes
            self.fail("this form of ${…} cannot be decided", opened)
        self.pos = found.end()
        return found.group()

    def _close_brace(self, opened: int) -> None:
        if self.peek() != "}":
            self.fail("this form of ${…} cannot be decided", opened)
        self.pos += 1

    def _brace_word(self, opened: int, *, quoted: bool) -> Word:
        """What follows the operator. Quotes inside of ``"${…}"`` and process substitution are where shells differ."""
        start = self.pos
        parts: list[Part] = []
        while self.pos < self.stop:
            c = self.text[self.pos]
            if c == "}":
                break
            if c in "{<>()\n\\;&|" or (c in "'\"`" and quoted) or self.starts("$'"):
                self.fail("this form of ${…} cannot be decided", opened)
            if c in "'\"":
                parts.extend(self._brace_quoted(c, opened))
            elif c == "$":
                parts.append(self._dollar(quoted=quoted))
            elif c == "`":
                parts.append(self._backtick(quoted=quoted))
            else:
                self.pos += 1
                parts.append(Text(c, quoted))
        return Word(_joined(parts), start, self.pos)

    def _brace_quoted(self, c: str, opened: int) -> list[Part]:
        start = self.pos
        parts: list[Part] = [self._single_quoted()] if c == "'" else self._double_quoted()
        if not set("{}\\").isdisjoint(self.text[start : self.pos]):
            self.fail("this form of ${…} cannot be decided", opened)
        return parts


def _joined(parts: list[Part]) -> tuple[Part, ...]:
    """Neighbouring literal pieces of the same kind become one."""
    out: list[Part] = []
    for is_text, group in itertools.groupby(parts, lambda p: (p.quoted,) if isinstance(p, Text) else None):
        if is_text is None:
            out.extend(group)
        else:
            text = "".join(p.text for p in group if isinstance(p, Text))
            out.append(Text(text, is_text[0]))
    return tuple(out)
