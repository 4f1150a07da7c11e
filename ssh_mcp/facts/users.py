"""An account of the host: the passwd entry and the groups."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ssh_mcp.facts.base import Parsed, Problems, integer
from ssh_mcp.tokens import Command, Token, arg, command, lit


@dataclass(frozen=True, slots=True)
class Account:
    """As in passwd(5)."""

    name: str
    uid: int
    gid: int
    gecos: str
    home: str
    shell: str


@dataclass(frozen=True, slots=True)
class PasswdEntry:
    """getent(1) (which also asks LDAP and the like), else /etc/passwd, else macOS's directory cache.

    ``username`` None asks for the login user.
    """

    username: str | None = None

    def command(self) -> Command:
        return command(
            *_user(self.username),
            'getent passwd "$1" 2>/dev/null'
            ' || u="$1" awk -F: \'$1 == ENVIRON["u"] { print; exit }\' /etc/passwd 2>/dev/null | grep .'
            ' || dscacheutil -q user -a name "$1" 2>/dev/null',
        )

    def parse(self, output: str) -> Parsed[Account | None]:
        problems = Problems("passwd")
        lines = [line for line in output.splitlines() if line.strip()]
        if not lines:
            return Parsed(None)
        account = _from_cache(lines) if lines[0].startswith("name: ") else _from_passwd(lines[0])
        if account is None:
            problems.unread(lines[0])
        return Parsed(account, problems.all())


def _user(username: str | None) -> tuple[Token, ...]:
    """The account in question becomes ``$1``."""
    return (lit('set -- "$(id -un)";'),) if username is None else (lit("set --"), arg(username), lit(";"))


def _from_passwd(line: str) -> Account | None:
    parts = line.split(":")
    uid, gid = (integer(parts[2]), integer(parts[3])) if len(parts) >= 7 else (None, None)
    if uid is None or gid is None:
        return None
    return Account(parts[0], uid, gid, parts[4], parts[5], ":".join(parts[6:]))


def _from_cache(lines: list[str]) -> Account | None:
    values: dict[str, str] = {}
    for line in lines:
        key, colon, value = line.partition(": ")
        if colon:
            values.setdefault(key, value)
    uid, gid = integer(values.get("uid", "")), integer(values.get("gid", ""))
    if uid is None or gid is None:
        return None
    return Account(values["name"], uid, gid, values.get("gecos", ""), values.get("dir", ""), values.get("shell", ""))


@dataclass(frozen=True, slots=True)
class Membership:
    """``primary`` is None where id(1) named no group."""

    primary: str | None = None
    groups: tuple[str, ...] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class Groups:
    """id(1): it shows names in parentheses, so that a group with a blank in its name stays one."""

    username: str | None = None

    def command(self) -> Command:
        return command(*_user(self.username), 'id "$1"')

    def parse(self, output: str) -> Parsed[Membership]:
        text = output.strip()
        if not text.startswith("uid="):
            return Parsed(Membership(), (f"id: could not read {text[:80]!r}",) if text else ())
        primary = re.search(r"\bgid=(\d+)(?:\((.*?)\))?(?= groups=| context=|$)", text)
        listed = re.search(r"\bgroups=(.*?)(?: context=.*)?$", text)
        names = [n or g for g, n in re.findall(r"(\d+)(?:\((.*?)\))?(?=,\d|$)", listed[1])] if listed else []
        return Parsed(Membership((primary[2] or primary[1]) if primary else None, tuple(names)))
