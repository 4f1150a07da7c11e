"""Network interfaces and their addresses, out of whichever tool the host has."""

from __future__ import annotations

import ipaddress
import json
import re
from dataclasses import dataclass, replace
from typing import Any

from ssh_mcp.facts.base import Parsed, Problems
from ssh_mcp.tokens import Command, command


@dataclass(frozen=True, slots=True)
class Address:
    """``family`` is inet or inet6."""

    family: str
    address: str
    prefix_length: int


@dataclass(frozen=True, slots=True)
class Interface:
    """``state`` is the tool's word (UP, DOWN, UNKNOWN …, for ifconfig made from its flags or status)."""

    name: str
    state: str
    mac: str | None = None
    addresses: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True)
class Network:
    """``ip -j addr`` (iproute2 from 4.13), ``ip addr`` (older, BusyBox), ``ifconfig -a`` (BSD, macOS, net-tools)."""

    def command(self) -> Command:
        return command("ip -j addr show 2>/dev/null || ip addr show 2>/dev/null || ifconfig -a")

    def parse(self, output: str) -> Parsed[tuple[Interface, ...]]:
        problems = Problems("network")
        text = output.strip()
        if not text:
            problems.missing("the host has neither ip nor ifconfig, or they reported nothing")
            return Parsed((), problems.all())
        if text.startswith("["):
            found = _from_json(text, problems)
        elif re.match(r"\d+: ", text):
            found = _from_ip_text(text, problems)
        else:
            found = _from_ifconfig(text, problems)
        return Parsed(tuple(found), problems.all())


def _address(family: str, text: str, prefix: str | int | None) -> Address | None:
    """None where it is not an address. A scope (``%en0``) is taken off; a prefix may be a mask in any spelling."""
    bare = text.partition("%")[0]
    try:
        parsed = ipaddress.ip_address(bare)
    except ValueError:
        return None
    whole = parsed.max_prefixlen
    return Address(family, str(parsed), whole if prefix is None else _prefix(str(prefix), whole))


def _prefix(text: str, whole: int) -> int:
    """24, 255.255.255.0 and 0xffffff00 are the same; nonsense counts as a host address."""
    if text.isascii() and text.isdigit() and len(text) < 4:
        return min(int(text), whole)
    try:
        mask = int(text, 16) if text.startswith("0x") else int(ipaddress.IPv4Address(text))
    except ValueError:
        return whole
    return min(mask.bit_count(), whole)


# --- ip -j ----------------------------------------------------------------------------------------------------------


def _from_json(text: str, problems: Problems) -> list[Interface]:
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError):
        problems.unread(text)
        return []
    found: list[Interface] = []
    for row in rows if isinstance(rows, list) else []:
        if not isinstance(row, dict) or not isinstance(row.get("ifname"), str):
            if row:  # old versions print an empty object for each interface that a filter left out
                problems.unread(str(row))
            continue
        found.append(_interface_of(row, problems))
    return found


def _interface_of(row: dict[str, Any], problems: Problems) -> Interface:
    addresses: list[Address] = []
    listed = row.get("addr_info")
    for info in listed if isinstance(listed, list) else []:
        if not isinstance(info, dict) or not info:
            continue
        local = info.get("local")
        address = None
        if isinstance(local, str):
            address = _address(str(info.get("family", "inet")), local, info.get("prefixlen"))
        if address:
            addresses.append(address)
        else:
            problems.unread(str(info))
    mac = row.get("address") if row.get("link_type") != "loopback" else None
    return Interface(
        row["ifname"], str(row.get("operstate", "UNKNOWN")), mac if isinstance(mac, str) else None, tuple(addresses)
    )


# --- ip addr --------------------------------------------------------------------------------------------------------

_IP_HEAD = re.compile(r"^\d+: ([^:@\s]+)(?:@\S+)?: <([^>]*)>(.*)$")
_IP_LINK = re.compile(r"^\s+link/(\S+)(?: (\S+))?")
_IP_ADDRESS = re.compile(r"^\s+(inet6?) ([^\s/]+)(?: peer [^\s/]+)?(?:/(\d+))?")


def _from_ip_text(text: str, problems: Problems) -> list[Interface]:
    found: list[Interface] = []
    for line in text.splitlines():
        head = _IP_HEAD.match(line)
        if head:
            state = re.search(r"\bstate (\S+)", head[3])
            up = "UP" if "UP" in head[2].split(",") else "DOWN"
            found.append(Interface(head[1], state[1] if state else up))
            continue
        if not found:
            problems.unread(line)
            continue
        link, address = _IP_LINK.match(line), _IP_ADDRESS.match(line)
        if link:
            mac = link[2] if link[1] != "loopback" else None
            found[-1] = replace(found[-1], mac=mac)
        elif address:
            _append(found, _address(address[1], address[2], address[3]), line, problems)
        elif not line.startswith(" "):
            problems.unread(line)
    return found


def _append(found: list[Interface], address: Address | None, line: str, problems: Problems) -> None:
    if address is None:
        problems.unread(line)
    else:
        found[-1] = replace(found[-1], addresses=(*found[-1].addresses, address))


# --- ifconfig -------------------------------------------------------------------------------------------------------

_IF_HEAD = re.compile(r"^([^\s:]+(?::\d+)?):?\s+(?=flags=|Link encap)(.*)$")
_IF_FLAGS = re.compile(r"flags=[0-9a-fx]+<([^>]*)>")
_IF_MAC = re.compile(r"(?:\bether|HWaddr|\blladdr)\s+([0-9A-Fa-f:]{11,})")
_IF_INET = re.compile(r"^\s+inet (?:addr:\s*)?(\S+)(?:.*?(?:netmask |Mask:)(\S+))?")
_IF_INET6 = re.compile(r"^\s+inet6 (?:addr:\s*)?(\S+)(?:.*?prefixlen (\d+))?")
_IF_STATUS = re.compile(r"^\s+status: (.+)$")


def _from_ifconfig(text: str, problems: Problems) -> list[Interface]:
    found: list[Interface] = []
    for line in text.splitlines():
        head = _IF_HEAD.match(line)
        if head:
            flags = _IF_FLAGS.search(head[2])
            up = "UP" if flags and "UP" in flags[1].split(",") else "DOWN"
            found.append(Interface(head[1].removesuffix(":"), up))
        elif line[:1].strip():
            problems.unread(line)
            continue
        if found:
            _ifconfig_line(found, line, problems)
    return found


def _ifconfig_line(found: list[Interface], line: str, problems: Problems) -> None:
    mac, inet, inet6, status = (p.search(line) for p in (_IF_MAC, _IF_INET, _IF_INET6, _IF_STATUS))
    if mac:
        found[-1] = replace(found[-1], mac=mac[1].lower())
    if inet:
        _append(found, _address("inet", inet[1], inet[2]), line, problems)
    elif inet6:
        text, _, slash = inet6[1].partition("/")
        _append(found, _address("inet6", text, inet6[2] or slash or None), line, problems)
    elif status:
        found[-1] = replace(found[-1], state="UP" if status[1].strip() == "active" else "DOWN")
    elif re.match(r"^\s+(?:[A-Z]+ )*UP ", line):  # net-tools 1.60 and BusyBox list the flags on a line of their own
        found[-1] = replace(found[-1], state="UP")
