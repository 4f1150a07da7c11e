"""Secrets that only a fixed mark gives away: the talk of mail, file and chat servers, hash dumps, ``chpasswd`` lists.

A mark is a literal, looked for in all of the text at once; the grammar behind it is asked only of the lines that hold
one. What such a line announces is on the lines below it: ``reaches`` says how far, so that no stream is cut there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from ssh_mcp.redaction.automata import as_ascii, ascii_asks
from ssh_mcp.redaction.detectors.base import Reach, TextDetector
from ssh_mcp.redaction.keys import KeyMatcher, Strength
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.quoting import Place
from ssh_mcp.redaction.stretch import Stretch
from ssh_mcp.redaction.values import is_constant, is_marker, is_reference, is_status, looks_random

_LINE_MAX = 4_096
"""Characters of a line in which a mark is looked at."""
_LIST_LINES = 200
"""Lines of a list of accounts."""

_PASS = re.compile(r"(?:^|[^\w/])PASS[ \t]+(?!:)([^\s\"][^\r\n\"]{0,255}?)\"?[ \t]*\r?$", re.MULTILINE)
_BASE64_WORD = re.compile(r"(?:^|[ \t])(?!VXNlcm5hbWU6|UGFzc3dvcmQ6)([A-Za-z0-9+/]{4,1024}={0,2})[ \t]*\r?$")
_NEXT_PASSWORD = re.compile(r"^[ \t]*(?:password|passwd|pass)[ \t]+[\"']?([^\s\"']{1,256})[\"']?[ \t]*\r?$")


_PGPASS = re.compile(
    r"^[\w.\-*/]{1,256}:(?:\d{2,5}|\*):[\w\-*]{1,64}:[\w.\-*@]{1,64}:((?:\\.|[^\s:\\]){3,256})[ \t]*\r?$"
)
"""host:port:database:user:password, where no path shows which file it is (libpq)."""
_CHAP = re.compile(
    r"^(?:\"[^\"\n]{1,128}\"|[\w.@\\\-]{1,128})[ \t]+(?:\*|x?l2tpd|pptpd?|pppd|l2tp)[ \t]+"
    r"(?:\"([^\"\n]{3,256})\"|([^\s\"*]{3,256}))[ \t]+(?:\*|\"\*\"|\d{1,3}(?:\.\d{1,3}){3}(?:/\d{1,2})?)[ \t]*\r?$"
)
"""client, server, secret, addresses: chap-secrets and pap-secrets (pppd(8))."""
_STARS = re.compile(
    r" \* {1,40}[!-~]{3,256}[ \t]{1,40}(?:\*|\"\*\"|\d{1,3}\.\d{1,3}\.[\d./]{3,18})[ \t]{0,40}\r?$", re.MULTILINE
)
"""The same behind a client's name: asked first, for a changelog has a star on every line."""


class _Exchange(NamedTuple):
    """A line that ``above`` matches, and what is within ``lines`` lines below it. ``named``: group 1 is a name."""

    mark: str
    above: re.Pattern[str]
    below: re.Pattern[str]
    lines: int
    named: bool = False


