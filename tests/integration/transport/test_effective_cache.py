"""What ``ssh -G`` printed for one server is taken over by the next one, as long as nothing can have changed it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.peers.sshd import Sshd
from transports.openssh.local import child
from transports.openssh.local.control_dir import open_control_dir
from transports.openssh.login import effective, effective_cache
from transports.openssh.masters.master import MasterLauncher

Launch = Callable[[], MasterLauncher]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "ssh_config"
    path.write_text("Host *\n  ServerAliveInterval 17\n")
    return path


@pytest.fixture
async def launch(sshd: Sshd, control_dir: str, config: Path) -> AsyncIterator[Launch]:
    made: list[MasterLauncher] = []

    def make() -> MasterLauncher:
        made.append(MasterLauncher(sshd.transport_config(control_dir=control_dir, ssh_config_file=str(config))))
        return made[-1]

    yield make
    for launcher in made:
        await launcher.release()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hosts that ``ssh -G`` was asked about."""
    really = child.output
    hosts: list[str] = []

    async def output(argv: Any, seconds: float) -> Any:
        if "-G" in argv and argv[-1] != "localhost":
            hosts.append(argv[-1])
        return await really(argv, seconds)

    monkeypatch.setattr(child, "output", output)
    return hosts


async def test_a_server_that_adopts_a_master_asks_nothing_again(launch: Launch, sshd: Sshd, asked: list[str]) -> None:
    first, second = launch(), launch()
    ours = await first.ensure(sshd.destination())
    assert len(asked) == 1
    theirs = await second.ensure(sshd.destination())
    assert (theirs.pid, theirs.adopted, theirs.login) == (ours.pid, True, ours.login)
    assert await second.effective(sshd.destination()) == await first.effective(sshd.destination())
    assert len(asked) == 1


async def test_a_changed_configuration_is_read_again(
    launch: Launch, sshd: Sshd, asked: list[str], config: Path
) -> None:
    ours = await launch().ensure(sshd.destination())
    config.write_text("Host *\n  ServerAliveInterval 17\n  Compression yes\n")
    theirs = await launch().ensure(sshd.destination())
    assert len(asked) == 2
    assert theirs.pid != ours.pid


async def test_another_host_is_another_question(launch: Launch, sshd: Sshd, asked: list[str]) -> None:
    await launch().ensure(sshd.destination())
    await launch().effective(sshd.destination(user="somebody-else"))
    assert len(asked) == 2


async def test_a_first_login_runs_a_match_exec_once_to_look_and_once_to_log_in(
    launch: Launch, sshd: Sshd, config: Path, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    config.write_text(f'Match exec "echo run >>{runs}"\n  Compression yes\n')
    launcher = launch()
    for _ in range(2):
        await launcher.ensure(sshd.destination())
        await launcher.effective(sshd.destination())
    assert runs.read_text() == "run\n" * 2


async def test_the_system_wide_file_is_found_without_reading_the_users(
    sshd: Sshd, control_dir: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ssh reads the account's own file, whatever HOME says: a Match exec in it would run."""
    really = child.output
    ran: list[list[str]] = []

    async def output(argv: Any, seconds: float) -> Any:
        ran.append(list(argv))
        return await really(argv, seconds)

    monkeypatch.setattr(child, "output", output)
    effective._system_cache().clear()
    launcher = MasterLauncher(sshd.transport_config(control_dir=control_dir, ssh_config_file=None))
    await launcher.ensure(sshd.destination())
    await launcher.release()
    assert ran
    assert all("-F" in argv for argv in ran)


@pytest.mark.parametrize(
    "line",
    [
        'Match exec "true"\n  Compression yes\n',
        "match host * EXEC true\n  Compression yes\n",
        "Match final\n  Compression yes\n",
        "CanonicalizeHostname no\n",
        "IdentityAgent ${SOME_AGENT}\n",
    ],
)
async def test_what_depends_on_more_than_files_is_asked_each_time(
    launch: Launch, sshd: Sshd, asked: list[str], config: Path, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_AGENT", "/nowhere")
    config.write_text(f"ServerAliveInterval 17\n{line}")
    await launch().ensure(sshd.destination())
    await launch().ensure(sshd.destination())
    assert len(asked) == 2


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"question": 1}', '{"question": "q", "settings": {"a": 5}, "stamps": []}',
     '{"question": "q", "settings": {}, "stamps": [["/x", "y", 0, 0]]}', "\x00\xff"],
)  # fmt: skip
def test_a_record_that_is_none_is_passed_over(control_dir: str, text: str) -> None:
    directory = open_control_dir(control_dir)
    directory.write("0123456789abcdef.login", text)
    assert effective_cache.read_all(directory) == {}
