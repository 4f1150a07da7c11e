# ruff: noqa: E501 - samples are data
"""What operators, hosts and models write: hosts.toml, facts, commands, compose files, secrets in every format."""

from __future__ import annotations

import contextlib
import itertools
import random
import re
import tomllib
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any

from ssh_mcp.approval.question import Login, Question, Subject
from ssh_mcp.audit.reader import parse_line
from ssh_mcp.audit.rows import row
from ssh_mcp.cli.client_files import merged
from ssh_mcp.cli.clients import snippet
from ssh_mcp.errors import ConfigError, FileConflict, InvalidArgument, Refusal
from ssh_mcp.facts.jobs import Unreadable, parse_reply
from ssh_mcp.inventory import toml
from ssh_mcp.inventory.merge import merge
from ssh_mcp.inventory.model import CommandPolicy, RedactionPolicy
from ssh_mcp.inventory.remarks import remarks
from ssh_mcp.policy import commands
from ssh_mcp.policy.approval import AskMatch, AskRules, check_ask_entry
from ssh_mcp.policy.compose_file import decide_compose
from ssh_mcp.recording.asciicast import as_output, events
from ssh_mcp.redaction import engine as redaction
from ssh_mcp.redaction.detectors import DETECTORS
from ssh_mcp.redaction.lines import find as find_lines
from ssh_mcp.redaction.model import Format
from ssh_mcp.redaction.settled import settled
from ssh_mcp.remote.exec.jobs.text import Window, piece
from ssh_mcp.remote.patterns import LinePattern
from ssh_mcp.settings.file import parse_settings
from ssh_mcp.settings.model import load_settings
from ssh_mcp.shell.table import ROWS
from tests.fuzz.engine import Broken, Target
from tests.unit.facts.cases import FACTS, plain, read, stored

ROOT = Path(__file__).resolve().parent.parent.parent
DATA = ROOT / "tests" / "data"
SETTINGS, _ = load_settings({"ALLOW_PASSWORD_AUTH": "true"}, Path("/nonexistent/.env"))

# --- hosts.toml ---------------------------------------------------------------------------------------------------


def _toml(text: str, _rng: random.Random) -> None:
    try:
        document = toml.parse("hosts.toml", text, {"HOME": "/home/op", "VAR": "x"})
        hosts, outside = merge(document, SETTINGS)
        remarks((*hosts.values(), *outside.values()), document, SETTINGS)
    except ConfigError as error:
        if "\n" in str(error) or any(not c.isprintable() for c in str(error)):
            raise Broken(f"not one printable line: {error!s:.300}") from error


def _tomls() -> list[str]:
    cases = tomllib.loads((DATA / "inventory" / "refusals.toml").read_text())["case"]
    return [(ROOT / "hosts.toml.example").read_text(), *(f"[hosts.web01]\n{case['body']}" for case in cases)]


_TOML_TOKENS = [
    "[hosts.a]\n", "[hosts.a.auth]\n", "[defaults]\n", "[hosts]\n", "[[hosts]]\n", "hosts = 1\n", "= nan\n", "= -1\n",
    "port = 99999999999999999999\n", "= [[]]\n", "= {}\n", "= 1979-05-27\n", "= ''\n", "'''", "${HOME}", "${", "~",
    "proxy_jump = 'a'\n", "proxy_jump = ['web01', 'a']\n", "path_allowlist = ['*', '/']\n", "= true\n", "= 1e400\n",
    "notes = '\\u0000'\n", "hostname = '-oProxyCommand=x'\n", 'notes = """\n', "= 07:32:00\n", "\\x00", "= [1, 'a']\n",
    "restricted_globs = ['[', '***', '{a']\n", "docker_cmd = \"'\"\n", "identity_fingerprint = 'SHA256:'\n",
]  # fmt: skip

# --- facts --------------------------------------------------------------------------------------------------------


def _facts(text: str, rng: random.Random) -> None:
    """A host may answer any question with any text."""
    for name in rng.sample(sorted(FACTS), 6):
        parsed = FACTS[name].parse(text)
        plain(parsed.value)
        if len(parsed.problems) > 12 or any(len(p) > 1400 for p in parsed.problems):
            raise Broken(f"{name}: remarks without bound")