_EXCHANGES = (
    _Exchange("USER ", re.compile(r"(?:^|[^\w/])USER [^\s\"]{1,128}\"?[ \t]*\r?$"), _PASS, 6),
    _Exchange("331 ", re.compile(r"(?:^|[ \t])331 [A-Z]"), _PASS, 3),
    _Exchange("334 VXNlcm5hbWU6", re.compile(r"334 VXN"), _BASE64_WORD, 1),
    _Exchange("334 UGFzc3dvcmQ6", re.compile(r"334 UGF"), _BASE64_WORD, 1),
    _Exchange("login ", re.compile(r"^[ \t]*login[ \t]+\S{1,128}[ \t]*\r?$"), _NEXT_PASSWORD, 2),
    _Exchange("user ", re.compile(r"^[ \t]*user[ \t]+\S{1,128}[ \t]*\r?$"), _NEXT_PASSWORD, 2),
    _Exchange(
        ') "',
        re.compile(r"^[ \t]*\d{1,4}\) \"([\w.\-]{1,100})\"[ \t]*\r?$"),
        re.compile(r"^[ \t]*\d{1,4}\) \"([^\"\r\n]{1,512})\"[ \t]*\r?$"),
        1,
        named=True,
    ),
    _Exchange(
        "]=>",
        re.compile(r"^[ \t]*\[\"([\w.\-]{1,100})\"[^\]\n]{0,100}\]=>[ \t]*\r?$"),
        re.compile(r"^[ \t]*string\(\d{1,9}\) \"([^\n]{1,2048})\"[ \t]*\r?$"),
        1,
        named=True,
    ),
    _Exchange(
        'form-data; name="',
        re.compile(r"form-data; name=\"([\w.\-\[\]]{1,100})\"[ \t]*\r?$"),
        re.compile(r"^([^\r\n]{1,512})\r?$"),
        1,
        named=True,
    ),
    _Exchange(
        "Password for the [",
        re.compile(r"Password for the \[\w+\] user"),
        re.compile(r"^New value: (\S{8,256})[ \t]*\r?$"),
        2,
    ),
    _Exchange(
        "use the following password to",
        re.compile(r"use the following password to"),
        re.compile(r"(?:^|[\s:])([0-9a-f]{32})[ \t]*\r?$"),
        3,
    ),
    _Exchange("requirepass", re.compile(r"^requirepass[ \t]*\r?$"), re.compile(r"^(\S{3,256})[ \t]*\r?$"), 1),
    _Exchange(
        '"keyName"',
        re.compile(r"^[ \t]*\"keyName\": \"\w{1,40}\",[ \t]*\r?$"),
        re.compile(r"^[ \t]*\"value\": \"([A-Za-z0-9+/]{40,200}={0,2})\""),
        2,
    ),
    _Exchange(
        "expect",
        re.compile(r"expect[ (][^\n]{0,200}?assword"),
        re.compile(r"\bsend(?:line)?[ (]{1,4}(?:-- )?[\"']([^\"'\\\n]{3,256})(?:\\[rn]){0,2}[\"']"),
        3,
    ),
    _Exchange(
        "for the elastic user",
        re.compile(r"[Pp]assword for the elastic user"),
        re.compile(r"^[^\w\n]{0,9}([\w\-+=*]{8,64})[ \t]*\r?$"),
        1,
    ),
)
_ON_ONE_LINE: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("PASSWORD ", re.compile(r"^PASSWORD \w{1,40} = (\S{6,256})[ \t]*\r?$")),
    ("cation,signing", re.compile(r"(?:^|[ \t])([a-z0-9]{6}\.[a-z0-9]{16})[ \t]")),
    ("Secret ID", re.compile(r"^Secret ID[ \t]*=[ \t]*([0-9a-f-]{36})[ \t]*\r?$")),
    *((mark, _PGPASS) for mark in (":5432:", ":5433:", ":6432:", ":*:")),
    *((mark, _CHAP) for mark in ("\t*\t", "pptpd", "l2tpd")),
    ('"PASS ', re.compile(r"\"PASS ([^\s\"<][^\"\r\n]{0,255})\"")),
    (
        " LOGIN ",
        re.compile(
            r"(?:^|[ \t>])[A-Za-z]{0,5}\d{1,6} LOGIN (?:\"[^\"\n]{1,128}\"|[^\s\"]{1,128}) "
            r"\"?([^\"\r\n]{1,256}?)\"?[ \t]*\r?$"
        ),
    ),
    ("IDENTIFY ", re.compile(r"(?i)NickServ[^\n]{0,40}IDENTIFY (?:\S{1,64} )?(\S{3,256})[ \t]*\r?$")),
    ('"AUTH" ', re.compile(r"\"AUTH\" (?:\"[^\"\n]{1,128}\" )?\"([^\"\r\n]{1,512})\"[ \t]*\r?$")),
    (
        "> AUTH ",
        re.compile(r"^\S{1,80}:\d{1,5}(?:\[\d{1,2}\])?> AUTH (?:[^\s\"]{1,128} )?\"?([^\s\"]{1,512})\"?[ \t]*\r?$"),
    ),
    (" crypt ", re.compile(r"\d crypt [\w\-:]{3,64} ([0-9a-f]{32,256}) \d")),
    (") 0x", re.compile(r"(?:auth|auth-trunc|enc|aead) \S{1,64} (0x[0-9a-f]{16,512})")),
    ('"kty"', re.compile(r"\"(?:d|k)\"[ \t]{0,4}:[ \t]{0,4}\"([\w\-]{20,4096})\"")),
    (
        "mnemonic",
        re.compile(r"mnemonic[\"']?[ \t]{0,4}[:=][ \t]{0,4}[\"']?((?:[a-z]{3,8} ){11,23}[a-z]{3,8})(?![a-z])"),
    ),
    (
        "phrase",
        re.compile(
            r"(?i:(?:seed|recovery|secret)[ _\-]?phrase)[\"']?[ \t]{0,4}[:=][ \t]{0,4}"
            r"[\"']?((?:[a-z]{3,8} ){11,23}[a-z]{3,8})(?![a-z])"
        ),
    ),
    ("passwd/", re.compile(r"\bpasswd/[\w\-]*password[\w\-]*[ \t]+password[ \t]+(\S{1,256})")),
    ("rootpw ", re.compile(r"^[ \t]*rootpw[ \t]+--plaintext[ \t]+(\S{1,256})")),
    ("SQLConnectInfo ", re.compile(r"^[ \t]*SQLConnectInfo[ \t]+\S{1,256}[ \t]+\S{1,128}[ \t]+(\S{1,256})")),
    ("cache_peer ", re.compile(r"^[ \t]*cache_peer [^\n]{1,200}? login=[^\s:*]{1,128}:(\S{1,256})")),
    (
        ".auth = (",
        re.compile(r"\.auth = \([\"'][^\"'\n]{1,128}[\"'],[ \t]{0,4}[\"']([^\"'\n]{1,256})[\"']"),
    ),
    (
        "getConnection(",
        re.compile(
            r"DriverManager\.getConnection\([^,\n]{1,300},[ \t]{0,4}\"[^\"\n]{0,128}\",[ \t]{0,4}\"([^\"\n]{1,256})\""
        ),
    ),
    ("neighbor ", re.compile(r"^[ \t]*neighbor \S{1,128} password (?:\d )?(\S{1,256})[ \t]*\r?$")),
    ("message-digest-key ", re.compile(r"message-digest-key \d{1,3} md5 (?:\d )?(\S{1,256})[ \t]*\r?$")),
    ("syncrepl ", re.compile(r"^[ \t]*syncrepl [^\n]{0,2000}?[ \t]credentials=\"?([^\s\"]{1,256})")),
    ("rootpwmodpw ", re.compile(r"^[ \t]*rootpwmodpw[ \t]+(\S{1,256})")),
    ('"encrypt"', re.compile(r"\"encrypt\"[ \t]{0,4}:[ \t]{0,4}\"([A-Za-z0-9+/]{22,43}={1,2})\"")),
    ("routing_key", re.compile(r"routing_key[\"']?[ \t]{0,4}[:=][ \t]{0,4}[\"']?([0-9a-f]{32})(?!\w)")),
    ("net use ", re.compile(r"net use \S{1,64} \S{1,256} ([^\s/*]\S{0,127}) /user:")),
    (" on #", re.compile(r"user \S{1,128} on #([0-9a-f]{64})(?!\w)")),
    ("secret key is: ", re.compile(r"secret key is: (\S{8,256})[ \t]*\r?$")),
    ("etcdctl ", re.compile(r"etcdctl [^\n]{0,200}?--user[ =][^\s:]{1,128}:(\S{1,256})")),
    (
        "nmcli ",
        re.compile(
            r"nmcli [^\n]{0,200}? (?:password|psk|wifi-sec\.psk|802-11-wireless-security\.psk) [\"']?([^\s\"']{1,128})"
        ),
    ),
    ("gh secret set ", re.compile(r"gh secret set [^\n]{0,200}?(?:--body|-b)[ =][\"']?([^\s\"']{1,512})")),
    ("expdp ", re.compile(r"(?:^|[ \t])expdp [^\s/]{1,64}/([^\s@]{1,128})")),
    ("impdp ", re.compile(r"(?:^|[ \t])impdp [^\s/]{1,64}/([^\s@]{1,128})")),
    ("alias set ", re.compile(r"\bmc alias set \S{1,64} \S{1,256} \S{1,128} (\S{8,128})")),
    ("rabbitmqadmin ", re.compile(r"rabbitmqadmin [^\n]{0,200}?(?:-p|--password)[ =](\S{1,256})")),
    ("vncpasswd ", re.compile(r"vncpasswd [^\n]{0,60}?<<<[ \t]*[\"']?([^\s\"']{1,128})")),
    (
        "snmp",
        re.compile(
            r"snmp(?:walk|get|set|bulkwalk|getnext) [^\n]{0,200}?-c[ \t]*(?!public\b|private\b)([^\s\-]\S{2,128})"
        ),
    ),
    ("password for ", re.compile(r"(?i)\bpassword for [\w.@\-]{1,128}: (?=\S*\d)(?=\S*[A-Za-z])(\S{6,256})[ \t]*\r?$")),
    (
        "| pass",
        re.compile(
            r"^[ \t]*\|[ \t]*\w{0,40}pass(?:word|wd|phrase)?[ \t]*\|[ \t]*"
            r"(?=[^|\n]*[0-9!@#$%^&*])([^\s|]{5,256})[ \t]*\|[ \t]*\r?$"
        ),
    ),
    (
        "<td>",
        re.compile(
            r"(?i)<t[hd]>(?:\w+ )?(?:password|passwort|api key|token|secret)</t[hd]>\s{0,9}<td>([^<>\s]{4,256})</td>"
        ),
    ),
)
_NTLM = re.compile(r":((?:[0-9A-Fa-f]{32}|X{32}|NO PASSWORD\*{21}):[0-9A-Fa-f]{32})(?=:)")
_JAR = re.compile(
    r"^[^\s]{3,256}\t(?:TRUE|FALSE)\t[^\t\n]{1,256}\t(?:TRUE|FALSE)\t\d{1,12}\t([^\t\n]{1,256})\t([^\t\r\n]{8,4096})\r?$"
)
_CHPASSWD = re.compile(r"^([ \t]*)(?:- )?[\"']?chpasswd[\"']?:[ \t]*\r?$")
_HEREDOC = re.compile(r"chpasswd[^\n]{0,80}?<<-?[ \t]*[\"']?(\w{1,40})[\"']?")
_ACCOUNT = re.compile(r"^[ \t]*(?:- )?[\"']?([A-Za-z_][\w.\-]{0,63}):([^\s\"'][^\r\n\"']{0,255}?)[\"']?[ \t]*\r?$")
_GENERATED = frozenset({"RANDOM", "R"})
_OTHER_MARKS = ("chpasswd", "\tTRUE\t", "\tFALSE\t", ":XXXXXXXX", ":aad3b435", ":NO PASS", " * ")

