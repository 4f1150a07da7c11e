"""The facts that ssh's log has about one login. Pure: text in, ``LogReport`` out; ``failures`` makes errors of it.

Both shapes are read: the plain lines and ``debugN:`` lines of ``-v``, and those that LogVerbose forces out, which carry
their place in the source (``debug1: kex.c:function():1347 (pid=14) : …``). ssh's messages are not localised; their
wording is that of OpenSSH 8.0 to 10.x. Everything in here may have been chosen by the far end, and so texts are kept
printable and short.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from transports.api import LoginInfo

TEXT_MAX: Final = 300
BANNER_MAX: Final = 4096

_PREFIX = re.compile(r"(?:debug\d: )?(?:[\w.-]+\.c:\w+\(\):\d+ \((?:bin=\S+ ?,? ?)?pid=\d+\): )?")
_FINGERPRINT: Final = r"(?:SHA256|MD5):[A-Za-z0-9+/=:]+"


class Verdict(StrEnum):
    """What ssh decided about the host's key."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    CHANGED = "changed"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class LogReport:
    """The facts of one attempt; a field that the log did not mention is None, empty or False.

    ``methods`` are what the server would still have accepted at the end; ``offered`` are "name TYPE fingerprint" of the
    keys that were shown to it; ``accepted_key`` is the fingerprint of the last one it said yes to; ``partial`` is the
    method that it accepted as one of several ("" where an ssh before 8.6 does not name it). ``offending`` is the
    "file:line" of a contradicting known_hosts entry. ``no_match`` is (kind, their offer). ``connect`` and ``ended`` are
    the operating system's and ssh's words for a connection that did not come about or broke; ``errors`` are all lines
    above debug level.
    """

    login: LoginInfo = field(default_factory=LoginInfo)
    authenticated: bool = False
    key_type: str | None = None
    verdict: Verdict | None = None
    offending: str | None = None
    certificate_problem: str | None = None
    ca_fingerprint: str | None = None
    methods: tuple[str, ...] = ()
    tried: tuple[str, ...] = ()
    offered: tuple[str, ...] = ()
    accepted_key: str | None = None
    partial: str | None = None
    denied: bool = False
    too_many: bool = False
    signing_problem: str | None = None
    key_problem: str | None = None
    no_match: tuple[str, str] | None = None
    unresolved: str | None = None
    connect: str | None = None
    ended: str | None = None
    timed_out: bool = False
    configuration: str | None = None
    loop: bool = False
    server_text: str | None = None
    errors: tuple[str, ...] = ()


def clean(text: str, limit: int = TEXT_MAX) -> str:
    """One printable line of at most ``limit`` characters."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def clean_banner(text: str) -> str | None:
    """A login banner without control characters but with its lines; None where nothing is left."""
    kept = "".join(c for c in text.replace("\r\n", "\n") if c.isprintable() or c == "\n").strip()
    return kept[:BANNER_MAX] or None


@dataclass(slots=True)
class _Notes:
    """Where the patterns' finds are gathered while the log is read."""

    one: dict[str, str] = field(default_factory=dict)
    many: dict[str, list[str]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def add(self, name: str, value: str) -> None:
        self.many.setdefault(name, []).append(value)


_PATTERNS: Final = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("version", r"Remote protocol version [\d.]+, remote software version (?P<v>.*)"),
        ("host_key", rf"Server host key: (?P<t>\S+) (?P<v>{_FINGERPRINT})"),
        ("host_certificate", rf"Server host certificate: (?P<t>\S+) (?P<v>{_FINGERPRINT}).* CA \S+ (?P<ca>\S+:\S+)"),
        ("known", r"Host '.*' is known and matches the (?P<v>.*)\."),
        ("unknown", r"No (?P<v>\S+) host key is known for .* strict checking"),
        ("changed", r"(?:Host key|Host certificate|\S+ host key) for .* has changed and you have requested"),
        ("changed", r"@\s+WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!"),
        ("revoked", r".* host key for (?P<v>.*) (?:was revoked|is marked as revoked)"),
        ("offending", r"Offending (?:\S+ )?key (?:for IP )?in (?P<v>.+:\d+)$"),
        ("certificate_problem", r"Certificate invalid: (?P<v>.*)"),
        ("verification_failed", r"Host key verification failed"),
        ("methods", r"Authentications that can continue: (?P<v>\S+)"),
        ("tried", r"Next authentication method: (?P<v>\S+)"),
        ("offered", rf"Offering public key: (?P<v>.*? \S+ {_FINGERPRINT})"),
        ("accepted", rf"Server accepts key: .*?(?P<v>{_FINGERPRINT})"),
        ("partial", r"Authenticated using \"(?P<v>[\w-]+)\" with partial success"),
        ("partial", r"Authenticated with partial success"),
        ("authenticated", r"Authenticated to .* using \"(?P<v>[\w-]+)\""),
        ("authenticated", r"Authentication succeeded \((?P<v>[\w-]+)\)"),
        ("denied", r"(?:.*@\S+: )?Permission denied \((?P<v>[^)]*)\)"),
        ("denied", r"(?:.*@\S+: )?Permission denied, please try again"),
        ("too_many", r".*Too many authentication failures"),
        ("signing", r"(?:sign_and_send_pubkey: )?signing failed for (?P<v>.*)"),
        ("key_problem", r"Load key \"(?P<k>.*)\": (?P<v>.*)"),
        ("key_missing", r"no such identity: (?P<v>.*): No such file or directory"),
        ("no_match", r"Unable to negotiate with .*: no matching (?P<t>.+) found\. Their offer: (?P<v>.*)"),
        ("unresolved", r"(?:ssh: )?Could not resolve hostname (?P<v>.*)"),
        ("connect", r"ssh: connect to host .* port \d+: (?P<v>.*)"),
        ("banner_timeout", r"Connection timed out during banner exchange"),
        ("ended", r"(?P<v>Connection (?:closed|reset) by .*)"),
        ("timed_out", r"Connection to .* port \d+ timed out"),
        ("timed_out", r"Timeout, server .* not responding"),
        ("ended", r"(?P<v>(?:Connection )?closed by remote host.*)"),
        ("server_text", r"Received disconnect from .* port \d+:\d+: (?P<v>.*)"),
        ("server_text", r"kex_exchange_identification: banner line \d+: (?P<v>.*\S)"),
        ("server_text", r"banner line \d+: (?P<v>.*\S)"),
        ("loop", r"(?:ssh: )?jumphost loop via"),
    )
)  # fmt: skip
_CONFIGURATION = re.compile(r"Bad owner or permissions on .*|Can't open .*|.*[: ]line \d+: .*")
_NOISE = re.compile(r"@+$|@ .* @$|Transferred: |Bytes per second: |Warning: Permanently added")
_DEBUG: Final = frozenset({"debug1", "debug2", "debug3"})


