"""Rate per identity, and handles that name their instance."""

from __future__ import annotations

import pytest

from ssh_mcp.errors import RateLimited
from ssh_mcp.remote.admission import Rate, handle


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_identity_makes_so_many_calls_a_minute_and_another_ones_do_not_count() -> None:
    clock = Clock()
    rate = Rate(3, clock)
    for _ in range(3):
        rate.take("alice")
    with pytest.raises(RateLimited, match=r"alice made more than 3 calls in a minute\. Try again in 20 s\."):
        rate.take("alice")
    rate.take("bob")
    clock.now += 20
    rate.take("alice")
    with pytest.raises(RateLimited):
        rate.take("alice")


def test_refused_calls_do_not_prolong_the_wait() -> None:
    clock = Clock()
    rate = Rate(1, clock)
    rate.take("alice")
    for _ in range(59):
        clock.now += 1
        with pytest.raises(RateLimited):
            rate.take("alice")
    clock.now += 1.001
    rate.take("alice")


def test_many_identities_are_not_remembered_for_ever() -> None:
    rate = Rate(5, Clock())
    for number in range(10_100):
        rate.take(f"i{number}")
    assert len(rate._left) == 10_000


def test_without_a_limit_nothing_is_counted() -> None:
    rate = Rate(0, Clock())
    for _ in range(1000):
        rate.take("alice")
    assert rate._left == {}


def test_a_handle_ends_with_its_instance_where_that_has_a_name() -> None:
    assert handle("ab12", None) == "ab12"
    assert handle("ab12", "web-1") == "ab12@web-1"