MARKS = tuple(e.mark for e in _EXCHANGES) + tuple(m for m, _ in _ON_ONE_LINE) + _OTHER_MARKS
"""What a text must hold for anything here to be found in it."""


def spans(text: str, keys: KeyMatcher, marks: Container[str]) -> list[Span]:
    """Everything of this module in ``text``, which holds none of ``MARKS`` beside ``marks``."""
    out: list[Span] = []
    for exchange in _EXCHANGES:
        if exchange.mark not in marks:
            continue
        for begin, end in _lines_with(text, exchange.mark):
            if (above := exchange.above.search(text[begin:end])) and _may_name(exchange, above, keys):
                out += _answer(text, end, exchange)
    for mark, pattern in _ON_ONE_LINE:
        if mark not in marks:
            continue
        for begin, end in _lines_with(text, mark):
            found = (_span(begin, m) for m in pattern.finditer(text[begin:end]))
            out += [span for span in found if _is_literal(text[span.start : span.end])]
    for near in _STARS.finditer(text):
        begin = text.rfind("\n", max(0, near.start() - 200), near.start()) + 1
        m = _CHAP.match(text[begin : near.end()]) if near.start() - begin <= 200 else None
        out += [_span(begin, m)] if m and _is_literal(m[m.lastindex or 1]) else []
    return out + _dumps(text, keys) + _accounts(text)


