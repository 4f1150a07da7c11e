"""One reading of nested data for YAML, JSON and TOML: the format readers report structure, this decides.

It knows what lines alone cannot: that a value stands under a secret name, in a list under one, beside a ``name:`` that is
one, after a ``--password`` in an argument list, or in the ``data:`` of a Kubernetes Secret. Iterative, no recursion:
depth costs one small object a level.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ssh_mcp.redaction import values
from ssh_mcp.redaction.keys import KeyMatcher, Strength
from ssh_mcp.redaction.kv import reference_default
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.shapes import is_token
from ssh_mcp.redaction.values import is_secret

_NAME_KEYS = frozenset(
    "name key id variable envvar env_var option parameter parametername parameterkey secretname setting property field".split()
)
_VALUE_KEYS = frozenset(
    "value val default content defaultvalue parametervalue secretvalue secret_value data current stringvalue plaintext text raw "
    "_value $value literal initialvalue defaultsecretvalue secretstring plain".split()
)
_ASSIGNMENT = re.compile(r"(?:export[ \t]+)?([A-Za-z_][\w.\-]{0,99})=(.+)", re.DOTALL)
_FLAG = re.compile(r"-{1,2}([A-Za-z][\w.\-]{0,60})")
_PATH_DEPTH = 24


@dataclass(slots=True)
class _Frame:
    """One open mapping or list. ``under`` is the strength of the name it stands under."""

    mapping: bool
    under: Strength = Strength.NONE
    name: str = ""
    key: str | None = None
    index: int = -1
    pair: Strength = Strength.NONE
    pair_name: str = ""
    waiting: list[tuple[int, int, str, bool]] = field(default_factory=list)
    flag: str | None = None
    secret_data: bool = False
    data: list[Span] = field(default_factory=list)
    is_secret_kind: bool = False


class Tree:
    """Collects spans from the events of one document."""

    def __init__(self, keys: KeyMatcher, *, quote_numbers: bool = False) -> None:
        self._keys = keys
        self._quote_numbers = quote_numbers
        self._frames: list[_Frame] = [_Frame(mapping=True)]
        self.out: list[Span] = []

    @property
    def depth(self) -> int:
        return len(self._frames)

    @property
    def in_mapping(self) -> bool:
        return self._frames[-1].mapping

    def key(self, name: str) -> None:
        """The next value belongs to ``name``."""
        self._frames[-1].key = name

    def open(self, *, mapping: bool) -> None:
        """A mapping or list begins, as the value of the current key or the next item."""
        top = self._frames[-1]
        frame = _Frame(mapping=mapping)
        if top.mapping:
            frame.name = top.key or ""
            frame.under = self._keys.strength(frame.name) if frame.name else Strength.NONE
            if frame.name in {"data", "stringData"}:
                frame.secret_data = True
        else:
            top.index += 1
            frame.name = str(top.index)
            frame.under = top.under if not mapping else Strength.NONE
            top.flag = None
        self._frames.append(frame)

    def close(self) -> None:
        """The innermost mapping or list ends. One too many is ignored: a part of a file may begin in the middle."""
        if len(self._frames) == 1:
            self.flush()
            return
        frame = self._frames.pop()
        if frame.secret_data:
            self._frames[-1].data += frame.data
        self._settle(frame)
        if self._frames[-1].mapping:
            self._frames[-1].key = None

    def flush(self) -> None:
        """A document ends: whatever is open is closed."""
        while len(self._frames) > 1:
            self.close()
        self._settle(self._frames[0])
        self._frames = [_Frame(mapping=True)]

    def _settle(self, frame: _Frame) -> None:
        if frame.is_secret_kind:
            self.out += frame.data

    def path(self, last: str | None = None) -> str:
        """Dotted path of the value being read."""
        parts = [f.name for f in self._frames[1:][-_PATH_DEPTH:] if f.name]
        top = self._frames[-1]
        own = last if last is not None else (top.key if top.mapping else str(top.index))
        return ".".join([*parts, own] if own else parts)

    def scalar(self, start: int, end: int, value: str, *, quoted: bool) -> None:
        """A scalar whose content is ``text[start:end]`` and which means ``value``."""
        top = self._frames[-1]
        if not top.mapping:
            top.index += 1
            self._item(top, start, end, value, quoted)
            return
        name = top.key or ""
        top.key = None
        strength = self._keys.strength(name)
        lower = name.lower()
        if top.secret_data and value:
            top.data.append(Span(start, end, "key", self.path(name), value))
        if lower == "kind" and value == "Secret":
            top.is_secret_kind = True
        if strength and self._judge(start, end, value, strength, name, name, quoted):
            return
        if lower in _NAME_KEYS and (paired := self._keys.strength(value)):
            self._pair(top, value, paired)
        elif lower in _VALUE_KEYS:
            if top.pair:
                self._judge(start, end, value, top.pair, top.pair_name, top.pair_name, quoted)
            elif top.under and self._judge(start, end, value, top.under, top.name, name, quoted):
                return
            else:
                top.waiting.append((start, end, value, quoted))

    def _pair(self, top: _Frame, name: str, strength: Strength) -> None:
        top.pair, top.pair_name = strength, name
        for start, end, value, quoted in top.waiting:
            self._judge(start, end, value, strength, name, name, quoted)
        top.waiting.clear()

    def _item(self, top: _Frame, start: int, end: int, value: str, quoted: bool) -> None:
        if top.flag is not None:
            flag, top.flag = top.flag, None
            if not value.startswith("-") and self._judge(
                start, end, value, self._keys.strength(flag), flag, None, quoted
            ):
                return
        if m := _ASSIGNMENT.fullmatch(value):
            strength = self._keys.strength(m[1])
            if strength and len(value) == end - start:
                self._judge(start + m.start(2), end, m[2], strength, m[1], m[1], True)
            return
        if f := _FLAG.fullmatch(value):
            top.flag = f[1] if self._keys.strength(f[1]) else None
            return
        if top.under and not (top.under is not Strength.STRONG and values.is_harmless(value)):
            self._judge(start, end, value, top.under, top.name, None, quoted)

    def _judge(
        self, start: int, end: int, value: str, strength: Strength, name: str, last: str | None, quoted: bool
    ) -> bool:
        if end - start == len(value) and (inner := reference_default(value)):
            start, end, value = start + inner[0], start + inner[1], value[slice(*inner)]
        if not is_secret(strength, value, own=self._keys.is_own(name)) and not is_token(value):
            return False
        raw = None if end - start == len(value) else value
        self.out.append(Span(start, end, "key", self.path(last), raw, self._quote_numbers and not quoted))
        return True
