"""A host that was asked before is only asked for what may have changed."""

from __future__ import annotations

import subprocess

import pytest

from ssh_mcp.facts.capabilities import Capabilities, CapabilitiesFact

KNOWN = Capabilities(
    posix=True,
    kernel="Linux",
    programs=frozenset({"find", "grep", "sudo"}),
    dialects=(("find", "gnu"), ("grep", "busybox"), ("tar", "bsd")),
    sudo_kind="sudo-rs",
)


def test_what_lasts_is_kept_and_what_is_new_is_noticed() -> None:
    again = CapabilitiesFact(KNOWN)
    text = again.command().masked()
    assert "for p in grep; do" in text
    assert "sudo -V" not in text
    assert "uname" not in text
    found = again.parse("has find\nhas grep\nhas sudo\nhas zstd\nis grep gnu\nshell posix\n").value
    assert found.has("zstd")
    assert found.dialects == (("find", "gnu"), ("grep", "gnu"), ("tar", "bsd"))
    assert (found.kernel, found.sudo_kind) == ("Linux", "sudo-rs")
    assert CapabilitiesFact(KNOWN).parse("has find\nshell posix\n").value.sudo_kind is None


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_second_question_gets_the_same_as_the_first(shell: str) -> None:
    def ask(fact: CapabilitiesFact) -> Capabilities:
        done = subprocess.run([shell, "-c", fact.command().wire()], capture_output=True, text=True, check=True)
        return fact.parse(done.stdout).value

    first = ask(CapabilitiesFact())
    assert first.posix
    assert ask(CapabilitiesFact(first)) == first
