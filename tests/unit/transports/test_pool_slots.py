"""The pool's decisions, on a clock of the test's own. Assertions are on the pool's repr wherever it says enough."""

from __future__ import annotations

from transports.openssh.masters.slots import (
    ASSUMED_LIMIT,
    BLOCKED_SECONDS,
    GHOST_SECONDS,
    PATIENCE,
    RAISE_AFTER,
    Master,
    Phase,
    Plan,
    Slots,
    Waiter,
)


def _up(slots: Slots, *used: int) -> None:
    for master, count in zip(slots.masters, used, strict=False):
        master.phase = Phase.UP
        master.used = count


def _grant(slots: Slots, plan: Plan) -> list[tuple[int, int]]:
    """Carry out a plan's grants; (ticket, master) pairs."""
    for waiter, master in plan.grants:
        slots.leave(waiter)
        master.used += 1
    return [(waiter.ticket, master.index) for waiter, master in plan.grants]


def test_the_first_caller_starts_the_first_master_at_once() -> None:
    slots = Slots(max_masters=4)
    slots.join(0.0)
    slots.join(0.0)
    plan = slots.decide(0.0)
    assert [m.index for m in plan.starts] == [0]
    assert plan.grants == ()
    assert repr(slots) == "<Slots limit=10 masters=[] waiting=2>"


def test_while_a_master_starts_no_other_does() -> None:
    slots = Slots(max_masters=4)
    slots.masters[0].phase = Phase.STARTING
    slots.join(0.0)
    assert slots.decide(100.0) == Plan()
    assert repr(slots) == "<Slots limit=10 masters=[0:starting] waiting=1>"


def test_one_slot_is_kept_for_endings() -> None:
    slots = Slots(max_masters=1, spare=False)
    _up(slots, 8)
    for _ in range(2):
        slots.join(0.0)
    assert _grant(slots, slots.decide(0.0)) == [(0, 0)]
    assert repr(slots) == "<Slots limit=10 masters=[0:9] waiting=1>"
    slots.join(0.0, ending=True)
    assert _grant(slots, slots.decide(0.0)) == [(2, 0)]
    assert repr(slots) == "<Slots limit=10 masters=[0:10] waiting=1>"


def test_waiting_is_in_order_of_arrival_but_endings_come_first() -> None:
    slots = Slots(max_masters=1)
    _up(slots, 7)
    tickets = [slots.join(0.0).ticket for _ in range(3)]
    ending = slots.join(0.0, ending=True).ticket
    assert _grant(slots, slots.decide(0.0)) == [(ending, 0), (tickets[0], 0)]
    slots.released(slots.masters[0], 0)
    assert _grant(slots, slots.decide(0.0)) == [(tickets[1], 0)]


def test_an_ending_prefers_the_master_of_what_it_ends() -> None:
    slots = Slots(max_masters=2)
    _up(slots, 3, 9)
    slots.join(0.0, ending=True, prefer=1)
    slots.join(0.0, ending=True, prefer=1)
    assert _grant(slots, slots.decide(0.0)) == [(0, 1), (1, 0)]


def test_a_further_master_is_started_only_when_patience_has_ended() -> None:
    slots = Slots(max_masters=2)
    _up(slots, 9)
    slots.join(5.0)
    plan = slots.decide(5.0)
    assert (plan.starts, plan.wake_at, plan.scarce) == ((), 5.0 + PATIENCE, True)
    assert [m.index for m in slots.decide(5.0 + PATIENCE).starts] == [1]


def test_no_more_masters_than_configured_for_ordinary_sessions() -> None:
    slots = Slots(max_masters=2)
    _up(slots, 9, 9)
    slots.join(0.0)
    plan = slots.decide(100.0)
    assert (plan.starts, plan.grants) == ((), ())
    assert plan.scarce


def test_with_one_session_a_connection_endings_get_a_master_of_their_own_at_once() -> None:
    slots = Slots(max_masters=1, limit=1, highest=1)
    _up(slots, 1)
    slots.join(0.0)
    slots.join(0.0, ending=True, prefer=0)
    assert [m.index for m in slots.decide(0.0).starts] == [1]
    slots.masters[1].phase = Phase.UP
    assert _grant(slots, slots.decide(9.0)) == [(1, 1)]
    assert repr(slots) == "<Slots limit=1 masters=[0:1, 1:1] waiting=1>"


def test_the_spare_master_serves_no_ordinary_session() -> None:
    slots = Slots(max_masters=1, limit=1, highest=1)
    _up(slots, 1, 0)
    slots.join(0.0)
    assert slots.decide(0.0).grants == ()


def test_a_refusal_teaches_how_many_there_are() -> None:
    slots = Slots(max_masters=4)
    _up(slots, 9)
    for _ in range(6):  # nine opened at once, three of them accepted
        slots.refused(slots.masters[0], 0, 0.0)
        slots.released(slots.masters[0], 0)
    assert repr(slots) == "<Slots limit=3 masters=[0:3] waiting=0>"
    assert slots.ordinary == 2


