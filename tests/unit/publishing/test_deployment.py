"""Files for running the server as a service: the unit, the image, completions and the man page."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from ssh_mcp.cli.commands import app
from tests.peers import need


def test_the_unit_is_confined(project_root: Path) -> None:
    program = shutil.which("systemd-analyze")
    need(program, "systemd-analyze is not installed")
    done = subprocess.run(
        [str(program), "security", "--offline=true", "--threshold=20", project_root / "deploy" / "ssh-mcp.service"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-500:] + done.stderr


def test_the_image_runs_unprivileged_and_says_whether_it_serves(project_root: Path) -> None:
    last = (project_root / "Dockerfile").read_text().rpartition("\nFROM ")[2]
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", last, re.MULTILINE)
    assert "/healthz" in last
    assert not re.search(r"^(ADD|VOLUME) |TOKEN|PASSWORD", last, re.MULTILINE)


def test_every_service_of_the_compose_file_is_confined(project_root: Path) -> None:
    services = yaml.safe_load((project_root / "deploy" / "compose.yaml").read_text())["services"]
    assert set(services) == {"one", "two", "redis"}
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
    assert "ports" not in services["redis"]
    assert {services[name]["environment"]["MCP_INSTANCE"] for name in ("one", "two")} == {"one", "two"}


@pytest.mark.parametrize(
    ("shell", "check"),
    [
        ("bash", ["bash", "-c", 'source "$1" && complete -p ssh-mcp openssh-mcp', "-"]),
        ("zsh", ["zsh", "-fc", 'autoload -Uz compinit && compinit -D && source "$1"', "-"]),
        ("fish", ["fish", "--no-config", "-c", 'source $argv[1]; complete -C "openssh-mcp do"', "--"]),
    ],
)
def test_completions_are_read_by_their_shell(
    shell: str, check: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    need(shutil.which(shell), f"{shell} is not installed")
    with pytest.raises(SystemExit) as ended:
        app(["completion", shell])
    assert not ended.value.code
    script = tmp_path / "script"
    script.write_text(capsys.readouterr().out)
    done = subprocess.run([*check, script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    if shell != "zsh":
        assert {"bash": "openssh-mcp", "fish": "doctor"}[shell] in done.stdout


def test_the_man_page_names_every_command_and_is_formatted_without_a_warning(project_root: Path) -> None:
    page = project_root / "docs" / "ssh-mcp.1"
    sections = set(re.findall(r"^\.SS ssh\\-mcp (\S+)$", page.read_text(), re.MULTILINE))
    names = {name.replace("-", "\\-") for name in app if not name.startswith("-")}
    assert names <= sections
    program = shutil.which("man")
    need(program, "man is not installed")
    done = subprocess.run(
        [str(program), "--warnings", "-E", "UTF-8", "-l", "-Tutf8", page], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
