"""A program that talks as a Cisco IOS does, for a real sshd to run as ForceCommand: prompts, enable, a pager, errors.

``python ios.py STATE``: what is configured is appended to the file STATE. Some commands are its misfortunes: ``show
hang`` stops in the middle of its output, ``show drop`` ends the session there, ``show bytes`` prints Latin-1, ``show
tech`` prints 200 kB, ``show log`` lets a log line come behind its prompt, ``show banner`` prints a line like a prompt,
``show slow 1`` takes a second, and ``reload`` asks for confirmation before it drops the session.
"""

from __future__ import annotations

import re
import sys
import termios
import time

SECRET = "letmein"  # what enable wants
RUNNING = """Building configuration...

Current configuration : 1200 bytes
!
version 15.2
hostname sw1
!
enable secret 5 $1$mERr$hx5rVt7rPNoS4wqbXKX7m0
enable password 7 0822455D0A165445415F59
username admin privilege 15 password 7 13061E010803557878
!
snmp-server community s3cr3tR0 RO
snmp-server community wr1teMe99 RW 10
tacacs-server key 7 01100F175804575D72
radius-server key r4diusSh4red
!
crypto isakmp key Pr3Sh4redK3y address 10.0.0.1
ntp authentication-key 1 md5 NtpK3yHere12
interface GigabitEthernet0/1
 description uplink
!
end
"""


def say(text: str) -> None:
    sys.stdout.write(text.replace("\n", "\r\n"))
    sys.stdout.flush()


class Device:
    """One session."""

    def __init__(self, state: str) -> None:
        self.state = state
        self.hostname = "sw1"
        self.mode = ">"
        self.paged = True

    def read(self, *, echo: bool = True) -> str:
        line = ""
        while True:
            key = sys.stdin.read(1)
            if not key:
                raise SystemExit(0)
            if key in "\r\n":
                say("\n")
                return line
            line += key
            if echo:
                say(key)

    def page(self, text: str) -> None:
        for number, row in enumerate(text.splitlines()):
            if self.paged and number and number % 10 == 0:
                say(" --More-- ")
                sys.stdin.read(1)
                say("\r          \r" if number % 20 else "\b" * 10 + " " * 10 + "\b" * 10)
            say(row + "\n")

    def note(self, line: str) -> None:
        with open(self.state, "a", encoding="utf-8") as file:
            file.write(line + "\n")

    def misfortune(self, word: str) -> bool:
        """Whether ``word`` is one of the commands that go wrong."""
        kind = " ".join(word.split()[:2])
        if kind == "show hang":
            say("begun\nunfinished")
            self.note("hangs")
            while sys.stdin.read(1):
                pass
        elif kind == "show drop":
            say("begun\nunfinished")
            raise SystemExit(1)
        elif kind == "show slow":
            say("begun\n")
            time.sleep(float(word.split()[2]))
            say("ended\n")
        elif kind == "show bytes":
            sys.stdout.flush()
            sys.stdout.buffer.write(b"description Z\xfcrich \x80\xff\r\n")
        elif kind == "show tech":
            self.page("".join(f"interface Vlan{n}\n description customer {n:05}\n" for n in range(5000)))
        elif kind == "show banner":
            say("core-router#\n")
            time.sleep(0.1)
            say("after the line like a prompt\n")
        elif kind == "show log":
            say(f"done\n\n{self.hostname}{self.mode}\n*Mar  1 00:00:01: %SYS-5-CONFIG_I: Configured from console\n")
            self.read()
        elif word == "reload":
            say("Proceed with reload? [confirm]")
            if sys.stdin.read(1) in "\ry":
                raise SystemExit(0)
        else:
            return False
        return True

    def answer(self, line: str) -> None:
        word = line.strip()
        if self.mode == "#" and self.misfortune(word):
            return
        if self.mode.startswith("(config"):
            if word in {"end", "exit"}:
                self.mode = "#"
            elif re.match(r"(interface|description|hostname|no) \S", word):
                self.mode = "(config-if)#" if word.startswith("interface") else self.mode
                self.hostname = word.split()[1] if word.startswith("hostname") else self.hostname
                self.note(word)
            elif word:
                say("              ^\n% Invalid input detected at '^' marker.\n\n")
            return
        if word == "enable":
            say("Password: ")
            self.mode = "#" if self.read(echo=False) == SECRET else self.mode
            if self.mode != "#":
                say("% Bad secrets\n\n")
        elif word == "show pager":
            self.paged = True
            self.page("".join(f"  row {n}\n" for n in range(45)))
        elif re.fullmatch(r"term\w* len\w* 0", word):
            self.paged = False
        elif word == "configure terminal" and self.mode == "#":
            self.mode = "(config)#"
        elif word == "show version":
            self.page("".join(f"Cisco IOS Software, line {n}\n" for n in range(30)))
        elif word == "show running-config" and self.mode == "#":
            self.page(RUNNING)
        elif word == "write memory":
            say("Building configuration...\n[OK]\n")
            self.note("saved")
        elif word in {"exit", "quit"}:
            raise SystemExit(0)
        elif word and not word.startswith("term"):
            say("              ^\n% Invalid input detected at '^' marker.\n\n")


def main() -> None:
    modes = termios.tcgetattr(0)
    modes[3] &= ~(termios.ECHO | termios.ICANON)
    modes[0] &= ~termios.ICRNL
    termios.tcsetattr(0, termios.TCSANOW, modes)
    device = Device(sys.argv[1])
    while True:
        say(f"\n{device.hostname}{device.mode}")
        device.answer(device.read())


main()