def reaches(text: str, keys: KeyMatcher, marks: Container[str]) -> Iterator[tuple[int, int | None]]:
    """From each line that announces something to behind the last line in which it may be; None: not there yet."""
    for exchange in _EXCHANGES:
        if exchange.mark not in marks:
            continue
        for begin, end in _lines_with(text, exchange.mark):
            if (above := exchange.above.search(text[begin:end])) and _may_name(exchange, above, keys):
                yield begin, _below(text, end, exchange.lines)
    for begin, end in _lines_with(text, "chpasswd"):
        if _CHPASSWD.match(text[begin:end]) or _HEREDOC.search(text[begin:end]):
            yield begin, _list_end(text, begin, end)


def _may_name(exchange: _Exchange, above: re.Match[str], keys: KeyMatcher) -> bool:
    return not exchange.named or keys.strength(above[1].strip("[]")) is Strength.STRONG or above[1] in _DIRECTIVES


_DIRECTIVES = frozenset({"requirepass", "masterauth", "tls-key-file-pass"})


def _lines_with(text: str, mark: str) -> Iterator[Place]:
    """Bounds of the lines that hold ``mark``, without their line ends; of a very long one what is near it."""
    at = text.find(mark)
    while at >= 0:
        begin = text.rfind("\n", max(0, at - _LINE_MAX), at) + 1 or max(0, at - _LINE_MAX)
        end = text.find("\n", at, at + _LINE_MAX)
        end = min(len(text), at + _LINE_MAX) if end < 0 else end
        yield begin, end
        at = text.find(mark, end)


