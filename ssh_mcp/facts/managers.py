"""Package managers beside each other: one table of what each is asked, and a reader per form of output.

RPM's database is asked by ``rpm`` where it knows, since its formats are ours to choose. Forms of the others: dnf(8),
zypper(8), apk(8), pacman(8).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ssh_mcp.facts.base import Parsed, Problems
from ssh_mcp.facts.packages import MAY_NOT as APT_MAY_NOT
from ssh_mcp.facts.packages import apt_get
from ssh_mcp.results.packages import PackageChangeName, PackageQuestion, PackageRow
from ssh_mcp.tokens import Command, arg, command, lit

Reader = Callable[[str], PackageRow | None]
"""One line; None: it cannot be read."""

_ROW: Final = re.compile(r"^(\S+)\t(\S+)\t(\S+)(?:\t(.*))?$")
"""What our own formats of dpkg-query and rpm print."""
_APT_ROW: Final = re.compile(r"^([^\s/]+)/\S* (\S+) (\S+) \[upgradable from: (\S+?)\]")
"""``nginx/stable 1.22.1-9 amd64 [upgradable from: 1.22.1-8]``."""
_DASHED: Final = re.compile(r"^(\S+) - (.*)$")
"""apt-cache search: ``nginx - small web server``."""
_DNF_UPDATE: Final = re.compile(r"^(\S+)\.([^\s.]+)\s+(\S+)\s+(\S+)\s*$")
"""``lab-hello.noarch    1.1-1    lab``."""
_DNF_HIT: Final = re.compile(r"^(\S+)\.([^\s.:]+) : (.*)$")
"""``lab-hello.noarch : Greets the lab``."""
_ZYPPER: Final = re.compile(r"^[a-z!+.|\s]{0,3}\|")
_APK: Final = re.compile(r"^(\S+)-(\d\S*-r\d+) (\S+) \{[^}]*\} \([^)]*\)(?: \[(.*)\])?\s*$")
"""``busybox-1.36.1-r5 x86_64 {busybox} (GPL-2.0-only) [upgradable from: busybox-1.36.1-r2]``."""
_APK_HIT: Final = re.compile(r"^(\S+)-(\d\S*-r\d+) - (.*)$")
_APK_OWNER: Final = re.compile(r"^.* is owned by (\S+)-(\d\S*-r\d+)\s*$")
_PACMAN: Final = re.compile(r"^(\S+) (\S+)(?: -> (\S+))?(?: \[.*\])?$")
"""``lab-hello 1.0-1`` and ``lab-hello 1.0-1 -> 1.1-1``."""
_PACMAN_HIT: Final = re.compile(r"^([^\s/]+)/(\S+) (\S+)")
"""``extra/nginx 1.24.0-1 [installed]``, the description indented below it."""
_PACMAN_OWNER: Final = re.compile(r"^.* is owned by (\S+) (\S+)$")
_DPKG_OWNER: Final = re.compile(r"^([a-z0-9][^\s:,]*(?::\S+)?(?:, [^:]+)?): (/.*)$")
_CHATTER: Final = re.compile(
    r"^(?:Listing\.\.\.|=+ |Last metadata|Security:|WARNING|[- |+]+$|S\s+\|\s|Obsoleting Packages|Loading|Reading)"
)
"""Lines that are no rows: titles, rules, and what managers say beside them."""


def _row(line: str) -> PackageRow | None:
    match = _ROW.match(line)
    return match and PackageRow(name=match[1], version=match[2], architecture=match[3], summary=match[4])


def _apt_update(line: str) -> PackageRow | None:
    match = _APT_ROW.match(line)
    return match and PackageRow(name=match[1], version=match[4], new_version=match[2], architecture=match[3])


def _named(pattern: re.Pattern[str], *fields: str) -> Reader:
    """A reader that puts the groups of ``pattern`` into fields."""

    def read(line: str) -> PackageRow | None:
        match = pattern.match(line)
        return match and PackageRow(**{f: v.strip() for f, v in zip(fields, match.groups(), strict=False) if v})

    return read


def _zypper(*fields: str) -> Reader:
    """A row of zypper's tables; a field called ``""`` is passed over."""

    def read(line: str) -> PackageRow | None:
        cells = [cell.strip() for cell in line.split("|")][1:]
        if not _ZYPPER.match(line) or len(cells) < len(fields):
            return None
        return PackageRow(**{f: v for f, v in zip(fields, cells, strict=False) if f and v})

    return read


