"""What the sudo tier does on one host: a caller's commands and scripts as root, and files as root."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import cached_property
from typing import TYPE_CHECKING

from ssh_mcp.remote.exec.commands import script_parts, with_line_end_hint
from ssh_mcp.remote.exec.partial_output import partial_output_in_errors
from ssh_mcp.remote.host import connection_of
from ssh_mcp.remote.sudo.password import sudo_password
from ssh_mcp.remote.sudo.session import DOAS, run_as_root
from ssh_mcp.results.exec import ExecResult
from ssh_mcp.tokens import Command, arg, command, lit

if TYPE_CHECKING:
    from ssh_mcp.policy.permitted import PermittedCommand, Runnable
    from ssh_mcp.remote.files.root_view import RootView
    from ssh_mcp.remote.files.service import FileService
    from ssh_mcp.remote.host import RemoteHost
    from transports.api import Completed, OutputSink


_MASKED_MIN = 4
"""Bytes of a password that is masked in results by its value: shorter ones come up in words and numbers."""


class Sudo:
    """Root on one host within one call. The password is fetched once per call and not kept."""

    def __init__(self, host: RemoteHost) -> None:
        self._host = host
        self._password: bytes | None = None
        self._asked = False

    async def run(
        self,
        inner: Command,
        *,
        stdin: bytes | AsyncIterator[bytes] | None = None,
        timeout: float | None = None,
        stdout_cap: int | None = None,
        on_output: OutputSink | None = None,
    ) -> Completed:
        """Run one of our own programs as root. Raises SudoFailed where sudo does not start it.

        ``on_output`` sees every byte that the program itself writes.
        """
        settings = self._host.settings
        done = await run_as_root(
            connection_of(self._host),
            inner,
            program=await self.program(),
            password=await self.password(),
            stdin=stdin,
            timeout=self._host.commands.timeout(timeout),
            stdout_cap=settings.ssh_stdout_cap_bytes if stdout_cap is None else stdout_cap,
            stderr_cap=settings.ssh_stderr_cap_bytes,
            on_output=on_output,
        )
        self._host.call.note_exit(done.exit_code)
        return done

    async def program(self) -> str:
        """What makes us root there: ``sudo``, else ``sudo-rs`` or ``doas``."""
        return (await self._host.require_shell()).elevation_program or "sudo"

    async def password(self) -> bytes | None:
        """What sudo gets on stdin; None: it must not ask. doas takes none."""
        if not self._asked and await self.program() != DOAS:
            self._password = await sudo_password(self._host.alias, self._host.settings)
            self._asked = True
            if self._password is not None and len(self._password) >= _MASKED_MIN:
                self._host.call.known_secrets.add(self._password.decode("utf-8", "replace"))
        return self._password

    async def execute(self, text: str, *, timeout: float | None = None) -> ExecResult:
        """A caller's shell text as root, decided like any other; sudo itself needs no permission here."""
        self._host.call.note_command(text)
        permitted = self._host.commands.permit(text, sudo=True)
        await self._host.call.confirm_command((self._host, permitted))
        return await self._shell(permitted, self._host.commands.in_default_dir(permitted), None, timeout)

    async def script(self, body: str, *, timeout: float | None = None) -> ExecResult:
        """A caller's script as root, its body over stdin."""
        self._host.call.note_command(body)
        program, stdin = script_parts(body)
        permitted = await self._host.commands.permit_script(body, sudo=True)
        await self._host.call.confirm_command((self._host, permitted))
        done = await self._shell(
            permitted, self._host.commands.in_default_dir(command("exec", program.tokens)), stdin, timeout
        )
        return with_line_end_hint(done, body)

    async def _shell(
        self, permitted: PermittedCommand, line: Runnable, stdin: bytes | None, timeout: float | None
    ) -> ExecResult:
        kept = self._host.commands.kept_output()
        with partial_output_in_errors(self._host, kept):
            done = await self.run(command(lit("sh -c"), arg(line.wire())), stdin=stdin, timeout=timeout, on_output=kept)
        return self._host.commands.result(done, remarks=permitted.warnings, as_root=True, kept=kept)

    @cached_property
    def files(self) -> FileService[RootView]:
        """Files in root's view, confined by the host's path policy."""
        from ssh_mcp.remote.files.root_view import RootView
        from ssh_mcp.remote.files.service import FileService

        return FileService(self._host, RootView(self._host, self))
