"""Facts about Debian packages: dpkg-query and apt-cache where their output is stable, ``apt list`` for the rest."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ssh_mcp.facts.base import Parsed, Problems
from ssh_mcp.results.packages import AptMode, AptPackage, AptSearchHit
from ssh_mcp.tokens import Command, Token, arg, command, lit

NO_MATCH = re.compile(r"no packages found matching")
_FORMAT = "${binary:Package}\\t${Version}\\t${Architecture}\\t${db:Status-Want}\\t${db:Status-Status}\\n"


@dataclass(frozen=True, slots=True)
class PackageList:
    """``mode`` installed asks dpkg, the others ``apt list``. ``pattern`` is a shell glob on the name."""

    mode: AptMode
    pattern: str | None = None

    def command(self) -> Command:
        last = ("--", arg(self.pattern)) if self.pattern else ()
        if self.mode == "installed":
            return command("dpkg-query --show", arg(f"--showformat={_FORMAT}"), *last)
        upgradable = ("--upgradable",) if self.mode == "upgradable" else ()
        return command("apt list", *upgradable, *last)

    def parse(self, output: str) -> Parsed[tuple[AptPackage, ...]]:
        problems = Problems("packages")
        read = _dpkg_row if self.mode == "installed" else _apt_row
        found: list[AptPackage] = []
        for line in output.splitlines():
            if not line.strip() or line.startswith("Listing..."):
                continue
            package = read(line)
            if package is None:
                problems.unread(line)
            elif package.state:
                found.append(package)
        return Parsed(tuple(found), problems.all())


def _dpkg_row(line: str) -> AptPackage | None:
    """Rows that dpkg only remembers (``not-installed``) get an empty state and are left out."""
    parts = line.split("\t")
    if len(parts) != 5:
        return None
    name, version, architecture, want, status = parts
    state = "" if status == "not-installed" else "held" if (want, status) == ("hold", "installed") else status
    return AptPackage(name=name.partition(":")[0], version=version, architecture=architecture, state=state)


_APT_ROW = re.compile(r"^([^\s/]+)/\S* (\S+) (\S+)(?: \[(.*)\])?$")


def _apt_row(line: str) -> AptPackage | None:
    match = _APT_ROW.match(line)
    if match is None:
        return None
    state = match[4] or "available"
    upgrade = re.search(r"upgradable (from|to): (\S+)", state)
    if upgrade:
        state = f"upgradable {upgrade[1]} {upgrade[2]}"
    elif state.startswith("installed"):
        state = "installed"
    return AptPackage(name=match[1], version=match[2], architecture=match[3], state=state)


@dataclass(frozen=True, slots=True)
class PackageSearch:
    """``apt-cache search``: a regular expression on names and descriptions."""

    pattern: str

    def command(self) -> Command:
        return command("apt-cache search --", arg(self.pattern))

    def parse(self, output: str) -> Parsed[tuple[AptSearchHit, ...]]:
        problems = Problems("apt-cache search")
        found: list[AptSearchHit] = []
        for line in output.splitlines():
            name, dash, description = line.partition(" - ")
            if dash and " " not in name.strip():
                found.append(AptSearchHit(name=name.strip(), short_description=description.strip()))
            elif line.strip():
                problems.unread(line)
        return Parsed(tuple(found), problems.all())


@dataclass(frozen=True, slots=True)
class PackagePolicy:
    """Versions and sources of one package; None where a version is ``(none)``."""

    installed: str | None = None
    candidate: str | None = None
    repos: tuple[str, ...] = ()
    known: bool = False


@dataclass(frozen=True, slots=True)
class PolicyOf:
    """``apt-cache policy``."""

    package: str

    def command(self) -> Command:
        return command("apt-cache policy --", arg(self.package))

    def parse(self, output: str) -> Parsed[PackagePolicy]:
        versions: dict[str, str | None] = {}
        repos: list[str] = []
        if not _is_about(self.package, output.partition("\n")[0].removesuffix(":")):
            return Parsed(PackagePolicy())  # apt took the name for a pattern and describes another package
        for line in output.splitlines():
            version = re.match(r"^  (Installed|Candidate): (.*)$", line)
            source = re.match(r"^ {8,}\s*-?\d+ (\S.*)$", line)
            if version:
                versions[version[1]] = None if version[2].strip() == "(none)" else version[2].strip()
            elif source and source[1].strip() != "/var/lib/dpkg/status" and source[1].strip() not in repos:
                repos.append(source[1].strip())
        policy = PackagePolicy(versions.get("Installed"), versions.get("Candidate"), tuple(repos), bool(versions))
        odd = output.strip() and not versions
        return Parsed(policy, (f"policy: could not read {output.strip()[:80]!r}",) if odd else ())


_RELATIONS = ("Depends", "Recommends", "Suggests", "Conflicts", "Breaks", "Replaces")


@dataclass(frozen=True, slots=True)
class PackageRecord:
    """One stanza of deb-control(5). ``Pre-Depends`` come first among the dependencies."""

    description: str | None = None
    relations: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def of(self, relation: str) -> list[str]:
        return list(self.relations.get(relation, ()))


@dataclass(frozen=True, slots=True)
class RecordOf:
    """``apt-cache show`` of the candidate."""

    package: str

    def command(self) -> Command:
        return command("apt-cache show --no-all-versions --", arg(self.package))

    def parse(self, output: str) -> Parsed[PackageRecord]:
        fields: dict[str, str] = {}
        last: str | None = None
        for line in output.split("\n\n", 1)[0].splitlines():
            key, colon, value = line.partition(":")
            if line[:1] in (" ", "\t"):
                if last:
                    fields[last] += f"\n{line[1:]}"
            elif colon and re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", key):
                last = key
                fields[key] = value.strip()
        if not _is_about(self.package, fields.get("Package", "")):
            return Parsed(PackageRecord())
        relations = {name: _split(fields.get(name, "")) for name in _RELATIONS}
        relations["Depends"] = _split(fields.get("Pre-Depends", "")) + relations["Depends"]
        description = next((v for k, v in fields.items() if k == "Description" or k.startswith("Description-")), None)
        if description is not None:
            description = "\n".join("" if part == "." else part for part in description.splitlines())
        return Parsed(PackageRecord(description, relations))


def _is_about(wanted: str, found: str) -> bool:
    return wanted.partition(":")[0] == found.partition(":")[0]


def _split(relation: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in relation.replace("\n", " ").split(",") if part.strip())


@dataclass(frozen=True, slots=True)
class Holds:
    """``apt-mark showhold``: one name per line."""

    def command(self) -> Command:
        return command("apt-mark showhold")

    def parse(self, output: str) -> Parsed[tuple[str, ...]]:
        problems = Problems("apt-mark")
        names: list[str] = []
        for line in output.splitlines():
            word = line.strip()
            if re.fullmatch(r"[a-z0-9][a-z0-9+.:-]*", word):
                names.append(word)
            elif word:
                problems.unread(line)
        return Parsed(tuple(names), problems.all())


# No questions from debconf, ucf, dpkg (changed configuration files stay as they are), apt-listchanges or needrestart.
_QUIET = (
    "DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1 APT_LISTCHANGES_FRONTEND=none NEEDRESTART_SUSPEND=1 LC_ALL=C"
)
# Without a pseudo terminal dpkg stays in the process group that a timeout ends.
_APT_GET = (
    "apt-get --assume-yes -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold"
)


def apt_get(verb: str, packages: tuple[str, ...] = (), *, update_first: bool = False) -> Command:
    """An apt-get mutation. ``verb`` is ours; ``packages`` are the caller's."""
    names: list[Token] = [lit("--"), *(arg(p) for p in packages)] if packages else []
    exact = [token for p in packages for token in _known(p)]
    update = (
        (lit("apt-get --quiet update || exit $?;"), lit(f"env {_QUIET}")) if update_first else (lit(f"env {_QUIET}"),)
    )
    first, rest = (update[:1], update[1:]) if update_first else ((), update)
    return command(*first, *exact, *rest, _APT_GET, verb, *names, "</dev/null")


