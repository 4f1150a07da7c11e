"""Sessions by starting ``ssh -S``: the fallback where descriptors cannot be passed from Python.

The ssh that is started can only use the master: its own way to the host is cut off, so that "no slot left" does not
become a quiet login.
"""

from __future__ import annotations

from typing import Final

from transports.api import Destination
from transports.errors import TransportError
from transports.mux.client import NO_SLOT_TEXT, refusal
from transports.openssh.sessions.mastered import Mastered, Masters
from transports.openssh.sessions.native import lost_master
from transports.openssh.sessions.session import BackendName, Handle, Session, SessionEvents
from transports.openssh.sessions.spawned import Spawner

SSH_FAILED: Final = 255
"""Exit status of an ssh that failed by itself (ssh(1)); a remote command may use it too."""


class ProcessBackend(Mastered):
    """Sessions through a local ``ssh -S`` each."""

    name: BackendName = "process"
    confirms = False
    opens_ahead = False

    def __init__(self, masters: Masters, destination: Destination) -> None:
        super().__init__(masters, destination)
        self._spawner = Spawner("process")

    async def open(self, master: Handle, command: bytes, events: SessionEvents, *, subsystem: bool) -> Session:
        text = command.decode("utf-8", "surrogateescape")
        argv = self._masters.mux_argv(
            master.control_path,
            self._destination,
            subsystem=text if subsystem else None,
            command=None if subsystem else text,
        )
        return await self._spawner.open(argv, events)

    async def diagnose(self, master: Handle, status: int | None, text: str, *, began: bool) -> TransportError | None:
        return await diagnose_client(master, status, text, began=began)

    async def aclose(self) -> None:
        await self._spawner.aclose()


async def diagnose_client(master: Handle, status: int | None, text: str, *, began: bool) -> TransportError | None:
    """``Backend.diagnose`` for a session that an ssh process has opened on a master, whatever the backend.

    A negative status is the signal that ended ssh itself.
    """
    if not began and NO_SLOT_TEXT in text:
        return refusal(NO_SLOT_TEXT)
    if status is None or status == SSH_FAILED or status < 0:
        return await lost_master(master, began=began)
    return None
