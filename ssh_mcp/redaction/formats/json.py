"""JSON and its relatives (JSON with comments, JSON lines, JSON5's bare keys), whole or cut anywhere.

A tokenizer with positions, not a parser: what is not a token is passed over, so that broken or truncated text is still
read.
"""

from __future__ import annotations

import json
import re

from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.rules import Rules
from ssh_mcp.redaction.tree import NOTHING, Scalar, Tree

_TOKEN = re.compile(
    r"""(?x)
      "((?:[^"\\\n]|\\.)*+)("|(?=\n)|\Z)          # 1 string, 2 its end (missing where the text is cut)
    | '((?:[^'\\\n]|\\.)*+)'                      # 3 JSON5 string
    | (//[^\n]*|\#[^\n]*|/\*(?:[^*]|\*(?!/))*+(?:\*/|\Z))  # 4 comment
    | ([\[\]{}:,])                                # 5 structure
    | (-?[0-9][0-9A-Za-z.+\-]*+)                  # 6 number
    | ([A-Za-z_$][\w$\-]*+)                       # 7 word
    """
)


def spans(text: str, rules: Rules) -> list[Span]:
    """Secrets of a JSON text."""
    tree = Tree(rules.keys, quote_numbers=True)
    pending: Scalar | None = None
    for m in _TOKEN.finditer(text):
        if mark := m[5]:
            pending = _structure(tree, mark, pending)
            continue
        if m[4] is not None:
            continue
        if pending:
            _emit(tree, pending)
        group = 1 if m[1] is not None else 3 if m[3] is not None else 6 if m[6] is not None else 7
        pending = Scalar(*m.span(group), m[group], group in {1, 3})
    if pending:
        _emit(tree, pending)
    tree.flush()
    return tree.out


def _structure(tree: Tree, mark: str, pending: Scalar | None) -> Scalar | None:
    if mark == ":":
        if pending:
            tree.key(unescape(pending.value))
        return None
    if pending:
        _emit(tree, pending)
    if mark in "{[":
        tree.open(mapping=mark == "{")
    elif mark in "}]":
        tree.close()
    return None


def _emit(tree: Tree, token: Scalar) -> None:
    if token.quoted:
        tree.scalar(token._replace(value=unescape(token.value)))
    else:
        tree.scalar(token if token.value[0] in "-0123456789" else NOTHING)


def unescape(raw: str) -> str:
    """The string that ``raw`` (between its quotes) means; ``raw`` itself where it is not valid JSON string."""
    if "\\" not in raw:
        return raw
    try:
        return str(json.loads(f'"{raw}"'))
    except ValueError:
        return raw
