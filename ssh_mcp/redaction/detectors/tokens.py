"""Provider tokens, JSON web tokens, webhooks, base64 of a PEM key, and AWS secrets beside an AWS id.

The shapes are rows of ``providers``. Each pattern is anchored on a literal and bounded.
"""

from __future__ import annotations

import base64
import binascii
import re
from itertools import pairwise

from ssh_mcp.redaction.detectors.base import LineDetector, Wide
from ssh_mcp.redaction.detectors.hashes import is_hash
from ssh_mcp.redaction.detectors.providers import INFIXES, SHAPES, Infix, Shape, gate_of
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.values import looks_random

_PLAIN = "|".join(f"(?:{shape.start}){shape.rest}" for shape in SHAPES if not shape.random)
_RANDOM = "|".join(f"(?:{shape.start})({shape.rest})" for shape in SHAPES if shape.random)
_TOKEN = re.compile(rf"(?<![A-Za-z0-9])(?:{_PLAIN}|{'|'.join(infix.pattern for infix in INFIXES)})")
_RANDOM_TOKEN = re.compile(rf"(?<![\w+/\-])(?:{_RANDOM})")
"""What may be an identifier that begins in the same way, unless what follows looks generated: ``hf_…``, ``re_…``."""
_ENCODED_PEM = re.compile(r"(?<![A-Za-z0-9+/])LS0tL[A-Za-z0-9+/]{40,}={0,2}")
_AWS_ID = re.compile(r"(?:AKIA|ASIA)[A-Z0-9]{16}")
_AWS_SECRET = re.compile(r"(?<![A-Za-z0-9+/=])[A-Za-z0-9+/]{40}(?![A-Za-z0-9+/=])")
_AWS_SESSION = re.compile(r"(?<![A-Za-z0-9+/=])[A-Za-z0-9+/]{48,4096}={0,2}(?![A-Za-z0-9+/=])")
_WEBHOOK = re.compile(
    r"(?:hooks\.slack\.com/(?:services|workflows|triggers)/|discord(?:app)?\.com/api/(?:v\d+/)?webhooks/\d{5,30}/"
    r"|webhook\.office\.com/webhookb2/|outlook\.office\.com/webhook/)([\w/@+=-]{16,300})"
)
_WIREGUARD = re.compile(
    r"(?<![A-Za-z0-9+/])([A-Za-z0-9+/]{43}=)\t(?:([A-Za-z0-9+/]{43}=)|\(none\))\t(?:(\d{1,5}\t(?:off|0x[0-9a-f]+))|\S)"
)
"""A line of ``wg show dump``: an interface's private key, public key, port and mark; a peer's public and shared key."""
_MAIL_LOGIN = re.compile(
    r"^\[[\w.\-]{1,255}\]:\w{2,12}[ \t]{1,40}[^\s:\[\]]{1,128}:(\S{3,256})[ \t]*\r?$", re.MULTILINE
)
"""Postfix's sasl_passwd."""


def tokens(text: str, start: int, end: int) -> list[Span]:
    """Provider tokens, JWTs, webhooks, base64 of a PEM key, and AWS secrets beside an AWS id."""
    out = [Span(*m.span(), "token") for m in _TOKEN.finditer(text, start, end)]
    out += [Span(*m.span(), "token") for m in _RANDOM_TOKEN.finditer(text, start, end) if _is_generated(m)]
    out += [Span(*m.span(1), "token") for m in _WEBHOOK.finditer(text, start, end)]
    out += [Span(*m.span(), "pem") for m in _ENCODED_PEM.finditer(text, start, end) if encodes_private_key(m[0])]
    if text.find("=\t", start, end) >= 0:
        for m in _WIREGUARD.finditer(text, start, end):
            group = 1 if m[3] is not None else 2
            out += [Span(*m.span(group), "token")] if m[group] is not None else []
    if text[start : start + 1] == "[":
        out += [Span(*m.span(1), "token") for m in _MAIL_LOGIN.finditer(text, start, end) if ":" not in m[1]]
    if _AWS_ID.search(text, start, end):
        out += [Span(*m.span(), "token") for m in _AWS_SECRET.finditer(text, start, end) if looks_random(m[0])]
        out += [Span(*m.span(), "token") for m in _AWS_SESSION.finditer(text, start, end) if looks_random(m[0])]
    return out


def _is_generated(m: re.Match[str]) -> bool:
    """Whether what follows looks random, or is letters of random case: no words of any naming style."""
    body = m[m.lastindex or 0]
    swaps = sum(a.islower() != b.islower() for a, b in pairwise(body))
    return looks_random(body) or (body.isalpha() and swaps * 5 >= len(body) * 2)


def encodes_private_key(value: str) -> bool:
    """Whether base64 ``value`` begins like the PEM form of a private key."""
    try:
        return b"PRIVATE KEY" in base64.b64decode(value[:80], validate=False)
    except (binascii.Error, ValueError):
        return False


def is_token(value: str) -> bool:
    """Whether all of ``value`` is one provider token, JWT or password hash."""
    if (m := _RANDOM_TOKEN.fullmatch(value)) and _is_generated(m):
        return True
    m = _TOKEN.match(value)
    return (m is not None and m.end() == len(value)) or is_hash(value)


_SHORT = 3
"""Letters: a literal this short costs the others of its group their SIMD, so that all of these share one automaton."""
_PER_GROUP = 20
_WEBHOOKS = r"hooks\.slack\.com/|/webhooks/|webhook\.office"
_RECORDS = r"=\t(?:[A-Za-z0-9+/]{43}=|\(none\))\t|\]:(?:25|465|587|2525|submissions?|smtps?)[ \t]+[^\s:]+:[^\s]"


def _families() -> list[Wide]:
    """Twenty shapes that begin with long literals in each group, and all others in one."""
    long = [shape for shape in SHAPES if len(re.split(r"[\[(\\]", shape.start)[0]) > _SHORT]
    rest: list[Shape | Infix] = [shape for shape in SHAPES if shape not in long]
    return [
        *(Wide(f"plain tokens {n // _PER_GROUP}", gate_of(shape), lower=False) for n, shape in enumerate(long)),
        *(Wide("plain short tokens", gate_of(row), lower=False) for row in (*rest, *INFIXES)),
    ]


DETECTOR = LineDetector(
    name="tokens",
    find=lambda s: tokens(s.text, s.start, s.end),
    named=False,
    wide=(
        *_families(),
        Wide("plain urls", rf"{_WEBHOOKS}|LS0tL[A-Za-z0-9_.\-]{{6}}", lower=False),
        Wide("plain dollars", _RECORDS, lower=False),
    ),
    line=(
        *(rf"(?-u:(?:^|[^A-Za-z0-9]){gate_of(shape)})" for shape in SHAPES),
        *(rf"(?-u:{gate_of(infix)})" for infix in INFIXES),
        rf"(?-u:{_WEBHOOKS}|LS0tL[A-Za-z0-9_.\-]{{6}})",
        r"(?-u:=\t(?:[A-Za-z0-9+/]{43}=|\(none\))\t|\]:\w+[ \t]+[^\s:]+:[^\s])",
    ),
    hit="found «" + "gh" + "p_aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5» here",
    miss="found gh" + "p_token here",
)
