"""YAML by PyYAML's event stream: positions for every scalar, aliases never expanded, no recursion.

Where the text is not valid YAML (templates, a part of a file) the events before the error count, and the line readers
do the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml

from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.rules import Rules
from ssh_mcp.redaction.tree import NOTHING, Scalar, Tree

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PROPERTIES = re.compile(r"(?:[&!][^\s,\[\]{}]*[ \t]*(?:#[^\n]*)?(?:\r?\n[ \t]*)*)+")
_REFERENCE_TAG = re.compile(
    (
        r"!(?!!)(?:vault|secret|env|ref|sub|getatt|importvalue|include|var|reference|unsafe-ref|file|lookup"
        r"|join|base64ref)\w*"
    ),
    re.IGNORECASE,
)
_UNPRINTABLE = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BRACKET = re.compile(r"[\[\]{}]")
MAX_FLOW_DEPTH = 200
MAX_CHARS = 4_000_000
"""Beyond this a text is read by lines only."""


def spans(text: str, rules: Rules) -> tuple[list[Span], bool]:
    """Secrets of a YAML text, and whether all of it was valid."""
    if len(text) > MAX_CHARS or _too_deep(text):
        return [], False
    if text.startswith("\ufeff"):  # libyaml does not count it
        found, sure = spans(text[1:], rules)
        return [s._replace(start=s.start + 1, end=s.end + 1) for s in found], sure
    tree = Tree(rules.keys)
    # PyYAML refuses control characters; a space in their place keeps every position.
    clean = _UNPRINTABLE.sub(" ", text)
    try:
        _walk(clean, tree)
    except (yaml.YAMLError, ValueError, RecursionError):
        tree.flush()
        return tree.out, False
    tree.flush()
    return tree.out, True


def _too_deep(text: str) -> bool:
    """Whether flow brackets nest deeper than ``MAX_FLOW_DEPTH``: libyaml needs time by the square of that depth."""
    if text.count("[") + text.count("{") <= MAX_FLOW_DEPTH:
        return False
    depth = 0
    for m in _BRACKET.finditer(text):
        depth += 1 if m[0] in "[{" else -1
        if depth > MAX_FLOW_DEPTH:
            return True
    return False


def _events(text: str) -> Iterator[yaml.Event]:
    yield from yaml.parse(text, Loader=_Loader)


def _walk(text: str, tree: Tree) -> None:
    expects_key: list[bool] = []
    for event in _events(text):
        if isinstance(event, yaml.ScalarEvent):
            if expects_key and expects_key[-1] and tree.in_mapping:
                tree.key(event.value)
                expects_key[-1] = False
            else:
                _scalar(text, tree, event)
                _value_done(expects_key, tree)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            mapping = isinstance(event, yaml.MappingStartEvent)
            tree.open(mapping=mapping)
            expects_key.append(mapping)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            tree.close()
            expects_key.pop()
            _value_done(expects_key, tree)
        elif isinstance(event, yaml.AliasEvent):
            if expects_key and expects_key[-1] and tree.in_mapping:
                tree.key("")
                expects_key[-1] = False
            else:
                tree.scalar(NOTHING)
                _value_done(expects_key, tree)
        elif isinstance(event, yaml.DocumentEndEvent):
            tree.flush()
            expects_key.clear()


def _value_done(expects_key: list[bool], tree: Tree) -> None:
    if expects_key and tree.in_mapping:
        expects_key[-1] = True


def _scalar(text: str, tree: Tree, event: yaml.ScalarEvent) -> None:
    if event.start_mark is None or event.end_mark is None:
        return
    start, end = event.start_mark.index, event.end_mark.index
    if event.tag and _REFERENCE_TAG.match(event.tag):
        tree.scalar(NOTHING)
        return
    if m := _PROPERTIES.match(text, start, end):
        start = m.end()
    if event.style in {"|", ">"}:
        start, end = _block(text, start, end)
        tree.scalar(Scalar(start, end, event.value.strip("\n")))
        return
    if event.style in {"'", '"'}:
        start, end = start + 1, end - 1
    else:
        end = start + len(text[start:end].rstrip())
    tree.scalar(Scalar(start, end, event.value))


def _block(text: str, start: int, end: int) -> tuple[int, int]:
    """The content of a block scalar, from its first character to its last."""
    nl = text.find("\n", start, end)
    if nl < 0:
        return end, end
    first = last = -1
    depth = 0
    at = nl + 1
    while at < end:
        stop = text.find("\n", at, end)
        stop = end if stop < 0 else stop
        line = text[at:stop]
        core = line.strip()
        if core:
            indent = len(line) - len(line.lstrip(" "))
            if first < 0:
                first, depth = at + indent, indent
            elif indent < depth:
                break
            last = at + len(line.rstrip())
        at = stop + 1
    return (first, last) if first >= 0 else (end, end)
