"""What a person reads: the exact call, and nothing that the caller could make it look like."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssh_mcp.approval.question import SHOWN_CHARS, Login, Question, Subject
from ssh_mcp.policy.approval import AskMatch

MATCH = AskMatch("command:reboot", "hosts.toml:7", "reboot")


def text(command: str, **more: object) -> str:
    arguments = {"host": "web", "command": command, **more}
    subject = Subject("ssh_sudo_exec", (Login("web", "web.example", "deploy"),), arguments, "local", root=True)
    return Question("k7x2q9", subject, (MATCH,)).text()


def test_a_question_names_host_user_tool_command_rule_and_root() -> None:
    shown = text("systemctl reboot", timeout=5)
    assert shown.startswith("Run ssh_sudo_exec on deploy@web as root?")
    assert "| command = systemctl reboot" in shown
    assert "| timeout = 5" in shown
    assert shown.endswith("Asked because of command:reboot (hosts.toml:7): reboot")


@pytest.mark.parametrize("odd", ["\u202e", "\x1b[2K", "\r", "\u200b", "\x9b", "\u2028"])
def test_what_would_reorder_or_hide_text_is_shown_as_an_escape(odd: str) -> None:
    shown = text(f"true {odd} reboot")
    assert odd not in shown
    assert odd[0].encode("unicode_escape").decode() in shown


@given(st.text(max_size=300))
def test_no_command_writes_a_line_of_its_own(command: str) -> None:
    """All of it is prefixed with bars: only our own lines begin without one."""
    ours = ("Run ssh_sudo_exec on ", "Asked because of ")
    for line in text(command).split("\n"):
        assert not line or line.startswith(("| ", *ours))
    assert text(command).count("Asked because of command:reboot (hosts.toml:7)") >= 1


def test_of_a_long_script_both_ends_are_shown_and_the_rest_is_counted() -> None:
    script = "\n".join(f"line {i}" for i in range(5000))
    subject = Subject("ssh_exec_script", (Login("web", "w"),), {"host": "web", "script": script}, "local")
    shown = Question("k7x2q9", subject, (MATCH,)).text()
    assert "| script = line 0" in shown
    assert "line 4999" in shown
    assert "characters left out, sha256:" in shown
    assert len(shown) < SHOWN_CHARS * 2


def test_many_hosts_are_named_and_counted() -> None:
    logins = tuple(Login(f"web{i:03}", f"w{i}") for i in range(100))
    subject = Subject("ssh_broadcast", logins, {"hosts": ["x"], "command": "reboot"}, "local")
    question = Question("k7x2q9", subject, (MATCH,))
    assert "Run ssh_broadcast on 100 hosts: web000, web001" in question.text()
    assert "and 60 more" in question.text()
    assert "\n" not in question.summary()


def test_a_summary_goes_into_logs_and_holds_no_secret_but_the_question_shows_all() -> None:
    arguments = {"host": "web", "path": "/etc/app.conf", "content_text": "password=hunter2secret", "mode": 0o640}
    question = Question("k7x2q9", Subject("ssh_upload", (Login("web", "web.example"),), arguments, "local"), (MATCH,))
    assert "hunter2secret" not in question.summary()
    assert "path = /etc/app.conf" in question.summary()
    assert "| content_text = password=hunter2secret" in question.text()
    assert "| mode = 0640" in question.text()


def test_a_secret_at_the_edge_of_a_summary_is_not_cut_into_view() -> None:
    for width in range(60, 140):
        command = f"{'x' * width} --password=hunter2secret"
        subject = Subject("ssh_exec_run", (), {"command": command}, "local", what=command)
        assert "hunter" not in Question("k7x2q9", subject, ()).summary()
