"""What ssh would really do for a host: ``ssh -G`` over our fragment, cached until a file that it read changes."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import anyio

from transports.api import Destination, Effective, TransportConfig
from transports.errors import ConnectError, LocalError
from transports.openssh.local import child
from transports.openssh.local.control_dir import ControlDir
from transports.openssh.local.single_flight import SingleFlight
from transports.openssh.login import effective_cache
from transports.openssh.login.argv import ssh_argv
from transports.openssh.login.binaries import Binaries, parse_settings
from transports.openssh.login.config import Line, base_lines, render, user_value
from transports.openssh.login.effective_cache import Remembered, Stamp
from transports.openssh.login.failures import Attempt, login_error
from transports.openssh.login.log import read

_SECONDS: Final = 20.0  # a Match exec of the operator's may ask a slow service
_HOPS_MAX: Final = 8
_PROCESSES_PER_CPU: Final = 2
_READING = re.compile(r"debug1: Reading configuration data (.+?)\r?$", re.MULTILINE)
_SYSTEM_FILE = re.compile(r"/etc/(?:open)?ssh/ssh_config$|[Pp]rogram[Dd]ata.ssh.ssh_config$")
_COMPILED_IN = re.compile(rb"\0(/[\x21-\x7e]{1,200}/ssh_config)\0")
"""A whole C string such as ``/opt/homebrew/etc/ssh/ssh_config`` (pathnames.h, _PATH_HOST_CONFIG_FILE)."""
_PROGRAM_MAX: Final = 16 * 1024 * 1024
_NO_MATCH = re.compile(r"include (.+) matched no files", re.MULTILINE)

_NOT_IDENTITY: Final = frozenset(
    {"batchmode", "connecttimeout", "controlmaster", "controlpath", "controlpersist", "loglevel", "logverbose"}
    | {"numberofpasswordprompts", "serveralivecountmax", "serveraliveinterval"}
)
"""Settings that may differ between two processes which nevertheless share a master."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """The output of one ``ssh -G``; ``stamps`` are the files behind it: path, mtime in ns, size, inode (0: absent)."""

    settings: Mapping[str, tuple[str, ...]]
    stamps: tuple[Stamp, ...]

    def one(self, keyword: str) -> str | None:
        """First value of a lower-case keyword; ``none`` counts as unset."""
        value = self.settings.get(keyword, (None,))[0]
        return None if value == "none" else value

    @property
    def hostname(self) -> str:
        return self.one("hostname") or ""

    @property
    def user(self) -> str:
        return self.one("user") or ""

    @property
    def port(self) -> int:
        return int(self.one("port") or 22)

    def known_hosts_files(self) -> tuple[str, ...]:
        """The files that ssh looks into, the user's first."""
        words = " ".join(
            value for key in ("userknownhostsfile", "globalknownhostsfile") for value in self.settings.get(key, ())
        ).split()
        return tuple(os.path.expanduser(word) for word in words if word not in {"none", os.devnull})  # noqa: PTH111

    def identity_lines(self) -> list[str]:
        """What of this decides who we are to the host, in a stable order."""
        return [
            f"{keyword} {value}"
            for keyword, values in sorted(self.settings.items())
            if keyword not in _NOT_IDENTITY
            for value in values
        ]

    def fresh(self) -> bool:
        """Whether every file is still as it was: a handful of stat calls, no process."""
        return all(_stamp(stamp[0]) == stamp for stamp in self.stamps)


def _stamp(path: str) -> Stamp:
    try:
        seen = os.stat(path)  # noqa: PTH116 - on the path of every call
    except OSError:
        return (path, 0, 0, 0)
    return (path, seen.st_mtime_ns, seen.st_size, seen.st_ino)


def parse_jump(text: str, name: str) -> tuple[Destination, ...]:
    """Hops of a ``proxyjump`` line of ``ssh -G`` (``[user@]host[:port],…``), from us outwards.

    Raises ConnectError where a hop cannot be parsed.
    """
    hops = []
    for part in text.split(","):
        match = re.fullmatch(
            r"(?:ssh://)?(?:(?P<u>.+)@)?(?:\[(?P<b>[^\]]+)\]|(?P<h>[^:@\[\]]+))(?::(?P<p>\d+))?/?", part
        )
        if match is None:
            raise ConnectError(
                f"The ProxyJump {text!r} of {name} cannot be parsed.", "Fix it in your ssh_config.", sent=False
            )
        hops.append(
            Destination(
                name=match["b"] or match["h"], user=match["u"], port=int(match["p"]) if match["p"] is not None else None
            )
        )
    return tuple(hops)


