"""Is a name the name of a secret?

A name is split into words (``_ - . :`` and camelCase). What counts is the last secret word and what follows it:
``db_password`` names a secret, ``password_file`` names a file. Three strengths say how much the value must look like a
secret before it is masked.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from ssh_mcp.redaction.words import words

MAX_NAME = 128
"""Characters of a name that are looked at (its end: that is where the deciding word is)."""


class Strength(IntEnum):
    """NONE: not secret. FAINT: the value must look random. WEAK: not plainly harmless. STRONG: any value."""

    NONE = 0
    FAINT = 1
    WEAK = 2
    STRONG = 3


_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

_STRONG = words(
    "password passwords passwd passphrase passphrases passcode passwort pwd pw pass secret token",
    "credential apikey apikeys psk htpasswd authtok kennwort senha wachtwoord passe",
)
_WEAK = words(
    "private credentials auth authorization bearer cookie cookies session jwt oauth dsn salt sshkey creds",
    "cred",
)
_FAINT = words("key keys secrets tokens sessions sig signature sid")

# What makes a plain "key" a secret one: encryption_key, api_key, AccountKey.
_KEY_KIND = words(
    "api secret private encryption encrypt decryption signing sign signature master access shared",
    "preshared hmac fernet app application jwt webhook unseal recovery auth crypt crypto cipher cookie",
    "session license licence account storage admin aes wep wpa psk token service deploy user hash secure",
    "data consumer subscription integration ingest partner merchant bot login",
)
# ... and what makes it one that may be seen.
_KEY_OPEN = words(
    "public pub publishable anon primary foreign sort partition cache routing index unique row group lookup authorized",
    "trusted known host registry meta map object idempotency gpg hot arrow shortcut natural surrogate",
    "recv receive refresh fingerprint kernel composite dedup order page hostkey max min num total count avg any",
    "every each",
)

# A word behind the secret one that turns the name into a name of something else.
_ABOUT = words(
    "file files filename path paths dir directory folder location url urls uri endpoint host hostname",
    "hosts port name names type types kind format length len size sizes bits bit min max minimum maximum",
    "count limit limits ttl timeout validity valid lifespan leeway skew offset expiry expires expiration",
    "expire expired expireson lifetime maxlifetime age days hours minutes seconds sec secs ms interval",
    "period duration rotation rotate policy policies algorithm algorithms algo method methods mode",
    "provider providers backend driver class store handler enabled disabled enable disable required",
    "require optional allowed allow prompt label labels field fields column table prefix suffix separator",
    "header headers domain samesite secure httponly scope scopes issuer audience subject realm user users",
    "username login email group groups role roles id ids index ref refs reference selector version",
    "created updated at by changed last history strength complexity attempts retries retry failures error",
    "errors status state usage used remaining cost fingerprint digest checksum management manager server",
    "module plugin check checker validator reset source sources ca cert certs certificate certificates",
    "change grace warn warning authentication protocol exchange ring space ip ips address addr subnet",
    "subnets network networks dns zone cidr tmp devices mounts cluster repo repository registry link",
    "basic request requests response agent forwarding rounds iterations mount mountpath env var variable",
    "usages algs acceptedalgorithms commands command through validation rules rule schema template",
    "templates title description docs help text message messages button placeholder input visible show",
    "hide hidden toggle icon page form view controller model modal dialog screen route component affinity",
    "scheme query hashers hasher helper mgmt chat expression selection identity",
    "identities placement hint cls",
    "cookies persistence replication handling rotated generated generator rate per window bucket budget",
)
_ABOUT_LAST = words(
    "file path dir directory url uri timeout ttl count length size lifetime enabled site policy expiry algorithm algo",
    "format alg enc",
)
"""The same as the last word, whatever is between."""
_LENIENT_ABOUT = frozenset({"id", "ids"})
_BEFORE = {
    "pass": words("proxy fastcgi uwsgi scgi grpc memcached band by low high first second single multi"),
    "password": words("update"),
    "credential": words("load import condition assert"),
}
"""What makes a directive of the word: nginx's ``proxy_pass``, systemd's ``LoadCredential``."""

_TAIL_STRONG = re.compile(
    r"(?:password|passwd|passphrase|passcode|secret|token|credential|apikey|pwd)s?$"
    r"|(?:api|secret|private|access|encryption|encrypt|signing|master|shared|auth|session|license|account"
    r"|app|crypt|cipher|token|consumer|subscription|pass|priv|sess|partner|merchant|bot|login|integration|ingest"
    r"|hmac|storage|webhook|cookie|jwt|unseal|deploy)key$"
    r"|(?:db|database|user|smtp|mail|root|admin|my|sql|mysql|ftp|sftp|ldap|require|key|store|keystore"
    r"|truststore|vault|auth"
    r"|become|sudo|login|redis|pg|bind|http|ssh|web|app|test|client|server|mqtt|wifi|api|imap|pop|sync"
    r"|master|repl|enc|vnc"
    r"|dn|rabbit|rabbitmq|default|proxy|new|old|rpc|nick|oper|account|mongo|postgres|postgresql|es|elastic|kafka)pass$"
    r"|(?:root|bind|admin|user|db|my|smtp|ldap|mail|rootbind|oracle|auth|secret|default|sql|ora|krb)pw$"
    r"|(?:root|bind|admin|user|db|my|master|smtp|ldap|mail|proxy)passw(?:or)?d$"
    r"|^(?:masterauth|bindcredentials|presharedkey|sharedaccesskey|wpapsk|bindcredentials|become_?pass|accesskeysecret|passwdhash)$"
    r"|^(?:mysqlpwd|pgpassword|redisauth|sshpass|restic_?password|borg_?passphrase|userauth)$"
)
_HEAD_STRONG = re.compile(r"^(?:secret(?:key|access|token|value|string|data)|passwordhash|passwd|password)")
_HEAD_PASSWORD = re.compile(r"(?:password|passwd|passphrase)(\w*)$")
_TAIL_WEAK = re.compile(
    r"(?:ssh|client|server|service|data|user|aws|gcp|azure|tls|ssl)key$|sess(?:ion)?id$|^(?:setcookie|connsid)$"
)
_NOT_COMPOUND = frozenset({"accesskey", "passwordless", "pwdx", "cwd", "nopasswd", "nopassword"})


def words_of(name: str) -> list[str]:
    """``DB_userPassword2`` → ``["db", "user", "password", "2"]``."""
    return [w.lower() for w in _WORD.findall(name[-MAX_NAME:])]


def _word_strength(word: str) -> tuple[Strength, str]:
    """Strength of one word, and what of it follows the secret part (``passwordfile`` → ``file``)."""
    if word in _STRONG:
        return Strength.STRONG, ""
    if word in _WEAK:
        return Strength.WEAK, ""
    if word in _FAINT:
        return Strength.FAINT, ""
    if len(word) < 5 or word in _NOT_COMPOUND:
        return Strength.NONE, ""
    if _TAIL_STRONG.search(word):
        return (Strength.FAINT if word.endswith("s") and not word.endswith("ss") else Strength.STRONG), ""
    if _TAIL_WEAK.search(word):
        return Strength.WEAK, ""
    if m := _HEAD_PASSWORD.search(word):
        return Strength.STRONG, m[1]
    if _HEAD_STRONG.match(word):
        return Strength.STRONG, ""
    return Strength.NONE, ""


def _about(tail: str) -> bool:
    return tail in _ABOUT or (tail.endswith("s") and tail[:-1] in _ABOUT)


def _of_key(words: list[str], at: int) -> Strength:
    """``key`` alone says little; the word before it decides."""
    before = words[at - 1] if at else ""
    if before in _KEY_OPEN:
        return Strength.NONE
    if before in _KEY_KIND and words[at] == "key":
        return Strength.STRONG if before not in {"service", "data", "user", "hash"} else Strength.WEAK
    return (
        Strength.WEAK if before in {"ssh", "client", "server", "tls", "ssl", "aws", "gcp", "azure"} else Strength.FAINT
    )


_SOURCE = re.compile(r"\.(?:c|h|cc|cpp|hpp|py|go|jsx?|tsx?|rs|rb|java|kt|php|pl|pm|sh|lua|cs|scala)\Z")
_PASSED_ON = words("zero fds context obj through band filter args kwargs rate info environment")


class _Name(NamedTuple):
    """The words of a name and which of them is the last secret one."""

    words: list[str]
    at: int
    strength: Strength

    @property
    def word(self) -> str:
        return self.words[self.at]

    @property
    def before(self) -> list[str]:
        return self.words[: self.at]

    @property
    def tail(self) -> list[str]:
        return self.words[self.at + 1 :]


class NameRule(NamedTuple):
    """Names that it ``applies`` to have the strength it gives. The first rule that applies decides."""

    name: str
    applies: Callable[[_Name], bool]
    strength: Callable[[_Name], Strength]
    example: str


def _is_about(name: _Name) -> bool:
    tail = name.tail
    return bool(tail) and (_about(tail[0] if tail[0] != "key" else tail[-1]) or tail[-1] in _ABOUT_LAST)


def _of_lenient(name: _Name) -> Strength:
    """``session_id`` and ``secret_id`` are secrets all the same."""
    lenient = name.tail[0] in _LENIENT_ABOUT and name.word in {"session", "secret", "sid", "token"}
    return Strength.WEAK if lenient else Strength.NONE


def _of_plain_key(name: _Name) -> Strength:
    own = _of_key(name.words, name.at)
    if own is not Strength.FAINT or name.at == 0:
        faint_id = own is Strength.FAINT and name.tail[-1:] == ["id"]
        return Strength.NONE if faint_id else own
    if name.tail[-1:] == ["id"] or name.words[name.at - 1].isdigit():
        return Strength.NONE  # KeyPairId; S3Key: where an object lies
    return max(own, _before(name.before))


NAME_RULES = (
    NameRule("about a secret", _is_about, _of_lenient, "password_file"),
    NameRule("a key", lambda name: name.word in {"key", "keys"}, _of_plain_key, "access_key"),
    NameRule(
        "to be seen",
        lambda name: _is_open(name.word, name.before, name.tail),
        lambda _: Strength.NONE,
        "public_token",
    ),
    # Git's signingkey is the id of a public one.
    NameRule(
        "a signature",
        lambda name: name.word in {"signature", "sig", "sid", "signingkey"},
        lambda _: Strength.FAINT,
        "sig",
    ),
    NameRule("a secret", lambda _: True, lambda name: name.strength, "db_password"),
)


def _by_words(name: str) -> Strength:
    if _SOURCE.search(name):
        return Strength.NONE  # token.go:12: a place in a source
    words = words_of(name)
    for at in range(len(words) - 1, -1, -1):
        strength, inner = _word_strength(words[at])
        if strength:
            if inner and _about(inner):
                return Strength.NONE
            found = _Name(words, at, strength)
            return next(rule.strength(found) for rule in NAME_RULES if rule.applies(found))
    return Strength.NONE


def _is_open(word: str, before: list[str], tail: list[str]) -> bool:
    """Whether the words around a secret one say that it is none."""
    if "public" in before or "publishable" in before:
        return True
    if word == "private" and tail and tail[-1] in _ABOUT:
        return True  # PrivateDefaultScopeId
    if word == "pass" and tail and tail[0] in _PASSED_ON:
        return True  # pass_fds, pass_context
    last = before[-1] if before else ""
    return last in _BEFORE.get(word, ()) or (word in {"tokens", "keys"} and last in _KEY_OPEN)


def _before(words: list[str]) -> Strength:
    """``secret_access_key``: a strong word somewhere before a plain key."""
    if words[-1] in {"password", "passphrase"}:
        return Strength.WEAK  # adminPasswordKey: under which key the password is found
    if any(w in {"secret", "private", "password", "passphrase", "token"} for w in words):
        return Strength.STRONG
    return Strength.FAINT


_PLURAL_STRONG = words("passwords passwds passphrases pwds passcodes")
_PLURAL_WEAK = words("secrets tokens apikeys credentials creds auth auths")
_RULES = words(
    "hash hashes hashing hasher hashers salt max min digits letters symbols special upper lower uppercase lowercase",
    "external engine store algorithm retries notify reuse common cost expire lock locked pattern regex regexp charset",
    "alphabet enum const comment note href rel items properties component example examples ref",
    "region profile tenant account project organization org environment strategy flow guard guards stage tier level",
    "priority order kind source target mechanism mechanisms",
)


def _by_plural(name: str) -> Strength:
    """``passwords``, ``api_tokens``: the entries below are named after their owners."""
    parts = words_of(name)
    if not parts or parts[0] in {"no", "image", "docker"} or any(w in _ABOUT for w in parts[:-1]):
        return Strength.NONE
    if parts[-1] in _PLURAL_STRONG:
        return Strength.STRONG
    if parts[-1] in _PLURAL_WEAK or (parts[-1] == "keys" and parts[-2:-1] == ["api"]):
        return Strength.WEAK
    return Strength.NONE


def _compile(pattern: str) -> re.Pattern[str] | None:
    start, end = pattern.startswith("^"), pattern.endswith("$") and len(pattern) > 1
    core = pattern[1 if start else 0 : -1 if end else None]
    if not core:
        return None
    return re.compile(("^" if start else "") + re.escape(core) + (r"\Z" if end else ""), re.IGNORECASE)


class KeyMatcher:
    """Decides on names. ``add`` and ``replace`` are the operator's: substrings, anchored by ``^`` and ``$``."""

    __slots__ = ("_own", "_words", "operator_keys", "plural", "strength")

    def __init__(self, add: tuple[str, ...] = (), replace: tuple[str, ...] = ()) -> None:
        own = tuple(k.strip() for k in (*add, *replace) if k.strip())
        self._own = tuple(p for p in map(_compile, own) if p is not None)
        self._words = not replace
        self.operator_keys = tuple(k.removeprefix("^").removesuffix("$") for k in own)
        self.strength = lru_cache(maxsize=8192)(self._strength)
        self.plural = lru_cache(maxsize=1024)(self._plural)

    def is_own(self, name: str) -> bool:
        """Whether the operator named this key: then every value counts as secret."""
        return any(p.search(name) for p in self._own)

    @property
    def default_words(self) -> bool:
        return self._words

    def _plural(self, name: str) -> Strength:
        return _by_plural(name) if self._words else Strength.NONE

    @staticmethod
    def speaks_about(name: str) -> bool:
        """Whether an entry below ``passwords:`` is a setting rather than an account: ``min_length``."""
        return any(_about(w) or w in _RULES for w in words_of(name))

    def _strength(self, name: str) -> Strength:
        if self._own and self.is_own(name):
            return Strength.STRONG
        return _by_words(name) if self._words else Strength.NONE
