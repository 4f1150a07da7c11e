"""Equal results are one group; the minority is shown by its difference."""

from __future__ import annotations

from ssh_mcp.remote.exec.grouping import group, together
from ssh_mcp.results.exec import ExecResult


def test_equal_results_are_one_group_whatever_took_how_long() -> None:
    results = {
        "web01": ExecResult(host="web01", exit_code=0, stdout="a\nb\n", duration_ms=5),
        "web02": ExecResult(host="web02", exit_code=0, stdout="a\nB\n", duration_ms=5),
        "web03": ExecResult(host="web03", exit_code=0, stdout="a\nb\n", duration_ms=900),
    }
    largest, other = group(results)
    assert (largest.hosts, largest.count, largest.diff) == ("web[01,03]", 2, None)
    assert other.hosts == "web02"
    assert other.diff is not None
    assert "-stdout: b" in other.diff
    assert "+stdout: B" in other.diff


def test_a_long_difference_is_left_out() -> None:
    texts = ["\n".join(f"{n} {i}" for i in range(200)) for n in range(2)]
    long = {f"h{n}": ExecResult(host=f"h{n}", exit_code=0, stdout=text) for n, text in enumerate(texts)}
    assert [g.diff for g in group(long)] == [None, None]


def test_errors_of_one_kind_are_said_once_for_all_hosts() -> None:
    found = together({"web01": "Down: web01.", "web02": "Down: web02.", "db1": "Other."})
    assert (found[0].hosts, found[0].error) == ("web[01-02]", "Down: HOST.")
    assert (found[1].hosts, found[1].error) == ("db1", "Other.")
