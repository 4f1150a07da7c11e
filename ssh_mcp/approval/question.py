"""What a person is asked, and what exactly a yes is for. Pure.

A yes is bound to a *subject*: tool, hosts with their login users, every argument of the call, what policy found in it
(the command as it would run, the canonical path) and who calls. Two subjects that differ in anything have different
fingerprints, so that an accepted call can be repeated but never exchanged.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ssh_mcp.policy.approval import AskMatch

SHOWN_CHARS: Final = 4000
"""The most of a command or script that a question shows; the number of characters left out and a hash follow."""

_ARGUMENT_CHARS: Final = 300
_SHOWN_WHOLE: Final = ("command", "script", "commands", "lines")
"""Arguments that say what is run."""
_HOSTS_SHOWN: Final = 40
_SUMMARY_READ: Final = 2000
_SUMMARY_CHARS: Final = 120


@dataclass(frozen=True, slots=True)
class Login:
    """Where a call goes: the host's alias, its hostname, and the login user (None: ssh's own configuration decides)."""

    alias: str
    hostname: str
    user: str | None = None

    def __str__(self) -> str:
        return self.alias if self.user is None else f"{self.user}@{self.alias}"


@dataclass(frozen=True, slots=True)
class Subject:
    """One exact call. ``what``: the command text or the canonical path in question; None: the tool as a whole.

    ``arguments`` are the client's, as validated JSON. ``where``: the directory in which a shell session would run it.
    ``root``: it runs as root.
    """

    tool: str
    logins: tuple[Login, ...]
    arguments: Mapping[str, Any] = field(hash=False)
    identity: str
    what: str | None = None
    where: str | None = None
    root: bool = False

    def fingerprint(self) -> str:
        """SHA-256 in hex over everything that the subject names."""
        parts = [
            self.tool,
            sorted([x.alias, x.hostname, x.user] for x in self.logins),
            self.arguments,
            self.identity,
            self.what,
            self.where,
            self.root,
        ]
        text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Question:
    """A subject with the rules that ask for it. ``id`` is what the operator types."""

    id: str
    subject: Subject
    matches: tuple[AskMatch, ...]

    def summary(self) -> str:
        """One line for lists, logs and kept grants: without secrets, which only ``text`` shows to who decides."""
        subject = self.subject
        what = _visible(_masked((subject.what or _arguments(subject))[:_SUMMARY_READ]))[:_SUMMARY_CHARS]
        return f"{subject.tool} on {_hosts(subject.logins)}{' as root' if subject.root else ''}: {what}"

    def text(self) -> str:
        """What a person needs to decide. What the caller wrote is prefixed with bars and cannot imitate the rest."""
        subject = self.subject
        lines = [f"Run {subject.tool} on {_hosts(subject.logins)}{' as root' if subject.root else ''}?", ""]
        lines += [f"in {_visible(subject.where)}"] if subject.where else []
        lines += _quoted(subject.what) if subject.what is not None else []
        lines += (
            [f"| {_visible(line)}" for line in _arguments(subject).split("\n")]
            if subject.arguments or subject.what is None
            else []
        )
        lines += [
            "",
            *(f"Asked because of {_visible(f'{m.rule} ({m.source}): {m.part[:200]}')}" for m in self.matches[:8]),
        ]
        return "\n".join(lines)


def _hosts(logins: Sequence[Login]) -> str:
    if not logins:
        return "this server"
    names = ", ".join(_visible(str(x)) for x in logins[:_HOSTS_SHOWN])
    more = len(logins) - _HOSTS_SHOWN
    head = f"{len(logins)} hosts: " if len(logins) > 1 else ""
    return f"{head}{names}{f' and {more} more' if more > 0 else ''}"


def _arguments(subject: Subject) -> str:
    """Arguments other than the host and the text that is shown by itself, one per line."""
    rows = []
    for name, value in subject.arguments.items():
        if name in ("host", "hosts") or value is None or value == subject.what:
            continue
        octal = name == "mode" and isinstance(value, int) and not isinstance(value, bool)
        text = value if isinstance(value, str) else f"0{value:o}" if octal else json.dumps(value, ensure_ascii=False)
        rows.append(f"{name} = {_cut(text, SHOWN_CHARS if name in _SHOWN_WHOLE else _ARGUMENT_CHARS)}")
    return "\n".join(rows)


def _masked(text: str) -> str:
    from ssh_mcp.inventory.model import RedactionPolicy
    from ssh_mcp.redaction.engine import redact_output, rules_from  # late: its patterns are a tenth of the start
    from ssh_mcp.redaction.values import MARKER

    return MARKER.sub("***", redact_output(text, rules_from(RedactionPolicy())).text)


def _quoted(text: str) -> list[str]:
    return [f"| {_visible(line)}" for line in _cut(text, SHOWN_CHARS).split("\n")] if text else []


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{text[: most * 2 // 3]}\n[{len(text) - most} characters left out, sha256:{digest}]\n{text[-most // 3 :]}"


def _visible(text: str) -> str:
    """Control, format and private characters as escapes: a bidirectional override must not reorder a command."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c == " " or unicodedata.category(c)[0] not in "CZ" else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode() if character != "\\" else character
