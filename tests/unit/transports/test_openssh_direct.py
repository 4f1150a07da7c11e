"""What a session that logs in by itself makes of an ssh that ended without the command's own end."""

from __future__ import annotations

from typing import Any

import pytest

from transports.api import Destination
from transports.errors import MasterLost
from transports.openssh.sessions.direct import DirectBackend, NoMaster


class Launcher:
    """Nothing that ssh says is about a login."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


async def diagnosed(status: int | None, text: str) -> object:
    backend = DirectBackend(Launcher(), Destination("web"))
    return await backend.diagnose(NoMaster(), status, text, began=True)


@pytest.mark.parametrize(
    "said",
    [
        "Read from remote host 127.0.0.1: Connection reset by peer\r\n",
        "client_loop: send disconnect: Broken pipe\r\n",
        "Connection to 127.0.0.1 closed by remote host.\r\n",
        "clientloop.c:client_loop():1514 (pid=7): client_loop: send disconnect: Connection reset by peer\r\n",
        "what the command said\nTimeout, server 127.0.0.1 not responding.\r\n",
    ],
)
async def test_a_connection_that_broke_is_no_end_of_the_command(said: str) -> None:
    assert isinstance(await diagnosed(255, said), MasterLost)


@pytest.mark.parametrize(("status", "said"), [(255, "nothing to read here\n"), (1, "Connection reset by peer\n")])
async def test_a_command_that_was_killed_or_failed_is_no_broken_connection(status: int, said: str) -> None:
    assert await diagnosed(status, said) is None
