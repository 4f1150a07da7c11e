"""Refusals and failures of this program.

A client reads ``ClassName: what happened. What to do.``. Transport errors (``transports.errors``) carry the same two
sentences and a ``public_name``; ``public_text`` renders both kinds, so that no tool formats an error itself.

::

    Refusal                     the program says no, or the input is wrong; nothing was done
    ├── HostNotAllowed  HostBlocked
    ├── PathNotAllowed  PathRestricted  PathChanged  RedactBypassBlocked  LocalPathPolicyError
    ├── CommandNotAllowed  CommandIsCheatsheetMatch  ForwardNotAllowed
    ├── PlatformNotSupported  InvalidArgument  TooLarge  FileConflict  AuditUnavailable
    ├── UnknownTool  TierClosed  OutputExpired
    ├── IdentityNotAllowed  RateLimited  WrongInstance
    ├── ApprovalRequired  ApprovalPending  ApprovalDenied
    ├── JobNotFound  JobStoreUnavailable
    └── SudoFailed
    CutShort                    transports.errors.MasterLost with the output that had come until then
    ConfigError                 stops the start (or a reload): file, line, alias, field, remedy in one line
"""

from __future__ import annotations

from typing import ClassVar

from transports.errors import MasterLost, TransportError


class Refusal(Exception):
    """Base. ``what`` and ``remedy`` are one sentence each, free of secrets."""

    public_name: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "public_name" not in cls.__dict__:
            cls.public_name = cls.__name__

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(f"{what} {remedy}".strip())
        self.what = what
        self.remedy = remedy


class HostNotAllowed(Refusal):
    """The name is neither in hosts.toml nor on SSH_HOSTS_ALLOWLIST."""


class HostBlocked(Refusal):
    """SSH_HOSTS_BLOCKLIST names the host, what it resolves to, or one of its jump hosts."""


class PathNotAllowed(Refusal):
    """The canonical path lies outside the host's path_allowlist."""


class PathRestricted(Refusal):
    """The canonical path lies in a restricted zone."""


class PathChanged(Refusal):
    """The path resolved differently when it was opened than when it was checked."""


class RedactBypassBlocked(Refusal):
    """The path is redact-listed and this tool would show it raw."""


class LocalPathPolicyError(Refusal):
    """A local_path outside SSH_LOCAL_TRANSFER_ROOTS, or one that must not be touched."""


class ForwardNotAllowed(Refusal):
    """The operator's lists do not permit a forward to that target."""


class CommandNotAllowed(Refusal):
    """A program in the command is not allowed, or nothing can be decided about the command."""


class CommandIsCheatsheetMatch(Refusal):
    """A dedicated tool does this command's job. ``pattern_id`` goes into the audit line."""

    def __init__(self, what: str, remedy: str = "", *, pattern_id: str) -> None:
        super().__init__(what, remedy)
        self.pattern_id = pattern_id


class PlatformNotSupported(Refusal):
    """The host lacks what the tool needs (POSIX shell, apt, systemd, docker)."""


class InvalidArgument(Refusal):
    """An argument has the wrong shape; nothing was sent."""


class TooLarge(Refusal):
    """Input or file beyond a configured limit."""


class FileConflict(Refusal):
    """The file is not as the caller assumed: exists already, text not found, patch does not apply."""


class ApprovalRequired(Refusal):
    """A person must be asked first, and there is no way to ask."""


class ApprovalPending(Refusal):
    """A person was asked and has not decided yet."""


class ApprovalDenied(Refusal):
    """A person was asked and said no."""


class OutputExpired(Refusal):
    """The spool no longer keeps this output of the caller's."""


class SudoFailed(Refusal):
    """sudo (sudo-rs, doas) refused: wrong password, no rights, a terminal required, or no password to be had."""


class JobNotFound(Refusal):
    """The host has no such job of this identity; another's is none."""


class JobStoreUnavailable(Refusal):
    """The host has no directory in which jobs can be kept: read-only, full, or somebody else's."""


class AuditUnavailable(Refusal):
    """The audit cannot be written, so nothing beyond the read tier runs."""


class UnknownTool(Refusal):
    """No such tool. FastMCP words the reply; the audit has the attempt."""


class TierClosed(Refusal):
    """The tool exists, but the operator has not opened its tier or enabled its group."""


class IdentityNotAllowed(Refusal):
    """The caller's token is valid, but hosts.toml gives its identity no role, or a role without this."""


class RateLimited(Refusal):
    """The identity made more calls than MCP_RATE_LIMIT permits."""


class WrongInstance(Refusal):
    """The handle belongs to another instance behind the same address."""


class ConfigError(Exception):
    """A setting or hosts.toml entry that stops the start. ``str()`` is one line meant for the operator."""


class CutShort(MasterLost):
    """A lost link, with what the command had said until then.

    ``output`` is guarded and bounded text of some lines. It is no part of ``str()``, which the log shows.
    """

    def __init__(self, lost: MasterLost, output: str) -> None:
        super().__init__(lost.what, lost.remedy, sent=lost.sent, hop=lost.hop)
        self.output = output


def public_text(error: Refusal | TransportError) -> str:
    """``ClassName: what happened. What to do.`` Behind it, on lines of its own, what a lost command had said."""
    sentences = f"{error.public_name}: {error}"
    return f"{sentences}\n{error.output}" if isinstance(error, CutShort) else sentences
