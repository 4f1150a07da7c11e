"""Clients of databases: their options, and the statements and commands that they read (``languages.py``)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ssh_mcp.shell import languages
from ssh_mcp.shell.inner import Check, Inner, forbidding, rows
from ssh_mcp.shell.languages import Grammar
from ssh_mcp.shell.options import Denied, Forbidden, Style, scan, settings_file
from ssh_mcp.shell.tree import names
from ssh_mcp.shell.values import Arg

_CLUSTER = 8
"""How many letters may precede a joined value: ``-NBe'select 1'``."""


@dataclass(frozen=True, slots=True)
class Client:
    """A client that reads a language.

    ``grammar`` is for its standard input and ``argument`` for its arguments. ``silent`` are options behind which it
    reads no standard input; with ``operands`` also more than that many operands mean so; ``reads`` False: never.
    ``names``: its operands are names of databases, never statements.
    ``values``: options whose value is a name or a number, so that it may be an expansion.
    """

    name: str
    grammar: Grammar
    argument: Grammar
    options: Forbidden
    silent: str = ""
    operands: int | None = None
    values: str = ""
    reads: bool = True
    names: bool = True


def client(spec: Client) -> Check:
    """The row of a client."""

    def check(args: list[Arg], inner: Inner) -> None:
        operands = scan(spec.name, args, spec.options)
        for index, arg in enumerate(args):
            _argument(spec, arg, args[index - 1].value if index else None)
        if spec.reads and not _silent(spec, args, operands):
            _input(spec, inner)

    return check


def _argument(spec: Client, arg: Arg, before: str | None) -> None:
    texts = arg.texts
    if not texts and not _is_value(spec, arg, before):
        raise Denied(f"an expansion could hold commands of `{spec.name}`; write its value in the text", arg.excerpt)
    for text in texts:
        for reading in _readings(text):
            spec.argument(reading)


def _is_value(spec: Client, arg: Arg, before: str | None) -> bool:
    """An expansion that can only be a name: ``-p"$PASSWORD"``, ``-h "$HOST"``, ``--user=$USER``, ``/srv/$x.db``."""
    if arg.multi:
        return False
    if spec.names and arg.anchored and not _gives_command(spec, before or ""):
        return True
    plain = spec.values.split()
    joined = tuple(p if len(p) == 2 else f"{p}=" for p in plain)
    return before in plain or arg.head.startswith((*joined, "/", "./"))


def _gives_command(spec: Client, before: str) -> bool:
    """Whether the option ``before`` an argument makes a statement of it."""
    return any(_gives(before, option) for option in spec.silent.split())


def _readings(text: str) -> Iterator[str]:
    """What of an argument could be a statement: all of it, what follows ``=``, what is joined to a short option."""
    yield text
    if text.startswith("--"):
        yield text.partition("=")[2]
    elif text.startswith("-"):
        for start in range(2, min(len(text), _CLUSTER)):
            yield text[start:]


def _silent(spec: Client, args: list[Arg], operands: list[Arg]) -> bool:
    """Whether the client does not read its standard input."""
    if spec.operands is not None and len(operands) > spec.operands:
        return True
    return any(_gives(text, option) for text in (a.value or a.head for a in args) for option in spec.silent.split())


def _gives(text: str, option: str) -> bool:
    if option.startswith("--"):
        name = text.partition("=")[0]
        return len(name) > 3 and option.startswith(name)
    return re.match(rf"-[A-Za-z]{{0,{_CLUSTER}}}{option[1:]}", text) is not None and not text.startswith("--")


def _input(spec: Client, inner: Inner) -> None:
    texts = inner.fed.texts
    if texts is None:
        raise Denied(
            f"what `{spec.name}` reads from its input cannot be decided", spec.name,
            "give its commands as an argument or in a here-document with a quoted delimiter",
        )  # fmt: skip
    for text in texts:
        spec.grammar(text)


# --- sqlite3 --------------------------------------------------------------------------------------------------------

_SQLITE_FLAGS: Final = names(
    "ascii bail batch box column csv deserialize echo header headers noheader html interactive json line list markdown"
    " memtrace nofollow quote readonly safe stats table tabs version help utf8 no-utf8 no-rowid-in-view"
)
_SQLITE_VALUED: Final = names("newline nullvalue separator maxsize mmap cmd escape")


def _sqlite_option(text: str) -> bool:
    return text.lstrip("-") in _SQLITE_FLAGS | _SQLITE_VALUED


_SQLITE = Client(
    "sqlite3",
    languages.sqlite,
    languages.sqlite,
    Forbidden(),
)


def _sqlite(args: list[Arg], inner: Inner) -> None:
    """Its options may be anywhere, with one dash or two, and have no short forms."""
    operands: list[Arg] = []
    rest = list(args)
    while rest:
        word = rest.pop(0)
        text = word.value
        if text is None and not word.anchored:
            raise Denied("an expansion could become an option of `sqlite3`; put ./ before it", word.excerpt)
        if text is None or not text.startswith("-") or text == "-":
            operands.append(word)
        elif not _sqlite_option(text):
            raise Denied(
                "the option makes `sqlite3` start a program, load code or write a file, or is unknown", word.excerpt
            )
        elif text.lstrip("-") in _SQLITE_VALUED and rest:
            value = rest.pop(0)
            if text.lstrip("-") == "cmd":
                _argument(_SQLITE, value, None)
    for index, operand in enumerate(operands):
        if index or not operand.anchored or operand.multi:
            _argument(_SQLITE, operand, None)
    if len(operands) < 2:
        _input(_SQLITE, inner)


# --- psql -----------------------------------------------------------------------------------------------------------

_PG_VALUES = "-h -p -U -d -P -v -F -R -T --host --port --username --dbname --variable --set --field-separator"
_PSQL = Client(
    "psql",
    languages.psql,
    languages.psql_argument,
    Forbidden("oLf", "output log-file file", "cdvFPRThpU", "command dbname variable set host port username"),
    silent="-c --command -l --list -V --version --help",
    values=_PG_VALUES,
)
_PG_FILES = Forbidden("f", "file", "jhpUdtnNTFESZ", "host port username dbname")

# --- mysql ----------------------------------------------------------------------------------------------------------

_MYSQL_LONG = (
    "pager tee delimiter init-command init-command-add plugin-dir default-auth tab result-file log-error dir csv"
    " pre-system post-system create-schema-file local-load raw debug load-data-local-dir history-file"
    " log-slow-file dump-slave-to"
)
_MYSQL_OPTIONS = Forbidden(
    "#", _MYSQL_LONG, "ehuPSDj", "execute user host port socket database", Style.MYSQL, attached="p"
)
_MYSQL_DUMP = Forbidden("#Tr", _MYSQL_LONG, "huPSw", "where user host port socket", Style.MYSQL, attached="p")
_MYSQL_BINLOG = Forbidden("#rl", _MYSQL_LONG, "huPSdj", "user host port socket database", Style.MYSQL, attached="p")
_MYSQL_VALUES = (
    "-h -u -P -S -D -p --host --user --port --socket --database --password --ssl-ca --default-character-set -w --where"
)


def _mysql_client(name: str, options: Forbidden, *, reads: bool) -> Check:
    return _option_files(client(Client(
        name, languages.mysql, languages.mysql, options,
        silent="-e --execute --version --help -V", values=_MYSQL_VALUES, reads=reads,
    )))  # fmt: skip


def _option_files(check: Check) -> Check:
    """Option files may name a library to load, so that only the operator's may be given."""

    def with_files(args: list[Arg], inner: Inner) -> None:
        for index, arg in enumerate(args):
            name, equals, value = (arg.value or arg.head).partition("=")
            if not re.match(r"--(?:loose-)?defaults[-_][fe]", name):
                continue
            file = (
                Arg(value, value)
                if equals and arg.value is not None
                else args[index + 1]
                if args[index + 1 :]
                else None
            )
            if not settings_file(file):
                raise Denied(
                    "an option file can make the client load a library; it must be the operator's", arg.excerpt
                )
        check(args, inner)

    return with_files


