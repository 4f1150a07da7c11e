"""Points in time as people type them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

_AGO: Final = re.compile(r"(\d{1,6})\s*(s|m|h|d|w)[a-z]*(?:\s+ago)?")  # 90s, 30m, 2h, "3 days ago"
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_CLOCK: Final = re.compile(r"(\d{1,2}):(\d{2})")  # 21:30


def point_in_time(text: str, now: float) -> float:
    """Seconds since the epoch. ``now`` likewise; without a zone the local one counts.

    ``2h``, ``3 days ago``, ``today``, ``yesterday``, ``21:30`` (the last one), ``2026-11-27``, RFC 3339.
    Raises ValueError.
    """
    word = text.strip().lower()
    midnight = datetime.fromtimestamp(now).astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    if word in ("today", "yesterday"):
        return (midnight - timedelta(days=word == "yesterday")).timestamp()
    if ago := _AGO.fullmatch(word):
        return now - int(ago[1]) * _UNITS[ago[2]]
    try:
        if clock := _CLOCK.fullmatch(word):
            then = midnight.replace(hour=int(clock[1]), minute=int(clock[2]))
            return (then - timedelta(days=then.timestamp() > now)).timestamp()
        return datetime.fromisoformat(text.strip()).astimezone().timestamp()
    except (ValueError, OverflowError, OSError):
        raise ValueError(
            f"{text[:40]!r} is not a time. Use 2h, 3d, today, yesterday, 21:30, 2026-11-27 or 2026-11-27T21:30."
        ) from None
