"""Which session goes to which master: the decisions of the pool, pure and synchronous. Times are seconds of any clock.

A master carries as many sessions as its sshd allows (MaxSessions): ten unless a refusal taught less. The last of them
is kept for ending things, so that a timeout can always be enforced; where sshd allows only one, a further master serves
for that, even one beyond the configured number. Waiting is in order of arrival. A further master costs the host a login
(0.2 s and a key exchange), so the first in the queue has some patience before one is started.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

ASSUMED_LIMIT: Final = 10
"""sshd's default MaxSessions."""
PATIENCE: Final = 0.2
"""Seconds that a call waits for a slot before a further login is made for it: about what that login takes."""
BLOCKED_SECONDS: Final = 0.005
BLOCKED_SECONDS_MAX: Final = 0.5
"""Pause for a master that refuses although we hold nothing on it, doubled each time: sshd has not quite closed our last
session yet (it does so behind a batch of packets), or somebody else's sessions fill it."""
GHOST_SECONDS: Final = 0.25
"""How long a session that has ended for us may still count on the host, and so not teach its limit."""
RAISE_AFTER: Final = 5.0
RAISE_AFTER_MAX: Final = 300.0
"""Seconds until a learned limit is tried one higher: refusals and endings cross on the wire, so it may be too low."""


class Phase(Enum):
    """Where a master is in its life."""

    ABSENT = "absent"
    STARTING = "starting"
    UP = "up"


@dataclass(slots=True, eq=False)
class Master:
    """One of a host's masters. ``generation`` distinguishes a lost master's sessions from its successor's."""

    index: int
    phase: Phase = Phase.ABSENT
    generation: int = 0
    used: int = 0
    opened: int = 0
    blocked_until: float = 0.0
    blocked_for: float = BLOCKED_SECONDS
    ended: list[float] = field(default_factory=list)

    def ghosts(self, now: float) -> int:
        """Sessions that ended a moment ago."""
        self.ended = [t for t in self.ended if t > now - GHOST_SECONDS]
        return len(self.ended)

    def __repr__(self) -> str:
        return f"{self.index}:{self.used}" if self.phase is Phase.UP else f"{self.index}:{self.phase.value}"


