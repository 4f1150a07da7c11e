"""The system's OpenSSH: where it is, how old it is, what it can do."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from typing import Final, Literal

from transports.errors import LocalError
from transports.openssh.local import child
from transports.openssh.local.single_flight import SingleFlight

OLDEST: Final = (8, 0)
_PROBE_SECONDS: Final = 10.0
_VERSION = re.compile(r"OpenSSH_(?:for_Windows_)?(\d+)\.(\d+)")

Program = Literal["ssh", "sftp", "ssh-keygen", "ssh-add"]


@dataclass(frozen=True, slots=True)
class Binaries:
    """What was found on PATH. ``version_text`` is ``ssh -V``'s line; the rest is what ``ssh -F none -G`` says.

    ``keywords`` (lower case) are the settings this build knows; ``default_ciphers``, ``default_kex`` and
    ``default_identities`` are what it uses where no setting says otherwise.
    """

    ssh: str
    sftp: str | None
    ssh_keygen: str | None
    ssh_add: str | None
    version: tuple[int, int]
    version_text: str
    keywords: frozenset[str]
    default_ciphers: tuple[str, ...]
    default_kex: tuple[str, ...]
    default_identities: tuple[str, ...]

    @property
    def log_verbose(self) -> bool:
        """LogVerbose: debug lines of chosen source files only (8.5)."""
        return self.version >= (8, 5)

    @property
    def known_hosts_command(self) -> bool:
        """KnownHostsCommand exists and so has to be switched off where only one file may count (8.5)."""
        return self.version >= (8, 5)

    @property
    def expands_user(self) -> bool:
        """User takes ``%`` tokens (10.0)."""
        return self.version >= (10, 0)

    @property
    def askpass_require(self) -> bool:
        """SSH_ASKPASS_REQUIRE is obeyed (8.4); before it askpass wants DISPLAY and no terminal."""
        return self.version >= (8, 4)

    def path(self, program: Program) -> str:
        """Absolute path of one of the four programs. Raises LocalError where it is missing."""
        found: str | None = getattr(self, program.replace("-", "_"))
        if found is None:
            raise _missing(program)
        return found


def _missing(program: str) -> LocalError:
    return LocalError(
        f"The OpenSSH program {program} was not found on PATH.",
        "Install the OpenSSH client, or put its directory on the PATH that the MCP client gives to this server.",
        sent=False,
    )


def parse_version(text: str) -> tuple[int, int] | None:
    """(major, minor) out of ``ssh -V``; None where it is not OpenSSH."""
    match = _VERSION.search(text)
    return (int(match[1]), int(match[2])) if match else None


def parse_settings(text: str) -> dict[str, tuple[str, ...]]:
    """``ssh -G`` output as lower-case keyword → its values in order (IdentityFile and others repeat)."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        keyword, _, value = line.partition(" ")
        if keyword:
            found.setdefault(keyword.lower(), []).append(value)
    return {keyword: tuple(values) for keyword, values in found.items()}


_NO_ACCOUNT = "No user exists for uid"
"""What ssh says, and nothing else, where getpwuid(3) does not know who runs it."""
_known: dict[tuple[str, int, int], Binaries] = {}
_flights: SingleFlight[tuple[str, int, int], Binaries] = SingleFlight()


async def probe() -> Binaries:
    """Find and question the four programs; cached until PATH leads to another ssh. Costs one short process once.

    Raises LocalError where ssh is missing, is not OpenSSH, or is older than 8.0.
    """
    ssh = shutil.which("ssh")
    if ssh is None:
        raise _missing("ssh")
    seen = os.stat(ssh)  # noqa: PTH116 - one system call on a local path
    key = (ssh, seen.st_mtime_ns, seen.st_size)
    if key not in _known:
        _known[key] = await _flights.run(key, lambda: _question(ssh))
    return _known[key]


async def _question(ssh: str) -> Binaries:
    listed, debug = await _output(ssh, "-v", "-F", "none", "-G", "--", "localhost")
    version_text = next((line.strip() for line in debug.splitlines() if parse_version(line)), "")
    if not version_text:  # the first line of -v says what -V does; whatever leaves it out is asked
        version_text = (await _output(ssh, "-V"))[1].strip()
    version = parse_version(version_text)
    if version is None and _NO_ACCOUNT in debug + version_text:
        raise LocalError(
            f"ssh does not run for user id {os.geteuid()}, which has no account on this machine.",
            "Run the server as a user of /etc/passwd; for a unit with DynamicUser=, install libnss-systemd.",
            sent=False,
        )
    if version is None:
        raise LocalError(
            f"{ssh} is not OpenSSH.", "Put the directory of an OpenSSH 8.0 or newer first on PATH.", sent=False
        )
    if version < OLDEST:
        raise LocalError(
            f"{ssh} is OpenSSH {version[0]}.{version[1]}; 8.0 is the oldest that works here.",
            "Install a newer OpenSSH client and put its directory first on PATH.",
            sent=False,
        )
    settings = parse_settings(listed)
    return Binaries(
        ssh=ssh,
        sftp=shutil.which("sftp"),
        ssh_keygen=shutil.which("ssh-keygen"),
        ssh_add=shutil.which("ssh-add"),
        version=version,
        version_text=version_text,
        keywords=frozenset(settings),
        default_ciphers=tuple(settings.get("ciphers", ("",))[0].split(",")),
        default_kex=tuple(settings.get("kexalgorithms", ("",))[0].split(",")),
        default_identities=settings.get("identityfile", ()),
    )


async def _output(*argv: str) -> tuple[str, str]:
    try:
        done = await child.output(argv, _PROBE_SECONDS)
    except (OSError, TimeoutError) as error:
        raise LocalError(f"{argv[0]} cannot be run: {error}.", "Check the OpenSSH client.", sent=False) from error
    return done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
