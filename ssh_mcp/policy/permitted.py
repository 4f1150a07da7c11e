"""What may run: values that only ``policy`` makes, and the only kind of text that is sent to a host to be run.

``tokens.Command`` is the second kind: a command of this program's own, whose words are written here and whose values
are quoted. Code that runs something takes ``Runnable``, so that the type checker finds a call that forgot to ask.
"""

from __future__ import annotations

from dataclasses import dataclass

from ssh_mcp.policy.permitted_path import POLICY, Maker
from ssh_mcp.shell.invocation import Invocation
from ssh_mcp.tokens import Command
from transports.api import CommandLine


@dataclass(frozen=True, slots=True, kw_only=True)
class PermittedCommand:
    """Shell text of a caller that the host's command policy permits.

    ``text`` is exactly what was decided about: a command line, or the body of a script.
    ``invocations``: every program that it starts with its arguments, in reading order; None where they cannot be read
    from the text (a policy that permits anything). ``files``: where its redirections write, None for a name that an
    expansion decides. ``default_dir`` is where relative paths begin.
    ``warnings`` belong in output_warnings, ``redact_bypass`` in the audit line: it names a redact-listed path.
    """

    maker: Maker
    text: str
    invocations: tuple[Invocation, ...] | None = ()
    files: tuple[str | None, ...] = ()
    default_dir: str | None = None
    warnings: tuple[str, ...] = ()
    redact_bypass: bool = False

    def __post_init__(self) -> None:
        if self.maker is not POLICY:
            raise TypeError("only policy makes a PermittedCommand")

    @property
    def programs(self) -> tuple[str, ...]:
        """Every program that the command starts, as written, in reading order; empty where they cannot be read."""
        return tuple(i.program for i in self.invocations or ())

    def wire(self) -> CommandLine:
        """What the remote ``sh`` gets."""
        return CommandLine(self.text)


Runnable = PermittedCommand | Command
