"""``ssh-mcp init``: hosts.toml from the hosts of an ssh_config. Only names are taken: ssh keeps reading the rest.

A file that exists is added to; nothing in it is changed. Without an ssh_config a person types the hosts.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from ssh_mcp.cli.output import console, say
from ssh_mcp.errors import ConfigError
from ssh_mcp.inventory import values

T = TypeVar("T")

MAX_INCLUDES = 16
"""How deep Include may nest, as in ssh."""
SHOWN = 200
"""Hosts that ssh is asked about before the question."""
PATIENCE = 5.0
"""Seconds for each ``ssh -G``."""

_ALIAS = re.compile(r"[A-Za-z0-9._][A-Za-z0-9._-]*")
_SPLIT = re.compile(r"\s*=\s*|\s+")
_TYPED = re.compile(r"(?:(?P<user>\S+)@)?(?P<host>[^@\s:]+|\[[0-9A-Fa-f:.%]+\])(?::(?P<port>\d{1,5}))?\Z")
"""``deploy@web01.example.net:2222``."""

CASES = "policy-cases.toml"
"""The file of policy cases, beside hosts.toml."""

HEAD = """\
# Written by `ssh-mcp init`. Your ssh_config says the rest about these names: HostName, User, Port, keys, ProxyJump.
# Paths and commands are closed until you open them, here for all hosts or below for one.
# Every field, with comments: ssh-mcp example hosts. Check with: ssh-mcp doctor

[defaults]
"""
CLOSED = """\
# path_allowlist = ["/var/log", "/etc/nginx"]         # directories the file tools may touch
# command_allowlist = ["uptime", "df", "journalctl"]  # programs that commands may use
"""
TIERS = {"low-access": "ALLOW_LOW_ACCESS_TOOLS", "dangerous": "ALLOW_DANGEROUS_TOOLS", "sudo": "ALLOW_SUDO"}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A host to choose. ``login`` is what ssh says about it; fields are set for a host that was typed."""

    alias: str
    login: str = ""
    hostname: str | None = None
    user: str | None = None
    port: int | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """What a person opened."""

    paths: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()


def write_inventory(config: Path | None, output: Path | None, *, take_all: bool) -> int:
    """Ask which hosts to take and what to open, and write or extend the file. Returns the exit status."""
    out = console()
    source = (config or Path.home() / ".ssh" / "config").expanduser()
    target = (output or _default_output()).expanduser()
    there = _aliases(target)
    found = _candidates(out, source, config, there, ask=not take_all)
    chosen = found if take_all else _choose(out, found)
    if not chosen:
        return 1
    opened = Opened() if take_all else _ask_what_to_open(out)
    _write(target, chosen, opened, exists=target.exists())
    say(out, f"{target}: {len(chosen)} host{'s' if len(chosen) != 1 else ''}{' added' if there else ''}.")
    if not there:
        write_first_cases(out, target.parent / CASES, [each.alias for each in chosen])
    _write_tiers(out, opened.tiers)
    if output is not None:
        say(out, f"The server reads it only where SSH_HOSTS_FILE={target} is set.")
    if config is not None:
        say(out, f"ssh reads {source} only where SSH_CONFIG_FILE={source} is set for the server.")
    say(out, "Next: `ssh-mcp doctor` shows whether you can log in to each.")
    return 0


def write_first_cases(out: Console, file: Path, hosts: list[str]) -> None:
    """A first file for `ssh-mcp policy test`, unless there is one."""
    from ssh_mcp.cli.policy_cases import first_cases

    if not file.exists():
        file.write_text(first_cases(hosts), encoding="utf-8")
        say(out, f"{file}: what policy must refuse; `ssh-mcp policy test {file}` checks it.")


def _default_output() -> Path:
    """Where the server looks whatever its working directory is: a client may start it anywhere."""
    from ssh_mcp.settings.file import config_directory

    return config_directory() / "hosts.toml"


def _aliases(file: Path) -> frozenset[str]:
    """The hosts of a file that exists. Raises ConfigError where it cannot be read: nothing is added to it then."""
    if not file.exists():
        return frozenset()
    from ssh_mcp.inventory.toml import load

    return frozenset(load(file, os.environ).hosts)


def _candidates(
    out: Console, source: Path, config: Path | None, there: frozenset[str], *, ask: bool
) -> list[Candidate]:
    names = [name for name in dict.fromkeys(host_names(source)) if name not in there]
    if names:
        return _with_logins(names, config)
    if there and source.is_file():
        say(out, f"Every host of {source} is in the file already.")
        return []
    missing = "names no single host, only patterns" if source.is_file() else None
    say(out, f"{source} {missing}." if missing else f"There is no {source}.")
    if not ask or not sys.stdin.isatty():
        say(out, "Write hosts.toml by hand; `ssh-mcp example hosts` prints an example.")
        return []
    return _typed(out, there)


