"""The seal on questions that travel through a client: FastMCP's, under a key that survives a restart.

The seal binds a question to method, tool, exact arguments and authenticated principal for ``SEAL_SECONDS``; the state
inside (see ``desk``) adds host, login, identity and single use.
"""

from __future__ import annotations

from mcp.server.request_state import AESGCMRequestStateCodec, RequestStateSecurity

from ssh_mcp.approval.store import SEAL_SECONDS, ApprovalStore


class _LateCodec:
    """AES-256-GCM under the store's key, which is read or made when something is first sealed."""

    def __init__(self, store: ApprovalStore) -> None:
        self._store = store
        self._made: AESGCMRequestStateCodec | None = None

    def _codec(self) -> AESGCMRequestStateCodec:
        if self._made is None:
            self._made = AESGCMRequestStateCodec([self._store.key()])
        return self._made

    def seal(self, payload: bytes) -> str:
        return self._codec().seal(payload)

    def unseal(self, token: str) -> bytes:
        return self._codec().unseal(token)


def request_state_security(store: ApprovalStore, audience: str) -> RequestStateSecurity:
    """What FastMCP seals request states with."""
    return RequestStateSecurity(codec=_LateCodec(store), ttl=SEAL_SECONDS, audience=audience)
