# ruff: noqa: E501 - samples are data
"""What models send to network devices, and what devices and programs in terminals print."""

from __future__ import annotations

import random
import re
from typing import Any

from ssh_mcp.errors import CommandNotAllowed, InvalidArgument
from ssh_mcp.policy.devices import MAX_COMMAND, permit
from ssh_mcp.remote.devices.definitions import definition
from ssh_mcp.remote.devices.dialogue import Known, Reply, State
from ssh_mcp.remote.devices.screen import TerminalScreen
from tests.fuzz.engine import Broken, Target, pieces

ALLOW = ("show", "ping", "show running-config | include", "interface")
_SYSTEMS = ("cisco_iosxe", "mikrotik_routeros", "vyos_vyos")
_LINES = [
    "show version", "show running-config | include hostname", "ping 10.0.0.1", "interface GigabitEthernet0/1",
    "show version | redirect flash:x", "sh ver", "do show version", "show version; reload", "show version\nreload",
]  # fmt: skip
_LINE_TOKENS = ["show", " | ", "|", "include", "redirect", "tee", "append", ";", "\n", "\r", "\x1a", "\x08", "\x7f",
                "\t", "?", "do ", "!", "`", "$(", ">", "<", "&&", "\x1b[A",
                "\u200b", "\u00a0", "\u0435", "[", "]", "\\", "*"]  # fmt: skip


def _policy(line: str, rng: random.Random) -> None:
    """What is permitted is one line of printable ASCII that begins with listed words on each side of its only pipe."""
    for allow in (ALLOW, ("*",)):
        try:
            text = permit(line, allow, rng.choice(_SYSTEMS)).text
        except (CommandNotAllowed, InvalidArgument) as error:
            if any(not c.isprintable() for c in str(error)):
                raise Broken(f"a message that is not printable: {error!s:.200}") from error
            continue
        if not re.fullmatch(r"[\x20-\x7e]+", text) or len(text) > MAX_COMMAND or re.search(r"[;&<>`?]|\$\(", text):
            raise Broken(f"permitted: {text!r}")
        left, pipe, right = (part.strip() for part in text.partition("|"))
        if allow == ("*",):
            if pipe:
                raise Broken(f"a pipe by *: {text!r}")
        elif pipe and not (left.startswith("show running-config") and right.split()[:1] == ["include"]):
            raise Broken(f"a pipe that is not listed: {text!r}")
        elif left.split()[0] not in {"show", "ping", "interface"}:
            raise Broken(f"not listed: {text!r}")


_REPLIES = [
    b"show version\r\nCisco IOS Software\r\n\r\nsw1#", b"show x\r\n a\r\n --More-- \r          \r b\r\nsw1#",
    b"x\r\n% Invalid input detected\r\nsw1(config-if)#", b"sw1#\r\n*Mar 1: log\r\n", b"Z\xfcrich\r\nsw1#",
    b"--{ running }--[  ]--\r\nA:srl# ", b"[edit]\r\nadmin@ex# ", b"Password: ", b"<HUAWEI>",
    b"\x1b[42D   \x1b[42D[~H]",
]  # fmt: skip
_REPLY_TOKENS = [b"sw1#", b"sw1>", b"\r\n", b"\n", b"\r", b"\x08", b" --More-- ", b"\x1b[K", b"\x1b[9999D", b"\x1b]0;",
                 b"\xff", b"\xe2\x80", b"#", b">", b"---- More ----", b"show x", b"\x00", b" " * 80]  # fmt: skip
_DEFINITIONS = ("cisco_iosxe", "juniper_junos", "nokia_srlinux", "huawei_vrp", "mikrotik_routeros", "zyxel_dslam")


def _reply(data: bytes, rng: random.Random) -> None:
    """The same prompt and text however the output was cut. An echo that was seen once counts, also if it is wiped out."""
    made = definition(rng.choice(_DEFINITIONS))
    sent = rng.choice((None, "show x", "show version"))
    whole, cut = (Reply(made, Known("sw1#"), sent) for _ in range(2))
    whole.feed(data)
    for piece in pieces(data, rng):
        cut.feed(piece)
    both = {whole.state(), cut.state()}
    if (len(both) > 1 and both != {State.OVER, State.PROMPTED}) or (whole.prompt, whole.text()) != (
        cut.prompt,
        cut.text(),
    ):
        raise Broken(f"{whole.state()} {whole.prompt!r} but in pieces {cut.state()} {cut.prompt!r}")


_SCREENS = [
    b"ready> \x1b[?1049h\x1b[2J\x1b[1;1Hone\r\n~\r\n\x1b[7m-- INSERT --\x1b[0m\x1b[?1049l",
    b"\x1b[H\x1b[2Jtop - 12:00\r\n\x1b[K\r\n  PID USER\x1b[m\r\n", b"\x1b(0lqqqk\x1b(B\x1b[2;3r\x1bM\x1bD\x1b[5;5H",
    "e\u0301\u4e2d\u200d\U0001f600".encode(), b"abc\x08\x08\x1b[1@\x1b[2P\x1b[3X\x1b[4L\x1b[5M", b"\x1b[6n\x1b[c\x1b[>c",
]  # fmt: skip
_SCREEN_TOKENS = [b"\x1b[", b"\x1b]", b"\x1bP", b"\x07", b"\x1b\\", b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?3h", b"\x1bc",
                  b"\x1b[99999;99999H", b"\x1b[999L", b"\x1b[>4;2m", b"\x1b[?25;7l", b"\x1b(0", b"\x0e", b"\x0f", b"\r\n",
                  b"\x1b[4;1r", b"\x1b[r", b"\xff", b"\xe4\xb8", b"\xe4\xb8\xad", b"\x9b", b"\x1b[;;;H", b"\x1b#8", b"\x84"]  # fmt: skip


def _screen(data: bytes, rng: random.Random) -> None:
    """The same screen however the output was cut, inside its bounds."""
    whole, cut = (TerminalScreen(24, 8) for _ in range(2))
    replies = whole.feed(data)
    in_pieces = b"".join(cut.feed(piece) for piece in pieces(data, rng))
    if (whole.text, whole.above, whole.cursor) != (cut.text, cut.above, cut.cursor):
        raise Broken(f"{whole.text!r} {whole.cursor} but in pieces {cut.text!r} {cut.cursor}")
    if replies[:1000] != in_pieces[:1000] or len(whole.text) > 24 * 8 * 17 or whole.text.count("\n") > 7:
        raise Broken(f"{replies!r} {in_pieces!r} {len(whole.text)}")
    row, column = whole.cursor
    if not (0 <= row < 8 and 0 <= column < 24):
        raise Broken(f"the cursor is at {whole.cursor}")
    whole.resize(rng.randrange(20, 60), rng.randrange(5, 20))
    whole.feed(data[:200])
    if whole.joined.replace("\n", "") != whole.text.replace("\n", ""):
        raise Broken("joined rows hold another text")


TARGETS: list[Target[Any]] = [
    Target("device_policy", _LINES, _policy, _LINE_TOKENS),
    Target("device_reply", _REPLIES, _reply, _REPLY_TOKENS),
    Target("terminal_screen", _SCREENS, _screen, _SCREEN_TOKENS),
]