def _following(text: str, at: int) -> Iterator[Place]:
    """The lines below the one that ends at ``at``."""
    while at < len(text) and (nl := text.find("\n", at)) >= 0 and nl + 1 < len(text):
        end = text.find("\n", nl + 1)
        at = len(text) if end < 0 else end
        yield nl + 1, at


def _answer(text: str, at: int, exchange: _Exchange) -> list[Span]:
    left = exchange.lines
    for begin, end in _following(text, at):
        line = text[begin : min(end, begin + _LINE_MAX)]
        if not line.strip():
            continue
        if m := exchange.below.search(line):
            return [_span(begin, m)] if _is_literal(m[1]) else []
        left -= 1
        if not left:
            break
    return []


def _below(text: str, at: int, count: int) -> int | None:
    """Behind the ``count``-th line below that is not blank; None where the text ends before."""
    for begin, end in _following(text, at):
        count -= not text[begin:end].isspace() and end > begin
        if not count:
            return end + 1 if end < len(text) else None
    return None


def _span(offset: int, m: re.Match[str]) -> Span:
    group = m.lastindex or 1
    return Span(offset + m.start(group), offset + m.end(group), "key")


def _is_literal(value: str) -> bool:
    return not (is_reference(value) or is_marker(value) or is_constant(value) or is_status(value) or "<sha:" in value)


def _dumps(text: str, keys: KeyMatcher) -> list[Span]:
    """Hash dumps of Windows and Samba accounts, and browsers' cookie files."""
    out: list[Span] = []
    for mark in (":XXXXXXXX", ":aad3b435", ":NO PASS"):
        for begin, end in _lines_with(text, mark):
            out += [_span(begin, m)._replace(kind="hash") for m in _NTLM.finditer(text[begin:end])]
    for mark in ("\tTRUE\t", "\tFALSE\t"):
        for begin, end in _lines_with(text, mark):
            m = _JAR.match(text[begin:end])
            if m and (keys.strength(m[1]) or looks_random(m[2])) and not is_marker(m[2]):
                out.append(Span(begin + m.start(2), begin + m.end(2), "key", m[1]))
    return out