_FACT_TOKENS = [
    "{", "}", "[", "]", '{"a":', "null", "NaN", "1e999", "99999999999999999999999999", "-1", "%", "Ki", "\t", ":", "=",
    "\n", "  ", "days", "inet6 ", "::1/128", "Mem:", "kB", '"Size":', "true", "'", '"', "\ufffd", "0x", "-0", "²", "٣",
]  # fmt: skip

# --- commands -----------------------------------------------------------------------------------------------------

_COMMANDS = [
    "cat /etc/passwd | grep root && echo done || true",
    'for f in *.log; do gzip -9 "$f"; done',
    "if [ -f /x ]; then . /x; elif test -d y; then ls y; else :; fi",
    "find / -name '*.conf' -exec grep -l foo {} + 2>/dev/null",
    "sudo -u deploy sh -c 'cd /srv && git pull'",
    "cat <<'EOF' > /tmp/x\n$(id)\nEOF\n",
    "awk '{ print $1 | \"sort\" }' f; sed -e 's/a/b/e' f",
    'x=$(date +%s); y=`id`; echo ${x:-$y} $((x+1)) "${z##*/}"',
    'f() { local a=1; ls "$@"; }; f -l; case $1 in a|b) id;; *) :;; esac',
    "timeout 5 nice -n 3 env A=b xargs -0 -n1 echo < <(printf 'a\\0b')",
    "docker exec -it web sh -c \"echo 'a b' | tee -a /x\" & wait $!",
    "git -c core.pager=less log --format=%H -n1 -- path; tar czf - . | ssh h 'tar xz'",
    "echo $'\\x41' {a,b}{1..3} ~root/.ssh [[ -n $a && $b == c* ]]",
    "cat .env; tail -n 5 /home/u/.ssh/id_ed25519; grep KEY /srv/app/.env.local",
]  # fmt: skip
_SHELL_TOKENS = [
    "$(", "${", "$((", "`", "'", '"', "$'", "\\", "\n", "<<EOF\n", "<<-'E'\n", "EOF\n", ";;", "esac", "case x in", "do",
    "done", "if", "then", "fi", "{ ", " }", "( ", " )", "&&", "||", "|", "&", ";", "2>&1", ">|", "<(", "!", "[[", "]]",
    "((", "))", "function f", "f() ", "eval ", "exec ", "sh -c ", "sudo ", "find . -exec ", "xargs ", "*", "?", "[a-",
    "${a//b/c}", "${!x}", "#", "\r", "\u00a0", "coproc ", "time ", "select x in ", "until ", "awk '", "sed 's/", "{}", "+",
    "/etc/../.env", ".e*v", "{.e,x}nv", "~/.ssh/id_rsa", "~+/", "$IFS", "git ", "-C ", "--", "-exec", "BEGIN{system(", ")",
]  # fmt: skip
_POLICIES = [
    CommandPolicy(allow=("cat", "grep", "echo", "ls", "find", "sed", "awk", "sh", "sudo", "git", "xargs", "docker")),
    CommandPolicy(allow_any=True),
    CommandPolicy(),
]
_GLOBS = ("**/.env", "**/.env.*", "**/id_*", "**/.ssh/*")


def _permit(text: str, rng: random.Random) -> None:
    policy = rng.choice(_POLICIES)
    try:
        commands.permit(
            text,
            policy,
            commands.Circumstances(redact_globs=_GLOBS, default_dir="/srv/app", sudo=rng.random() < 0.2, host="web"),
        )
    except Refusal as refusal:
        said = str(refusal)
        if len(said) > 4000:
            raise Broken(f"a refusal of {len(said)} characters") from None


# --- programs whose arguments matter ----------------------------------------------------------------------------------


def _siblings() -> list[str]:
    kinds = tomllib.loads((DATA / "attacks" / "kinds.toml").read_text())
    siblings = tomllib.loads((DATA / "attacks" / "siblings.toml").read_text())
    groups = [*siblings["refused"].values(), siblings["allowed"]["commands"]]
    return [c["command"] for kind in ("refused", "allowed") for c in kinds[kind]] + [c for g in groups for c in g]


