"""What a login to one host needs, collected before anything is started: settings, route, identity, credentials."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from transports.api import AuthMethod, Destination, TransportConfig
from transports.openssh.local.control_dir import ID_LENGTH, ControlDir
from transports.openssh.login import askpass
from transports.openssh.login.agent import agent_socket, pinned_key
from transports.openssh.login.argv import known_hosts_name
from transports.openssh.login.binaries import Binaries
from transports.openssh.login.config import Line, Login, launch_lines, prefer_aes, prefer_mlkem
from transports.openssh.login.effective import Evaluator, Resolved, control_lines_of
from transports.openssh.login.failures import Attempt

_ALGORITHMS: Final = ("kexalgorithms", "ciphers", "macs", "hostkeyalgorithms", "compression")


@dataclass(frozen=True, slots=True)
class LaunchContext:
    """What is the same for all hosts of one launcher."""

    config: TransportConfig
    binaries: Binaries
    directory: ControlDir
    evaluator: Evaluator


@dataclass(frozen=True, slots=True)
class LoginPlan:
    """One host: how ssh resolved it, and the hop that it is reached from."""

    context: LaunchContext
    destination: Destination
    resolved: Resolved
    hop: Destination | None

    def identity(self, index: int, via: str) -> str:
        """Name of the socket: a hash over everything that decides who we are to that host.

        ``via`` is the hop's own identity. SSH_AUTH_SOCK is left out on purpose: it differs between a terminal and a
        desktop launcher, and ``ssh-mcp connect`` in the one is for the server in the other.
        """
        auth = self.destination.auth
        parts = [
            self.context.binaries.version_text,
            str(index),
            via,
            self.context.config.default_key or "",
            *(f"{name}={getattr(auth, name)}" for name in auth.__slots__),
            *self.resolved.identity_lines(),
        ]
        return hashlib.sha256(json.dumps(parts).encode("utf-8", "surrogateescape")).hexdigest()[:ID_LENGTH]

    @property
    def user(self) -> str:
        """The login name. ``ssh -G`` of 10.0 prints one from the fragment with its ``%`` still doubled."""
        return self.destination.user or self.resolved.user

    def attempt(self) -> Attempt:
        """What errors about this host start from."""
        files = self.resolved.known_hosts_files()
        return Attempt(
            name=self.destination.name,
            hostname=self.resolved.hostname,
            port=self.resolved.port,
            user=self.user,
            known_hosts=files[0] if files else "~/.ssh/known_hosts",
            host_key_alias=self.resolved.one("hostkeyalias"),
            settings=tuple((key, self.resolved.one(key) or "") for key in _ALGORITHMS),
            seconds=self.context.config.connect_timeout,
        )

    def known_hosts_name(self) -> str:
        alias = self.resolved.one("hostkeyalias")
        return alias or known_hosts_name(self.resolved.hostname, self.resolved.port)

    def prompts(self) -> tuple[askpass.Prompt, ...]:
        """Prompts that this host's configured commands are for."""
        auth = self.destination.auth
        keys = [auth.key] if auth.key is not None else [*self.resolved.settings.get("identityfile", ())]
        if self.context.config.default_key is not None:
            keys.append(self.context.config.default_key)
        hosts = dict.fromkeys(
            name for name in (self.resolved.hostname, self.resolved.one("hostkeyalias"), self.destination.name) if name
        )
        return askpass.prompts(auth, user=self.user, hosts=hosts, keys=keys)

    async def login(self) -> Login:
        """The credentials and ciphers of a launch. Raises AgentFingerprintNotFound."""
        return Login(
            persist=self.context.config.idle_timeout,
            askpass=bool(self.prompts()),
            ciphers=self._ciphers(),
            key_exchanges=self._key_exchanges(),
            identity=await self._identity_file(),
        )

    def _key_exchanges(self) -> tuple[str, ...]:
        if any(key.lower() == "kexalgorithms" for key, _ in self.destination.options):
            return ()
        return prefer_mlkem(self.resolved.one("kexalgorithms") or "", self.context.binaries)

    def _ciphers(self) -> tuple[str, ...]:
        chosen = any(key.lower() == "ciphers" for key, _ in self.destination.options)
        if chosen or not has_aes():
            return ()
        return prefer_aes(self.resolved.one("ciphers") or "", self.context.binaries)

    async def _identity_file(self) -> str | None:
        auth = self.destination.auth
        if auth.method is AuthMethod.PASSWORD:
            return None
        if auth.identity_fingerprint is not None:
            return await self._pinned_file(auth.identity_fingerprint)
        untouched = self.resolved.settings.get("identityfile") == self.context.binaries.default_identities
        return self.context.config.default_key if untouched and auth.key is None else None

    async def _pinned_file(self, fingerprint: str) -> str:
        """The public half of the agent's key in a file: with IdentitiesOnly the agent then offers just that key."""
        socket = agent_socket(self.resolved.one("identityagent"))
        key = await pinned_key(self.context.binaries, socket, fingerprint)
        name = hashlib.sha256(key.public.encode()).hexdigest()[:ID_LENGTH]
        return self.context.directory.write(f"{name}.pub", key.public + "\n")

    async def text(self, login: Login, first: tuple[Line, ...] = ()) -> str:
        """The fragment for one launch."""
        base = control_lines_of(self.destination, self.context.config, self.context.binaries)
        lines = [*first, *launch_lines(login, self.destination.auth, self.context.binaries), *base]
        return await self.context.evaluator.fragment(lines, self.destination, self.context.binaries)

    @contextlib.asynccontextmanager
    async def fragment(self, login: Login, first: tuple[Line, ...] = ()) -> AsyncIterator[str]:
        """The fragment as a file that is gone after the block: ssh reads it once."""
        with self.context.directory.scratch(await self.text(login, first)) as path:
            yield path


async def make_plan(context: LaunchContext, destination: Destination) -> LoginPlan:
    """Resolve one host and its last hop. Raises ConnectError or LocalError."""
    resolved = await context.evaluator.resolve(destination, context.binaries, context.directory)
    await context.evaluator.chain(destination, context.binaries, context.directory)  # refuses circles
    hop = await context.evaluator.hop(destination, context.binaries, context.directory)
    return LoginPlan(context, destination, resolved, hop)


def has_aes() -> bool:
    """Whether this processor has AES instructions (x86 and ARM on Linux; every Mac has them)."""
    if os.name != "posix" or os.uname().sysname == "Darwin":
        return True
    return _linux_has_aes()


def _linux_has_aes() -> bool:
    global _aes  # noqa: PLW0603 - read once, the processor does not change
    if _aes is None:
        try:
            with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:  # noqa: PTH123
                _aes = " aes" in file.read(65536)
        except OSError:
            _aes = False
    return _aes


_aes: bool | None = None