def test_sessions_that_ended_a_moment_ago_may_still_count_on_the_host_and_teach_nothing() -> None:
    slots = Slots(max_masters=1, limit=3, highest=3)
    _up(slots, 2)
    master = slots.masters[0]
    slots.released(master, 0, 1.0)
    slots.released(master, 0, 1.0)
    master.used = 2  # both slots are taken again at once, and sshd has not got round to the endings yet
    slots.refused(master, 0, 1.001)
    slots.released(master, 0)
    assert repr(slots) == "<Slots limit=3 masters=[0:1] waiting=0>"
    slots.join(1.001)
    assert slots.decide(1.001).grants == ()
    assert _grant(slots, slots.decide(master.blocked_until)) == [(0, 0)]
    slots.refused(master, 0, 1.0 + GHOST_SECONDS)
    assert slots.limit == 1


def test_a_refused_caller_keeps_its_place() -> None:
    slots = Slots(max_masters=1)
    _up(slots, 7)
    first, second = slots.join(0.0), slots.join(0.0)
    _grant(slots, slots.decide(0.0))
    third = slots.join(0.0)
    slots.refused(slots.masters[0], 0, 0.0)
    slots.rejoin(first)
    assert [w.ticket for w in slots.waiters] == [first.ticket, third.ticket]
    assert second not in slots.waiters


def test_a_learned_limit_is_tried_one_higher_after_a_while_and_then_more_rarely() -> None:
    slots = Slots(max_masters=1, spare=False)
    _up(slots, 4)
    slots.refused(slots.masters[0], 0, 0.0)
    slots.released(slots.masters[0], 0)
    slots.join(0.0)
    assert slots.decide(0.0).wake_at == RAISE_AFTER
    assert slots.limit == 3
    assert _grant(slots, slots.decide(RAISE_AFTER)) == []
    slots.released(slots.masters[0], 0)
    assert slots.limit == 4
    assert _grant(slots, slots.decide(RAISE_AFTER)) == [(0, 0)]
    slots.masters[0].used = 4
    slots.refused(slots.masters[0], 0, 10.0)
    slots.join(10.0)
    slots.masters[0].used = 3
    assert slots.limit == 3
    assert slots.decide(10.0).wake_at == 10.0 + 2 * RAISE_AFTER


def test_a_limit_is_never_tried_beyond_what_was_assumed_first() -> None:
    slots = Slots(max_masters=1, spare=False)
    _up(slots, 9)
    slots.join(0.0)
    slots.decide(1e6)
    assert slots.limit == ASSUMED_LIMIT


def test_a_master_that_refuses_us_alone_is_left_in_peace_for_a_growing_moment() -> None:
    slots = Slots(max_masters=1, spare=False)
    _up(slots, 1)
    master = slots.masters[0]
    for i in range(3):
        slots.refused(master, 0, 0.0)
        assert master.blocked_until == BLOCKED_SECONDS * 2**i
    master.used = 0
    slots.join(0.0)
    plan = slots.decide(0.0)
    assert (plan.grants, plan.wake_at) == ((), master.blocked_until)
    assert slots.limit == ASSUMED_LIMIT
    assert _grant(slots, slots.decide(master.blocked_until)) == [(0, 0)]
    slots.was_opened(master, 0)
    slots.refused(master, 0, 0.0)
    assert master.blocked_until == BLOCKED_SECONDS


def test_a_lost_master_takes_its_sessions_along_and_its_successor_does_not_answer_for_them() -> None:
    slots = Slots(max_masters=2)
    _up(slots, 5, 1)
    master = slots.masters[0]
    slots.lost(master, 0)
    assert repr(slots) == "<Slots limit=10 masters=[1:1] waiting=0>"
    master.phase = Phase.UP
    master.used = 2
    slots.released(master, 0)
    slots.refused(master, 0, 0.0)
    slots.lost(master, 0)
    slots.was_opened(master, 0)
    assert (repr(slots), master.opened) == ("<Slots limit=10 masters=[0:2, 1:1] waiting=0>", 0)


def test_after_a_failed_further_login_those_who_wait_go_on_waiting_for_the_masters_there_are() -> None:
    slots = Slots(max_masters=2, further_at=50.0)
    _up(slots, 9)
    slots.join(0.0)
    plan = slots.decide(10.0)
    assert (plan.starts, plan.wake_at) == ((), 50.0)
    assert [m.index for m in slots.decide(50.0).starts] == [1]


def test_leaving_is_idempotent_and_nobody_waits_in_an_empty_queue() -> None:
    slots = Slots(max_masters=1)
    waiter = slots.join(0.0)
    slots.leave(waiter)
    slots.leave(waiter)
    assert slots.decide(0.0) == Plan()
    assert isinstance(waiter, Waiter)
    assert isinstance(slots.masters[0], Master)
