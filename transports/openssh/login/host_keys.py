"""Looking at a host's key without logging in, and at what known_hosts files say of it. The verdict is ssh's."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Iterable, Iterator
from typing import Final

import anyio
from anyio.abc import Process

from transports.openssh.login.argv import find_host_argv
from transports.openssh.login.binaries import Binaries
from transports.openssh.login.log import LogReport, read

_SECONDS: Final = 10.0
_CHUNK: Final = 4096
_OUTPUT_MAX: Final = 256 * 1024
_DECIDED = re.compile(rb"SSH2_MSG_NEWKEYS sent|Host key verification failed|SSH2_MSG_SERVICE_ACCEPT")
"""ssh's ``-v`` lines after the host key was checked and before any credential is used."""

_FINGERPRINT = re.compile(r"^(?P<name>\S+) (?P<kind>\S+) (?P<fp>SHA256:\S+)")

ASK_NOTHING: Final = (
    ("PubkeyAuthentication", "no"),
    ("PasswordAuthentication", "no"),
    ("KbdInteractiveAuthentication", "no"),
    ("GSSAPIAuthentication", "no"),
    ("HostbasedAuthentication", "no"),
    ("PreferredAuthentications", "none"),
)
"""Before anything else in the fragment: should ssh get further than the key, it has nothing to log in with."""


async def look(argv: list[str], env: dict[str, str], seconds: float) -> tuple[LogReport, bool]:
    """Run ``ssh -v`` until it has checked the host key, then end it. Returns its log, and whether time ran out.

    The server sees a connection that ends before authentication.
    """
    process = await anyio.open_process(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=env,
        start_new_session=os.name == "posix",
    )
    said = b""
    try:
        with anyio.move_on_after(seconds) as limit:
            said = await _until_decided(process)
    finally:
        with anyio.CancelScope(shield=True):
            await _end(process)
    return read(said.decode(errors="replace")), limit.cancelled_caught


async def _until_decided(process: Process) -> bytes:
    said = b""
    assert process.stderr is not None
    with contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError):
        while len(said) < _OUTPUT_MAX:
            said += await process.stderr.receive(_CHUNK)
            if _DECIDED.search(said):
                break
    return said


async def _end(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    await process.aclose()


async def known_fingerprint(binaries: Binaries, files: Iterable[str], name: str, key_type: str | None) -> str | None:
    """The fingerprint that known_hosts files hold for ``name`` (``host`` or ``[host]:port``), hashed entries included.

    The key of the wanted type wins. None where nothing is known, or where ssh-keygen is missing.
    """
    if binaries.ssh_keygen is None:
        return None
    wanted = _short(key_type) if key_type else None
    found: list[tuple[str, str]] = []
    for file in files:
        with contextlib.suppress(OSError, TimeoutError), anyio.fail_after(_SECONDS):
            done = await anyio.run_process(
                find_host_argv(binaries.ssh_keygen, file, name), stdin=subprocess.DEVNULL, check=False
            )
            found.extend(_plain_keys(done.stdout.decode(errors="replace")))
    best = next((fp for kind, fp in found if kind == wanted), None)
    return best or (found[0][1] if found else None)


def _plain_keys(listing: str) -> Iterator[tuple[str, str]]:
    """(type, fingerprint) of each entry; authorities and revoked keys are marked in the comment line before theirs."""
    plain = True
    for line in listing.splitlines():
        if line.startswith("#"):
            plain = not line.rstrip().endswith((" CA", " REVOKED"))
        elif plain and (match := _FINGERPRINT.match(line)):
            yield _short(match["kind"]), match["fp"]


def _short(kind: str) -> str:
    """``ssh-ed25519`` and ``ED25519`` are one type here."""
    low = kind.lower().removesuffix("-cert").split("-cert-")[0]
    return "ecdsa" if low.startswith("ecdsa") else low.removeprefix("ssh-")