_TABLE = CommandPolicy(allow=(*ROWS, "echo", "printf", "cat", "touch x"), cheatsheet=False)
_ASKS = AskRules.of([("command:touch", "a:1"), ("command:sqlite3 x", "a:2"), ("write:/tmp/**", "a:3")])
_TABLE_TOKENS = [
    "--", "--plugin_dir=/tmp", "--loose-", "-e", "-c", "'\\! x'", "'.shell x'", "system x", "<<'E'\n", "\nE\n", "<<< ", " | ",
    "echo ", "printf '%s\n' ", "\\056", "$x", '"$x"', "x='", "@", "gsort ", "sqlite3 ", "psql ", "mysql ", "lftp ", "socat ",
    "nmap ", "mail ", "touch /tmp/c", "-exec", "!!", ",", "EXEC:", "=", "_", "\\", "'", '"', ";", "\n", "`", "for i in ",
]  # fmt: skip


def _table(text: str, rng: random.Random) -> None:
    """A decision for every text, and ask rules that never let the start of a program pass that they name."""
    try:
        permitted = commands.permit(text, _TABLE if rng.random() < 0.8 else CommandPolicy(allow_any=True))
    except Refusal as refusal:
        if len(str(refusal)) > 8000:
            raise Broken(f"a refusal of {len(str(refusal))} characters") from None
        return
    started = permitted.invocations is None or any(i.base == "touch" for i in permitted.invocations)
    if started and not _ASKS.for_command(permitted):
        raise Broken("an ask rule missed what it names")


# --- compose ------------------------------------------------------------------------------------------------------

_COMPOSE = [
    "services:\n  web:\n    image: nginx\n    ports: ['80:80']\n    volumes:\n      - /srv/www:/usr/share/nginx/html:ro\n",
    (
        "services:\n  db:\n    image: postgres\n    environment: {POSTGRES_PASSWORD: x}\n    volumes: [data:/var/lib]\n"
        "    deploy: {resources: {limits: {cpus: '0.5'}}}\nvolumes: {data: {}}\nnetworks: {default: {driver: bridge}}\n"
    ),
    "x-a: &a {restart: always}\nservices:\n  s:\n    <<: *a\n    build: {context: .}\n    env_file: [a.env]\n",
]
_COMPOSE_TOKENS = [
    "privileged: true\n", "network_mode: host\n", "pid: host\n", "&a ", "*a", "<<: ", "- ", ": ", "{", "}", "[", "]", "|\n",
    ">\n", "!!python/object:os.system x\n", "!!binary x", "? ", "---\n", "...\n", "%YAML 9\n", "~", "null", "1e999", ".nan",
    "2001-99-99", "0o7", "0b2", "'", '"', "\t", "devices: [/dev/sda]\n", "extends: {file: /x}\n", "${VAR:-/}", "1:60:60",
]  # fmt: skip


def _compose(text: str, rng: random.Random) -> None:
    try:
        decide_compose(text, creates=rng.random() < 0.7, privileged=rng.random() < 0.2)
    except InvalidArgument as refusal:
        if len(str(refusal)) > 3000:
            raise Broken(f"a refusal of {len(str(refusal))} characters") from None


# --- redaction ----------------------------------------------------------------------------------------------------


@cache
def _rules() -> Any:
    return [
        redaction.rules_from(RedactionPolicy(salt="s" * 40)),
        redaction.rules_from(RedactionPolicy(hint_chars=4)),
        redaction.rules_from(RedactionPolicy(keys_add=("zebra",), entropy=False)),
    ]


def _detectors(text: str, _rng: random.Random) -> None:
    """Bounds of what is found, a gate that hides nothing of it, and no cut inside of it."""
    rules = _rules()[0]
    spans = find_lines(text, rules)
    if any(not 0 <= s.start <= s.end <= len(text) for s in spans):
        raise Broken("a span outside of the text")
    if spans and text.isascii() and not rules.gate.may_find(text):
        raise Broken(f"the gate is shut: {spans[0]}")
    for span in spans[:20]:
        for m in itertools.islice(re.finditer("\n", text[span.start : span.end]), 3):
            at = span.start + m.end()
            if settled(text[:at], rules)[0] > span.start:
                raise Broken(f"cut at {at} inside of {span}")