@dataclass(slots=True, eq=False)
class Waiter:
    """Somebody who wants a slot. ``ending`` may use the reserved one, best on the master ``prefer``."""

    ticket: int
    since: float
    ending: bool = False
    prefer: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done now. ``wake_at``: when to decide again if nothing happens before.

    ``scarce``: somebody waits for what idle sessions hold.
    """

    grants: tuple[tuple[Waiter, Master], ...] = ()
    starts: tuple[Master, ...] = ()
    wake_at: float | None = None
    scarce: bool = False


@dataclass(slots=True)
class Slots:
    """The state of one host's pool. ``decide`` changes nothing but ``limit``; the other methods record what happened.

    ``max_masters`` counts what ordinary sessions may use; ``spare`` allows one more for ending things.
    """

    max_masters: int
    limit: int = ASSUMED_LIMIT
    highest: int = ASSUMED_LIMIT
    spare: bool = True
    masters: list[Master] = field(default_factory=list)
    waiters: list[Waiter] = field(default_factory=list)
    further_at: float = 0.0
    _next_ticket: int = 0
    _raise_at: float = 0.0
    _raise_after: float = RAISE_AFTER
    _raised: bool = False

    def __post_init__(self) -> None:
        self.masters = [Master(i) for i in range(self.max_masters + int(self.spare))]

    def __repr__(self) -> str:
        live = ", ".join(repr(m) for m in self.masters if m.phase is not Phase.ABSENT)
        return f"<Slots limit={self.limit} masters=[{live}] waiting={len(self.waiters)}>"

    # --- what happened ------------------------------------------------------------------------------------------------

    def join(self, now: float, *, ending: bool = False, prefer: int | None = None) -> Waiter:
        """A new waiter, behind those who came before."""
        waiter = Waiter(self._next_ticket, now, ending, prefer)
        self._next_ticket += 1
        self.waiters.append(waiter)
        return waiter

    def rejoin(self, waiter: Waiter) -> None:
        """Back to the place that its arrival gave it."""
        self.waiters.append(waiter)
        self.waiters.sort(key=lambda w: w.ticket)

    def leave(self, waiter: Waiter) -> None:
        """No longer waiting: served, or gone."""
        if waiter in self.waiters:
            self.waiters.remove(waiter)

    def was_opened(self, master: Master, generation: int) -> None:
        """A session was opened."""
        if master.generation == generation:
            master.opened += 1
            master.blocked_for = BLOCKED_SECONDS

    def released(self, master: Master, generation: int, ended: float | None = None) -> None:
        """A session ended at that time, or was never opened (None)."""
        if master.generation == generation and master.used > 0:
            master.used -= 1
            if ended is not None:
                master.ghosts(ended)
                master.ended.append(ended)

    def refused(self, master: Master, generation: int, now: float) -> None:
        """A session was refused by sshd; it still counts as used here and ``released`` follows."""
        if master.generation != generation:
            return
        others, ghosts = master.used - 1, master.ghosts(now)
        if others < 1 or ghosts:
            master.blocked_until = now + master.blocked_for
            master.blocked_for = min(master.blocked_for * 2, BLOCKED_SECONDS_MAX)
        if others < 1 or others + ghosts >= self.limit:
            return
        self.limit = others + ghosts
        if self._raised:  # one more was one too many: be slower to try again
            self._raised = False
            self._raise_after = min(self._raise_after * 2, RAISE_AFTER_MAX)
        self._raise_at = now + self._raise_after

    def lost(self, master: Master, generation: int) -> None:
        """The master is gone, with all its sessions."""
        if master.generation == generation:
            master.phase = Phase.ABSENT
            master.generation += 1
            master.used = master.opened = 0
            master.ended.clear()
            master.blocked_until = 0.0
            master.blocked_for = BLOCKED_SECONDS

    # --- the decision -------------------------------------------------------------------------------------------------

    @property
    def ordinary(self) -> int:
        """Slots of a master that ordinary sessions may fill."""
        return max(1, self.limit - 1)

    def _room(self, master: Master, waiter: Waiter, used: int, now: float) -> bool:
        if master.phase is not Phase.UP or now < master.blocked_until:
            return False
        if waiter.ending:
            return used < self.limit
        return master.index < self.max_masters and used < self.ordinary

    def decide(self, now: float) -> Plan:
        """Who gets which slot, and which masters are to be started."""
        used = {m.index: m.used for m in self.masters}
        grants: list[tuple[Waiter, Master]] = []
        unserved: list[Waiter] = []
        self._raise_limit(now, used)
        for waiter in sorted(self.waiters, key=lambda w: (not w.ending, w.ticket)):
            order = sorted(self.masters, key=lambda m: (m.index != waiter.prefer, m.index))
            master = next((m for m in order if self._room(m, waiter, used[m.index], now)), None)
            if master is None:
                unserved.append(waiter)
            else:
                used[master.index] += 1
                grants.append((waiter, master))
        starts, patience_ends = self._starts(unserved, now)
        return Plan(
            tuple(grants), tuple(starts), self._wake_at(unserved, patience_ends, now), self._scarce(unserved, starts)
        )

    def _raise_limit(self, now: float, used: dict[int, int]) -> None:
        full = all(m.phase is not Phase.UP or used[m.index] >= self.ordinary for m in self.masters[: self.max_masters])
        if self.waiters and full and self.limit < self.highest and now >= self._raise_at:
            self.limit += 1
            self._raised = True
            self._raise_at = now + self._raise_after

    def _starts(self, unserved: list[Waiter], now: float) -> tuple[list[Master], float | None]:
        """Masters to start now, and when the patience of the first in the queue ends."""
        starting = [m for m in self.masters if m.phase is Phase.STARTING]
        if not unserved or starting:
            return [], None  # one login at a time: sshd's MaxStartups, and the next decision comes when it is done
        absent = [m for m in self.masters if m.phase is Phase.ABSENT]
        none_up = len(absent) == len(self.masters)
        if not none_up and now < self.further_at:
            return [], None
        if none_up or unserved[0].ending:
            return absent[:1], None
        absent = [m for m in absent if m.index < self.max_masters]
        if not absent:
            return [], None
        patience_ends = min(w.since for w in unserved) + PATIENCE
        return (absent[:1], None) if now >= patience_ends else ([], patience_ends)

    def _wake_at(self, unserved: list[Waiter], patience_ends: float | None, now: float) -> float | None:
        if not unserved:
            return None
        times = [m.blocked_until for m in self.masters if m.phase is Phase.UP]
        times.append(self.further_at)
        if self.limit < self.highest:
            times.append(self._raise_at)
        if patience_ends is not None:
            times.append(patience_ends)
        return min((t for t in times if t > now), default=None)

    def _scarce(self, unserved: list[Waiter], starts: list[Master]) -> bool:
        if not unserved or starts or any(m.phase is Phase.STARTING for m in self.masters):
            return False
        return any(m.phase is Phase.UP for m in self.masters)
