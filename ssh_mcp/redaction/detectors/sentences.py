"""Sentences, configuration lines and calls that name a secret without a separator: ``password 7 0822``, ``PSK "x"``.

Each is a rule: a pattern, what of its match is the value, when that counts, and an example.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from ssh_mcp.redaction import values
from ssh_mcp.redaction.detectors.base import LineDetector, Wide
from ssh_mcp.redaction.detectors.vocabulary import INIT, NAMES, insensitive
from ssh_mcp.redaction.keys import Strength
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.stretch import Stretch

_NUMBERED = re.compile(
    r"(?i)\b(?:password|secret|key|passphrase|psk|key-string|md5)[ \t]+(?:encrypted[ \t]+|ascii[ \t]+|hex[ \t]+)?"
    r"[0-9][ \t]+(\S{4,512})"
)
_QUOTED_WORD = re.compile(
    r"(?i)(?<![\w\-.])(password|passwd|secret|passphrase|psk|wpa-psk|ascii-text|pre-shared-key"
    r"|authentication-key|token)"
    r"[ \t]+(?:ascii-text[ \t]+|plaintext-password[ \t]+|encrypted-password[ \t]+)?\"([^\"\r\n]{3,512})\""
)
_TOLD = re.compile(
    r"(?i)(?<![\w.\-])(?:(?:with|using|enable|set|has|config)[ \t]+(?:the[ \t]+)?"
    r"(?:password|passphrase|secret|token|passwd|\w{0,20}secret|psk\w{0,12})"
    r"|requirepass|masterauth|rpcpassword|authentication-key|key-string|pre-shared-key)"
    r"[ \t]+(?:ENC[ \t]+|level[ \t]+\d+[ \t]+)?[\"'`]?([^\s\"'`]{4,512})"
)
"""A value that only a word names: ``with password x``, ``enable secret x``."""
_IPSEC = re.compile(
    r"(?:^|[ \t:])(?:PSK|XAUTH|EAP|NTLM|PIN|(?:RSA|ECDSA|PKCS8|PKCS12|P12)[ \t]+[^\s\"]{1,256})[ \t]+"
    r"\"([^\"\n]{3,256})\""
)
_IPSEC_CODED = re.compile(r"(?:^|[ \t:])PSK[ \t]+(?:0[sx])([A-Za-z0-9+/=]{8,512})")
_REGISTRY = re.compile(r"(?<![\w.\-])(\w{1,80})[ \t]{1,40}REG_(?:SZ|EXPAND_SZ|MULTI_SZ)[ \t]{1,40}([^\r\n]{1,512})")
_COMMUNITY = re.compile(
    r"(?i)(?:snmp-server[ \t]+community|\br[ow]community6?|\bcom2sec6?[ \t]+\S{1,64}[ \t]+\S{1,64})[ \t]+"
    r"\"?([^\s\"]{3,128})"
)
_DEVICE = re.compile(
    r"(?i)(?:\b(?:radius|tacacs)-server(?:[ \t]+host[ \t]+\S{1,64})?(?:[ \t]+[\w-]{1,32}[ \t]+\d{1,5}){0,4}[ \t]+key"
    r"|\bauthentication-key[ \t]+\d{1,10}[ \t]+(?:md5|sha\d{0,3}|hmac-\S{1,16}|cmac-\S{1,20})"
    r"|\bmessage-digest-key[ \t]+\d{1,3}[ \t]+md5|\bcrypto[ \t]+isakmp[ \t]+key)[ \t]+(?:[0-9][ \t]+)?([^\s\"]{3,256})"
)
"""Keys of network systems: ``radius-server host 10.0.0.1 auth-port 1812 key x``, ``ntp authentication-key 1 md5 x``."""
_SASL = re.compile(r"\bAUTH[ \t]+(?:PLAIN|LOGIN)[ \t]+([A-Za-z0-9+/]{8,2048}={0,2})(?![\w\-])")
"""What a mail client says, in base64."""
_PROXY_USER = re.compile(r"(?:insecure-password[ \t]+|\bstats[ \t]+auth[ \t]+[^\s:]{1,64}:)(\S{3,256})")
_THIRD = re.compile(
    r"(?i)(?:\bmysqli?_(?:p|real_)?connect|\bnew[ \t]+(?:\\?PDO|mysqli)|\b(?:PDO|mysqli)->\w{1,20})\("
    r"\s{0,8}[^,\n()]{1,300},\s{0,8}[\"'][^\"'\n]{0,128}[\"'],\s{0,8}[\"']([^\"'\n]{1,256})[\"']"
)
"""The password of PHP's database calls."""
_ACL_USER = re.compile(r"(?im)^[ \t>]*(?:ACL[ \t]+SETUSER|user)[ \t]+\S{1,128}[ \t][^\n>]{0,200}>(\S{3,256})")
_LOGIN_CALL = re.compile(
    r"(?:\.(?:auth|login|authenticate)|\bauth=|BasicAuth|PasswordAuthentication|Credentials?)\(\s{0,5}[\"'][^\"'\n]{1,128}[\"'],\s{0,5}[\"']([^\"'\n]{1,256})[\"']"
)
_LOGIN = re.compile(
    r"\b(?:login|user|account|username)[ \t]+\S{1,128}\s{1,40}(?:password|passwd|account|pass|secret)[ \t]+"
    r"(?:\"([^\"\r\n]{1,512})\"|(\S{1,512}))"
)
_PASSWORD_IS = re.compile(
    r"(?i)\b(?:(?:unseal|recovery) key \d+:"
    r"|(?:password|passphrase|secret|token|passwd|pin code)\s{1,8}(?:is|was|set to|changed to|generated)"
    r"|(?:temporary|initial|generated|default|root|admin)\s+password[^:=\n]{0,40})"
    r"[ \t]{0,8}(?:is[ \t]{0,8})?[:=]?[ \t]{1,8}[\"'`]?([^\s\"'`]{6,256})"
)