def _accounts(text: str) -> list[Span]:
    """``user:password`` lines below cloud-init's ``chpasswd:`` and in what is fed to chpasswd(8)."""
    out: list[Span] = []
    for begin, end in _lines_with(text, "chpasswd"):
        line = text[begin:end]
        if not (_CHPASSWD.match(line) or _HEREDOC.search(line)):
            continue
        stop = _list_end(text, begin, end) or len(text)
        for low, high in _following(text, end):
            if low >= stop:
                break
            m = _ACCOUNT.match(text[low:high])
            if m and m[2] not in _GENERATED and _is_literal(m[2]):
                out.append(Span(low + m.start(2), low + m.end(2), "key", m[1]))
    return out


def _list_end(text: str, begin: int, end: int) -> int | None:
    """Where a list ends that the line announces: at the heredoc's word, or at the first line not indented deeper."""
    line = text[begin:end]
    heredoc = _HEREDOC.search(line)
    depth = len(line) - len(line.lstrip())
    done: Callable[[str], bool] = (
        (lambda below: below.strip() == heredoc[1])
        if heredoc
        else (lambda below: bool(below.strip()) and len(below) - len(below.lstrip()) <= depth)
    )
    for count, (low, high) in enumerate(_following(text, end)):
        if done(text[low:high]) or count == _LIST_LINES:
            return low
    return None


_AT_END = r"[!-~]+[ \t]*\r?(?:\n|$)"
_BEHIND_MARK = {
    "user ": _AT_END,
    "login ": _AT_END,
    "USER ": _AT_END,
    "331 ": "[A-Z]",
    "snmp": "(?:walk|get|set|bulk)",
    ') "': r"[!-~]+\"",
    "requirepass": r"[ \t]*\r?(?:\n|$)",
    "expect": r"[ (][^\n]*assword",
    "PASSWORD ": r"\w+ = ",
    ":*:": r"[\w\-*]+:[\w.\-*@]+:[!-~]",
    " * ": r" *[!-~]+[ \t]+(?:\*|\"\*\"|[0-9]+\.[0-9]+\.[0-9.]+(?:/[0-9]+)?)[ \t]*\r?(?:\n|$)",
}
"""Marks that are common in ordinary text, with what must follow them."""
_MARKS_TOGETHER = 12
"""A dozen in each automaton: Rust finds so few literals with SIMD (15 us in 200 kB each; all in one took 60 to 350)."""
_PATTERNS = tuple(re.escape(mark) + _BEHIND_MARK.get(mark, "") for mark in MARKS)
_GROUPS = tuple(
    (MARKS[n : n + _MARKS_TOGETHER], ascii_asks("|".join(_PATTERNS[n : n + _MARKS_TOGETHER])))
    for n in range(0, len(MARKS), _MARKS_TOGETHER)
)


def _marks(text: str) -> frozenset[str]:
    """Those of the marks that ``text`` may contain; wider than those that it does."""
    probe = as_ascii(text)
    return frozenset(chain.from_iterable(marks for marks, ask in _GROUPS if ask(probe)))


def _find(page: Stretch, _: Sequence[Place]) -> list[Span]:
    marks = _marks(page.text)
    return spans(page.text, page.keys, marks) if marks else []


def _reach(page: Stretch, _: Sequence[Place]) -> list[Reach]:
    marks = _marks(page.text)
    return [Reach(*reach) for reach in reaches(page.text, page.keys, marks)] if marks else []


DETECTOR = TextDetector(
    name="marked lines",
    find=_find,
    reach=_reach,
    default_words=True,
    anywhere=_PATTERNS,
    hit="220 ready\nUSER app\n331 Please specify the password.\nPASS «hunter2x9»\n230 Login successful.",
    miss="220 ready\nUSER app\n331 Please specify the password.\nQUIT",
)