def _redact(text: str, rng: random.Random) -> None:
    rules = rng.choice(_rules())
    kind = rng.choice([None, *Format])
    once = redaction.redact_file(text, rules, format=kind)
    again = redaction.redact_file(once.text, rules, format=kind or once.format)
    if again.text != once.text:
        raise Broken(f"{kind}: not idempotent: {_difference(once.text, again.text)}")
    shown = redaction.redact_output(text, rules)
    twice = redaction.redact_output(shown.text, rules)
    if twice.text != shown.text:
        raise Broken(f"output: not idempotent: {_difference(shown.text, twice.text)}")
    if any(not re.fullmatch(r"[0-9a-f]{12}", r.hash) or r.line < 1 for r in once.redactions):
        raise Broken(f"a malformed entry: {once.redactions!r:.300}")


def _difference(one: str, two: str) -> str:
    at = next((i for i, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))
    return f"{one[max(0, at - 40) : at + 60]!r} became {two[max(0, at - 40) : at + 60]!r}"


def _streamed(text: str, rng: random.Random) -> None:
    """What comes in pieces is shown as the whole would be."""
    rules = _rules()[0]
    cuts = sorted(rng.randrange(len(text) + 1) for _ in range(rng.randrange(1, 9)))
    stream = redaction.OutputStream(rules)
    out = "".join(stream.feed(text[a:b]) for a, b in itertools.pairwise([0, *cuts, len(text)])) + stream.close()
    whole = redaction.redact_output(text, rules, redaction.Repeats(forward=True)).text
    if out != whole:
        raise Broken(f"cut at {cuts}: whole {_difference(whole, out)}")


def _secrets() -> list[str]:
    files = [p for p in sorted((DATA / "redaction").rglob("*")) if p.is_file() and not p.name.endswith(".labels.json")]
    return [p.read_bytes().decode("utf-8", "surrogateescape")[:6000] for p in files]


def _examples() -> list[str]:
    return [re.sub("[«»]", "", example) for d in DETECTORS for example in (d.hit, d.miss)]


_SECRET_TOKENS = [
    "password: ", "PASSWORD=", "api_key = ", '"token": "', "secret: |\n  ", "- ", "{", "}", "[", "]", ",", "'", '"', "'''",
    '"""', "\\", "\n", "\r\n", "\t", "-----BEGIN RSA PRIVATE KEY-----\n", "-----END RSA PRIVATE KEY-----\n", "&a ", "*a",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789", "AKIAIOSFODNN7EXAMPLE", "https://u:p4ssw0rd@h/", "Authorization: Bearer ",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "--password ", "-p", "<password>", "</password>", "# ", "; ", "//",
    "<sha:0123456789ab len:7>", "<sha:0123456789ab len:7 hint:ab..yz>", "export ", "[section]\n", "a.b.c=", "\x00", "\ufeff",
    "dGhpcyBpcyBhIHNlY3JldCB2YWx1ZQ==", "deadbeefdeadbeefdeadbeefdeadbeef", "name: DB_PASSWORD\nvalue: ", "machine h login u password ",
]  # fmt: skip

_OUTPUTS = [read(path)[:6000] for path in stored()]

# --- callers' patterns ----------------------------------------------------------------------------------------------

_PATTERNS = [
    "error|failed", "^150000$", "(?i)Timeout", r"\bOOM\b", "[0-9]{3}", "a.*b", r"\s", "$", "^", r"\Aone\z", "(?s).", "(?-m)^x",
    "[^a]", r"\x{20AC}", r"\pL+", "(a|b|ab)*c", "", "x*", r"\Q.\E", "(?m)^\n", "(?i:Ä)",
]  # fmt: skip
_PATTERN_TOKENS = [
    "(", ")", "[", "]", "{1000}", "{1,1000}", "*", "+", "?", "|", "^", "$", r"\b", r"\z", r"\A", r"\C", r"\n", "(?i)", "(?s)",
    "(?-m)", "(?=", "(?<", "(?P<n>", r"\1", r"\p{Greek}", "[[:alpha:]]", ".*", "€", "\x00", "\n", "\\",
]  # fmt: skip
_PATTERN_TEXT = "one\n\ntwo a b\nerror: 150000\nxx\n€ Ä äöü\n150000\nlast without an end".encode()


