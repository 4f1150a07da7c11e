"""Authorization, Cookie and Set-Cookie; Bearer, Basic and Digest anywhere."""

from __future__ import annotations

import base64
import binascii
import re

from ssh_mcp.redaction.detectors.base import LineDetector, Wide
from ssh_mcp.redaction.detectors.vocabulary import insensitive
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.values import is_constant, is_harmless, is_reference
from ssh_mcp.redaction.words import words

_AUTHORIZATION = re.compile(
    r"(?i)\b(?:proxy-?)?authorization(?:\\{0,3}[\"'])?\]?[ \t]{0,8}(?:=>|[:=,])?[ \t]{0,8}(?:\\{0,3}[\"'])?[ \t]{0,4}"
    r"(?:(?!Digest|AWS4-|Hawk|OAuth)(?:Basic|Bearer|Token|Negotiate|NTLM|ApiKey|Api-Key|GenieKey|SSWS|Key"
    r"|Splunk|Zoho-oauthtoken|JWT|PVEAPIToken)[ \t=]+"
    r"(?:token=)?(?:\\?[\"'])?([^\s\"'\\,;]{3,8192})|([^\s\"'\\,;]{8,8192})(?=[\s\"'\\,;]|$))"
)
_DIGEST = re.compile(r"(?i)\bDigest[ \t][^\n]{0,600}?\bresponse=\\?\"?([0-9a-f]{16,128})")
_BEARER = re.compile(r"(?i)(?<![A-Za-z0-9])Bearer[ \t]+([\w.~+/\-]{8,8192}={0,2})")
_BASIC = re.compile(r"(?i)(?<![A-Za-z0-9])Basic[ \t]+([A-Za-z0-9+/]{8,2048}={0,2})")
_COOKIE = re.compile(
    r"(?i)(?<![\w-])(set-)?cookie2?(?:\\?[\"'])?[ \t]{0,4}[:=][ \t]{0,4}(?:\\?[\"'])?([^\r\n\"']{3,8192})"
)
_COOKIE_PAIR = re.compile(r"([^\s=;,]{1,128})=([^\s;\"']{1,4096})")
_COOKIE_ATTRIBUTE = words("path domain expires max-age samesite httponly secure version priority partitioned")


def headers(text: str, start: int, end: int) -> list[Span]:
    """Authorization, Cookie and Set-Cookie; Bearer, Basic and Digest anywhere."""
    out = [Span(*m.span(1), "header") for m in _DIGEST.finditer(text, start, end)]
    for m in _AUTHORIZATION.finditer(text, start, end):
        group = 1 if m[1] is not None else 2
        value = m[group]
        plain = value.isalpha() and is_harmless(value)
        if not (plain or is_reference(value)) and (group == 1 or any(c.isdigit() for c in value)):
            out.append(Span(*m.span(group), "header"))
    out += [
        Span(*m.span(1), "header")
        for m in _BEARER.finditer(text, start, end)
        if any(c.isdigit() for c in m[1]) and not is_harmless(m[1])
    ]
    out += [Span(*m.span(1), "header") for m in _BASIC.finditer(text, start, end) if _is_basic(m[1])]
    for m in _COOKIE.finditer(text, start, end):
        out += _cookies(text, m.start(2), m.end(2))
    return out


def _is_basic(value: str) -> bool:
    try:
        plain = base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False
    return b":" in plain and all(32 <= b < 127 or b > 160 for b in plain)


def _cookies(text: str, start: int, end: int) -> list[Span]:
    return [
        Span(*m.span(2), "header", m[1])
        for m in _COOKIE_PAIR.finditer(text, start, end)
        if m[1].lower() not in _COOKIE_ATTRIBUTE and not (is_reference(m[2]) or is_constant(m[2]) or is_harmless(m[2]))
    ]


_GATE = (
    r"bearer[ \t]+[a-z+/=._~\-]*[0-9]|basic[ \t]+[a-z0-9+/]{11}"
    r"|(?:authorization|cookie2?)[ \t\"'\\]*\]?[ \t\"'\\]*[:=,]"
)
DETECTOR = LineDetector(
    name="HTTP headers",
    find=lambda s: headers(s.text, s.start, s.end),
    named=False,
    wide=(Wide("run-together keys", _GATE),),
    line=(insensitive(_GATE),),
    hit="Authorization: Bearer «abcdef1234567890»",
    miss="Authorization: Bearer <token>",
)