def _with_logins(names: list[str], config: Path | None) -> list[Candidate]:
    """What ``ssh -G`` says about each: nothing is connected to."""
    ssh = shutil.which("ssh")
    if ssh is None:
        return [Candidate(name) for name in names]
    with ThreadPoolExecutor(8) as pool:
        logins = list(pool.map(lambda name: _login(ssh, name, config), names[:SHOWN]))
    return [Candidate(name, login) for name, login in zip(names, [*logins, *[""] * len(names)], strict=False)]


def _login(ssh: str, name: str, config: Path | None) -> str:
    """``user@hostname:port via jump``; empty where ssh does not say."""
    file = ["-F", str(config.expanduser())] if config else []
    try:
        done = subprocess.run(
            [ssh, "-G", *file, "--", name],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    said = dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)
    if done.returncode != 0 or "hostname" not in said:
        return ""
    jump = said.get("proxyjump", "none")
    via = f" via {jump}" if jump != "none" else " via a ProxyCommand" if "proxycommand" in said else ""
    return f"{said.get('user', '')}@{said['hostname']}:{said.get('port', '22')}{via}"


def host_names(file: Path, *, depth: int = 0) -> Iterator[str]:
    """Names of ``Host`` lines without patterns, in order, Include followed as ssh_config(5) says."""
    if depth > MAX_INCLUDES or not file.is_file():
        return
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        keyword, rest = _keyword(line)
        if keyword == "include":
            for pattern in _words(rest):
                yield from _included(pattern, depth)
        elif keyword == "host":
            yield from (word for word in _words(rest) if _ALIAS.fullmatch(word))


def _keyword(line: str) -> tuple[str, str]:
    parts = _SPLIT.split(line.strip(), maxsplit=1)
    return parts[0].lower(), parts[1] if len(parts) > 1 else ""


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text, comments=True)
    except ValueError:
        return []


def _included(pattern: str, depth: int) -> Iterator[str]:
    """Files of an Include; relative ones of a user's configuration are in ~/.ssh, wherever the including file is."""
    path = Path(pattern).expanduser()
    base = Path(path.anchor) if path.is_absolute() else Path.home() / ".ssh"
    relative = str(path.relative_to(path.anchor)) if path.is_absolute() else str(path)
    for found in sorted(base.glob(relative)):
        yield from host_names(found, depth=depth + 1)


def _choose(out: Console, found: list[Candidate]) -> list[Candidate]:
    """The hosts that a person picks; typed ones were picked by typing."""
    if not found or found[0].hostname is not None:
        return found
    if not sys.stdin.isatty():
        say(out, "There is no terminal to ask on. Use --all to take every host.")
        return []
    names = [each.alias for each in found]
    for number, each in enumerate(found, 1):
        say(out, f"{number:4}  {each.alias}  {each.login}".rstrip(), indent=6)

    def picked(answer: str) -> list[str]:
        chosen, unknown = choose(answer, names)
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: neither a number nor a name of this list.")
        return chosen

    chosen = _ask(out, "Which hosts? Numbers like 1,3-5, names, or all: ", picked)
    if not chosen:
        say(out, "No host was chosen; nothing was written.")
    return [each for each in found if each.alias in chosen]


def _ask(out: Console, question: str, read: Callable[[str], T]) -> T:
    """The answer to a question; what cannot be read is said, and the question asked again."""
    while True:
        try:
            return read(out.input(question).strip())
        except ValueError as error:
            say(out, str(error))


def _typed(out: Console, there: frozenset[str]) -> list[Candidate]:
    found: dict[str, Candidate] = {}

    def host(text: str) -> Candidate | None:
        return _parse_host(text, {*there, *found}) if text else None

    say(out, "Name your hosts, one per line, as user@host:port or a name that ssh knows. An empty line ends the list.")
    while (each := _ask(out, "Host: ", host)) is not None:
        found[each.alias] = each
    if not found:
        say(out, "No host was named; nothing was written.")
    return list(found.values())


def _parse_host(text: str, taken: set[str]) -> Candidate:
    """Raises ValueError with a sentence."""
    match = _TYPED.fullmatch(text)
    if match is None:
        raise ValueError(f"{text} is not of the form user@host:port.")
    hostname = match["host"].strip("[]")
    try:
        values.hostname(hostname)
        user = values.user(match["user"]) if match["user"] else None
    except values.BadValue as error:
        raise ValueError(f"{text} {error}") from None
    port = int(match["port"]) if match["port"] else None
    if port is not None and not 1 <= port <= 65535:
        raise ValueError(f"{text}: ports go from 1 to 65535.")
    alias = re.sub(r"[^A-Za-z0-9._-]", "-", hostname)
    if alias in taken:
        raise ValueError(f"{alias} is in the list already.")
    return Candidate(alias, hostname=hostname, user=user, port=port)