def _pattern(text: str, rng: random.Random) -> None:
    """A pattern is refused by name, or finds in a text exactly the lines that it finds one by one."""
    try:
        pattern = LinePattern(text, ignore_case=rng.random() < 0.5)
    except InvalidArgument:
        return
    wanted, at = [], 0
    for line in _PATTERN_TEXT.splitlines(keepends=True):
        if pattern.matches(line.removesuffix(b"\n")):
            wanted.append((at, at + len(line)))
        at += len(line)
    if (found := list(pattern.spans(_PATTERN_TEXT))) != wanted:
        raise Broken(f"{text!r} found {found}, and line by line {wanted}")


_JOB = (
    "started - 3\njob 0123456789ab exited 0 1700000000.123 1700000009 10.50 12.75 20.25 user 5 6 first "
    ",stdout.cap 4711\nname\ncom%0Amand\nat 4096 0\nline one\npassword=hunter2222\nthe end"
)
_JOB_TOKENS = [
    "job ", "running", "lost", "at 0 0\n", "at -1 0\n", "e1700000000", "1e309", "nan", " - ", "9" * 40, "%", "%zz", "\n", "\x00",
    "already - 1\n", "ghp_" + "a1B2c3D4e5" * 4, "-----BEGIN PRIVATE KEY-----\n", "\x1b[2J", "ä", "\r", "now 1\n",
]  # fmt: skip


def _job_reply(text: str, rng: random.Random) -> None:
    """A host may say anything about its jobs; what it says of output is shown whole and once, however it is cut."""
    try:
        reply = parse_reply(text.encode("utf-8", "replace"))
    except Unreadable:
        return
    for job in reply.jobs:
        if job.duration is not None:
            round(job.duration * 1000)
    data, at, limit = reply.data, 0, rng.randint(4, 64)
    policy = RedactionPolicy(output=False)
    texts = []
    while at < len(data):
        shown = piece(Window(data, 0, len(data), growing=False), at, limit, policy)
        if not at < shown.end <= at + limit + 3:
            raise Broken(f"from {at} to {shown.end} of {len(data)}")
        texts.append(shown.text)
        at = shown.end
    if (
        b"\x1b" not in data
        and b"\0" not in data
        and b"\b" not in data
        and "".join(texts) != data.decode("utf-8", "replace")
    ):
        raise Broken(f"{''.join(texts)!r} of {data!r}")


def _ask(text: str, _rng: random.Random) -> None:
    """An ask entry is refused with one clause or becomes a rule; a question is our own lines and barred ones."""
    if (problem := check_ask_entry(text)) is None:
        AskRules.of([(text, "SSH_ASK")])
    elif "\n" in problem:
        raise Broken(problem)
    subject = Subject(
        "ssh_exec_run", (Login("web", "web", text or None),), {"host": "web", "command": text}, "local", what=text
    )
    question = Question("k7x2q9", subject, (AskMatch(text[:9], "SSH_ASK", text),))
    for line in question.text().split("\n"):
        if line and not line.startswith(("| ", "Run ", "Asked because of ")):
            raise Broken(line)
        if any(unicodedata.category(c)[0] == "C" for c in line):
            raise Broken(f"{line!r} moves the terminal")


# --- files that an operator or another program writes ---------------------------------------------------------------


def _settings_file(text: str, _rng: random.Random) -> None:
    """Each line is an assignment, a remark or one printable refusal."""
    try:
        load_settings({"HOME": "/home/op", **parse_settings(Path("settings.env"), text)}, Path("/nonexistent"))
    except ConfigError as error:
        if "\n" in str(error) or any(not c.isprintable() for c in str(error)):
            raise Broken(f"not one printable line: {error!s:.300}") from error


_SETTINGS_TOKENS = [
    "=", ":", " ", "\n", "\r", "'", '"', "#", "export ", "\\", "\t", "${HOME}", "$(id)", "ALLOW_SUDO", "=true", "=\n",
    "SSH_HOSTS_BLOCKLIST", "MCP_HTTP_PORT=99999\n", "\x00", "\ufeff", "\u2028", "[section]\n", "=[1]\n", "\x0b",
]  # fmt: skip


