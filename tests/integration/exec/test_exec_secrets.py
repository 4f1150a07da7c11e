"""Login secrets (a key's passphrase, a password) while a cold login and a command run: in no process, log or answer."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.conftest import SshdFactory
from tests.integration.mcp_server import Host, McpServerFactory
from tests.integration.process_table import carriers
from tests.peers.accounts import Account
from tests.peers.sshd import keygen

CANARY = f"canary-{os.getpid()} äöü ' 0815"
"""No other test run's: ssh-keygen has passphrases in its arguments while it makes a key."""


@contextmanager
def searched(secret: str) -> Iterator[list[str]]:
    """While the block lasts, every process's arguments and environment are read again and again."""
    found: list[str] = []
    over = threading.Event()
    rounds = 0

    def search() -> None:
        nonlocal rounds
        while not over.is_set():
            found.extend(carriers(secret))
            rounds += 1

    thread = threading.Thread(target=search)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()
    assert rounds > 3


@pytest.mark.parametrize("kind", ["passphrase", "password"])
@pytest.mark.parametrize("stdio", [False, True])
async def test_a_login_secret_shows_nowhere(
    mcp_server: McpServerFactory,
    sshd_factory: SshdFactory,
    throwaway_users: Callable[..., Account],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    kind: str,
    stdio: bool,
) -> None:
    caplog.set_level(logging.DEBUG)
    file = tmp_path / "secret"
    file.write_text(CANARY + "\n")
    if kind == "passphrase":
        # ssh-keygen has the passphrase in its arguments, and so runs before the search begins.
        key = keygen(tmp_path / "locked", passphrase=CANARY)
        sshd = sshd_factory(authorized_keys=key.with_suffix(".pub").read_text())
        host = Host(sshd, auth=[f'key = "{key}"', f'passphrase_cmd = "cat {file}"'])
    else:
        user = throwaway_users("pw", "/bin/sh", CANARY)
        sshd = sshd_factory(password=True, authorized_keys="")
        auth = ['method = "password"', f'password_cmd = "cat {file}"', "key =", "identities_only ="]
        host = Host(sshd, user=user.name, auth=auth)
    with searched(CANARY) as found:
        async with mcp_server({"web": host}, stdio=stdio, allow_password_auth=True, log_level="DEBUG") as server:
            done = await server.call("ssh_exec_run", host="web", command="env; sleep 1", timeout=30)
            assert done["exit_code"] == 0
            places = [json.dumps(done, ensure_ascii=False), server.audit_file.read_text(), caplog.text, sshd.log_text()]
            if server.log_file.exists():
                places.append(server.log_file.read_text())
    assert found == []
    for place in places:
        assert CANARY not in place
        assert "0815" not in place
