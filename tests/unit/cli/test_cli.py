"""The command line: help, exit statuses, and no traceback whatever is typed."""

from __future__ import annotations

import gzip
import io
import json
import re
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ssh_mcp.audit.sinks import Audit
from ssh_mcp.cli.commands import run
from ssh_mcp.errors import ConfigError, HostNotAllowed
from ssh_mcp.policy.tiers import Tier
from transports.errors import ConnectError

COMMANDS = [
    "demo", "init", "doctor", "client", "completion", "serve", "hosts", "tools", "audit",
    "policy", "console", "connect", "disconnect", "agent",
]  # fmt: skip
WORKERS = [
    "ssh_mcp.cli.demo.demo", "ssh_mcp.server.serve.serve", "ssh_mcp.cli.doctor.examine",
    "ssh_mcp.cli.connection.connect",
    "ssh_mcp.cli.connection.disconnect", "ssh_mcp.cli.connection.show_agent",
]  # fmt: skip


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that start something answer at once."""
    for name in WORKERS:
        monkeypatch.setattr(name, lambda *_args, **_kwargs: 0)


@pytest.mark.parametrize("words", [["--help"], ["-h"], *([name, "--help"] for name in COMMANDS)], ids=" ".join)
def test_help_says_what_a_command_does_on_an_ordinary_terminal(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith("Usage: ssh-mcp")
    assert max(map(len, out.splitlines())) <= 80
    assert "[default: " not in out or "--hours" in out


def test_the_first_page_names_every_command_and_where_to_begin(capsys: pytest.CaptureFixture[str]) -> None:
    run(["--help"])
    page = capsys.readouterr().out
    for name in COMMANDS:
        assert re.search(rf"^│ {name} +[A-Z]", page, re.MULTILINE), name
    assert page.index("First steps") < page.index("demo") < page.index("init") < page.index("doctor")
    assert "Exit status: 0" in page


@pytest.mark.parametrize("words", [["help"], ["help", "doctor"], ["help", "audit", "verify"]])
def test_help_is_a_command_too(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 0
    asked = capsys.readouterr().out
    assert run([*words[1:], "--help"]) == 0
    assert capsys.readouterr().out == asked


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_the_version_has_a_short_flag(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([flag]) == 0
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*\n", capsys.readouterr().out)


@pytest.mark.parametrize("columns", [50, 80])
@pytest.mark.parametrize(
    "words", [["client", "emacs"], ["nonsense"], ["init", "--no-such-option"], ["connect", "no-such-host"]]
)
def test_an_error_wraps_between_words_and_ends_at_no_edge(
    words: list[str], columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(words)
    whole = capsys.readouterr().err
    monkeypatch.setenv("COLUMNS", str(columns))
    run(words)
    wrapped = capsys.readouterr().err
    assert max(map(len, wrapped.splitlines())) <= columns
    assert not set("│╭╰─…") & set(wrapped)
    assert wrapped.split() == whole.split()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_knows_the_commands(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "doctor" in script
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)


@pytest.mark.parametrize("words", [["hosts"], ["tools"], ["doctor"], ["agent"]])
def test_what_is_to_be_read_is_there_as_json(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    run([*words, "--json"])
    assert json.loads(capsys.readouterr().out) is not None


def test_the_tools_say_what_opens_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tools"]) == 0
    page = capsys.readouterr().out
    assert "  ssh_host_ping (read) open" in page
    assert "  ssh_exec_run (dangerous) closed: the operator sets ALLOW_DANGEROUS_TOOLS=true" in page


@pytest.mark.parametrize("words", [[], ["serve"]])
def test_without_a_command_it_serves_and_loads_nothing_of_the_command_line(words: list[str]) -> None:
    code = (
        "import sys, types\n"
        "sys.modules['ssh_mcp.server.serve'] = types.SimpleNamespace(serve=lambda: 7)\n"
        f"sys.argv = ['ssh-mcp', *{words!r}]\n"
        "from ssh_mcp.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    print(end.code, 'cyclopts' in sys.modules, 'rich' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "7 False False\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nonsense"], 'Unknown command "nonsense"'),
        (["doctr"], 'Did you mean "doctor"'),
        (["connect"], "requires an argument"),
        (["client", "emacs"], "claude-desktop"),
        (["doctor", "a", "b"], "b"),
        (["init", "--no-such-option"], "--no-such-option"),
        (["connect", "web", "--hours", "soon"], "soon"),
        (["policy", "test"], "See ssh-mcp policy test --help."),
    ],
)
def test_a_wrong_command_line_is_status_64_and_said_on_stderr(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str], idle: None
) -> None:
    assert run(words) == 64
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err.replace("\n", " ")


@pytest.mark.parametrize(
    ("raised", "status", "said"),
    [
        (ConfigError("SSH_IDLE_TIMEOUT=x: must be a number."), 2, "ssh-mcp: SSH_IDLE_TIMEOUT=x: must be a number.\n"),
        (HostNotAllowed("web is not known.", "Look."), 1, "ssh-mcp: HostNotAllowed: web is not known. Look.\n"),
        (ConnectError("web refused.", "Try."), 1, "ssh-mcp: ConnectError: web refused. Try.\n"),
        (PermissionError(13, "Permission denied", "/x"), 1, "ssh-mcp: Permission denied: /x\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (EOFError(), 130, "interrupted\n"),
        (RuntimeError("password=hunter2"), 70, None),
    ],
)
def test_every_failure_is_one_line_and_a_status(
    raised: BaseException, status: int, said: str | None,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def fail(*_: Any, **_options: Any) -> int:
        raise raised

    monkeypatch.setattr("ssh_mcp.cli.doctor.examine", fail)
    assert run(["doctor"]) == status
    out, err = capsys.readouterr()
    assert out == ""
    if said is not None:
        assert err == said
    else:
        assert re.fullmatch(
            r"ssh-mcp: unexpected RuntimeError at test_cli\.py:\d+\. This is a bug: please report it\.\n", err
        )


WORDS = st.one_of(
    st.sampled_from(
        [*COMMANDS, "verify", "--help", "-h", "--version", "--", "-", "--all", "--uvx", "--from", "--config",
         "--output", "--hours", "--expect-last", "claude-code", "web", "0", "-1", "1e400", "nan", "@x", "--x=", "=", ""]
    ),
    st.text(st.characters(exclude_categories=[], exclude_characters="\x00/"), max_size=8),
    st.text(st.sampled_from("-=@[]'\"\\$%{}\n\x1b\udcff\u202e"), max_size=6),
)  # fmt: skip


@pytest.mark.usefixtures("idle")
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(WORDS, max_size=6))
def test_no_command_line_ends_in_a_traceback(words: list[str]) -> None:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = run(words)
    assert status in (0, 1, 2, 64), (words, err.getvalue())
    assert "Traceback" not in out.getvalue() + err.getvalue()


def test_the_clients_of_the_command_line_are_those_that_have_a_snippet() -> None:
    from ssh_mcp.cli.client_rows import CLIENTS

    with redirect_stdout(io.StringIO()) as page:
        assert run(["client", "--help"]) == 0
    named = " ".join(page.getvalue().replace("│", " ").split())
    assert [name for name in CLIENTS if name not in named] == []


def test_audit_verify_names_a_missing_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", "verify", str(tmp_path)]) == 2
    assert capsys.readouterr().out == f"{tmp_path}: is not a regular file\n"
    assert run(["audit", "verify", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().out.endswith("none: no such file\n")


def test_audit_verify_checks_the_servers_own_audit_with_its_rotated_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["audit", "verify"]) == 2
    assert "SSH_AUDIT_FILE is not set" in capsys.readouterr().err
    file = tmp_path / "audit.jsonl"
    monkeypatch.setenv("SSH_AUDIT_FILE", str(file))
    Audit(file).begin("ssh_host_ping", Tier.READ).finish(None)
    file.rename(tmp_path / "audit.jsonl.1")
    Audit(file).begin("ssh_host_ping", Tier.READ).finish(None)
    assert run(["audit", "verify"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in said if "chain is whole" in line] == [f"{file}.1", str(file)]
    (tmp_path / "audit.jsonl.0.gz").write_bytes(gzip.compress((tmp_path / "audit.jsonl.1").read_bytes()))
    assert run(["audit", "verify"]) == 0
    assert f"{file}.0.gz: not checked" in capsys.readouterr().out


@pytest.mark.parametrize(("which", "holds"), [("hosts", "[hosts."), ("settings", "ALLOW_"), ("cases", "[[case]]")])
def test_the_examples_are_printed(which: str, holds: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["example", which]) == 0
    assert holds in capsys.readouterr().out


def test_the_readmes_links_work_on_the_package_index(project_root: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", (project_root / "README.md").read_text())
    assert targets
    assert [target for target in targets if not target.startswith(("https://", "#"))] == []
