r"""Commands of database and transfer clients: a small positive grammar each, since what is unknown may start a program.

A grammar gets every text that the client may read (arguments, here-documents, a literal pipe) and raises Denied for a
text in which it does not know each command. Statements of SQL itself are compared with the few forms that start a
program, load code or write a file. Sources: sqlite3's and psql's ``.help`` and ``\?``, mysql(1), lftp(1).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from typing import Final

from ssh_mcp.shell.options import Denied
from ssh_mcp.shell.tree import names

Grammar = Callable[[str], None]
"""Raises Denied for a text that holds a command which is not known to be harmless."""

_COMMENT = re.compile(r"/\*(?!!).*?\*/|--[ \t][^\n]*|#[^\n]*", re.DOTALL)
"""SQL comments; ``/*!…*/`` is not a comment to mysql."""


def _plain(text: str) -> str:
    """The text with comments replaced by a blank, and every run of blanks by one: COPY/**/x  TO."""
    return re.sub(r"[ \t\r\n]+", " ", _COMMENT.sub(" ", text))


def _deny(text: str, what: str) -> Denied:
    return Denied(what, text.strip()[:60], "leave that part out")


# --- sqlite3 --------------------------------------------------------------------------------------------------------

_SQLITE_DOTS: Final = names(
    """
    tables schema indexes indices databases headers header mode width nullvalue separator show stats timer timeout
    version help quit exit echo explain eqp fullschema dbinfo dbconfig limit changes bail print dump sha3sum prompt
    """
)
_SQLITE_SQL = re.compile(
    r"(?i)load_extension|\bwritefile\b|\bedit\s*\(|\bvacuum\b[^;]*\binto\b|\battach\b|\bvirtual\s+table\b|\bzipfile\b"
    r"|fts3_tokenizer|\b(?:temp|data)_store_directory\b|\bwritable_schema\b"
)
"""SQL that loads a library or writes another file: load_extension(), writefile(), VACUUM INTO, ATTACH."""


def sqlite(text: str) -> None:
    """Statements, and dot commands that only show something."""
    for line in re.split(r"[\r\n]", text):
        if line.lstrip().startswith("."):
            words = line.split()
            if words[0][1:].lower() not in _SQLITE_DOTS or any(w.startswith("|") for w in words[1:]):
                raise _deny(line, "this is not one of the dot commands of sqlite3 that only show something")
    if _SQLITE_SQL.search(text) or _SQLITE_SQL.search(_plain(text)):
        raise _deny(text, "this makes sqlite3 load code or write a file")


# --- psql -----------------------------------------------------------------------------------------------------------

_PSQL_SHOWING = re.compile(r"(?:d[A-Za-z]*|l|list|z|sf|sv|conninfo|encoding|timing|x|a|t|q|h|help|\?|gx)[+Sx]*\Z")
"""``\\dt+``, ``\\l``, ``\\x``: commands of psql that show something or set how it is shown."""
_PSQL_COMMAND = re.compile(r"\\([A-Za-z_?!;|.][A-Za-z_]*[+Sx]*)")
_PSQL_SETTINGS = re.compile(
    r"\\(?:set ON_ERROR_STOP(?: (?:on|1))?|pset (?:pager (?:off|0)|[a-z_]+(?: [\w|]+)?))[ \t]*(?:\n|\Z)"
)
_PSQL_SQL = re.compile(
    r"(?i)\b(?:to|from) ?program\b|\bprogram ?'|\bcopy\b[^;]*\b(?:to|from) ?(?:[eE]?'|\$|\\)|\blo_(?:export|import)\b"
    r"|\bpg_(?:file_write|execute_server_program|write_file|file_rename|file_unlink)\b|\bcreate extension\b"
    r"|\blanguage ?'?(?:c|internal|\w*u|plsh|plpython\w*|plperlu|pltclu)\b|(?:^|; ?)load ?'"
    r"|\balter system\b|\b(?:archive|restore|ssl_passphrase|recovery_end|archive_cleanup)_command\b"
    r"|\b\w*_preload_libraries\b|\bdblink_connect\b"
)
"""COPY … PROGRAM, COPY to a file, large objects, extensions, untrusted languages, settings that name a command."""


def psql(text: str) -> None:
    """What psql reads from its input: statements and backslash commands."""
    rest = _PSQL_SETTINGS.sub("\n", text)
    if "\\" in rest:
        if "`" in rest:
            raise _deny(text, "psql starts what is between backquotes")
        if any(not _known_psql(rest, at) for at, char in enumerate(rest) if char == "\\"):
            raise _deny(text, "this is not one of the backslash commands of psql that only show something")
    psql_sql(text)


def _known_psql(text: str, at: int) -> bool:
    found = _PSQL_COMMAND.match(text, at)
    return (
        found is not None
        and _PSQL_SHOWING.match(found.group(1)) is not None
        and text[found.end() : found.end() + 1] in ("", " ", "\t", "\n", ";", "\\")
    )


def psql_argument(text: str) -> None:
    """``-c``: one backslash command, or statements that only the server reads."""
    if text.lstrip().startswith("\\"):
        psql(text)
    psql_sql(text)


def psql_sql(text: str) -> None:
    """Statements only."""
    if _PSQL_SQL.search(text) or _PSQL_SQL.search(_plain(text)):
        raise _deny(text, "this makes psql or its server start a program, load code or write a file")


# --- mysql ----------------------------------------------------------------------------------------------------------

_MYSQL_PAIR = re.compile(r"\\(.)", re.DOTALL)
_MYSQL_KNOWN: Final = frozenset("GgsqcwWpnthur0bZ%_'\"\\N$/-+*?()[]{}|^")
"""What may follow a backslash: commands that show something, and escapes inside of strings."""
_MYSQL_WORDS = re.compile(r"(?im)(?:^|;|\\g|\$\$|//)[ \t\r\n]*(?:system|source|pager|tee|edit|delimiter)\b")
_MYSQL_SHOWN = re.compile(r"(?im)^[ \t]*delimiter ?(?:;;?|\$\$|//)[ \t]*$")
_MYSQL_SQL = re.compile(
    r"(?i)\binto (?:out|dump)file\b|\bload_file\b.*\binto\b|\binstall (?:plugin|component|soname)\b|\bsoname\b"
    r"|\bsys_(?:exec|eval)\b|\b(?:general|slow_query)_log_file\b|\bplugin_dir\b"
)
"""INTO OUTFILE, plug-ins and user-defined functions from a library, logs of the server that become files."""


def mysql(text: str) -> None:
    """Statements, backslash commands and the words that the client reads at the start of a line."""
    for found in _MYSQL_PAIR.finditer(text):
        if found.group(1) not in _MYSQL_KNOWN:
            raise _deny(
                text[found.start() :],
                "this is not one of the backslash commands of the client that only show something",
            )
    for each in (text, _COMMENT.sub("", text), _COMMENT.sub("\n", text)):
        if _MYSQL_WORDS.search(_MYSQL_SHOWN.sub("", each)):
            raise _deny(text, "this makes the client start a program, read a script or write a file")
    if _MYSQL_SQL.search(text) or _MYSQL_SQL.search(_plain(text)):
        raise _deny(text, "this makes the client or its server load code or write a file")


# --- clients with lines of commands ---------------------------------------------------------------------------------

_LFTP: Final = names(
    """
    open close ls cls nlist rels recls renlist pwd cd cat get mget put mput reget reput du find bye exit quit user mv rm
    mrm mkdir rmdir chmod help version wait jobs set mirror lpwd lcd echo
    """
)
_LFTP_KEY = re.compile(r"(?:net|ftp|ssl|http|mirror|dns|hftp|bmk|color|file):[a-z0-9-]+\Z")
_LFTP_NOT = re.compile(r"program|command|shell|log|file\Z|path|script|on-change|charset-run")
_LFTP_VALUED: Final = frozenset({"-u", "--user", "--password", "-p", "--port"})
_SAFE_URL = re.compile(r"(?:(?:ftp|ftps|http|https)://[^\s|!]*|(?!-)[\w.@-]+(?:/[^\s|!:]*)?)\Z")


def lftp(text: str) -> None:
    """Lists of plain commands: no pipes, redirections, groups, and no command that runs others."""
    for part in re.split(r"&&|\|\||;|\n", text):
        if re.search(r"[!|<>&()`\\$]", part):
            raise _deny(part, "lftp would start a program, or write what a command prints")
        try:
            words = shlex.split(part)
        except ValueError:
            raise _deny(part, "the commands of lftp cannot be read") from None
        if words:
            _lftp_command(words, part)


def _lftp_command(words: list[str], part: str) -> None:
    name, *rest = words
    if name not in _LFTP:
        raise _deny(part, "this is not one of the commands of lftp that can be decided")
    if name == "set" and rest and (not _LFTP_KEY.match(rest[0].split("/")[0]) or _LFTP_NOT.search(rest[0])):
        raise _deny(part, "this setting can make lftp start a program or write a file")
    places = [w for before, w in zip(["", *rest], rest, strict=False) if before not in _LFTP_VALUED]
    if name == "open" and not all(w in _LFTP_VALUED or _SAFE_URL.match(w) for w in places):
        raise _deny(part, "this address makes lftp start a program, or reaches files of the host")
    if any(re.match(r"--?(?:on-change|script|log|use-cache-file|exe|o\Z)", w) for w in rest if name == "mirror"):
        raise _deny(part, "this option makes lftp start a program or write a file")
    if any(re.match(r"(?i)(?!(?:ftps?|https?):)[a-z]+:/", w) for w in rest):
        raise _deny(part, "this address makes lftp start a program, or reaches files of the host")


def lines_of(name: str, known: str, also: str = "") -> Grammar:
    """A client that reads one command per line (or between semicolons): only ``known`` ones, and no ``!`` or pipe.

    ``also`` matches further lines that are fine.
    """
    commands = names(known)
    further = re.compile(also) if also else None

    def grammar(text: str) -> None:
        for line in re.split(r"[;\r\n]", text):
            words = line.split()
            if not words or (further and further.fullmatch(line.strip())):
                continue
            word = words[0].lstrip("-@")
            if word.lower() not in commands or any(w[:1] in "!|>" for w in words[1:]):
                raise _deny(line, f"this is not one of the commands of {name} that can be decided")

    return grammar


_FTP = (
    "open user ls dir cd pwd get mget put mput recv send binary ascii bin image passive pass prompt hash close bye quit"
    " exit mkdir rmdir delete mdelete rename size status system stat lcd verbose cdup epsv epsv4 type mode append"
    " reget newer nlist mls mdir site quote progress"
)
ftp = lines_of("ftp", _FTP, r"anonymous|\S+@\S+")
sftp = lines_of(
    "sftp",
    "ls dir cd pwd get mget put mput reget reput rm rmdir mkdir rename chmod chown chgrp stat df lls lpwd lcd"
    " bye exit quit version help progress symlink ln",
)
smb = lines_of(
    "smbclient",
    "ls dir cd pwd get mget put mput du allinfo stat volume exit quit prompt recurse mask lowercase del rm mkdir md"
    " rmdir rd rename lcd showacls listconnect posix tcon logon help history q more_off",
)


def without(name: str, pattern: str) -> Grammar:
    """A language in which only the forms that ``pattern`` matches do more than ask."""
    compiled = re.compile(pattern, re.MULTILINE | re.IGNORECASE)

    def grammar(text: str) -> None:
        if compiled.search(text) or compiled.search(_plain(text)):
            raise _deny(text, f"this makes {name} start a program, load code or write a file")

    return grammar


def letter(text: str) -> None:
    """The body of a mail: mailx takes ``~!command`` at the start of a line for an escape."""
    if re.search(r"(?m)^(?:~(?!~)|!)|[\r\x1b]~", text):
        raise _deny(text, "mail reads a line that begins with a tilde as a command")