def _apk(line: str) -> PackageRow | None:
    match = _APK.match(line)
    if match is None:
        return None
    old = re.match(r"upgradable from: .*-(\d\S*-r\d+)$", match[4] or "")
    versions = (old[1], match[2]) if old else (match[2], None)
    return PackageRow(name=match[1], version=versions[0], new_version=versions[1], architecture=match[3])


@dataclass(frozen=True, slots=True)
class Question:
    """How a manager is asked: ``asks`` without a name, ``named`` with one behind it, and the reader of its lines.

    ``reader`` None: text for people.
    """

    reader: Reader | None
    named: str | None = None
    asks: str | None = None


@dataclass(frozen=True, slots=True)
class Manager:
    """One package manager. ``verbs`` and ``dry`` are put between ``program`` and the names."""

    program: str
    questions: dict[PackageQuestion, Question]
    verbs: dict[PackageChangeName, str]
    dry: str
    may_not: re.Pattern[str]
    upgrade_all: str
    """The verb of an upgrade that names no package."""


_RPM_FORMAT: Final = r"'%{NAME}\t%{VERSION}-%{RELEASE}\t%{ARCH}\t%{SUMMARY}\n'"
_RPM: Final[dict[PackageQuestion, Question]] = {
    "installed": Question(_row, f"rpm -qa --queryformat {_RPM_FORMAT} --", f"rpm -qa --queryformat {_RPM_FORMAT}"),
    "owner": Question(_row, f"rpm -q --queryformat {_RPM_FORMAT} --file"),
}
_NOT_ROOT: Final = re.compile(
    r"superuser privileges|[Rr]oot privileges are required|unless you are root|[Pp]ermission denied|rpmdb open failed"
)


def _dnf(program: str) -> Manager:
    return Manager(
        program=f"{program} -y",
        questions={
            **_RPM,
            "updates": Question(_named(_DNF_UPDATE, "name", "architecture", "new_version", "repository"),
                                f"{program} -q check-update --", f"{program} -q check-update"),
            "search": Question(_named(_DNF_HIT, "name", "architecture", "summary"), f"{program} -q search --"),
            "show": Question(None, f"{program} -q info --"),
        },
        verbs={"install": "install", "remove": "remove", "upgrade": "upgrade"},
        dry="--assumeno",
        may_not=_NOT_ROOT,
        upgrade_all="upgrade",
    )  # fmt: skip


_DPKG_FORMAT: Final = r"'${binary:Package}\t${Version}\t${Architecture}\t${binary:Summary}\n'"
_ZYPPER_PROGRAM: Final = "zypper --non-interactive"

