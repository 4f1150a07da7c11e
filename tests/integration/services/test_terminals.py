"""Programs that want a terminal, through the whole program over a real sshd."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import psutil
import pytest

from ssh_mcp.remote.devices import terminals
from tests.integration.conftest import masters_of
from tests.integration.mcp_server import Host, McpServer, McpServerFactory
from tests.peers import need
from tests.peers.other_servers import start_dropbear_for_root
from tests.peers.sshd import Sshd, kill_all

MENU = r"""
import sys, termios, tty
old = termios.tcgetattr(0)
tty.setraw(0)
choice = 0
try:
    while True:
        sys.stdout.write("\x1b[2J\x1b[H" + "".join(
            f"{'>' if i == choice else ' '} item {i}\r\n" for i in range(4)))
        sys.stdout.flush()
        key = sys.stdin.read(1)
        if key == "\x1b":
            key += sys.stdin.read(2)
        choice = {"\x1b[A": max(choice - 1, 0), "\x1b[B": min(choice + 1, 3)}.get(key, choice)
        if key == "\r":
            break
finally:
    termios.tcsetattr(0, termios.TCSADRAIN, old)
print("chose", choice)
"""


@pytest.fixture
async def server(mcp_server: McpServerFactory, shared_sshd: Sshd) -> AsyncIterator[McpServer]:
    async with mcp_server({"web": shared_sshd}) as made:
        yield made


async def opened(server: McpServer, command: str | None, **more: Any) -> str:
    return str((await server.call("ssh_terminal_open", host="web", command=command, **more))["terminal_id"])


async def test_vim_is_edited_in_and_leaves_the_screen_as_it_was(server: McpServer, tmp_path: Path) -> None:
    file = tmp_path / "note.txt"
    file.write_text("one\n")
    shell = await opened(server, "env PS1='ready> ' sh")
    send = {"terminal_id": shell}
    await server.call(
        "ssh_terminal_send", **send, text=f"vim -u NONE -N --cmd 'set ttimeout ttimeoutlen=10' {file}\n", wait_for="4B"
    )
    seen = await server.call("ssh_terminal_send", **send, text="otwo three", keys=["Escape"])
    assert seen["screen"].splitlines()[:3] == ["one", "two three", "~"]
    assert seen["cursor"] == {"row": 1, "column": 8}
    seen = await server.call("ssh_terminal_send", **send, text=":wq", keys=["Enter"], wait_for="ready>")
    assert file.read_text() == "one\ntwo three\n"
    assert seen["matched"]
    assert "~" not in seen["screen"]


async def test_top_draws_a_whole_screen_and_ends_by_its_key(server: McpServer) -> None:
    seen = await server.call("ssh_terminal_open", host="web", command="top -d 0.3", columns=100, rows=30)
    seen = await server.call("ssh_terminal_send", terminal_id=seen["terminal_id"], wait_for="load average", timeout=30)
    assert "load average" in seen["screen"]
    assert "PID" in seen["screen"]
    seen = await server.call("ssh_terminal_send", terminal_id=seen["terminal_id"], keys=["q"])
    assert (seen["ended"], seen["exit_code"]) == (True, 0)
    assert "There is no terminal" in await server.refused("ssh_terminal_send", terminal_id=seen["terminal_id"])


async def test_a_repl_is_talked_to(server: McpServer) -> None:
    repl = await opened(server, f"{sys.executable} -q")
    seen = await server.call("ssh_terminal_send", terminal_id=repl, text="print(6 * 7)\n", wait_for="42")
    assert seen["screen"].split() == [">>>", "print(6", "*", "7)", "42", ">>>"]
    seen = await server.call("ssh_terminal_send", terminal_id=repl, keys=["Ctrl-D"])
    assert seen["ended"]


async def test_a_menu_is_chosen_from_by_keys(server: McpServer, tmp_path: Path) -> None:
    program = tmp_path / "menu.py"
    program.write_text(MENU)
    menu = await opened(server, f"{sys.executable} {program}")
    seen = await server.call("ssh_terminal_send", terminal_id=menu, keys=["Down", "Down", "Up"], wait_for="> item 1")
    assert seen["matched"]
    seen = await server.call("ssh_terminal_send", terminal_id=menu, keys=["Enter"])
    assert "chose 1" in seen["screen"]
    assert seen["ended"]


async def test_a_password_that_is_not_echoed_is_in_no_screen_and_no_audit_line(server: McpServer) -> None:
    prompt = await opened(server, "stty -echo; printf 'Password: '; read -r p; stty echo; echo; echo got ${#p}")
    seen = await server.call("ssh_terminal_send", terminal_id=prompt, text="hunter2x\n", wait_for="got")
    assert seen["screen"] == "Password:\ngot 8"
    assert "hunter2x" not in json.dumps(server.audit())


async def test_a_password_typed_key_by_key_is_in_no_audit_line_either(
    mcp_server: McpServerFactory, shared_sshd: Sshd
) -> None:
    async with mcp_server({"web": shared_sshd}, ssh_audit_detail="masked") as server:
        prompt = await opened(server, "stty -echo; printf 'Password: '; read -r p; stty echo; echo; echo got ${#p}")
        keys = [*"hunter2x", "Backspace", "Enter"]
        seen = await server.call("ssh_terminal_send", terminal_id=prompt, keys=keys, wait_for="got")
        assert seen["screen"] == "Password:\ngot 7"
        [line] = [line["command"] for line in server.audit() if line["tool"] == "ssh_terminal_send"]
        assert line.endswith(" 8 characters Backspace Enter")


async def test_secrets_on_the_screen_are_masked_where_they_wrap_and_where_they_scrolled(server: McpServer) -> None:
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    seen = await server.call(
        "ssh_terminal_open", host="web", command=f"echo {'x' * 10}; echo token: {token}; sleep 60", columns=24, rows=10
    )
    assert token[:20] not in seen["screen"]
    assert token[20:] not in seen["screen"].replace("\n", "")
    key = "\n".join(["-----BEGIN OPENSSH PRIVATE KEY-----", *("QUJDREVGR0hJSktMTU5PUFFS" for _ in range(30))])
    seen = await server.call("ssh_terminal_open", host="web", command=f"echo '{key}'; sleep 60", rows=10)
    assert "QUJDREVGR0hJSktMTU5PUFFS" not in seen["screen"]


async def test_a_secret_that_a_program_draws_in_pieces_is_masked(server: McpServer) -> None:
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    drawn = [
        f"\\033[2;1Htoken:\\033[2;14H{token[6:]}\\033[2;8H{token[:6]}",  # by the cursor, its end first
        f"\\033[2;1H{'-' * 23}\\033[3;1H{token[:24]}\\033[4;1H{token[24:]}",  # full rows, each placed
        f"token: {token[:9]}zzz\\b\\b\\b{token[9:]}",  # corrected
        f"token: {token[:9]}\\033[31m{token[9:]}\\033[0m",  # coloured in between
    ]
    for number, text in enumerate(drawn):
        columns = 24 if number == 1 else 80
        seen = await server.call(
            "ssh_terminal_open",
            host="web",
            command=f"printf '\\033[2J{text}\\nend'; sleep 60",
            columns=columns,
            rows=10,
        )
        assert token[6:16] not in seen["screen"], number
        assert token[-12:] not in seen["screen"], number
        assert "<sha:" in seen["screen"], (number, seen["screen"])


async def test_a_box_of_whiptail_is_chosen_from(server: McpServer) -> None:
    need(shutil.which("whiptail"), "whiptail is not installed")
    box = await opened(server, "whiptail --title Pick --menu Which 12 40 3 a first b second c third; echo =$?")
    seen = await server.call("ssh_terminal_send", terminal_id=box, keys=["Down", "Enter"], wait_for="=0")
    assert seen["matched"]
    assert "b" in seen["screen"].split("=0")[0].splitlines()[-1]
    assert seen["ended"]


async def test_a_terminal_follows_a_resize(server: McpServer) -> None:
    shell = await opened(server, "env PS1='> ' sh", columns=90, rows=20)
    seen = await server.call("ssh_terminal_send", terminal_id=shell, text="stty size\n", wait_for="20 90")
    assert seen["matched"]
    await server.call("ssh_terminal_send", terminal_id=shell, columns=50, rows=12)
    seen = await server.call("ssh_terminal_send", terminal_id=shell, text="stty size\n", wait_for="12 50")
    assert seen["matched"]


async def test_eight_terminals_work_side_by_side_and_a_ninth_is_refused(server: McpServer) -> None:
    made: dict[int, str] = {}

    async def open_one(number: int) -> None:
        made[number] = await opened(server, "env PS1='> ' sh")

    async with anyio.create_task_group() as tasks:
        for number in range(8):
            tasks.start_soon(open_one, number)
    ids = [made[number] for number in range(8)]
    assert "8 terminals are open" in await server.refused("ssh_terminal_open", host="web")
    seen: dict[int, str] = {}

    async def ask(number: int) -> None:
        found = await server.call("ssh_terminal_send", terminal_id=ids[number], text=f"echo $((100+{number}))\n",
                                  wait_for=str(100 + number))  # fmt: skip
        seen[number] = found["screen"]

    async with anyio.create_task_group() as tasks:
        for number in range(8):
            tasks.start_soon(ask, number)
    assert all(f"\n{100 + n}\n" in seen[n] for n in range(8))
    assert (await server.call("ssh_terminal_close", terminal_id=ids[0]))["closed"]
    await opened(server, "true")


async def test_a_host_that_permits_only_listed_programs_has_no_terminals(
    mcp_server: McpServerFactory, shared_sshd: Sshd
) -> None:
    host = Host(shared_sshd, lines=['command_allowlist = ["sh"]'])
    async with mcp_server({"web": host}, allow_any_command=False) as server:
        assert "CommandNotAllowed" in await server.refused("ssh_terminal_open", host="web", command="sh")


async def test_what_runs_in_a_terminal_ends_with_a_killed_server(
    mcp_server: McpServerFactory, shared_sshd: Sshd
) -> None:
    async with mcp_server({"web": shared_sshd}, stdio=True) as server:
        seen = await server.call("ssh_terminal_open", host="web", command="echo $$; exec sleep 1000")
        remote = psutil.Process(int(seen["screen"].split()[0]))
        [ours] = [p for p in psutil.Process().children(recursive=True) if "ssh_mcp" in " ".join(p.cmdline())][:1]
        os.kill(ours.pid, signal.SIGKILL)
        await anyio.to_thread.run_sync(lambda: remote.wait(timeout=10))


@pytest.mark.parametrize("victim", ["master", "login", "program"])
async def test_a_terminal_whose_connection_is_lost_says_so_and_the_next_one_opens(
    mcp_server: McpServerFactory, sshd: Sshd, control_dir: str, victim: str
) -> None:
    async with mcp_server({"web": sshd}) as server:
        shell = await opened(server, "echo begun; exec sleep 1000")

        def strike() -> None:
            if victim == "master":
                kill_all([p for p in masters_of(control_dir) if "-tt" not in p.cmdline()])
            elif victim == "login":
                sshd.kill_sessions()
            else:
                kill_all([p for p in sshd.session_processes() if p.name() == "sleep"])

        await anyio.to_thread.run_sync(strike)
        seen = await server.call("ssh_terminal_send", terminal_id=shell, wait_for="never", timeout=20)
        assert (seen["ended"], seen["matched"], seen["screen"]) == (True, False, "begun")
        lost = any("connection to the host was lost" in warning for warning in seen["output_warnings"])
        assert lost == (victim != "program")
        assert "There is no terminal" in await server.refused("ssh_terminal_send", terminal_id=shell)
        seen = await server.call("ssh_terminal_open", host="web", command="echo again")
        assert "again" in seen["screen"]


async def test_a_cancelled_call_keeps_its_terminal_and_idle_time_closes_it(
    server: McpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminals, "_TEND_EVERY", 0.05)
    shell = await opened(server, "echo $$; exec sleep 1000")
    with anyio.move_on_after(0.3) as cut:
        await server.call("ssh_terminal_send", terminal_id=shell, wait_for="never", timeout=60)
    assert cut.cancelled_caught
    seen = await server.call("ssh_terminal_send", terminal_id=shell, timeout=0.1)
    assert not seen["ended"]
    monkeypatch.setattr(terminals, "IDLE_LIMIT", 0.0)
    await anyio.to_thread.run_sync(psutil.Process(int(seen["screen"])).wait, 10)
    assert "There is no terminal" in await server.refused("ssh_terminal_send", terminal_id=shell)


async def test_closing_a_terminal_of_dropbear_ends_what_runs_in_it(
    mcp_server: McpServerFactory, tmp_path: Path
) -> None:
    with start_dropbear_for_root(tmp_path) as dropbear:
        async with mcp_server({"web": dropbear}) as server:
            made = [
                await server.call("ssh_terminal_open", host="web", command="echo $$; exec sleep 1000") for _ in range(2)
            ]
            first, second = (psutil.Process(int(each["screen"])) for each in made)
            await server.call("ssh_terminal_close", terminal_id=made[0]["terminal_id"])
            await anyio.to_thread.run_sync(first.wait, 10)
            assert second.is_running()
            await server.call("ssh_terminal_close", terminal_id=made[1]["terminal_id"])
            await anyio.to_thread.run_sync(second.wait, 10)