class Rule(NamedTuple):
    """``group`` of ``pattern`` is the value, ``key`` the group of its name (0: none). ``example`` has it in «»."""

    pattern: re.Pattern[str]
    counts: Callable[[Stretch, re.Match[str]], bool]
    example: str
    group: int = 1
    key: int = 0


def _is_mixed(_: Stretch, m: re.Match[str]) -> bool:
    """No plain word, call or marker."""
    return not (values.is_plain(m[1]) or _is_call(m[1]) or values.is_marker(m[1]))


def _is_told(_: Stretch, m: re.Match[str]) -> bool:
    """The same, but after a sentence any mix of letters and digits counts."""
    mixed = any(c.isdigit() for c in m[1]) and any(c.isalpha() for c in m[1])
    return not ((values.is_plain(m[1]) and not mixed) or _is_call(m[1]) or values.is_marker(m[1]))


def _is_password(s: Stretch, m: re.Match[str]) -> bool:
    return s.is_secret("password", m[1], Strength.STRONG)


def _is_community(_: Stretch, m: re.Match[str]) -> bool:
    return not (values.is_status(m[1]) or m[1].lower() in {"public", "private"} or values.is_reference(m[1]))


def _is_registered(s: Stretch, m: re.Match[str]) -> bool:
    return s.is_secret(m[1], m[2])


def _is_quoted(s: Stretch, m: re.Match[str]) -> bool:
    value = m[2]
    if not s.is_secret(m[1], value, Strength.STRONG):
        return False
    if values.is_status(value) or " " in value or values.is_code(value):
        return False
    return not (m[1].lower() in {"secret", "token"} and values.is_plain(value))  # secret "web-tls" created


def _is_login(s: Stretch, m: re.Match[str]) -> bool:
    value = m[m.lastindex or 1]
    if not s.is_secret("password", value, Strength.STRONG) or values.is_status(value):
        return False
    return m[0].startswith("login") or not values.is_plain(value)


RULES = (
    Rule(_NUMBERED, _is_mixed, "enable secret 5 «$1$mERr$hx5rVt7rPNoS4wqbXKX7m0»"),
    Rule(_PASSWORD_IS, _is_told, "Your new password is «hunter2x»"),
    Rule(_TOLD, _is_mixed, "connect with password «hunter2x9»"),
    Rule(_IPSEC, _is_password, '10.0.0.1 : PSK "«hunter2x9»"'),
    Rule(_IPSEC_CODED, _is_password, ": PSK 0s«aHVudGVyMi14aHVudGVyMi14»"),
    Rule(_ACL_USER, _is_password, "user app on ~* +@all >«hunter2x9»"),
    Rule(_LOGIN_CALL, _is_password, "smtp.login('app', '«hunter2x9»')"),
    Rule(_PROXY_USER, _is_password, "stats auth admin:«hunter2x9»"),
    Rule(_THIRD, _is_password, "mysqli_connect('db', 'app', '«hunter2x9»')"),
    Rule(_SASL, _is_password, "AUTH PLAIN «AGFwcABodW50ZXIyLXg=»"),
    Rule(_COMMUNITY, _is_community, "snmp-server community «hunter2x9»"),
    Rule(_DEVICE, _is_community, "ntp authentication-key 1 md5 «hunter2x9»"),
    Rule(_REGISTRY, _is_registered, "    DefaultPassword    REG_SZ    «hunter2x9»", group=2, key=1),
    Rule(_QUOTED_WORD, _is_quoted, 'set secret "«hunter2x9»"', group=2, key=1),
    Rule(_LOGIN, _is_login, "login app password «hunter2x9»", group=0),
)
"""``group`` 0: whichever matched."""


def sentences(s: Stretch) -> list[Span]:
    """What the rules find in the stretch."""
    return [
        _span(s, rule, m) for rule in RULES for m in rule.pattern.finditer(s.text, s.start, s.end) if rule.counts(s, m)
    ]


