"""The second opinion: tree-sitter-bash reads the same text and must see the same commands in the same places.

Tree-sitter's grammar is written by other people from another point of view (bash, and error-tolerant), so that a
mistake in one of the two readers shows itself as a difference, and a difference is refused. The library is imported
with the first command that is read: it costs start-up time otherwise.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from ssh_mcp.shell.words import ShellSyntaxError

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

    from ssh_mcp.shell.tree import Marks

_PROGRAMS = frozenset({"test_command", "declaration_command", "unset_command"})
_REDIRECTS = frozenset({"file_redirect", "heredoc_redirect", "herestring_redirect"})
_SUBSTITUTIONS = frozenset({"command_substitution", "process_substitution", "arithmetic_expansion"})


@cache
def _parser() -> Parser:
    import tree_sitter
    import tree_sitter_bash

    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_bash.language()))


def cross_check(text: str, marks: Marks) -> None:
    """Raises ShellSyntaxError where tree-sitter finds other commands, redirections or substitutions than ``marks``."""
    # One byte a character keeps the offsets equal; what is not ASCII is literal text to both readers.
    source = "".join(c if c.isascii() else "_" for c in text).encode("ascii")
    tree = _parser().parse(source)
    seen = _collect(tree.root_node, text)
    for name in ("programs", "redirects", "assignments", "substitutions", "functions"):
        ours, theirs = getattr(marks, name), getattr(seen, name)
        if ours != theirs:
            at = min(ours ^ theirs)
            raise ShellSyntaxError("two shell grammars read the command differently", text[at : at + 40])


def _collect(root: Node, text: str) -> Marks:
    from ssh_mcp.shell.tree import Marks

    seen = Marks()
    stack = [root]
    while stack:
        node = stack.pop()
        if node.is_error or node.is_missing:
            at = node.start_byte
            raise ShellSyntaxError("the shell grammar was not understood", text[at : at + 40])
        kind, at = node.type, node.start_byte
        if kind == "command_name" or kind in _PROGRAMS:
            seen.programs.add(at)
        elif kind in _REDIRECTS:
            seen.redirects.add(at)
        elif kind in _SUBSTITUTIONS:
            seen.substitutions.add(at)
        elif kind == "function_definition":
            seen.functions.add(at)
        elif kind == "variable_assignment" and (node.parent is None or node.parent.type != "declaration_command"):
            seen.assignments.add(at)
        stack.extend(node.children)
    return seen
