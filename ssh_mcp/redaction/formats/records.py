"""Files of records: netrc, pgpass, shadow and htpasswd, and files that hold one bare secret."""

from __future__ import annotations

import re

from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.values import MARKER, is_marker

_NETRC = re.compile(r"(?<!\S)(?:password|account)\s+(?:\"([^\"\n]{1,1024})\"|(\S{1,1024}))")
_PGPASS = re.compile(
    (
        r"^(?!#)((?:\\.|[^:\\\n]){0,512}):((?:\\.|[^:\\\n]){0,64}):((?:\\.|[^:\\\n]){0,256}):((?:\\."
        r"|[^:\\\n]){0,256}):([^\r\n]+)"
    ),
    re.MULTILINE,
)
_FIELD = re.compile(r"^([^:#\s][^:\n]{0,255}):([^:\r\n]+)", re.MULTILINE)
_LOCKED = re.compile(r"[!*x]{1,3}|!?\*?LK\*?|NP|\*+")
_BARE = re.compile(
    r"(?:^|/)(?:\.vault-token|\.erlang\.cookie|master\.key|\.boto_token|vault[_-]?pass(?:word)?(?:\.txt)?"
    r"|\.vault_pass(?:\.txt)?|secret_key(?:\.txt)?"
    r"|\.?password(?:\.txt)?|passwd\.txt|token|\.token|api[_-]?key(?:\.txt)?|cookie)$|^/"
    r"(?:var/)?run/secrets/(?!.*\.(?:crt|pem)$)"
)

_TABLES = tuple(
    (re.compile(name), re.compile(line, re.MULTILINE))
    for name, line in (
        (
            r"(?:chap|pap|srp)-secrets$",
            r"^[ \t]*(?:\"[^\"\n]*\"|[^\s#\"]\S{0,255})[ \t]+(?:\"[^\"\n]*\"|\S{1,256})[ \t]+\"?([^\s\"]{1,512})",
        ),
        (r"passwd\.client$", r"^(?!#)[^:\n]{0,256}:[^:\n]{0,256}:([^\r\n]{1,512})"),
        (r"rsyncd?\.secrets$", r"^(?!#)[^\s:]{1,256}:([^\r\n]{1,512})"),
        (r"userlist\.txt$", r"^\"[^\"\n]{0,256}\"[ \t]+\"([^\"\n]{1,512})\""),
        (r"(?:sasl|relay|smtp|client)_?passw(?:or)?ds?$", r"^(?!#)\S{1,256}[ \t]+[^\s:]{1,256}:([^\r\n]{1,512})"),
        (r"\.google_authenticator$", r"^([A-Z2-7]{16,128}|\d{8})[ \t]*\r?$"),
        (
            r"proxychains4?\.conf$",
            r"^[ \t]*(?:https?|socks[45]|raw)[ \t]+\S{1,256}[ \t]+\d{1,5}[ \t]+\S{1,256}[ \t]+(\S{1,256})",
        ),
        (r"(?:^|/)\.?monitrc$", r"^[ \t]*allow[ \t]+[\w.\-]{1,64}:(\S{1,256})"),
        (r"turnserver\.conf$", r"^[ \t]*user=[^\s:]{1,128}:(\S{1,256})"),
        (r"jaas[\w\-]*\.conf(?:ig)?$", r"\buser_[\w.\-]{1,64}[ \t]*=[ \t]*\"([^\"\n]{1,256})\""),
    )
)
"""Files known by their names, with the place of the password on their lines (pppd(8), pgbouncer.ini(5), rsync, postfix,
exim, google-authenticator(1), proxychains, monit, coturn, Kafka's JAAS).
"""


def tables(text: str, path: str) -> list[Span]:
    """Passwords known only by their column, in files known by their name."""
    return [
        Span(*m.span(1), "key", "password")
        for name, line in _TABLES
        if name.search(path)
        for m in line.finditer(text)
        if not (is_marker(m[1].strip()) or "<sha:" in m[1])
    ]


def netrc(text: str) -> list[Span]:
    """``password`` and ``account`` tokens (netrc(5)); macro bodies are left alone."""
    out = []
    for m in _NETRC.finditer(text):
        group = 1 if m[1] is not None else 2
        if not m[group].startswith("<sha:"):
            out.append(Span(*m.span(group), "key", "password"))
    return out


def pgpass(text: str) -> list[Span]:
    """The fifth field: host:port:database:user:password (libpq)."""
    return [Span(*m.span(5), "key", f"{m[1]}.{m[4]}") for m in _PGPASS.finditer(text) if not is_marker(m[5])]


def shadow(text: str) -> list[Span]:
    """The second field of shadow, gshadow and htpasswd files (shadow(5)). A locked account has none."""
    out = []
    for m in _FIELD.finditer(text):
        value = m[2].strip()
        if len(value) <= 2 or _LOCKED.fullmatch(value) or value.startswith("<sha"):
            continue
        start = m.start(2) + (1 if value[0] == "!" else 0)
        if start < m.end(2):
            out.append(Span(start, m.end(2), "hash", m[1]))
    return out


def bare(text: str, path: str) -> list[Span]:
    """A file whose whole content is the secret, known by its name (``.vault-token``, ``/run/secrets/…``)."""
    core = text.strip()
    if (
        not core
        or "\n" in core
        or len(core) > 4096
        or not _BARE.search(path)
        or MARKER.search(core)
        or re.search(r"[=:]\s", core)
    ):
        return []
    start = text.index(core[0])
    return [Span(start, start + len(core), "file")]