def _known(package: str) -> tuple[Token, ...]:
    """A check in front of names that could be patterns.

    apt takes an unknown name with a dot or a plus for a regular expression: ``remove lab.hello`` removes lab-hello
    (seen with apt 2.6.1). ``apt-cache pkgnames`` compares text.
    """
    name = package.partition("=")[0].partition(":")[0]
    if not set(name) & {".", "+"}:
        return ()
    return (
        lit("apt-cache pkgnames"), arg(name), lit("| grep -Fqx -e"), arg(name),
        lit('|| { echo "E: Unable to locate package"'), arg(name), lit(">&2; exit 100; };"),
    )  # fmt: skip


def apt_mark(action: str, packages: tuple[str, ...]) -> Command:
    """``apt-mark hold`` and ``unhold``."""
    return command("apt-mark", action, "--", *(arg(p) for p in packages))


MAY_NOT = re.compile(
    r"\b[Aa]re you root\?|Permission denied\)|requires superuser privilege|required read/write access to the dpkg"
)
"""What apt-get, apt-mark and dpkg say where the login may not change packages; nothing was changed then."""

_LOCK = re.compile(
    r"Could not get lock (\S+?)\.? |Unable to (?:acquire|lock) (?:the )?(?:dpkg frontend lock|the administration)"
    r"|locked by another process"
)
_HOLDER = re.compile(r"(?:held by process|with pid) (\d+)(?: \(([^)]*)\))?")


@dataclass(frozen=True, slots=True)
class LockHeld:
    """Another package manager is at work. ``holder`` is its name and pid where apt reports it."""

    holder: str | None


def lock_held(stderr: str) -> LockHeld | None:
    """What apt complains of a held lock, or None. What it says about missing rights is no held lock."""
    if "are you root" in stderr or "Permission denied" in stderr:
        return None
    if not _LOCK.search(stderr):
        return None
    by = _HOLDER.search(stderr)
    return LockHeld(None if by is None else f"{by[2] or 'process'} {by[1]}")
