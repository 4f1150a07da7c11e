"""One audit line as a value.

A line says who did what where and how it ended, and holds nothing that could be a secret: paths and commands are
present as hashes (with SSH_AUDIT_DETAIL=masked also as text, secrets masked), an error as its class name.

Fields are in the order of the class. ``ts, correlation_id, tool, tier, host, result, duration_ms`` are always there
(``host`` is null for a tool that is about no host, ``?`` for a fan-out, with ``hosts`` beside it); of the rest a line
holds those that have something to say, so that an absent field means "not applicable".
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

FAN_OUT: Final = "?"
_ALWAYS: Final = ("ts", "correlation_id", "tool", "tier", "host", "result", "duration_ms")
_SOMETIMES: Final = (
    "alias",
    "port",
    "user",
    "hosts",
    "identity",
    "client",
    "session",
    "parent",
    "job",
    "approval",
    "recording",
    "recording_hash",
    "path_hash",
    "path_hashes",
    "paths",
    "command_hash",
    "command",
    "exit_code",
    "error",
    "cheatsheet_pattern_id",
    "redact_bypass",
)
_ENCODED = json.JSONEncoder(separators=(",", ":")).encode
"""Made once: ``json.dumps`` makes a new encoder for each call that has separators."""


@dataclass(frozen=True, slots=True)
class ApprovalNote:
    """How a call that policy asked about went on: ``outcome`` is granted, denied, pending or unavailable.

    ``channel`` is client, operator or grant; ``who`` decided; ``id`` is the question's, ``grant`` the grant's that was
    used; ``waited_ms`` how long the call waited for the decision.
    """

    outcome: Literal["granted", "denied", "pending", "unavailable"]
    channel: str
    id: str
    who: str | None = None
    grant: str | None = None
    waited_ms: int = 0

    def to_fields(self) -> dict[str, object]:
        """What an audit line holds of it."""
        return {name: value for name in self.__slots__ if (value := getattr(self, name)) is not None}

    @classmethod
    def from_fields(cls, fields: Mapping[str, object]) -> ApprovalNote:
        """The note of a line; what is missing or of another kind is empty."""
        text = {name: str(fields[name]) for name in ("channel", "id", "who", "grant") if fields.get(name) is not None}
        waited = fields.get("waited_ms")
        return cls(
            outcome=cast("Any", str(fields.get("outcome", ""))),
            channel=text.get("channel", ""),
            id=text.get("id", ""),
            who=text.get("who"),
            grant=text.get("grant"),
            waited_ms=waited if isinstance(waited, int) else 0,
        )


@dataclass(slots=True)
class AuditRecord:
    """``ts`` is UTC in RFC 3339 with milliseconds, ``correlation_id`` 16 hex digits, ``duration_ms`` milliseconds.

    ``path_hash`` belongs to the first path of the call; a call with several lists all in ``path_hashes``. ``command``
    and ``paths`` are text, and set with SSH_AUDIT_DETAIL=masked only. ``parent`` is the correlation id of the call that
    made this one (a fleet), ``job`` the id of the job that it started or saw end. ``recording_hash`` is
    the SHA-256 of the whole recording as the call left it.
    """

    ts: str
    correlation_id: str
    tool: str
    tier: str
    host: str | None = None
    alias: str | None = None
    port: int | None = None
    user: str | None = None
    result: Literal["ok", "error"] = "ok"
    duration_ms: int = 0
    hosts: tuple[str, ...] = ()
    identity: str | None = None
    client: str | None = None
    session: str | None = None
    parent: str | None = None
    job: str | None = None
    approval: ApprovalNote | None = None
    recording: str | None = None
    recording_hash: str | None = None
    path_hash: str | None = None
    path_hashes: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    command_hash: str | None = None
    command: str | None = None
    exit_code: int | None = None
    error: str | None = None
    cheatsheet_pattern_id: str | None = None
    redact_bypass: bool = False

    def to_fields(self) -> dict[str, object]:
        """The fields of its line, in their order."""
        fields: dict[str, object] = {name: getattr(self, name) for name in _ALWAYS}
        for name in _SOMETIMES:
            value = getattr(self, name)
            if value is not None and value is not False and value != ():
                fields[name] = value.to_fields() if isinstance(value, ApprovalNote) else value
        return fields

    def to_json(self) -> str:
        """One line of ASCII JSON without a newline."""
        return _ENCODED(self.to_fields())

    @classmethod
    def from_fields(cls, fields: Mapping[str, object]) -> AuditRecord | None:
        """The record of a line's fields, or None where they are not one's. Fields of newer versions are left out."""
        kept: dict[str, Any] = {}
        for name, value in fields.items():
            kind = _TYPES.get(name)
            if kind is str and value.__class__ is str:  # most are: a report reads a million lines
                kept[name] = value
                continue
            if kind is None or value is None:
                continue
            if kind is tuple:
                if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
                    return None
                kept[name] = tuple(value)
            elif isinstance(value, kind) and not (isinstance(value, int) and abs(value) > _MOST):
                kept[name] = value
            else:
                return None
        note = fields.get("approval")
        if isinstance(note, Mapping):
            kept["approval"] = ApprovalNote.from_fields(note)
        try:
            return cls(**kept)
        except TypeError:  # one of those that each line has is missing
            return None


_MOST: Final = 1 << 53
"""A number beyond it was not written by us."""

_TYPES: Final[Mapping[str, type]] = {
    name: tuple if name in ("hosts", "path_hashes", "paths")
    else bool if name == "redact_bypass"
    else int if name in ("port", "duration_ms", "exit_code")
    else str
    for name in (*_ALWAYS, *_SOMETIMES)
    if name != "approval"
}  # fmt: skip
"""What each field of a line is, but for ``approval``."""


def hash_text(text: str) -> str:
    """``sha256:`` and the first 16 hex digits of the SHA-256 of ``text`` in UTF-8.

    Enough to find the calls about a path one knows. A short or guessable text can be found by trying, so that this
    hides content from a reader of the log, not from an attacker with a dictionary.
    """
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