def _ask_what_to_open(out: Console) -> Opened:
    """Paths, programs and tiers; an empty answer opens nothing."""

    def paths(answer: str) -> tuple[str, ...]:
        return tuple(_checked(each, lambda x: values.remote_prefix(x, None, everything=True)) for each in split(answer))

    def tiers(answer: str) -> tuple[str, ...]:
        chosen = [each.lower() for each in split(answer)]
        unknown = [each for each in chosen if each not in TIERS]
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: the tiers are {', '.join(TIERS)}.")
        return tuple(name for name in TIERS if name in chosen or (name == "dangerous" and "sudo" in chosen))

    def programs(answer: str) -> tuple[str, ...]:
        words = answer.split()
        if len(words) > 1 and "," not in answer:  # two programs, or one with its first argument: only a person knows
            raise ValueError(
                f"{answer}: separate programs by commas ({','.join(words)}), or end one entry with a comma ({answer},)."
            )
        return tuple(entry for part in answer.split(",") if (entry := " ".join(part.split())))

    say(out, "Separate several by commas. An empty reply opens nothing; everything can be changed in the file later.")
    return Opened(
        _ask(out, "Directories that file tools may touch (like /var/log,/srv/app): ", paths),
        _ask(out, "Programs that commands may use (like uptime,df,systemctl status): ", programs),
        _ask(out, "Tiers to open beside read (low-access, dangerous, sudo): ", tiers),
    )


def split(answer: str) -> list[str]:
    return [each for each in re.split(r"[,\s]+", answer) if each]


def _checked(text: str, check: Callable[[str], str]) -> str:
    try:
        return check(text)
    except values.BadValue as error:
        raise ValueError(f"{text} {error}") from None


def choose(answer: str, names: list[str]) -> tuple[list[str], list[str]]:
    """``1,3-5``, names or ``all`` → the names in the list's order, and the words that mean nothing."""
    words = answer.replace(",", " ").split()
    if [word.lower() for word in words] == ["all"]:
        return list(names), []
    picked: set[int] = set()
    unknown = []
    for word in words:
        numbers = range(names.index(word) + 1, names.index(word) + 2) if word in names else _range(word)
        if numbers and numbers[0] >= 1 and numbers[-1] <= len(names):
            picked.update(numbers)
        else:
            unknown.append(word)
    return [name for number, name in enumerate(names, 1) if number in picked], unknown


def _range(word: str) -> range:
    """``3`` or ``3-5``; empty for anything else."""
    low, _, high = word.partition("-")
    if len(word) > 12 or not low.isdecimal() or not (high or low).isdecimal():
        return range(0)
    return range(int(low), int(high or low) + 1)


def render(chosen: list[Candidate], opened: Opened, *, exists: bool = False) -> str:
    """The text to write: the whole file, or what is added to one that exists.

    A host of the ssh_config is an empty table: without ``hostname`` ssh is asked for the name, so ssh_config counts.
    """
    lists = "".join(
        f"{name} = {json.dumps(list(entries))}\n"
        for name, entries in (("path_allowlist", opened.paths), ("command_allowlist", opened.programs))
        if entries
    )
    text = "" if exists else HEAD + (lists or CLOSED)
    for each in chosen:
        text += f'\n[hosts."{each.alias}"]\n'
        for name, value in (("hostname", each.hostname), ("user", each.user), ("port", each.port)):
            text += f"{name} = {json.dumps(value)}\n" if value is not None else ""
        text += lists if exists else ""
    return text


def _write(target: Path, chosen: list[Candidate], opened: Opened, *, exists: bool) -> None:
    """Raises ConfigError where the result could not be loaded; then nothing was written."""
    from ssh_mcp.inventory.toml import parse

    before = target.read_text(encoding="utf-8") if exists else ""
    if before and not before.endswith("\n"):
        before += "\n"
    text = before + render(chosen, opened, exists=exists)
    parse(str(target), text, os.environ)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    mode = target.stat().st_mode & 0o777 if exists else 0o600
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        part.write_text(text, encoding="utf-8")
        part.chmod(mode)
        part.replace(target.resolve())
    finally:
        part.unlink(missing_ok=True)


def _write_tiers(out: Console, tiers: tuple[str, ...]) -> None:
    """Into settings.env, unless a line there says something about them already."""
    if not tiers:
        return
    from ssh_mcp.settings.file import FILE_NAME, config_directory, read_settings_file

    file = config_directory() / FILE_NAME
    try:
        known = read_settings_file(file) if file.exists() else {}
    except ConfigError as error:
        say(out, str(error))
        known = dict.fromkeys(TIERS.values(), "")
    missing = [TIERS[tier] for tier in tiers if TIERS[tier] not in known]
    if missing:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8") as added:
            added.write("".join(f"{name}=true\n" for name in missing))
        say(out, f"{file}: {', '.join(f'{name}=true' for name in missing)}.")
    for name in (TIERS[tier] for tier in tiers if TIERS[tier] in known):
        say(out, f"{file} says {name}={known[name]} already; change it there.")