def _span(s: Stretch, rule: Rule, m: re.Match[str]) -> Span:
    group = rule.group or m.lastindex or 1
    value = m[group].rstrip()
    if rule.counts in {_is_mixed, _is_told} and value[-1] in ".,;":
        value = value[:-1]
    key = m[rule.key] if rule.key else "password" if rule.pattern is _LOGIN else None
    return s.span((m.start(group), m.start(group) + len(value)), key)


def _is_call(value: str) -> bool:
    """A piece of program; a generated password may hold a bracket too."""
    mixed = any(c.isdigit() for c in value) and any(c.isupper() for c in value) and any(c.islower() for c in value)
    return values.is_code(value) and not (mixed and "(" in value and ")" not in value)


_TELLS = r"[ \t]+(?:(?:is|was|set to|changed to|generated)[ \t:=]|for [a-hj-z'\"]|-?[a-z]{2,5}[ \t]+\(?[\"'])"
_CALLS = (
    r"(?:pdo|mysqli)->|auth=\(|basicauth\(|mysqli?_(?:p|real_)?connect\(|new (?:\\?pdo|mysqli)\("
    r"|\.(?:auth|login|authenticate)\(|passwordauthentication\(|credentials?\("
)
DETECTOR = LineDetector(
    name="sentences",
    find=sentences,
    default_words=True,
    wide=(
        Wide("names", rf"{NAMES}(?:{_TELLS}|{INIT}|[ \t]+[\"'])"),
        Wide("soft names", rf"reg_(?:sz|expand_sz|multi_sz)[ \t]+[^\s]|{_CALLS}"),
        Wide("soft names", r"community[ \t]+[^\s]|com2sec6?[ \t]|stats auth [^\s]"),
        Wide("soft names", r"(?:radius|tacacs)-server [^\n]{0,120}key [^\s]|isakmp key [^\s]|-key [0-9]+ [a-z]"),
        Wide("soft names", r"setuser |user [!-~]+ (?:[^\n]{0,160} )?>[!-~]"),
        Wide("soft names", r": (?:rsa|ecdsa|pkcs8|pkcs12|p12) [^\s]|(?:xauth|eap|ntlm|pin) \""),
        Wide("rare", r"(?:login|username)[ \t]+\S+[ \t]+(?:password|passwd|account|pass|secret)[ \t]+\S"),
        Wide("values", r"(?:unseal|recovery) key [0-9]"),
        Wide("plain urls", r"AUTH[ \t]+[^\s]|PASS[ \t]+[^\s]*[0-9]", lower=False),
    ),
    line=(
        insensitive(
            r"(?:password|secret|key|passphrase|psk|key-string|md5)[ \t]+"
            r"(?:(?:encrypted|ascii|hex)[ \t]+)?[0-9][ \t]+\S{4}"
        ),
        insensitive(
            r"(?:passw(?:or)?d|secret|passphrase|psk|ascii-text|pre-shared-key|authentication-key|token)[ \t]+\""
        ),
        insensitive(r"(?:login|user|account|username)[ \t]+\S+[ \t]+(?:password|passwd|account|pass|secret)[ \t]+\S"),
        insensitive(r"(?:xauth|eap|ntlm|pin) \"|setuser|user[ \t][^\n]* >"),
        insensitive(
            r"(?:with|using|enable|set|has|config)[ \t]+(?:the[ \t]+)?"
            r"\w*(?:password|passphrase|secret|token|passwd|psk)\w*[ \t]"
        ),
        insensitive(r"(?:authentication-key|key-string|pre-shared-key|requirepass|masterauth|rpcpassword)[ \t]+\S"),
        insensitive(
            r"reg_(?:sz|expand_sz|multi_sz)[ \t]|community|com2sec|insecure-password[ \t]|stats[ \t]+auth[ \t]"
        ),
        insensitive(rf"auth[ \t]+(?:plain|login)[ \t]|new[ \t]+\\?(?:pdo|mysqli)\(|{_CALLS}"),
        insensitive(r"psk[ \t]+0[sx]|(?:rsa|ecdsa|pkcs8|pkcs12|p12)[ \t]+[^\s]+[ \t]+\""),
        insensitive(r"(?:radius|tacacs)-server[ \t][^\n]*key[ \t]|isakmp[ \t]+key[ \t]|-key[ \t]+[0-9]+[ \t]+[a-z]"),
        insensitive(r"(?:unseal|recovery) key [0-9]"),
        insensitive(
            r"(?:pass(?:word|phrase|wd)|secret|token|pin code)[ \t]+(?:is|was|set to|changed to|generated)[ \t:=]"
        ),
        insensitive(r"(?:temporary|initial|generated|default|root|admin)[ \t]+password[ \t]*(?:is|was|for|set|:|=)"),
        insensitive(
            r"(?:secret|access|private|api|account|encryption|master|signing|license|shared)[ \t]"
            r"(?:access[ \t])?key[ \t]*[:=][ \t]*\S{6}"
        ),
    ),
    hit="Your new password is «hunter2x»",
    miss="Your new password is expired",
)
