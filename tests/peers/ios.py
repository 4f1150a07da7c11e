"""A program that talks as a Cisco IOS does, for a real sshd to run as ForceCommand: prompts, enable, a pager, errors.

``python ios.py STATE``: what is configured is appended to the file STATE.
"""

from __future__ import annotations

import re
import sys
import termios

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
                say("\r          \r")
            say(row + "\n")

    def answer(self, line: str) -> None:
        word = line.strip()
        if self.mode.startswith("(config"):
            if word in {"end", "exit"}:
                self.mode = "#"
            elif re.match(r"(interface|description|hostname|no) \S", word):
                self.mode = "(config-if)#" if word.startswith("interface") else self.mode
                with open(self.state, "a", encoding="utf-8") as file:
                    file.write(word + "\n")
            elif word:
                say("              ^\n% Invalid input detected at '^' marker.\n\n")
            return
        if word == "enable":
            say("Password: ")
            self.mode = "#" if self.read(echo=False) == SECRET else self.mode
            if self.mode != "#":
                say("% Bad secrets\n\n")
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
            with open(self.state, "a", encoding="utf-8") as file:
                file.write("saved\n")
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
        say(f"\nsw1{device.mode}")
        device.answer(device.read())


main()
