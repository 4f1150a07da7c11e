"""``ssh-mcp policy``: show, explain and test, and the cases that ship."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from ssh_mcp.cli.commands import run
from ssh_mcp.cli.policy_cases import first_cases

HOSTS = """
[hosts.web01]
path_allowlist = ["/srv"]
command_allowlist = ["ls", "python3"]
ask = ["command:ls"]
"""


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "hosts.toml"
    file.write_text(HOSTS)
    file.chmod(0o600)
    monkeypatch.setenv("SSH_HOSTS_FILE", str(file))
    monkeypatch.setenv("ALLOW_DANGEROUS_TOOLS", "true")
    return file


def cases(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "cases.toml"
    file.write_text(text)
    return file


def test_show_gives_each_line_its_source_and_warns_of_an_interpreter(
    hosts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["policy", "show", "web01"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(re.fullmatch(rf"path_allowlist +/srv +{re.escape(str(hosts))}:3", line) for line in lines)
    assert any(line.startswith("command_allowlist  python3") and "interpreter" in line for line in lines)
    assert any(line.startswith("ask  command:ls") and line.endswith(":5") for line in lines)
    assert [line for line in lines if "built in" in line] == [lines[-1]]
    assert run(["policy", "show", "web01", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {"field", "value", "source", "note"} == set(listed[0])
    assert lines[-1].split()[1] == str(sum(line["source"] == "built in" for line in listed))


def test_explain_takes_the_command_behind_two_dashes(hosts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "explain", "web01", "--", "ls", "-l", "/tmp/a b", "x"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("ask\n")
    assert f"ls ({hosts}:4): ls -l /tmp/a b x" in out
    assert run(["policy", "explain", "web01", "--json", "--", "ls | rm"]) == 0
    assert json.loads(capsys.readouterr().out)["decision"] == "deny"
    given = '{"path": "/srv/x"}'
    assert run(["policy", "explain", "web01", "--tool", "ssh_sftp_stat", "--arguments", given]) == 0
    assert capsys.readouterr().out.startswith("allow\n")
    assert run(["policy", "explain", "web01"]) == 1
    assert run(["policy", "explain", "nohost", "--", "ls"]) == 1


def test_cases_that_hold_and_cases_that_do_not(hosts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = cases(
        tmp_path,
        """
        [[case]]
        host = "web01"
        command = "python3 x"
        expect = "allow"
        because = "python3"

        [[case]]
        host = "web01"
        tool = "ssh_sftp_stat"
        arguments = { path = "/etc" }
        expect = "deny"
        because = "PathNotAllowed"

        [[case]]
        host = "web01"
        command = "ls /x /y"
        expect = "ask"
        because = "Somebody should look at it first."
        """,
    )
    assert run(["policy", "test", str(file)]) == 0
    out = capsys.readouterr().out
    assert out.count("PASS ") == 3
    assert out.endswith("3 passed, 0 failed\n")
    file.write_text(file.read_text().replace('"deny"', '"allow"').replace('"python3"', '"perl"'))
    assert run(["policy", "test", str(file)]) == 1
    out = capsys.readouterr().out
    assert f"{file}:2: policy says allow, but not because of perl" in out
    assert f"{file}:8: expected allow, but policy says deny" in out
    assert run(["policy", "test", str(file), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["passed"], report["failed"]) == (1, 2)
    assert report["annotations"][1]["start_line"] == 8
    assert {"path", "start_line", "end_line", "annotation_level", "title", "message"} == set(report["annotations"][0])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[case]]\nhost = 'web01'\ncomand = 'ls'\nexpect = 'deny'", "Did you mean command"),
        ("[[case]]\ncommand = 'ls'\nexpect = 'deny'", "needs a host"),
        ("[[case]]\nhost = 'web01'\ncommand = 'ls'\nexpect = 'no'", "is not allow, ask or deny"),
        ("[[case]]\nhost = 'web01'\nexpect = 'deny'", "needs a command or a tool"),
        ("case = 1", "case"),
        ("x = [", "valid TOML"),
    ],
)
def test_a_file_that_is_no_list_of_cases_is_named_with_its_line(
    hosts: Path, tmp_path: Path, text: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["policy", "test", str(cases(tmp_path, text))]) == 1
    assert said in capsys.readouterr().err
    assert run(["policy", "test", str(tmp_path / "missing.toml")]) == 1


def test_the_first_cases_hold_under_an_inventory_that_opens_nothing(
    hosts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hosts.write_text("[hosts.web01]\n")
    assert run(["policy", "test", str(cases(tmp_path, first_cases(["web01"])))]) == 0
    assert "2 passed" in capsys.readouterr().out


# --- what the documentation shows -----------------------------------------------------------------------------------


def test_the_shipped_cases_hold_for_the_shipped_example(
    project_root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    example = tmp_path / "hosts.toml"
    example.write_text((project_root / "hosts.toml.example").read_text())
    example.chmod(0o600)
    monkeypatch.setenv("SSH_HOSTS_FILE", str(example))
    monkeypatch.setenv("ALLOW_LOW_ACCESS_TOOLS", "true")
    monkeypatch.setenv("ALLOW_DANGEROUS_TOOLS", "true")
    assert run(["policy", "test", str(project_root / "policy-cases.toml.example")]) == 0, capsys.readouterr().out


RECIPES = Path(__file__).parents[2] / "data" / "policy" / "recipes.toml"


def recipe(root: Path, page: str, host: str) -> str:
    """The hosts.toml in a page of the documentation that describes ``host``."""
    blocks = re.finditer(r"```toml\n(.*?)```", (root / page).read_text(), re.DOTALL)
    return next(b[1] for b in blocks if f"[hosts.{host}]" in b[1])


@pytest.mark.parametrize("case", tomllib.loads(RECIPES.read_text())["recipe"], ids=lambda c: f"{c['page']} {c['host']}")
def test_the_recipes_of_the_documentation_decide_as_they_say(
    case: dict[str, str], project_root: Path, hosts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("ALLOW_LOW_ACCESS_TOOLS", "true")
    hosts.write_text(recipe(project_root, case["page"], case["host"]))
    assert run(["policy", "test", str(cases(tmp_path, case["cases"]))]) == 0, capsys.readouterr().out
