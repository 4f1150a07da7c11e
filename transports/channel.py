"""The byte channel between a session and the protocol spoken over it (SFTP): a protocol, no code that does anything."""

from __future__ import annotations

from typing import Protocol


class ByteChannel(Protocol):
    """Two-way bytes of one subsystem session. One reader and one writer at a time.

    Every failure is an error of the ``TransportError`` tree: ``MasterLost`` where the master or its connection ended.
    """

    async def read(self, n: int) -> bytes:
        """Between 1 and ``n`` bytes, as soon as there are any; empty at the end of the stream.

        Cancelling loses no bytes: what was not returned is there for the next call.
        """

    def write(self, data: bytes) -> None:
        """Queue ``data`` to be sent in order; never blocks. What fits goes to the kernel at once.

        Bound the queue by awaiting ``drain``. After the channel is gone writes are dropped and ``drain`` raises.
        """

    async def drain(self) -> None:
        """Wait until little is queued. Raises ``MasterLost`` where it can never be sent."""

    async def close(self) -> None:
        """Close both directions and give the session slot back. Idempotent, bounded; ``read`` then answers empty."""

    def stderr_text(self) -> str:
        """What the far end has said on stderr so far (the first 8 KiB, undecodable bytes replaced)."""
