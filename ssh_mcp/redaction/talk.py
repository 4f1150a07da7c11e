"""Sentences, states and pieces of program *about* a secret: what looks like ``name: value`` and holds none."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum

from ssh_mcp.redaction import values
from ssh_mcp.redaction.keys import Strength, words_of


class Reading(IntEnum):
    """How eager: any output at all, or a file that is known to hold configuration."""

    OUTPUT = 0
    FILE = 1


@dataclass(frozen=True, slots=True)
class Assignment:
    """How a bare (unquoted) value was named.

    ``anchored``: the name begins its line. ``inside``: it stands in braces or brackets, among others. ``tight``: no
    blank before the value. ``before``: the character before the name.
    """

    name: str
    before: str
    strength: Strength
    own: bool
    colon: bool
    tight: bool
    anchored: bool
    inside: bool
    comment: bool


_TEST_WORDS = frozenset({"PASS", "KEY", "TOKEN", "SECRET", "PRIVATE"})
"""In capitals and with a colon these are rather a verdict or a label: ``PASS: TestLogin``."""
_SPEAKS_OF_SECRETS = frozenset(
    {"password", "passwd", "token", "secret", "key", "pass", "pwd", "auth", "credential", "passphrase"}
)
_PROSE = re.compile(
    r"(?i)\b(?:must|is|are|was|were|be|been|for|the|a|an|of|to|not|required|expired|incorrect|changed|updated|mismatch"
    r"|with|from|has|have|should|can|cannot|will|your|you|this|that|and|or|in|on|by|if|no|at|least"
    r"|characters?|user|file"
    r"|found|invalid|failed|please|enter|new|old|set|using|used|type|missing|unexpected|expected|error|more"
    r"|less|than|per"
    r"|via|don't|doesn't|isn't|accepts?|when|only|instead|supports?)\b"
)
_NSSWITCH = re.compile(r"(?:files|compat|systemd|sss|ldap|nis|nisplus|winbind|db|altfiles|\[[\w!=]+\]|[ \t])+")
"""nsswitch.conf(5): where accounts come from."""
_COUNTS = re.compile(r"\d{1,9}(?:[ ,;/|()\t]+\w{1,20}[:=]? ?\d{1,9}%?)+[ ,;)]*|\d{1,9},?")
"""How many tests passed and failed: ``pass: 12 fail: 0``."""
_SENTENCE = re.compile(r"[a-z]+(?: [a-z$A-Z]+){2,}")
_IDENTIFIER = re.compile(r"[A-Za-z_](?:[A-Za-z_]|\.(?=[A-Za-z_])){0,80}[;,)]*")
_CAPITALISED = re.compile(r"[A-Z][a-z]+")
_DOTTED = re.compile(r"[A-Za-z_]+(?:\.[A-Za-z_]+)+[;,]?")


def _is_verdict(seen: Assignment, line: str) -> bool:
    """Counts of tests (``pass: 12 fail: 0``), and where accounts come from (``passwd: files systemd``)."""
    if not seen.colon:
        return False
    if seen.name.lower() in {"pass", "passed"}:
        return _COUNTS.fullmatch(line) is not None
    return seen.name == "passwd" and _NSSWITCH.fullmatch(line) is not None


def is_talk(seen: Assignment, value: str, rest: str, reading: Reading) -> bool:
    """Whether ``value`` says something about the secret instead of being it. ``rest``: the line behind it."""
    if _is_verdict(seen, value + rest):
        return True
    if seen.colon and seen.name in _TEST_WORDS and (reading is Reading.OUTPUT or not seen.anchored):
        return " " in value or values.is_harmless(value)
    if values.is_status(value) or (values.is_code(value) and not (seen.tight and seen.name.isupper())):
        return True
    if seen.comment and (" " in value or values.is_harmless(value)):
        return True
    if _mirrors(seen, value, rest[:1]):
        return True
    if not (seen.tight or seen.colon) and reading is Reading.OUTPUT and _DOTTED.fullmatch(value):
        return True  # token = Name.Namespace
    if not (seen.tight or seen.colon) and seen.name == "token" and _CAPITALISED.fullmatch(value):
        return True
    if " " in value:
        if not seen.colon:
            return reading is Reading.OUTPUT and bool(_SPEAKS_OF_SECRETS.intersection(value.lower().split()))
        return (reading is Reading.OUTPUT or seen.comment) and is_prose(value)
    if not seen.colon or seen.anchored or (seen.inside and seen.strength is Strength.STRONG):
        return False
    if "-" in seen.name and seen.before in {'"', "'"} and seen.strength is Strength.STRONG:
        return _SENTENCE.match(value + rest) is not None  # else a header in quotes
    strict = seen.strength is Strength.STRONG and not seen.tight
    plain = values.is_plain(value) if strict else values.is_harmless(value)
    return plain or value[0] in "([<{"


def speaks_of_secrets(value: str) -> bool:
    """Whether ``value`` is an identifier that names a secret itself: ``db_password``, ``X25519PrivateKey``."""
    return value.isidentifier() and bool(_SPEAKS_OF_SECRETS.intersection(words_of(value)))


def _mirrors(seen: Assignment, value: str, after: str) -> bool:
    """``password=db_password)``: an identifier that speaks of secrets itself, in lower-case code."""
    if seen.name.isupper() or not _IDENTIFIER.fullmatch(value) or not _SPEAKS_OF_SECRETS.intersection(words_of(value)):
        return False
    if seen.tight and not seen.colon:
        return after in {",", ")", ";"} or value[-1] in ",);"
    return not (seen.anchored and seen.colon and after != ",")


def is_prose(value: str) -> bool:
    """A sentence or heading rather than a passphrase."""
    words = value.split()
    if len(words) > 8 or value[-1] in ".!?:" or value[0] in "([<":
        return True
    if _PROSE.search(value):
        return True
    return not all(w.islower() for w in words) and not any(c.isdigit() for c in value)
