"""One reading of nested data for YAML, JSON and TOML: the format readers report structure, this decides.

It knows what lines alone cannot: that a value is under a secret name, in a list under one, beside a ``name:``
that is one, after a ``--password`` in an argument list, or in the ``data:`` of a Kubernetes Secret. Iterative, no
recursion: depth costs one small object a level.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from ssh_mcp.redaction import values
from ssh_mcp.redaction.detectors.tokens import is_token
from ssh_mcp.redaction.keys import KeyMatcher, Strength
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.quoting import lone_user, without_reference
from ssh_mcp.redaction.values import is_secret
from ssh_mcp.redaction.words import words

_NAME_KEYS = words(
    "name key id variable envvar env_var option parameter parametername parameterkey secretname setting",
    "property field",
)
_VALUE_KEYS = words(
    "value val default content defaultvalue parametervalue secretvalue secret_value data current",
    "stringvalue plaintext text raw _value $value literal initialvalue defaultsecretvalue secretstring",
    "plain",
)
_ASSIGNMENT = re.compile(r"(?:export[ \t]+)?([A-Za-z_][\w.\-]{0,99})=(.+)", re.DOTALL)
_FLAG = re.compile(r"-{1,2}([A-Za-z][\w.\-]{0,60})")
_PATH_DEPTH = 24


class Scalar(NamedTuple):
    """A scalar: ``text[start:end]`` is its content, ``value`` what it means."""

    start: int
    end: int
    value: str
    quoted: bool = True

    @property
    def literal(self) -> bool:
        """Whether the text is the value, character by character: then a part of it has a position too."""
        return self.end - self.start == len(self.value)


NOTHING = Scalar(0, 0, "")
"""A value that holds no text of its own: null, an alias, a reference."""


@dataclass(slots=True)
class _Frame:
    """One open mapping or list. ``under``: the strength of the name it is under; ``above``: of the names above,
    ``plural``: of those that name several.
    """

    mapping: bool
    under: Strength = Strength.NONE
    above: Strength = Strength.NONE
    plural: Strength = Strength.NONE
    name: str = ""
    key: str | None = None
    index: int = -1
    pair: Strength = Strength.NONE
    pair_name: str = ""
    waiting: list[Scalar] = field(default_factory=list)
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
            if frame.name and not mapping:  # api_keys: [a, b]
                frame.under = max(frame.under, self._keys.plural(frame.name))
            if not self._keys.speaks_about(frame.name):
                frame.plural = max(top.plural, self._keys.plural(top.name) if top.name else Strength.NONE)
                frame.above = max(top.under, top.above, frame.plural)
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

    def scalar(self, scalar: Scalar) -> None:
        """The value of the current key, or the next item of the list."""
        top = self._frames[-1]
        if not top.mapping:
            top.index += 1
            self._item(top, scalar)
            return
        name, top.key = top.key or "", None
        strength = self._keys.strength(name)
        lower = name.lower()
        if top.secret_data and scalar.value:
            top.data.append(Span(scalar.start, scalar.end, "key", self.path(name), scalar.value))
        if lower == "kind" and scalar.value == "Secret":
            top.is_secret_kind = True
        if lower == "id-token" and scalar.value in {"write", "read", "none"}:
            return  # what a GitHub workflow may do
        if strength and self._report(scalar, name, strength, name):
            return
        if self._of_plural(top, scalar, name) or self._of_strong(top, scalar, name):
            return
        if lower in _NAME_KEYS and (paired := self._keys.strength(scalar.value)):
            top.pair, top.pair_name = paired, scalar.value
            for waiting in top.waiting:
                self._report(waiting, top.pair_name, paired, top.pair_name)
            top.waiting.clear()
        elif lower in _VALUE_KEYS:
            self._value_of_pair(top, scalar, name)

    def _value_of_pair(self, top: _Frame, scalar: Scalar, name: str) -> None:
        """``value`` beside a ``name``, below a secret name, or before its ``name`` has come."""
        if top.pair:
            self._report(scalar, top.pair_name, top.pair, top.pair_name)
        elif not ((under := top.under or top.above) and self._report(scalar, top.name, under, name)):
            top.waiting.append(scalar)

    def _of_plural(self, top: _Frame, scalar: Scalar, name: str) -> bool:
        """``passwords: {root: x}``: named after whose it is."""
        strength = (self._keys.plural(top.name) if top.name else Strength.NONE) or top.plural
        if top.plural and values.is_plain(scalar.value):
            return False
        if not strength or self._keys.speaks_about(name) or values.is_status(scalar.value):
            return False
        if strength is not Strength.STRONG and values.is_harmless(scalar.value):
            return False
        return self._report(scalar, top.name, strength, name)

    def _of_strong(self, top: _Frame, scalar: Scalar, name: str) -> bool:
        """``password: {production: x}``: one secret for each of several places."""
        value = scalar.value
        if top.under is not Strength.STRONG or name.lower() in _NAME_KEYS or self._keys.speaks_about(name):
            return False
        plain = values.is_plain(value) or values.is_code(value) or any(c.isspace() for c in value)
        return not plain and self._report(scalar, top.name, Strength.STRONG, name)

    def _item(self, top: _Frame, scalar: Scalar) -> None:
        value = scalar.value
        flag, top.flag = top.flag, None
        if flag and not value.startswith("-") and self._report(scalar, flag, self._keys.strength(flag), None):
            return
        if m := _ASSIGNMENT.fullmatch(value):
            if self._keys.strength(m[1]) and scalar.literal:
                part = Scalar(scalar.start + m.start(2), scalar.end, m[2])
                self._report(part, m[1], self._keys.strength(m[1]), m[1])
        elif f := _FLAG.fullmatch(value):
            top.flag = f[1] if self._keys.strength(f[1]) else None
        elif top.under and not (top.under is not Strength.STRONG and values.is_harmless(value)):
            self._report(scalar, top.name, top.under, None)

    def _report(self, scalar: Scalar, name: str, strength: Strength, last: str | None) -> bool:
        """Report the scalar if it is secret under ``name``. ``last``: the last part of its path."""
        start, end, value, quoted = scalar
        if scalar.literal:
            low, high = without_reference(value, (0, len(value)))
            if strength is Strength.WEAK:
                low, high = lone_user(value, (low, high))
            start, end, value = start + low, start + high, value[low:high]
        if not is_secret(strength, value, own=self._keys.is_own(name)) and not is_token(value):
            return False
        raw = None if end - start == len(value) else value
        self.out.append(Span(start, end, "key", self.path(last), raw, self._quote_numbers and not quoted))
        return True
