"""Sentences, states and pieces of program *about* a secret: what looks like ``name: value`` and holds none."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from ssh_mcp.redaction import values
from ssh_mcp.redaction.keys import Strength, words_of


class Reading(IntEnum):
    """How eager: any output at all, or a file that is known to hold configuration."""

    OUTPUT = 0
    FILE = 1


@dataclass(frozen=True, slots=True)
class Assignment:
    """How a bare (unquoted) value was named.

    ``anchored``: the name begins its line. ``inside``: it is in braces or brackets, among others. ``tight``: no
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


class Said(NamedTuple):
    """A bare value with how it was named; ``rest`` is the line behind it."""

    seen: Assignment
    value: str
    rest: str
    reading: Reading

    @property
    def spaced(self) -> bool:
        """Whether there are blanks around the equals sign: ``token = x``."""
        return not (self.seen.tight or self.seen.colon)


class TalkRule(NamedTuple):
    """What ``applies`` to is talk if ``talk`` says so. The first rule that applies decides. ``example`` is a line."""

    name: str
    applies: Callable[[Said], bool]
    talk: Callable[[Said], bool]
    example: str


def _yes(_: Said) -> bool:
    return True


def _no(_: Said) -> bool:
    return False


def _is_verdict(said: Said) -> bool:
    if not said.seen.colon:
        return False
    if said.seen.name.lower() in {"pass", "passed"}:
        return _COUNTS.fullmatch(said.value + said.rest) is not None
    return said.seen.name == "passwd" and _NSSWITCH.fullmatch(said.value + said.rest) is not None


def _is_label(said: Said) -> bool:
    seen = said.seen
    return seen.colon and seen.name in _TEST_WORDS and (said.reading is Reading.OUTPUT or not seen.anchored)


def _is_expression(said: Said) -> bool:
    return values.is_code(said.value) and not (said.seen.tight and said.seen.name.isupper())


def _is_quoted_header(said: Said) -> bool:
    seen = said.seen
    return "-" in seen.name and seen.before in {'"', "'"} and seen.strength is Strength.STRONG


def _is_sure(said: Said) -> bool:
    seen = said.seen
    return not seen.colon or seen.anchored or (seen.inside and seen.strength is Strength.STRONG)


def _is_dull(said: Said) -> bool:
    strict = said.seen.strength is Strength.STRONG and not said.seen.tight
    plain = values.is_plain(said.value) if strict else values.is_harmless(said.value)
    return plain or said.value[0] in "([<{"


def speaks_of_secrets(value: str) -> bool:
    """Whether ``value`` is an identifier that names a secret itself: ``db_password``, ``X25519PrivateKey``."""
    return value.isidentifier() and bool(_SPEAKS_OF_SECRETS.intersection(words_of(value)))


def _mirrors(said: Said) -> bool:
    """``password=db_password)``: an identifier that speaks of secrets itself, in lower-case code."""
    seen, value, after = said.seen, said.value, said.rest[:1]
    if seen.name.isupper() or not _IDENTIFIER.fullmatch(value) or not _SPEAKS_OF_SECRETS.intersection(words_of(value)):
        return False
    if seen.tight and not seen.colon:
        return after in {",", ")", ";"} or value[-1] in ",);"
    return not (seen.anchored and seen.colon and after != ",")


TALK_RULES = (
    TalkRule("counts of tests, sources of accounts", _is_verdict, _yes, "pass: 12 fail: 0"),
    TalkRule(
        "a label in capitals",
        _is_label,
        lambda said: " " in said.value or values.is_harmless(said.value),
        "PASS: TestLogin",
    ),
    TalkRule("a state", lambda said: values.is_status(said.value), _yes, "password: expired"),
    TalkRule("an expression", _is_expression, _yes, "password = getpass()"),
    TalkRule(
        "a comment's words",
        lambda said: said.seen.comment and (" " in said.value or values.is_harmless(said.value)),
        _yes,
        "# password: see the wiki",
    ),
    TalkRule("an identifier that speaks of secrets", _mirrors, _yes, "f(password=db_password)"),
    TalkRule(
        "a name in a namespace",
        lambda said: said.spaced and said.reading is Reading.OUTPUT and bool(_DOTTED.fullmatch(said.value)),
        _yes,
        "token = Name.Namespace",
    ),
    TalkRule(
        "a kind of token",
        lambda said: said.spaced and said.seen.name == "token" and bool(_CAPITALISED.fullmatch(said.value)),
        _yes,
        "token = Keyword",
    ),
    TalkRule(
        "words behind an equals sign",
        lambda said: " " in said.value and not said.seen.colon,
        lambda said: (
            said.reading is Reading.OUTPUT and bool(_SPEAKS_OF_SECRETS.intersection(said.value.lower().split()))
        ),
        "password = the new password",
    ),
    TalkRule(
        "words behind a colon",
        lambda said: " " in said.value,
        lambda said: (said.reading is Reading.OUTPUT or said.seen.comment) and is_prose(said.value),
        "password: must be at least 8 characters",
    ),
    TalkRule("a name that begins its line, or is in braces", _is_sure, _no, "password: swordfish"),
    TalkRule(
        "a header in quotes, or an error about a quoted name",
        _is_quoted_header,
        lambda said: _SENTENCE.match(said.value + said.rest) is not None,
        'exec: "docker-credential-desktop": executable file not found in $PATH',
    ),
    TalkRule("whatever looks like no secret", _yes, _is_dull, "the token: next"),
)


def is_talk(seen: Assignment, value: str, rest: str, reading: Reading) -> bool:
    """Whether ``value`` says something about the secret instead of being it. ``rest``: the line behind it."""
    said = Said(seen, value, rest, reading)
    return next(rule.talk(said) for rule in TALK_RULES if rule.applies(said))


def is_prose(value: str) -> bool:
    """A sentence or heading rather than a passphrase."""
    words = value.split()
    if len(words) > 8 or value[-1] in ".!?:" or value[0] in "([<":
        return True
    if _PROSE.search(value):
        return True
    return not all(w.islower() for w in words) and not any(c.isdigit() for c in value)
