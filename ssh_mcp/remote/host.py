"""A remote host that already carries its policy: the only way a tool can reach one.

The parts (``files``, ``commands`` …) check before they act. They are made on first use, so that a call that only
lists a directory builds nothing else.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from ssh_mcp.errors import PlatformNotSupported
from transports.errors import SessionRefused

if TYPE_CHECKING:
    from ssh_mcp.facts.capabilities import Capabilities
    from ssh_mcp.inventory.model import HostPolicy
    from ssh_mcp.remote.call import Call
    from ssh_mcp.remote.exec.commands import Commands
    from ssh_mcp.remote.exec.jobs.jobs import Jobs
    from ssh_mcp.remote.files.paths import SftpPaths
    from ssh_mcp.remote.files.sftp_files import SftpFiles
    from ssh_mcp.remote.files.trees import Trees
    from ssh_mcp.remote.sudo.sudo import Sudo
    from ssh_mcp.settings.model import Settings
    from transports.api import Connection


class RemoteHost:
    """One host within one call. Made by ``Fleet.host`` only."""

    def __init__(
        self,
        policy: HostPolicy,
        connection: Connection,
        call: Call,
        *,
        hostname: str,
        user: str | None = None,
        port: int | None = None,
    ) -> None:
        self.policy = policy
        self.call = call
        self.hostname = hostname
        """What ssh would really connect to."""
        self.user = user
        """The login user; None: ssh's own configuration decides, and nobody asked it."""
        self.port = port
        """The same for the port."""
        self._connection = connection

    @property
    def alias(self) -> str:
        return self.policy.alias

    @property
    def name(self) -> str:
        """What results and messages call the host: a name that the caller can use again."""
        return self.policy.alias

    def note_login(self) -> None:
        """Name this host in the call's audit line."""
        self.call.record.host(self.hostname)
        self.call.record.login(self.alias, self.user, self.port)

    @property
    def settings(self) -> Settings:
        return self.call.settings

    async def capabilities(self) -> Capabilities:
        """What the host can do, found out once per connection."""
        return await self.call.fleet.capabilities.of(self)

    async def require_shell(self) -> Capabilities:
        """What the host can do. Raises SessionRefused where it starts no POSIX shell for this login."""
        able = await self.call.fleet.capabilities.of(self, need_shell=True)
        if not able.posix and not self.policy.windows:
            raise SessionRefused(f"{able.why}.", sent=False, no_shell=True)
        return able

    def require_posix(self, what: str, instead: str) -> None:
        """Raise PlatformNotSupported on a Windows host. ``what`` is missing there; ``instead`` is a whole sentence."""
        if self.policy.windows:
            raise PlatformNotSupported(f"{self.name} is a Windows host and has no {what}.", instead)

    @cached_property
    def paths(self) -> SftpPaths:
        """Paths as SFTP shows them: for the parts in ``ssh_mcp.remote``."""
        from ssh_mcp.remote.files.paths import SftpPaths

        return SftpPaths(self)

    @cached_property
    def files(self) -> SftpFiles:
        """Files over SFTP, confined by the host's path policy."""
        from ssh_mcp.remote.files.sftp_files import SftpFiles

        return SftpFiles(self)

    @cached_property
    def trees(self) -> Trees:
        """Directories and names over SFTP, confined by the same."""
        from ssh_mcp.remote.files.trees import Trees

        return Trees(self)

    @cached_property
    def commands(self) -> Commands:
        """Commands: our own as tokens, a caller's as permitted shell text."""
        from ssh_mcp.remote.exec.commands import Commands

        return Commands(self)

    @cached_property
    def sudo(self) -> Sudo:
        """The same as root through sudo."""
        from ssh_mcp.remote.sudo.sudo import Sudo

        return Sudo(self)

    @cached_property
    def jobs(self) -> Jobs:
        """Commands that outlive the call. Raises PlatformNotSupported on a Windows host."""
        from ssh_mcp.remote.exec.jobs.jobs import Jobs

        self.require_posix("POSIX shell for jobs", "SFTP tools work there.")
        return Jobs(self)


def connection_of(host: RemoteHost) -> Connection:
    """The transport of a host: for the parts in ``ssh_mcp.remote`` and the operator's commands, never for a tool."""
    return host._connection  # noqa: SLF001 - the one way to it, which the architecture test watches
