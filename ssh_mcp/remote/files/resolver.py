"""From a caller's argument to a permitted path: canonicalised in a view, decided on, confirmed.

There are three views of a host's files: SFTP's, the login shell's and root's. A path is canonicalised in the view in
which it will be used; a chrooted SFTP service and an unchrooted shell have different files under one name.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ssh_mcp.policy.paths import Purpose, decide, decide_two, normalise_argument, with_resolved_restrictions
from ssh_mcp.remote.programs import files_program
from transports.errors import FileError, FileErrorKind, RemoteError

if TYPE_CHECKING:
    from ssh_mcp.inventory.model import PathPolicy
    from ssh_mcp.policy.permitted_path import PermittedPath
    from ssh_mcp.remote.host import RemoteHost
    from ssh_mcp.tokens import Command
    from transports.api import Completed

READER: Final = "ssh_read_redacted"
ROOT_READER: Final = "ssh_sudo_read_redacted"
MISSING: Final = 64
"""Exit status of canonical.sh where a path cannot be resolved."""
TYPES: Final = {"f": 0o100000, "d": 0o040000, "l": 0o120000, "o": 0o060000}
"""File type bits (``S_IFMT``) of the kinds that the programs print."""


@dataclass(frozen=True, slots=True)
class Canonical:
    """Where an argument leads, links followed. ``kind``: d, f, o (something else) or - (missing)."""

    path: str
    kind: str


@dataclass(frozen=True, slots=True)
class Resolved:
    """A permitted path and its kind, as in ``Canonical``."""

    path: PermittedPath
    kind: str


class PathResolver:
    """The paths of one host in one view within one call. ``reader``: the tool of this view that masks secrets."""

    def __init__(self, host: RemoteHost, reader: str) -> None:
        self.host = host
        self.reader = reader

    def decide(self, canonical: str, policy: PathPolicy, purpose: Purpose) -> PermittedPath:
        """Decide on a canonical path. Raises PathNotAllowed, PathRestricted, RedactBypassBlocked."""
        return noted(self.host, decide(canonical, policy, purpose=purpose, reader=self.reader))

    def decide_two(
        self,
        source: str,
        policy: PathPolicy,
        target: str,
        target_policy: PathPolicy,
        *,
        source_purpose: Purpose,
        other: PathResolver | None = None,
    ) -> tuple[PermittedPath, PermittedPath]:
        """Decide on both canonical paths of a copy together; ``other``: the target's host."""
        first, second = decide_two(source, target, policy, source_purpose=source_purpose, target_policy=target_policy)
        return noted(self.host, first), noted((other or self).host, second)

    async def confirmed(self, path: PermittedPath, purpose: Purpose, *, tree: bool = False) -> PermittedPath:
        """``path``, once a person agreed to it where a rule asks for that. A removal takes all below it along."""
        if purpose in (Purpose.WRITE, Purpose.DELETE):
            await self.host.call.confirm_write(self.host, path, tree=tree or purpose is Purpose.DELETE)
        return path


def noted(host: RemoteHost, path: PermittedPath) -> PermittedPath:
    """``path``, with what the decision remarks passed on to the audit line and the result."""
    host.call.note_path(path)
    if path.redact_bypass:
        host.call.note_bypass()
    for warning in path.warnings:
        host.call.warn(warning)
    return path


class ProgramPaths(PathResolver):
    """The paths of one host as a shell shows them: the login's, or root's. ``run`` runs a program in it."""

    def __init__(self, host: RemoteHost, reader: str, run: Callable[[Command], Awaitable[Completed]]) -> None:
        super().__init__(host, reader)
        self._run = run

    async def permitted(self, *wanted: tuple[str, Purpose], confirm: bool = True) -> list[Resolved]:
        """Each argument's canonical path, permitted for its purpose; what the policy restricts is resolved along.

        ``confirm`` False: the caller has more to check before a person is asked. Raises InvalidArgument, FileError,
        RemoteError, the refusals of policy and of approval.
        """
        given = self.host.policy.paths
        arguments = [normalise_argument(path, given) for path, _ in wanted]
        found = await self.canonical([*arguments, *given.restricted])
        policy = self._with_zones(found[len(arguments) :])
        done = []
        for each, (_, purpose) in zip(found, wanted, strict=False):
            path = self.decide(each.path, policy, purpose)
            done.append(Resolved(await self.confirmed(path, purpose) if confirm else path, each.kind))
        return done

    async def policy(self) -> PathPolicy:
        """The host's path policy with its restricted paths as this view resolves them."""
        given = self.host.policy.paths
        return self._with_zones(await self.canonical(given.restricted)) if given.restricted else given

    def _with_zones(self, found: Sequence[Canonical]) -> PathPolicy:
        given = self.host.policy.paths
        zones = {r: each.path for r, each in zip(given.restricted, found, strict=True)}
        return with_resolved_restrictions(given, zones)

    async def canonical(self, paths: Sequence[str]) -> list[Canonical]:
        """Where paths lead, in order and in one session. What does not exist is canonicalised up to its deepest
        existing ancestor. Raises FileError, RemoteError.
        """
        done = await self._run(files_program(("canonical",), *paths))
        # surrogateescape both ways: a name on the host is bytes
        fields = done.stdout.decode("utf-8", "surrogateescape").split("\0")
        if done.exit_code != 0 or len(fields) != 2 * len(paths) + 1:
            if done.exit_code == MISSING:
                raise FileError(FileErrorKind.NOT_FOUND, paths[0], f"{paths[0]} does not exist.", "Check the spelling.")
            raise RemoteError(f"{self.host.name} could not resolve {paths[0]}.", "It needs readlink -f or realpath.")
        return [Canonical(fields[2 * i], fields[2 * i + 1]) for i in range(len(paths))]
