"""The bounded part of the fuzzing: a fixed number of seeded samples a target. ``scripts/fuzz --seconds N`` goes on."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.fuzz import device_targets, file_targets, text_targets, wire_targets
from tests.fuzz.engine import Broken, Target, TooSlow, run

TARGETS = [*wire_targets.TARGETS, *text_targets.TARGETS, *file_targets.TARGETS, *device_targets.TARGETS]
ROUNDS = {
    "facts": 300,
    "device_reply": 500,
    "terminal_screen": 300,
    "shell_reader": 500,
    "command_table": 500,
    "compose_file": 250,
    "redaction": 150,
    "redaction_detectors": 500,
    "redaction_stream": 150,
}


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
def test_nothing_that_comes_in_raises_hangs_or_depends_on_how_it_was_cut(target: Target[Any]) -> None:
    report = run(target, seed=20261122, rounds=ROUNDS.get(target.name, 1500))
    assert not report.findings, "\n".join(map(str, report.findings))


def test_the_fuzzer_finds_what_is_planted() -> None:
    """A check that never complains would make every run above a green one."""

    def planted(sample: str, _rng: random.Random) -> None:
        if "((" in sample:
            raise Broken("two in a row")

    report = run(Target("planted", ["a(b(c"], planted, ["("]), seed=1, rounds=300)
    assert [type(f.error) for f in report.findings] == [Broken]
    again = run(Target("planted", ["a(b(c"], planted, ["("]), seed=1, rounds=report.findings[0].round + 1)
    assert again.findings[0].sample == report.findings[0].sample


def test_a_sample_that_hangs_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.engine.CPU_SECONDS", 0.05)

    def endless(_sample: str, _rng: random.Random) -> None:
        while True:
            pass

    report = run(Target("endless", ["x"], endless), seed=1, rounds=1)
    assert [type(f.error) for f in report.findings] == [TooSlow]
