"""What the programs that keep jobs print, as values."""

from __future__ import annotations

import pytest

from ssh_mcp.facts.jobs import Unreadable, encoded, parse_reply

LINE = "job 0123456789ab {state} {code} 1700000000.250 1700000009 10.50 {upto} 20.25 user 5 6 first {cut} 4711"


def reply(state: str = "exited", code: str = "0", upto: str = "12.75", cut: str = "-") -> bytes:
    return (
        LINE.format(state=state, code=code, upto=upto, cut=cut) + "\nna%25me\na%0Ab\nat 4096 0\nraw\nbytes"
    ).encode()


def test_a_status_is_a_job_and_the_bytes_behind_its_lines() -> None:
    found = parse_reply(reply(cut=",stdout.cap,stderr.full"))
    (job,) = found.jobs
    assert (job.id, job.state, job.exit_code, job.group, job.first) == ("0123456789ab", "exited", 0, 4711, True)
    assert (job.name, job.command, job.cut) == ("na%me", "a\nb", ("stdout.cap", "stderr.full"))
    assert (job.duration, job.began, job.ended) == (2.25, 1700000000.25, 1700000009)
    assert (found.offsets, found.data) == ((4096, 0), b"raw\nbytes")


@pytest.mark.parametrize(
    ("state", "code", "expected", "signal"),
    [
        ("exited", "137", "killed", "KILL"),
        ("exited", "255", "exited", None),
        ("exited", "128", "exited", None),
        ("cancelled", "143", "cancelled", "TERM"),
        ("lost", "-", "lost", None),
    ],
)
def test_a_status_above_128_is_a_signal_where_nobody_ended_the_job(
    state: str, code: str, expected: str, signal: str | None
) -> None:
    (job,) = parse_reply(reply(state, code)).jobs
    assert (job.state, job.signal) == (expected, signal)


def test_a_running_job_lasts_until_now_and_clocks_of_two_kinds_are_not_compared() -> None:
    assert parse_reply(reply("running", "-", "-")).jobs[0].duration == 9.75
    assert parse_reply(reply(upto="e1700000000")).jobs[0].duration is None
    assert parse_reply(reply(upto="-")).jobs[0].duration is None
    assert parse_reply(reply(upto="1.0")).jobs[0].duration == 0.0


def test_words_before_a_job_and_a_list_without_bytes() -> None:
    head = reply().split(b"at ")[0]
    found = parse_reply(b"started logout 7\n" + head + head + b"now 1700000001\n")
    assert found.words == ("started", "logout", "7", "now", "1700000001")
    assert len(found.jobs) == 2


@pytest.mark.parametrize(
    "data",
    [reply()[:20], b"at 1\n", b"at 1 -2\n", b"at x 2\n", b"job 1\n"],
)
def test_what_is_no_reply_is_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable):
        parse_reply(data)


@pytest.mark.parametrize(
    "data", [b"job 1 2\na\nb\n", reply("asleep"), reply(code="x"), reply().replace(b"4711", b"-1")]
)
def test_a_job_whose_files_were_changed_by_hand_hides_no_other(data: bytes) -> None:
    found = parse_reply(reply().split(b"at ")[0] + data)
    assert ([job.id for job in found.jobs], found.damaged) == (["0123456789ab"], 1)


def test_encoded_text_is_one_line_that_reads_back() -> None:
    text = "100% of\na\tbö\x7f\x00"
    assert encoded(text).isprintable()
    found = parse_reply(reply().replace(b"a%0Ab", encoded(text).encode()))
    assert found.jobs[0].command == text
