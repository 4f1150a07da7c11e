"""What an ssh-agent holds, as ``ssh-add`` lists it. No key is parsed here: fingerprints are ssh-add's own."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import Final

import anyio

from transports.errors import AgentFingerprintNotFound
from transports.openssh.login.argv import list_agent_argv
from transports.openssh.login.binaries import Binaries

_SECONDS: Final = 10.0
_LISTED: Final = 20


@dataclass(frozen=True, slots=True)
class AgentKey:
    """One key of an agent. ``public`` is its whole public line, as in authorized_keys."""

    fingerprint: str
    comment: str
    kind: str
    public: str

    @property
    def certificate(self) -> bool:
        return "-CERT" in self.kind or "-cert-" in self.public.partition(" ")[0]


def agent_socket(identity_agent: str | None) -> str | None:
    """The agent's socket path for an IdentityAgent value (ssh_config(5)); None means that there is none."""
    if identity_agent is None or identity_agent == "SSH_AUTH_SOCK":
        return os.environ.get("SSH_AUTH_SOCK")
    if identity_agent == "none":
        return None
    if identity_agent.startswith("$"):
        return os.environ.get(identity_agent[1:].strip("{}"))
    return os.path.expanduser(identity_agent)  # noqa: PTH111 - a string is wanted


async def agent_keys(binaries: Binaries, socket: str | None) -> tuple[AgentKey, ...] | None:
    """The keys of the agent at ``socket``; None where no agent replies. Raises LocalError where ssh-add is missing."""
    if socket is None:
        return None
    program = binaries.path("ssh-add")
    listed = await _run(list_agent_argv(program, public=False), socket)
    if listed is None:
        return None
    public = await _run(list_agent_argv(program, public=True), socket) or ""
    return tuple(
        key
        for line, whole in zip(listed.splitlines(), public.splitlines(), strict=False)
        if (key := _parse(line, whole))
    )


def _parse(line: str, public: str) -> AgentKey | None:
    """``ssh-add -l``: bits, fingerprint, comment (may hold blanks), ``(TYPE)``."""
    words = line.split()
    if len(words) < 3 or ":" not in words[1]:
        return None
    return AgentKey(words[1], " ".join(words[2:-1]), words[-1].strip("()"), public)


async def _run(argv: list[str], socket: str) -> str | None:
    """stdout; empty where the agent holds nothing (exit 1), None where there is no agent (exit 2)."""
    try:
        with anyio.fail_after(_SECONDS):
            done = await anyio.run_process(
                argv, stdin=subprocess.DEVNULL, check=False, env={**os.environ, "SSH_AUTH_SOCK": socket}
            )
    except (OSError, TimeoutError):
        return None
    if done.returncode == 0:
        return done.stdout.decode(errors="replace")
    return "" if done.returncode == 1 else None


async def pinned_key(binaries: Binaries, socket: str | None, fingerprint: str) -> AgentKey:
    """The agent's key with this fingerprint (``SHA256:…``); a plain key wins over a certificate of the same key.

    Raises AgentFingerprintNotFound, listing what the agent holds.
    """
    keys = await agent_keys(binaries, socket)
    if keys is None:
        where = f"at {socket}" if socket else "(SSH_AUTH_SOCK is not set)"
        raise AgentFingerprintNotFound(
            f"The pinned key {fingerprint} cannot be used: no ssh-agent replies {where}.",
            "Start the agent, or set identity_agent in hosts.toml to its socket.",
            sent=False,
        )
    found = sorted((key for key in keys if key.fingerprint == fingerprint), key=lambda key: key.certificate)
    if found:
        return found[0]
    held = "; ".join(f"{key.fingerprint} {key.comment}".strip() for key in keys[:_LISTED]) or "nothing"
    raise AgentFingerprintNotFound(
        f"The pinned key {fingerprint} is not in the agent, which holds: {held}.",
        "Add the key with ssh-add, or correct identity_fingerprint.",
        sent=False,
    )


async def list_certificates(ssh_keygen: str, text: str) -> str:
    """``ssh-keygen -L`` over certificates, one per line; "" where it cannot be run."""
    try:
        with anyio.fail_after(_SECONDS):
            done = await anyio.run_process([ssh_keygen, "-L", "-f", "-"], input=text.encode(), check=False)
    except (OSError, TimeoutError):
        return ""
    return done.stdout.decode(errors="replace")
