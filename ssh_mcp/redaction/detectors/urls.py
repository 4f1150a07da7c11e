"""``scheme://user:password@host``, data source names and proxies: only the password goes."""

from __future__ import annotations

import re

from ssh_mcp.redaction.detectors.base import LineDetector, Wide
from ssh_mcp.redaction.detectors.tokens import is_token
from ssh_mcp.redaction.detectors.vocabulary import insensitive
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.values import is_marker, is_reference, looks_random

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


DETECTOR = LineDetector(
    name="URLs",
    find=lambda s: urls(s.text, s.start, s.end) if s.has("@") else [],
    named=False,
    wide=(
        Wide("plain urls", r"@(?:tcp|unix)\(|:thin:|:\\?/\\?/(?:[!-.0-~]*:)?[!-.0-~]*@|:\\?/\\?/:[!-~]", lower=False),
        Wide("keys", r"proxy\w*[\"']?[ \t]*[=:][!-~ ]*@"),
    ),
    line=(
        r"(?-u:@(?:tcp|unix)\(|:thin:|:\\?/\\?/(?:[!-.0-~]*:)?[!-.0-~]*@|:\\?/\\?/:[!-~])",
        insensitive(r"proxy\w*[\"']?[ \t]*[=:][!-~ ]*@"),
    ),
    hit="postgres://app:«hunter2x9»@db/app",
    miss="https://example.org:8443/@x",
)