def last_hop(jump: tuple[Destination, ...]) -> Destination | None:
    """The hop that the target is reached from, with the hops before it as its own way."""
    if not jump:
        return None
    return replace(jump[-1], jump=jump[:-1] or jump[-1].jump)


def ssh_home() -> str:
    """The home directory whose ``.ssh/config`` counts where no file is configured."""
    return os.environ.get("HOME") or os.path.expanduser("~")  # noqa: PTH111


def control_lines_of(destination: Destination, config: TransportConfig, binaries: Binaries) -> list[Line]:
    """``base_lines`` with a bad value as a ConnectError about that host."""
    try:
        return base_lines(destination, config, binaries)
    except ValueError as error:
        raise ConnectError(f"{destination.name[:60]!r} cannot be given to ssh: {error}.", sent=False) from error


class Evaluator:
    """Asks ``ssh -G`` and remembers. One for a launcher."""

    def __init__(self, config: TransportConfig) -> None:
        self._config = config
        self._cache: dict[Destination, Resolved] = {}
        self._flights: SingleFlight[Destination, Resolved] = SingleFlight()
        self._system_files: tuple[str, ...] | None = None
        self._processes: anyio.CapacityLimiter | None = None
        self._questions: dict[Destination, str] = {}
        self._recalled: dict[str, Remembered] | None = None

    def record(self, destination: Destination) -> dict[str, Any]:
        """What other processes may take over from us about a host (see ``recall``)."""
        asked, known = self._questions.get(destination), self._cache.get(destination)
        return effective_cache.record(asked, known.settings, known.stamps) if asked and known else {}

    async def resolve(self, destination: Destination, binaries: Binaries, directory: ControlDir) -> Resolved:
        """The effective settings of one host, its jump hosts left aside.

        Raises ConnectError for a name that may not be given to ssh, LocalError for a configuration ssh cannot read.
        """
        known = self._cache.get(destination)
        if known is not None and known.fresh():
            return known
        found = await self._flights.run(destination, lambda: self._ask(destination, binaries, directory))
        self._cache[destination] = found
        return found

    async def hop(self, destination: Destination, binaries: Binaries, directory: ControlDir) -> Destination | None:
        """The jump host to go through, by hosts.toml or else by ssh_config's ProxyJump; None for a direct way."""
        if destination.jump:
            return last_hop(destination.jump)
        resolved = await self.resolve(destination, binaries, directory)
        text = resolved.one("proxyjump")
        return last_hop(parse_jump(text, destination.name)) if text else None

    async def chain(self, destination: Destination, binaries: Binaries, directory: ControlDir) -> list[Destination]:
        """All jump hosts from us outwards. Raises ConnectError where they lead in a circle."""
        hops: list[Destination] = []
        current = await self.hop(destination, binaries, directory)
        while current is not None:
            hops.insert(0, current)
            if len(hops) > _HOPS_MAX:
                raise ConnectError(
                    f"The way to {destination.name} has more than {_HOPS_MAX} jump hosts, or leads in a circle.",
                    "Fix proxy_jump in hosts.toml or ProxyJump in ssh_config.",
                    sent=False,
                )
            current = await self.hop(current, binaries, directory)
        return hops

    async def effective(self, destination: Destination, binaries: Binaries, directory: ControlDir) -> Effective:
        """``Effective`` of the public interface."""
        resolved = await self.resolve(destination, binaries, directory)
        hops = await self.chain(destination, binaries, directory)
        names = tuple([(await self.resolve(hop, binaries, directory)).hostname for hop in hops])
        named = tuple(hop.name for hop in hops)
        user = destination.user or resolved.user  # 10.0 may print a ``%`` of the fragment still doubled
        return Effective(resolved.hostname, user, resolved.port, names, resolved.one("proxycommand"), named)

    async def includes(self, binaries: Binaries) -> tuple[str, ...]:
        """The operator's ssh_config: the configured file, else what ssh itself reads (user's, then system's)."""
        if self._config.ssh_config_file is not None:
            return (self._config.ssh_config_file,)
        if self._system_files is None:
            self._system_files = await _system_files(binaries)
        return (f"{ssh_home()}/.ssh/config", *self._system_files)

    async def fragment(self, lines: list[Line], destination: Destination, binaries: Binaries) -> str:
        """A whole fragment: ``lines``, the operator's files, and what fills gaps."""
        user = self._config.default_user
        try:
            fallbacks = [("User", user_value(user, binaries))] if user is not None else []
            return render(lines, await self.includes(binaries), fallbacks)
        except ValueError as error:
            raise ConnectError(f"{destination.name} cannot be described to ssh: {error}.", sent=False) from error

    async def _ask(self, destination: Destination, binaries: Binaries, directory: ControlDir) -> Resolved:
        lines = control_lines_of(destination, self._config, binaries)
        text = await self.fragment(lines, destination, binaries)
        asked = self._questions[destination] = effective_cache.question(text, destination.name, binaries)
        if (known := self._recall(asked, directory)) is not None:
            return known
        with directory.scratch(text) as path:
            # "-v" for the names of the files read; LogLevel is not in the base lines, so it takes effect
            argv = ssh_argv(binaries.ssh, path, destination.name, extra=("-v", "-G"))
            if self._processes is None:
                self._processes = anyio.CapacityLimiter(_PROCESSES_PER_CPU * (os.cpu_count() or 1))
            async with self._processes:
                done = await _run(argv)
            if done.returncode != 0:
                raise _unreadable(done.stderr.decode(errors="replace").replace(path, "(generated)"), destination)
        errors = done.stderr.decode(errors="replace")
        watched = _watched(errors, path, await self.includes(binaries))
        settings = parse_settings(done.stdout.decode(errors="replace"))
        return Resolved(MappingProxyType(settings), tuple(_stamp(name) for name in watched))

    def _recall(self, asked: str, directory: ControlDir) -> Resolved | None:
        """Another process's output, once: a repeated question means that something changed."""
        if self._recalled is None:
            self._recalled = effective_cache.read_all(directory)
        left = self._recalled.pop(asked, None)
        if left is None:
            return None
        known = Resolved(MappingProxyType(left[0]), left[1])
        return known if known.fresh() else None