# --- others ---------------------------------------------------------------------------------------------------------

_duck = languages.without(
    "duckdb",
    r"^\s*\.(?!tables|schema|show|mode|headers|databases|indexes|help|quit|exit|timer|width)|\bcopy\b[^;]*\bto\b"
    r"|\b(?:install|load|attach|export)\b|\bread_text\b.*\bwrite",
)
_redis = languages.without(
    "redis",
    r"^\s*(?:module|config (?!get)|debug|slaveof|replicaof|migrate|script|function|eval\w*|fcall\w*|acl|shutdown"
    r"|save|bgsave)\b",
)
_bang = languages.without(
    "this client",
    r"^\s*(?:!|\\!|:!!|host\b|shell\b|ho\b|spool\b|save\b|@|start\b|run\b|edit\b|source\b|login\b|capture\b"
    r"|copy\b.*\bto\b|system\b|\\o|\\i|\\g|\\\||:r\b|:out\b|>|\|)|\binto outfile\b|^\s*(?:go|\\go)\b.*[|>`]",
)


def _bangs(name: str, forbidden: str) -> Check:
    return client(
        Client(name, _bang, _bang, Forbidden(long=forbidden, style=Style.ONE_DASH), values="-h -p -U -P -u -d")
    )


def _redis_words(args: list[Arg], inner: Inner) -> None:
    """``redis-cli CONFIG SET dir …`` writes files on the server, ``MODULE LOAD`` loads a library there."""
    operands = scan("redis-cli", args, Forbidden("", "rdb functions-rdb eval pipe memkeys-out", "hpsanrudutx"))
    text = " ".join(o.value or "" for o in operands)
    _redis(text)
    for operand in operands:
        _redis(operand.value or "")
        if not operand.texts and operand.multi:
            raise Denied("an expansion could become a command of redis", operand.excerpt)
    if not operands:
        _input(Client("redis-cli", _redis, _redis, Forbidden()), inner)


