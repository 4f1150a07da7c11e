"""Engine events of a span that has ended, from docker and podman."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ssh_mcp.facts import json_rows as js
from ssh_mcp.facts.base import Parsed
from ssh_mcp.facts.docker import AS_JSON, engine, filters
from ssh_mcp.facts.json_rows import Row
from ssh_mcp.results.docker import Event, EventActor
from ssh_mcp.tokens import Command, arg, command, lit

SECOND = 1_000_000_000
"""Nanoseconds."""


@dataclass(frozen=True, slots=True)
class Events:
    """``docker events``. Times are the engine's: durations before now, RFC 3339, seconds since 1970, or ``now``.

    docker stops at ``--until``. It cuts ``0s`` to the whole second and so would miss the newest events: now is given by
    the host's clock (where that has no fractions, as the next second).

    podman listens on unless given ``--stream=false``, which docker lacks, and misreads ``--until`` (4.3: a duration
    counts forwards, a date ends the list at the first event): there all events up to the present are asked for, and the
    end is applied here, against the host's own clock.
    """

    docker: tuple[str, ...]
    since: str
    until: str
    pairs: tuple[tuple[str, str], ...] = ()

    def command(self) -> Command:
        docker = engine(self.docker)
        since = "0s" if self.since == "now" else self.since
        until = lit('"$n"') if self.until == "now" else arg(self.until)
        asked = (*docker, lit("events"), lit(AS_JSON), lit("--since"), arg(since), *filters(self.pairs))
        return command(
            "date '+now %s'; n=$(date +%s.%N); case $n in *N*) n=$(( ${n%%.*} + 1 )) ;; esac;",
            *docker, "--version 2>/dev/null | grep -qi podman", "&& p=1 || p=;",
            'if [ -n "$p" ]; then', *asked, "--stream=false; else", *asked, "--until", until, "; fi",
        )  # fmt: skip

    def parse(self, output: str) -> Parsed[tuple[Event, ...]]:
        clock = re.match(r"now (\d{1,11})\n", output)
        end = _moment(self.until, int(clock[1]) if clock else None)
        parsed = js.rows("events", output[clock.end() :] if clock else output, _event)
        kept = [e for e in parsed.value if end is None or e.timeNano <= end]
        return Parsed(tuple(sorted(kept, key=lambda e: e.timeNano)), parsed.problems)


_DURATION = re.compile(r"(?:\d{1,9}(?:\.\d{1,9})?(?:h|m|s|ms))+")
_UNITS = {"h": 3600 * SECOND, "m": 60 * SECOND, "s": SECOND, "ms": SECOND // 1000}


def _moment(text: str, now: int | None) -> int | None:
    """Nanoseconds since 1970; None where it is the present, or depends on what only the host knows."""
    if text == "now":
        return None
    if _DURATION.fullmatch(text):
        back = sum(float(n) * _UNITS[u] for n, u in re.findall(r"([\d.]+)(h|ms|m|s)", text))
        return None if now is None else now * SECOND - int(back)
    if re.fullmatch(r"\d{1,11}(?:\.\d{1,9})?", text):
        return int(float(text) * SECOND)
    if re.search(r"(?:Z|[+-]\d\d:?\d\d)$", text):
        return _nanoseconds(text) or None
    return None


def _event(row: Row) -> Event | None:
    actor = row.get("Actor")
    if not isinstance(actor, dict):
        return _podman_event(row)
    nano = row.get("timeNano")
    return Event(
        Type=js.text(row, "Type"),
        Action=js.text(row, "Action", "status"),
        Actor=EventActor(ID=js.text(actor, "ID"), Attributes=js.labels_of(actor.get("Attributes"))),
        scope=js.text(row, "scope"),
        time=int(row.get("time") or 0),
        timeNano=nano if isinstance(nano, int) else 0,
    )


def _podman_event(row: Row) -> Event | None:
    if not row.get("Status"):
        return None
    own = {"image": js.text(row, "Image"), "name": js.text(row, "Name")}
    attributes = {k: v for k, v in own.items() if v} | js.labels_of(row.get("Attributes"))
    if isinstance(row.get("ContainerExitCode"), int):
        attributes["exitCode"] = str(row["ContainerExitCode"])
    nano = _nanoseconds(row.get("Time") or row.get("time"))
    return Event(
        Type=js.text(row, "Type"),
        Action=js.text(row, "Status"),
        Actor=EventActor(ID=js.text(row, "ID"), Attributes=attributes),
        scope="local",
        time=nano // SECOND,
        timeNano=nano,
    )


def _nanoseconds(value: Any) -> int:
    """RFC 3339 with up to nine digits of fraction, or seconds; 0 for anything else."""
    if isinstance(value, int):
        return value * SECOND
    whole, dot, rest = str(value).partition(".")
    digits = ""
    while rest[:1].isdigit():
        digits, rest = digits + rest[0], rest[1:]
    try:
        moment = datetime.fromisoformat((whole + rest) if dot else whole)
        seconds = int(moment.timestamp())
    except (ValueError, OverflowError):
        return 0
    return seconds * SECOND + int((digits + "0" * 9)[:9])
