"""``ssh-mcp init``: which names it finds, which are chosen, and what it writes."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssh_mcp.cli.commands import run
from ssh_mcp.cli.init import Candidate, Opened, choose, host_names, render
from ssh_mcp.inventory.resolve import load_inventory
from ssh_mcp.settings.model import Settings, load_settings

NAMES = ["web", "db", "bastion", "nas"]


@pytest.fixture
def home() -> Path:
    """The test's own home directory, with a ~/.ssh in it."""
    path = Path(os.environ["HOME"])
    (path / ".ssh").mkdir(mode=0o700)
    return path


def ssh_config(home: Path, text: str) -> Path:
    file = home / ".ssh" / "config"
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Host web db\n  HostName 10.0.0.1\n", ["web", "db"]),
        ("host=web\nHOST\tdb\n  Host  nas  # remark\n", ["web", "db", "nas"]),
        ("Host *.example.org web-? !web2 *\nHost ok\n", ["ok"]),
        ('Host "web" "two words" -x\n', ["web"]),
        ("# Host commented\nMatch host web\n  User x\n", []),
        ("Host web\nHost web\n", ["web", "web"]),
        ('Host "unbalanced\nHost ok\n', ["ok"]),
        ("Host user@web web:22 [::1] web_1.x-y\n", ["web_1.x-y"]),
        ("", []),
    ],
)
def test_single_names_are_found_and_patterns_left_out(text: str, names: list[str], home: Path) -> None:
    assert list(host_names(ssh_config(home, text))) == names


def test_includes_are_followed_as_ssh_does(home: Path) -> None:
    (home / ".ssh" / "conf.d" / "deep").mkdir(parents=True)
    (home / ".ssh" / "conf.d" / "10-a").write_text("Host a\nInclude conf.d/deep/x\n")
    (home / ".ssh" / "conf.d" / "20-b").write_text("Host b\n")
    (home / ".ssh" / "conf.d" / "deep" / "x").write_text("Host deep\n")
    (home / "other").write_text("Host absolute\n")
    file = ssh_config(home, f"Include conf.d/* nothing-here\nInclude {home}/other\nInclude ~/other\nHost last\n")
    assert list(host_names(file)) == ["a", "deep", "b", "absolute", "absolute", "last"]


def test_a_circle_of_includes_ends(home: Path) -> None:
    assert set(host_names(ssh_config(home, "Host once\nInclude config\n"))) == {"once"}


@pytest.mark.parametrize(
    ("answer", "chosen", "unknown"),
    [
        ("all", NAMES, []),
        (" ALL ", NAMES, []),
        ("1", ["web"], []),
        ("1,3-4", ["web", "bastion", "nas"], []),
        ("4 1 1", ["web", "nas"], []),
        ("db, nas", ["db", "nas"], []),
        ("", [], []),
        ("0", [], ["0"]),
        ("5", [], ["5"]),
        ("2-9", [], ["2-9"]),
        ("3-1", [], ["3-1"]),
        ("1,foo", ["web"], ["foo"]),
        ("-", [], ["-"]),
        ("1-", ["web"], []),
        ("9" * 5000, [], ["9" * 5000]),
    ],
)
def test_an_answer_names_hosts_by_number_range_or_name(answer: str, chosen: list[str], unknown: list[str]) -> None:
    assert choose(answer, NAMES) == (chosen, unknown)


@given(st.text(max_size=20))
def test_no_answer_is_an_exception(answer: str) -> None:
    chosen, _ = choose(answer, NAMES)
    assert set(chosen) <= set(NAMES)


def test_the_file_it_writes_loads_and_leaves_everything_to_ssh(tmp_path: Path) -> None:
    file = tmp_path / "hosts.toml"
    file.write_text(render([Candidate(name) for name in ("web", "web.example.org", "0", "_x")], Opened()))
    inventory, _ = load_inventory(Settings(ssh_hosts_file=str(file)))
    assert [policy.alias for policy in inventory.listed()] == ["web", "web.example.org", "0", "_x"]
    for policy in inventory.listed():
        assert (policy.ssh_name, policy.hostname_given, policy.user, policy.port) == (policy.alias, False, None, None)
        assert policy.paths.allow == ()
        assert policy.commands.allow == ()


def test_it_writes_where_the_server_looks_from_any_directory(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ssh_config(home, "Host web\nHost db\n")
    assert run(["init", "--all"]) == 0
    assert "2 hosts." in capsys.readouterr().out
    monkeypatch.chdir(tmp_path)
    settings, _ = load_settings()
    inventory, _ = load_inventory(settings)
    assert [policy.alias for policy in inventory.listed()] == ["web", "db"]


def test_hosts_are_added_to_a_file_that_exists_and_nothing_in_it_changes(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ssh_config(home, "Host web\nHost db\n")
    file = tmp_path / "mine.toml"
    file.write_text('# mine\n[defaults]\npath_allowlist = ["/srv"]\n\n[hosts.web]\nport = 2222')
    before = file.read_text()
    assert run(["init", "--all", "--output", str(file)]) == 0
    assert file.read_text() == before + '\n\n[hosts."db"]\n'
    assert "1 host added." in capsys.readouterr().out
    assert run(["init", "--all", "--output", str(file)]) == 1
    assert "in the file already" in capsys.readouterr().out


def test_a_file_with_an_error_is_not_added_to(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ssh_config(home, "Host web\n")
    file = tmp_path / "mine.toml"
    file.write_text("[hosts.web\n")
    assert run(["init", "--all", "--output", str(file)]) == 2
    assert file.read_text() == "[hosts.web\n"
    assert "not valid TOML" in capsys.readouterr().err


def test_another_ssh_config_and_another_file_are_said_with_the_settings_they_need(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other_config"
    other.write_text("Host nas\n")
    file = tmp_path / "sub" / "hosts.toml"
    assert run(["init", "--all", "--config", str(other), "--output", str(file)]) == 0
    said = capsys.readouterr().out
    assert f"SSH_CONFIG_FILE={other}" in said
    assert f"SSH_HOSTS_FILE={file}" in said
    assert '[hosts."nas"]' in file.read_text()


@pytest.mark.parametrize(
    ("text", "said"), [(None, "There is no"), ("Host *\n", "names no single host"), ("", "names no single host")]
)
def test_nothing_to_choose_from_is_said(
    text: str | None, said: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if text is not None:
        ssh_config(home, text)
    assert run(["init"]) == 1
    assert said in capsys.readouterr().out
    assert not (home / ".config").exists()


def test_a_typed_program_with_words_stays_one_entry(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Split at blanks, `systemctl status` would permit all of systemctl."""
    ssh_config(home, "Host web\n")
    replies = iter(["1", "/var/log, /srv", " uptime,systemctl  status ,", ""])
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr("builtins.input", lambda _prompt="": next(replies))
    assert run(["init"]) == 0
    policy = load_inventory(Settings())[0].resolve("web")
    assert policy.commands.allow == ("uptime", "systemctl status")
    assert policy.paths.allow == ("/var/log", "/srv")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_without_a_terminal_it_does_not_guess(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ssh_config(home, "Host web\n")
    assert run(["init"]) == 1
    assert "--all" in capsys.readouterr().out


def test_a_place_that_cannot_be_written_is_one_line(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ssh_config(home, "Host web\n")
    assert run(["init", "--all", "--output", "/proc/nowhere/hosts.toml"]) == 1
    assert capsys.readouterr().err.startswith("ssh-mcp: No such file or directory: /proc/nowhere")