async def _run(argv: list[str]) -> subprocess.CompletedProcess[bytes]:
    try:
        return await child.output(argv, _SECONDS)
    except TimeoutError as error:
        raise LocalError(
            f"ssh did not read its configuration within {_SECONDS:g} s.",
            "Look for a slow Match exec in it.",
            sent=False,
        ) from error
    except OSError as error:
        raise LocalError(f"{argv[0]} cannot be run: {error}.", "Check the OpenSSH client.", sent=False) from error


def _unreadable(errors: str, destination: Destination) -> ConnectError | LocalError:
    nobody = Attempt(destination.name, destination.hostname or destination.name, destination.port or 22, "")
    lines = [line for line in errors.splitlines() if not line.startswith(("debug", "OpenSSH_", "Pseudo-terminal"))]
    return login_error(read("\n".join(lines), configuration=True), nobody)


def _watched(errors: str, fragment: str, includes: tuple[str, ...]) -> list[str]:
    """Every file that was read or looked for, and the directories where an Include pattern may find more."""
    read_files = [name for name in _READING.findall(errors) if name != fragment]
    places = [str(Path(name).parent) for name in read_files if name not in includes]
    places += [str(Path(pattern).parent) for pattern in _NO_MATCH.findall(errors) if pattern.startswith("/")]
    return list(dict.fromkeys([*includes, *read_files, *places]))


@functools.cache
def _system_cache() -> dict[str, tuple[str, ...]]:
    return {}


async def _system_files(binaries: Binaries) -> tuple[str, ...]:
    """Where this build of ssh has its system-wide file: compiled in, else as ssh says when it reads it."""
    cache = _system_cache()
    if binaries.ssh not in cache:
        cache[binaries.ssh] = _compiled_in(binaries.ssh) or await _asked_for(binaries.ssh)
    return cache[binaries.ssh]


def _compiled_in(ssh: str) -> tuple[str, ...]:
    """The one path of the program's text that can be it: to ask would run the user's ``Match exec`` once more."""
    try:
        with Path(ssh).open("rb") as file:
            found = set(_COMPILED_IN.findall(file.read(_PROGRAM_MAX)))
    except OSError:
        return ()
    return (found.pop().decode(),) if len(found) == 1 else ()


async def _asked_for(ssh: str) -> tuple[str, ...]:
    done = await _run([ssh, "-v", "-G", "--", "localhost"])
    found = _READING.findall(done.stderr.decode(errors="replace"))
    system = tuple(name for name in found if _SYSTEM_FILE.search(name))
    return system or tuple(p for p in ("/etc/ssh/ssh_config",) if _exists(p))


def _exists(path: str) -> bool:
    with contextlib.suppress(OSError):
        return Path(path).exists()
    return False
