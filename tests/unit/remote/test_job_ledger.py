"""Which jobs are too old, and when a host is cleaned up."""

from __future__ import annotations

from ssh_mcp.facts.jobs import Job
from ssh_mcp.remote.exec.jobs.ledger import KEPT_JOBS, JobLedger, outdated
from ssh_mcp.results.jobs import JobState


def job(number: int, ended: int | None, state: JobState = "exited") -> Job:
    return Job(
        id=f"{number:012x}", state=state, exit_code=0, began=0, ended=ended, duration=1.0, root=False, stdout_bytes=0,
        stderr_bytes=0, first=False, cut=(), group=1, name="", command="",
    )  # fmt: skip


def test_the_oldest_beyond_the_limit_and_the_too_old_go_and_running_ones_stay() -> None:
    many = [job(i, ended=1000 + i) for i in range(KEPT_JOBS + 3)]
    assert outdated(many, now=1000, keep_seconds=9999, here=0) == [f"{i:012x}" for i in (2, 1, 0)]
    some = [job(1, 100), job(2, 200), job(3, None, "running")]
    assert outdated(some, now=260, keep_seconds=100, here=0) == [f"{1:012x}"]


def test_what_is_known_by_our_clock_is_not_compared_with_the_hosts() -> None:
    assert outdated([job(1, None), job(2, 200)], now=260, keep_seconds=100, here=50) == []
    assert outdated([job(1, None), job(2, 200)], now=260, keep_seconds=100, here=102) == [f"{1:012x}"]


def test_a_host_is_due_once_and_when_it_holds_too_many() -> None:
    ledger = JobLedger()
    assert ledger.due("web", 1)
    ledger.looked("web")
    assert not ledger.due("web", KEPT_JOBS)
    assert ledger.due("web", KEPT_JOBS + 1)
    assert ledger.used() == ("web",)


def test_a_job_that_its_host_no_longer_has_is_not_shown() -> None:
    ledger = JobLedger()
    ledger.saw("web", job(1, None, "running"))
    ledger.saw("web", job(2, None, "running"))
    ledger.gone(f"{1:012x}")
    ledger.gone(f"{3:012x}")
    assert [seen.id for _, seen in ledger.seen()] == [f"{2:012x}"]
