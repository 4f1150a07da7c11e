"""Files for running the server as a service: the unit, the image, completions and the man page."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import signal
import subprocess
from collections.abc import Callable
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


@pytest.fixture
def completion(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[str], Path]:
    """Writes a shell's completion script."""

    def write(shell: str) -> Path:
        need(shutil.which(shell), f"{shell} is not installed")
        with pytest.raises(SystemExit) as ended:
            app(["completion", shell])
        assert not ended.value.code
        script = tmp_path / "_ssh-mcp"  # the name that zsh looks for in $fpath
        script.write_text(capsys.readouterr().out)
        return script

    return write


IN_BASH = """source "$1"
COMP_WORDS=(openssh-mcp doct) COMP_CWORD=1
$(complete -p openssh-mcp | sed 's/.*-F \\([^ ]*\\).*/\\1/')
echo "${COMPREPLY[@]}"
"""
IN_FISH = "source $argv[1]; complete -C 'openssh-mcp doct'"


@pytest.mark.parametrize(
    "command", [["bash", "-c", IN_BASH, "-"], ["fish", "--no-config", "-c", IN_FISH, "--"]], ids=["bash", "fish"]
)
def test_bash_and_fish_complete_a_command(command: list[str], completion: Callable[[str], Path]) -> None:
    done = subprocess.run([*command, completion(command[0])], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("doctor")


@pytest.mark.parametrize("way", ["source {script}", "fpath=({script:h} $fpath); compinit -D"])
def test_zsh_completes_a_command_from_a_sourced_script_and_from_fpath(
    way: str, completion: Callable[[str], Path]
) -> None:
    script = completion("zsh")
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe("zsh", ["zsh", "-fi"], {"PATH": os.environ["PATH"], "TERM": "dumb"})

    def read_until(text: bytes) -> None:
        seen = b""
        while text not in seen:
            assert select.select([terminal], [], [], 30)[0], seen
            seen += os.read(terminal, 4096)

    try:
        setup = way.replace("{script:h}", str(script.parent)).replace("{script}", str(script))
        os.write(terminal, f"autoload -Uz compinit; compinit -D; {setup}; print rea''dy\n".encode())
        read_until(b"ready")
        os.write(terminal, b"openssh-mcp doct\t")
        read_until(b"doctor ")
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)


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
