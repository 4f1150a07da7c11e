"""Values of this room: formats, what was redacted, and the spans that detectors report.

A detector never changes text. It reports spans; ``markers.apply`` puts the markers in. So everything outside a span is
byte for byte what came in, whatever the format.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Format(StrEnum):
    """How a text is read. A caller can choose env, yaml, json, ini and generic; all are found by name or content."""

    ENV = "env"
    INI = "ini"
    YAML = "yaml"
    JSON = "json"
    TOML = "toml"
    XML = "xml"
    CODE = "code"
    NETRC = "netrc"
    PGPASS = "pgpass"
    SHADOW = "shadow"
    GENERIC = "generic"


class Span(NamedTuple):
    """One secret: ``text[start:end]``. ``key`` is a dotted path; ``value`` is hashed, where the text is escaped.

    ``quote`` asks for double quotes around the marker, where a bare number must stay valid JSON or TOML.
    """

    start: int
    end: int
    kind: str
    key: str | None = None
    value: str | None = None
    quote: bool = False


@dataclass(frozen=True, slots=True)
class Redaction:
    """One entry of ``redactions[]``. ``line`` counts from 1; ``hash`` is the 12 hex digits of the marker."""

    key: str | None
    line: int
    kind: str
    hash: str


@dataclass(frozen=True, slots=True)
class Redacted:
    """Text with its secrets replaced by markers."""

    text: str
    redactions: tuple[Redaction, ...]
    format: Format


@dataclass(frozen=True, slots=True)
class Finding:
    """Where a text holds a secret: its kind, the dotted path of its name if it has one, the line, counted from 1."""

    kind: str
    key: str | None
    line: int