def read(log: str, banner: str = "", *, configuration: bool = False) -> LogReport:
    """The facts of one log. ``banner`` is what ssh wrote to stderr while its log went elsewhere.

    ``configuration``: the ssh only read its files (``-G``), so that "file: line 3: …" is its complaint about them and
    not a shell's about a ProxyCommand.
    """
    notes = _Notes()
    for line in log.splitlines():
        message = _PREFIX.sub("", line, count=1).strip()
        if not message:
            continue
        debug = line[:6] in _DEBUG
        if configuration and (match := _CONFIGURATION.match(message)):
            notes.one["configuration"] = clean(match[0])
        elif not (debug and message.startswith("no such identity")):  # ssh's default files, nobody asked for them
            _note(notes, message)
        if not debug and not _NOISE.match(message):
            notes.errors.append(clean(message))
    return _report(notes, banner)


_ANY: Final = re.compile("|".join(re.sub(r"\(\?P<\w+>", "(?:", pattern.pattern) for _, pattern in _PATTERNS))
"""One look instead of thirty-seven for the lines that say nothing: of a login that went well those are most."""


def _note(notes: _Notes, message: str) -> None:
    if _ANY.match(message) is None:
        return
    for name, pattern in _PATTERNS:
        match = pattern.match(message)
        if match is None:
            continue
        groups = match.groupdict()
        value = clean(groups.get("v") or "")
        notes.add(name, value)
        notes.one[name] = value
        if name in {"host_key", "host_certificate"}:
            notes.one["key_type"] = groups["t"]
            notes.one["fingerprint"] = value
        if name == "host_certificate":
            notes.one["ca"] = groups["ca"]
        if name == "no_match":
            notes.one["no_match_kind"] = groups["t"]
        if name == "key_problem":
            notes.one["key_problem"] = clean(f"{groups['k']}: {groups['v']}")
        return


def _report(notes: _Notes, banner: str) -> LogReport:
    one, many = notes.one, notes.many
    denied = many.get("denied", [])
    methods = one.get("methods") or next((d for d in reversed(denied) if d), "")
    return LogReport(
        login=LoginInfo(
            server_version=one.get("version"),
            host_key_fingerprint=one.get("fingerprint"),
            auth_method=one.get("authenticated"),
            banner=clean_banner(banner),
        ),
        authenticated="authenticated" in one,
        key_type=one.get("key_type"),
        verdict=_verdict(one),
        offending=one.get("offending"),
        certificate_problem=one.get("certificate_problem"),
        ca_fingerprint=one.get("ca"),
        methods=tuple(m for m in methods.split(",") if m),
        tried=tuple(dict.fromkeys(many.get("tried", []))),
        offered=tuple(dict.fromkeys(many.get("offered", []))),
        accepted_key=one.get("accepted"),
        partial=one.get("partial"),
        denied=bool(denied),
        too_many="too_many" in one,
        signing_problem=one.get("signing"),
        key_problem=one.get("key_problem") or _missing_key(one),
        no_match=(one["no_match_kind"], one["no_match"]) if "no_match" in one else None,
        unresolved=one.get("unresolved"),
        connect=one.get("connect"),
        ended=one.get("ended"),
        timed_out="banner_timeout" in one or "timed_out" in one,
        configuration=one.get("configuration"),
        loop="loop" in one,
        server_text=one.get("server_text"),
        errors=tuple(notes.errors[-8:]),
    )


def _missing_key(one: dict[str, str]) -> str | None:
    return f"{one['key_missing']}: no such file" if "key_missing" in one else None


def _verdict(one: dict[str, str]) -> Verdict | None:
    if "revoked" in one:
        return Verdict.REVOKED
    if "changed" in one:
        return Verdict.CHANGED
    if "unknown" in one or ("verification_failed" in one and "known" not in one):
        return Verdict.UNKNOWN
    return Verdict.KNOWN if "known" in one else None
