"""TOML by tokens with positions; tolerant, because a part of a file or a broken one must not leak."""

from __future__ import annotations

import re

from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.rules import Rules
from ssh_mcp.redaction.tree import NOTHING, Scalar, Tree

_TOKEN = re.compile(
    r'''(?x)
      """((?:[^"\\]|\\.|"(?!""))*+)(?:"""|\Z)      # 1 multi-line basic
    | \'\'\'((?:[^\']|\'(?!\'\'))*+)(?:\'\'\'|\Z)      # 2 multi-line literal
    | "((?:[^"\\\n]|\\.)*+)(?:"|(?=\n)|\Z)          # 3 basic
    | \'([^\'\n]*+)(?:\'|(?=\n)|\Z)                  # 4 literal
    | (\#[^\n]*)                                     # 5 comment
    | (\[\[?|\]\]?|[{}=,]|\n)                        # 6 structure
    | ([^\s"\'\#\[\]{}=,]+)                          # 7 bare
    ''',
    re.DOTALL,
)
_HEADER = re.compile(r"^[ \t]*\[\[?[ \t]*([^\]\n]{1,300}?)[ \t]*\]\]?[ \t]*(?:#.*)?\r?$", re.MULTILINE)
_PART = re.compile(r"\"([^\"]*)\"|'([^']*)'|([^.\s\"']+)")


def spans(text: str, rules: Rules) -> list[Span]:
    """Secrets of a TOML text."""
    reader = _Reader(rules)
    at = 0
    while at < len(text):
        m = _TOKEN.search(text, at)
        if not m:
            break
        at = m.end()
        if m[5] is not None:
            continue
        if reader.at_line_start and m[6] in {"[", "[["} and (h := _HEADER.match(text, m.start())):
            reader.header(h[1])
            at = h.end()
            continue
        reader.token(m)
    reader.tree.flush()
    return reader.tree.out


class _Reader:
    """What a TOML line is in the middle of: a key, or a value."""

    def __init__(self, rules: Rules) -> None:
        self.tree = Tree(rules.keys, quote_numbers=True)
        self.at_line_start = True
        self._names: list[str] = []
        self._in_value = False
        self._brackets: list[str] = []

    def header(self, name: str) -> None:
        self.tree.flush()
        for part in parts(name):
            self.tree.key(part)
            self.tree.open(mapping=True)
        self._reset()

    def _reset(self) -> None:
        self._names, self._in_value, self._brackets, self.at_line_start = [], False, [], True

    def token(self, m: re.Match[str]) -> None:
        mark = m[6]
        if mark == "\n":
            if not self._brackets:
                self._reset()
            return
        self.at_line_start = False
        if mark is not None:
            self._structure(mark)
            return
        group = next(g for g in (1, 2, 3, 4, 7) if m[g] is not None)
        if not self._in_value:
            self._names.append(m[group])
            return
        if group == 7 and m[7][0].isalpha():
            self.tree.scalar(NOTHING)
        else:
            start, end = m.span(group)
            if group in {1, 2}:  # a multi-line string: its outer line ends stay
                start += len(m[group]) - len(m[group].lstrip())
                end = max(start, end - (len(m[group]) - len(m[group].rstrip())))
            self.tree.scalar(Scalar(start, end, m[group].strip() if group in {1, 2} else m[group], group != 7))
        if not self._brackets or self._brackets[-1] == "{":
            self._in_value = False

    def _structure(self, mark: str) -> None:
        if mark == "=" and not self._in_value:
            self._begin_value()
        elif mark == "," and self._brackets and self._brackets[-1] == "{":
            self._in_value = False
        elif mark == "{" and self._in_value:
            self.tree.open(mapping=True)
            self._brackets.append("{")
            self._in_value = False
        elif mark[0] == "[" and self._in_value:
            for _ in mark:
                self.tree.open(mapping=False)
                self._brackets.append("[")
        elif mark[0] in "]}":
            for _ in mark:
                self._close()

    def _begin_value(self) -> None:
        names = [p for n in self._names for p in (parts(n) if "." in n else [n])]
        self._names = []
        self._in_value = True
        self.tree.key(".".join(names) if len(names) > 1 else names[0] if names else "")

    def _close(self) -> None:
        if self._brackets:
            self._brackets.pop()
            self.tree.close()
            self._in_value = bool(self._brackets) and self._brackets[-1] == "["


def parts(name: str) -> list[str]:
    """``a."b.c".d`` → its three names."""
    return [m[1] or m[2] or m[3] or "" for m in _PART.finditer(name)]
