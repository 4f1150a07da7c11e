"""Secrets that show by their own shape: provider tokens, JWTs, URL passwords, auth headers, password hashes.

Provider tokens are rows of ``providers``. Each pattern is anchored on a literal and bounded.
"""

from __future__ import annotations

import base64
import binascii
import re
from itertools import pairwise

from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.providers import INFIXES, SHAPES
from ssh_mcp.redaction.values import is_constant, is_harmless, is_marker, is_reference, looks_random
from ssh_mcp.redaction.words import words

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
_URL = re.compile(
    r"(?<![A-Za-z0-9])([A-Za-z][A-Za-z0-9+.\-]{1,30}+):\\?/\\?/(?:"
    r"([^\s\"'<>@/:\\|]{0,128}):(?!\d{1,5}[/?#])((?:(?![,;|][a-z+]{2,12}://)[^\s\"'<>/`\\|]){1,256})@(?=[\w.\-\[%{$(])"
    r"|([^\s\"'<>@/:\\|?#]{0,128}):(?!\d{1,5}[/?#])([^\s\"'<>@`\\|]{1,256})@(?=[\w.-]+(?::\d+)?(?:[/\"'\s?]|$))"
    r"|([\w.\-~%]{16,256})@)"
)
_SLASHED = re.compile(r"(@[^\s\"'<>@/]{1,64}/[^\s\"'<>@]{0,128})@[\w.\-]+(?::\d+)?(?:/|\s|$)")
"""The rest of a database password that holds both ``@`` and ``/``."""
_DSN = re.compile(
    r"(?<![\w.-])[\w.-]{1,64}:([^\s@/:\"']{1,128})@(?:tcp|unix)\("
    r"|jdbc:oracle:\w+:[^\s/:@]{1,64}/([^\s@\"']{1,128})@"
    r"|(?i:proxy)\w{0,20}[\"']?[ \t]*[=:][ \t]*[\"']?[\w.-]{1,64}:([^\s@/\"']{1,128})@"
)
_WIREGUARD = re.compile(
    r"(?<![A-Za-z0-9+/])([A-Za-z0-9+/]{43}=)\t(?:([A-Za-z0-9+/]{43}=)|\(none\))\t(?:(\d{1,5}\t(?:off|0x[0-9a-f]+))|\S)"
)
"""A line of ``wg show dump``: an interface's private key, public key, port and mark; a peer's public and shared key."""
_MAIL_LOGIN = re.compile(
    r"^\[[\w.\-]{1,255}\]:\w{2,12}[ \t]{1,40}[^\s:\[\]]{1,128}:(\S{3,256})[ \t]*\r?$", re.MULTILINE
)
"""Postfix's sasl_passwd."""
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
_HASH = re.compile(
    r"""(?x)
      \$1\$[./A-Za-z0-9]{1,8}\$[./A-Za-z0-9]{22} | \$apr1\$[./A-Za-z0-9]{1,8}\$[./A-Za-z0-9]{22}
    | \$[56]\$(?:rounds=\d{1,9}\$)?[^\s$:]{1,16}\$[./A-Za-z0-9]{20,90} | \$2[abxy]?\$\d\d\$[./A-Za-z0-9]{20,60}
    | \$\$(?:apr1|[156y]|2[aby])\$\$[./A-Za-z0-9$]{22,160}
    | \$g?y\$[./A-Za-z0-9]{1,12}\$[./A-Za-z0-9]{1,90}\$[./A-Za-z0-9]{20,90}
    | \$7\$[./A-Za-z0-9]{11,97}\$[./A-Za-z0-9]{20,90}
    | \$[PH]\$[./A-Za-z0-9]{31} | \$argon2(?:id|i|d)\$[\w=,$+/.\-]{20,300}
    | \$(?:scrypt|pbkdf2(?:-sha\d+)?|bcrypt-sha256)\$[\w=,$+/.\-]{20,300}
    | \$(?:8|9|14)\$[./A-Za-z0-9*$]{10,90}
    | (?<!\w)(?:pbkdf2_sha(?:1|256|512)|pbkdf2:sha\d+:\d+|scrypt:\d+:\d+:\d+|bcrypt_sha256|bcrypt|argon2|md5|sha1)
      \$[\w=,$+/.\-]{16,300}
    | (?<!\w)SCRAM-SHA-(?:1|256|512)\$\d+:[\w+/=$:]{20,200} | (?<![\w*])\*[0-9A-F]{40}(?!\w)
    | (?<!\w)md5[0-9a-f]{32}(?!\w)
    | \{(?:S?SHA(?:-?(?:1|256|384|512))?|S?MD5|CRYPT|SSHA\d*|PBKDF2[\w-]*|BLF-CRYPT|SHA\d+-CRYPT|ARGON2\w*
      |SCRAM-SHA-\d+)(?:\.\w+)?\}[\w+/=$.,:]{8,300}
    | grub\.pbkdf2\.sha512\.\d+\.[0-9A-F.]{40,600}
    """
)


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
    m = _TOKEN.match(value) or _HASH.match(value)
    return m is not None and m.end() == len(value)


def urls(text: str, start: int, end: int) -> list[Span]:
    """The password of ``scheme://user:password@host``, and a lone token before the ``@``."""
    out = []
    for m in _URL.finditer(text, start, end):
        group = 3 if m[3] is not None else 5 if m[5] is not None else 6
        if not _is_url_secret(m[group], lone=group == 6):
            continue
        low, high = m.span(group)
        database = group == 3 and not m[1].lower().startswith(("http", "git", "ssh"))
        if database and (more := _SLASHED.match(text, high, end)):
            high = more.end(1)
        out.append(Span(low, high, "url"))
    for m in _DSN.finditer(text, start, end):
        group = m.lastindex or 1
        if not is_reference(m[group]) and not is_marker(m[group]):
            out.append(Span(*m.span(group), "url"))
    return out


def _is_url_secret(value: str, *, lone: bool) -> bool:
    if lone:
        return looks_random(value) or is_token(value)
    return not (is_marker(value) or is_reference(value))


def headers(text: str, start: int, end: int) -> list[Span]:
    """Authorization, Cookie and Set-Cookie; Bearer, Basic and Digest wherever they stand."""
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


def find_all(text: str, start: int, end: int) -> list[Span]:
    """Every shape of this module in ``text[start:end]``; the last are the password hashes."""
    out = tokens(text, start, end)
    if text.find("@", start, end) >= 0:
        out += urls(text, start, end)
    out += headers(text, start, end)
    return out + [Span(*m.span(), "hash") for m in _HASH.finditer(text, start, end)]