def _client_file(text: str, _rng: random.Random) -> None:
    """An editor's settings: either our entry is in the new text, or it is left alone."""
    with contextlib.suppress(FileConflict):
        merged(_ZED, text, Path("settings.json"))


_ZED = snippet("zed", launcher="script", env={})
_CLIENT_FILES = [
    '{"theme": "dark", "context_servers": {"other": {"command": "x"}}}',
    '// mine\n{\n  "a": [1, {"context_servers": {}},], /* c */\n  "context_servers": {\n  },\n}\n',
]
_CLIENT_TOKENS = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    '"',
    "//",
    "/*",
    "*/",
    "\n",
    '"context_servers"',
    '"ssh-mcp"',
    "null",
    "\\",
]

# --- audit lines and recordings, which somebody may have written into -----------------------------------------------


def _audit_line(text: str, _rng: random.Random) -> None:
    record = parse_line(text.encode("utf-8", "surrogatepass"))
    if record is not None and any(not c.isprintable() for c in row(record)):
        raise Broken("a row of the audit's table moves the terminal")


def _recording(text: str, _rng: random.Random) -> None:
    for event in events(iter(text.splitlines())):
        left = re.sub(r"\x1b\[[0-9;:]*[A-HJKfmd]", "", as_output(event.text))
        if re.search(r"[\x00-\x07\x0b\x0c\x0e-\x1f\x7f-\x9f]", left):
            raise Broken(f"a recording moves the terminal: {left!r:.200}")


_AUDIT = [
    (
        '{"seq":1,"prev":"0","ts":"2026-11-27T21:30:00.000Z","correlation_id":"0f","tool":"ssh_exec_run","tier":"sudo",'
        '"host":"web01","result":"ok","duration_ms":12,"hosts":["a"],"approval":{"outcome":"granted","channel":"operator",'
        '"id":"q","who":"anna","waited_ms":3},"command":"id","paths":["/etc"],"exit_code":1,"redact_bypass":true}'
    )
]
_CASTS = ['[0.5,"o","\\u001b[1;31mred\\u001b[0m\\r\\n"]\n[1,"o","\\u001b]0;x\\u0007\\u001b[6n\\u009b6n"]']

TARGETS: list[Target[Any]] = [
    Target(
        "audit_line", _AUDIT, _audit_line, ["null", "[]", "{}", "1e999", "\\u001b[2J", "\\u202e", "\x1b", "unmapped"]
    ),
    Target("recording", _CASTS, _recording, ["\\u001b", "\\u009b", "]52;c;", "\\u0007", "[?1049h", "P", "\\\\"]),
    Target("job_reply", [_JOB], _job_reply, _JOB_TOKENS),
    Target("settings_file", [(ROOT / ".env.example").read_text()], _settings_file, _SETTINGS_TOKENS),
    Target("client_file", _CLIENT_FILES, _client_file, _CLIENT_TOKENS),
    Target("patterns", _PATTERNS, _pattern, _PATTERN_TOKENS),
    Target(
        "ask",
        ["sudo", "group:docker", "ssh_apt_remove", "command:systemctl restart", "write:/etc/**", "echo a; reboot"],
        _ask,
        ["command:", "write:", "group:", "**", "\n", "\u202e", "\x1b[2J", "| ", "Asked because of "],
    ),
    Target("hosts_toml", _tomls(), _toml, _TOML_TOKENS),
    Target("facts", _OUTPUTS, _facts, _FACT_TOKENS, 2),
    Target("command_table", _siblings(), _table, _TABLE_TOKENS, 2),
    Target("shell_reader", _COMMANDS, _permit, _SHELL_TOKENS, 2),
    Target("compose_file", _COMPOSE, _compose, _COMPOSE_TOKENS),
    Target("redaction", _secrets(), _redact, _SECRET_TOKENS, 2),
    Target("redaction_detectors", _examples(), _detectors, _SECRET_TOKENS, 2),
    Target("redaction_stream", _secrets(), _streamed, _SECRET_TOKENS),
]
