"""Who calls: the identity that a handle (a shell, a job, a spool, an approval) is bound to."""

from __future__ import annotations

from dataclasses import dataclass

LOCAL = "local"
"""The identity over stdio: the user who started the server."""


@dataclass(frozen=True, slots=True)
class Caller:
    """One client as the server knows it.

    ``identity`` is the authenticated subject over HTTP, else ``local``; ``claims`` are those of its token, as
    ``claim:value``; ``client`` is name and version as the client gives them (unverified, for the audit alone);
    ``session`` distinguishes clients of one identity where the protocol has sessions, and is
    ``process`` where one process serves one client.
    """

    identity: str = LOCAL
    client: str | None = None
    session: str = "process"
    claims: tuple[str, ...] = ()

    @property
    def authenticated(self) -> bool:
        """Whether a token proved who it is."""
        return self.identity != LOCAL