MANAGERS: Final[dict[str, Manager]] = {
    "apt": Manager(
        program="apt-get",
        questions={
            "installed": Question(_row, f"dpkg-query --show --showformat={_DPKG_FORMAT} --",
                                  f"dpkg-query --show --showformat={_DPKG_FORMAT}"),
            "updates": Question(_apt_update, "apt list --upgradable --", "apt list --upgradable"),
            "search": Question(_named(_DASHED, "name", "summary"), "apt-cache search --"),
            "show": Question(None, "apt-cache show --no-all-versions --"),
            "owner": Question(_named(_DPKG_OWNER, "name"), "dpkg-query --search --"),
        },
        verbs={"install": "install", "remove": "remove", "upgrade": "install --only-upgrade"},
        dry="--simulate",
        may_not=APT_MAY_NOT,
        upgrade_all="upgrade",
    ),
    "dnf": _dnf("dnf"),
    "yum": _dnf("yum"),
    "zypper": Manager(
        program=_ZYPPER_PROGRAM,
        questions={
            **_RPM,
            "updates": Question(_zypper("repository", "name", "version", "new_version", "architecture"), None,
                                f"{_ZYPPER_PROGRAM} --quiet list-updates"),
            "search": Question(_zypper("name", "summary"), f"{_ZYPPER_PROGRAM} --quiet search --"),
            "show": Question(None, f"{_ZYPPER_PROGRAM} --quiet info --"),
        },
        verbs={"install": "install", "remove": "remove", "upgrade": "update"},
        dry="--dry-run",
        may_not=_NOT_ROOT,
        upgrade_all="update",
    ),
    "apk": Manager(
        program="apk",
        questions={
            "installed": Question(_apk, "apk list --installed --", "apk list --installed"),
            "updates": Question(_apk, "apk list --upgradable --", "apk list --upgradable"),
            "search": Question(_named(_APK_HIT, "name", "version", "summary"), "apk search -v --"),
            "show": Question(None, "apk info -a --"),
            "owner": Question(_named(_APK_OWNER, "name", "version"), "apk info --who-owns --"),
        },
        verbs={"install": "add", "remove": "del", "upgrade": "add -u"},
        dry="--simulate",
        may_not=_NOT_ROOT,
        upgrade_all="upgrade",
    ),
    "pacman": Manager(
        program="pacman --noconfirm",
        questions={
            "installed": Question(_named(_PACMAN, "name", "version"), "pacman -Q --", "pacman -Q"),
            "updates": Question(_named(_PACMAN, "name", "version", "new_version"), "pacman -Qu --", "pacman -Qu"),
            "search": Question(_named(_PACMAN_HIT, "repository", "name", "version"), "pacman -Ss --"),
            "show": Question(None, "pacman -Si --"),
            "owner": Question(_named(_PACMAN_OWNER, "name", "version"), "pacman -Qo --"),
        },
        verbs={"install": "-S --needed", "remove": "-R", "upgrade": "-S --needed"},
        dry="--print",
        may_not=_NOT_ROOT,
        upgrade_all="-Su",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class PackageQuery:
    """One question to one manager. ``name`` is validated; None only where the question needs none."""

    manager: str
    what: PackageQuestion
    name: str | None = None

    @property
    def question(self) -> Question:
        return MANAGERS[self.manager].questions[self.what]

    def command(self) -> Command:
        asked = self.question
        if self.name is not None and asked.named is not None:
            return command(asked.named, arg(self.name), "</dev/null")
        return command(asked.asks or "", "</dev/null")

    def parse(self, output: str) -> Parsed[tuple[PackageRow, ...]]:
        """Rows; none where the output is text for people."""
        reader = self.question.reader
        if reader is None:
            return Parsed(())
        problems = Problems(self.what)
        found: list[PackageRow] = []
        for line in output.splitlines():
            if line.startswith("    ") and found and found[-1].summary is None:
                found[-1] = found[-1].model_copy(update={"summary": line.strip()})
            elif line.strip() and not _CHATTER.match(line):
                row = reader(line)
                if row is None:
                    problems.unread(line)
                else:
                    found.append(row)
        if self.question.named is None and self.name is not None:
            found = [row for row in found if self.name in row.name]
        return Parsed(tuple(found), problems.all())


def change(manager: str, action: PackageChangeName, packages: tuple[str, ...], *, dry_run: bool) -> Command:
    """One change without questions. ``packages`` are validated; empty only for an upgrade of everything."""
    table = MANAGERS[manager]
    verb = table.verbs[action] if packages else table.upgrade_all
    dry = f" {table.dry}" if dry_run else ""
    if manager == "apt":
        return apt_get(verb + dry, packages)
    names = [lit("--"), *(arg(p) for p in packages)] if packages else []
    return command(f"{table.program} {verb}{dry}", names, "</dev/null")
