"""A small seeded mutation fuzzer: a corpus, a check that raises where a promise is broken, a bound on processor time.

Why not hypothesis here: these targets want many cheap, large, format-shaped inputs rather than minimal ones, and the
same engine must run for two seconds in CI and for hours on demand. A failing sample is shown with its seed and round.
"""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Generic, TypeVar

S = TypeVar("S", bytes, str)

CPU_SECONDS = 3.0
"""Processor time (not wall time: the machine may be busy) after which one sample counts as slow."""
MAX_SAMPLE = 16_384


class TooSlow(Exception):
    """A sample took longer than ``CPU_SECONDS``."""


class Broken(Exception):
    """A promise of the code under test does not hold."""


@dataclass(frozen=True)
class Target(Generic[S]):
    """``check`` raises whatever it finds wrong; ``tokens`` are pieces worth inserting."""

    name: str
    corpus: Sequence[S]
    check: Callable[[S, random.Random], None]
    tokens: Sequence[S] = ()
    weight: int = 1


@dataclass
class Finding:
    target: str
    seed: int
    round: int
    sample: bytes | str
    error: BaseException

    def __str__(self) -> str:
        shown = repr(self.sample)
        shown = shown if len(shown) < 4000 else f"{shown[:4000]}… ({len(self.sample)} long)"
        return (
            f"{self.target} seed={self.seed} round={self.round}: {type(self.error).__name__}: {self.error}\n  {shown}"
        )


@dataclass
class Report:
    target: str
    seed: int
    rounds: int = 0
    slowest: float = 0.0
    findings: list[Finding] = field(default_factory=list)


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """Raise TooSlow inside once the process has burnt ``seconds``; in the main thread only (elsewhere: no bound)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise TooSlow(f"more than {seconds} s of processor time")

    old = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, old)


def pieces(data: S, rng: random.Random) -> Iterator[S]:
    """The same data in odd chunks."""
    at = 0
    while at < len(data):
        size = rng.choice((1, 1, 2, 3, 5, 7, 64, 1000, 5000))
        yield data[at : at + size]
        at += size


def mutate(target: Target[S], rng: random.Random) -> S:
    """One sample: a corpus entry with a few wounds, or two of them spliced, or tokens alone."""
    kind = rng.random()
    if target.tokens and kind < 0.15:
        empty = target.corpus[0][:0]
        sample = empty.join(rng.choice(target.tokens) for _ in range(rng.randrange(1, 40)))
    else:
        sample = rng.choice(target.corpus)
    if kind > 0.7:
        other = rng.choice(target.corpus)
        sample = sample[: rng.randrange(len(sample) + 1)] + other[rng.randrange(len(other) + 1) :]
    for _ in range(rng.choice((0, 1, 1, 2, 3, 5, 9))):
        sample = _wound(sample, target, rng)
    return sample[:MAX_SAMPLE]


def _wound(sample: S, target: Target[S], rng: random.Random) -> S:
    at = rng.randrange(len(sample) + 1)
    to = min(len(sample), at + rng.choice((1, 1, 2, 4, 16, 200)))
    match rng.randrange(6):
        case 0:
            return sample[:at] + sample[to:]
        case 1:
            return sample[:to] + sample[at:to] * rng.choice((1, 1, 2, 8, 200)) + sample[to:]
        case 2 if target.tokens:
            return sample[:at] + rng.choice(target.tokens) + sample[at:]
        case 3:
            return sample[:at] + _unit(sample, rng) + sample[at + 1 :]
        case 4:
            return sample[:at] + _unit(sample, rng) * rng.choice((1, 3, 40, 500)) + sample[at:]
        case _:
            return sample[:at]


def _unit(sample: S, rng: random.Random) -> S:
    if isinstance(sample, bytes):
        return bytes([rng.choice((0, 1, 2, 4, 0x7F, 0x80, 0xFF, rng.randrange(256)))])
    odd = "\0\t\r\n\x1b\x85\u2028\ufeff\u202e\udc80\U0001f600'\"`$\\(){}[]<>|&;:=#!*?~%-,. "
    return chr(rng.randrange(32, 127)) if rng.random() < 0.5 else rng.choice(odd)


def run(
    target: Target[S], *, seed: int, rounds: int | None = None, seconds: float | None = None, most: int = 5
) -> Report:
    """Fuzz one target until ``rounds`` or ``seconds`` are used up or ``most`` kinds of findings are there."""
    report = Report(target.name, seed)
    end = None if seconds is None else time.monotonic() + seconds
    kinds: set[str] = set()
    while (rounds is None or report.rounds < rounds) and (end is None or time.monotonic() < end):
        rng = random.Random(f"{seed}/{target.name}/{report.rounds}")
        sample = mutate(target, rng)
        before = time.process_time()
        try:
            with bounded(CPU_SECONDS):
                target.check(sample, rng)
        except Exception as error:
            kind = f"{type(error).__name__} {error}"[:60]
            if kind not in kinds:
                kinds.add(kind)
                report.findings.append(Finding(target.name, seed, report.rounds, sample, error))
            if len(kinds) >= most:
                break
        report.slowest = max(report.slowest, time.process_time() - before)
        report.rounds += 1
    return report