_DUCKDB = Client("duckdb", _duck, _duck, Forbidden(long="init unsigned", style=Style.ONE_DASH), operands=1, names=False)
_MYSQL_OTHERS = (
    "mysqladmin mariadb-admin mysqlshow mariadb-show mysqlslap mariadb-slap mysqlcheck mariadb-check mysqlimport"
    " mariadb-import mysqlanalyze mysqloptimize mysqlrepair mysql_upgrade mariadb-upgrade mysqltest mariadb-test"
    " mariadb-conv mysql_secure_installation xtrabackup mariabackup mariadb-backup mysql_plugin mariadb-plugin"
)
ROWS: Final = rows(
    ("sqlite3 sqlite sqlcipher litecli", _sqlite),
    ("psql pgcli", client(_PSQL)),
    ("pg_dump pg_dumpall pg_restore pg_recvlogical", forbidding("pg_dump", _PG_FILES)),
    ("pgbench", forbidding("pgbench", Forbidden("fl", "file log log-prefix aggregate-interval", "cjTtsDhpUMRPS"))),
    ("mysql mariadb mycli", _mysql_client("mysql", _MYSQL_OPTIONS, reads=True)),
    (
        "mysqldump mariadb-dump mysqlpump mydumper",
        _mysql_client("mysqldump", _MYSQL_DUMP, reads=False),
    ),
    ("mysqlbinlog mariadb-binlog", _mysql_client("mysqlbinlog", _MYSQL_BINLOG, reads=False)),
    (_MYSQL_OTHERS, _mysql_client("mysqladmin", _MYSQL_OPTIONS, reads=False)),
    ("duckdb", client(_DUCKDB)),
    ("redis-cli valkey-cli keydb-cli", _redis_words),
    ("sqlplus sqlcl", _bangs("sqlplus", "")),
    (
        "isql isql-fb iusql tsql sqsh bsqldb fisql usql mclient cqlsh db2 clpplus gdbmtool tdbtool ldbedit",
        _bangs("this client", "output input file extract"),
    ),
    ("sqlcmd", forbidding("sqlcmd", Forbidden("ioru", "", "SUPdqQ"))),
    ("clickhouse-client clickhouse", _bangs("clickhouse-client", "queries-file config-file plugin")),
)  # fmt: skip
