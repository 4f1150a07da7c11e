"""The cheatsheet and the search for secret paths, from tables."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from ssh_mcp.errors import CommandIsCheatsheetMatch, CommandNotAllowed, RedactBypassBlocked
from ssh_mcp.inventory.defaults import REDACT_PATHS_GLOBS
from ssh_mcp.inventory.model import CommandPolicy
from ssh_mcp.policy.commands import Circumstances, permit

DATA = Path(__file__).parent.parent.parent / "data"
SHEET = tomllib.loads((DATA / "attacks" / "cheatsheet.toml").read_text())
SECRETS = tomllib.loads((DATA / "attacks" / "redact_paths.toml").read_text())
HONEST = tomllib.loads((DATA / "attacks" / "honest.toml").read_text())["commands"]
CONTRACT = json.loads((DATA / "contract" / "tools.json").read_text())
ANYTHING = CommandPolicy(allow=("*",))
UNCHECKED = CommandPolicy(allow=("*",), cheatsheet=False)
GLOBS = tuple(SECRETS["globs"])

# What the readers take besides the contract.
READERS_EXTRA = {"first_lines", "last_lines", "offset", "max_bytes"}


@pytest.mark.parametrize("case", SHEET["match"], ids=lambda c: c["command"])
def test_one_tools_job_is_refused_with_that_tool_and_its_arguments(case: dict[str, str]) -> None:
    with pytest.raises(CommandIsCheatsheetMatch) as caught:
        permit(case["command"], ANYTHING, Circumstances(host="web01", elevated=True))
    assert caught.value.pattern_id == case["id"]
    assert caught.value.remedy.partition("; ssh_")[0].rstrip(".") == f"Call {case['call']} instead"


@pytest.mark.parametrize("case", SHEET["match"], ids=lambda c: c["command"])
def test_the_suggested_call_names_parameters_that_the_tool_has(case: dict[str, str]) -> None:
    tool, _, rest = case["call"].partition("(")
    params = set(re.findall(r"(?:^|, )(\w+)=", rest))
    known = next({p["name"] for p in t["params"]} for t in CONTRACT["tools"] if t["name"] == tool)
    assert params <= known | (READERS_EXTRA if tool in ("ssh_read_redacted", "ssh_sudo_read_redacted") else set())


@pytest.mark.parametrize("command", SHEET["left_alone"]["commands"])
def test_what_no_single_tool_does_is_left_alone(command: str) -> None:
    permit(command, ANYTHING)


@pytest.mark.parametrize("case", SHEET["match"], ids=lambda c: c["command"])
def test_the_operator_can_switch_the_cheatsheet_off(case: dict[str, str]) -> None:
    permit(case["command"], UNCHECKED)


def test_a_command_that_may_not_run_is_refused_for_that_and_not_by_the_cheatsheet() -> None:
    with pytest.raises(CommandNotAllowed):
        permit("cat /etc/hosts", CommandPolicy(allow=("ls",)))
    with pytest.raises(CommandIsCheatsheetMatch):
        permit("cat /etc/hosts", CommandPolicy(allow=("cat",)))


@pytest.mark.parametrize(
    ("command", "tool"),
    [
        ("cat /etc/hosts", "ssh_sudo_read_redacted"),
        ("ls /root", "ssh_sudo_sftp_list"),
        ("cat > /etc/x <<EOF\nx\nEOF", "ssh_sudo_write"),
        ("systemctl restart nginx", "ssh_systemctl_restart"),
    ],
)
def test_under_sudo_the_sudo_tools_are_named(command: str, tool: str) -> None:
    with pytest.raises(CommandIsCheatsheetMatch, match=rf"Call {tool}\("):
        permit(command, ANYTHING, Circumstances(sudo=True, elevated=True))
    permit("mkdir /x", ANYTHING, Circumstances(sudo=True))


@pytest.mark.parametrize(
    "command",
    [
        "systemctl restart nginx",
        "systemctl enable nginx",
        "apt-get install -y nginx",
        "apt-mark hold nginx",
        "journalctl -u nginx",
        "docker ps",
        "docker restart web",
    ],
)
def test_under_sudo_a_tool_that_lacks_the_rights_is_not_named(command: str) -> None:
    """It would refuse for lack of rights and name sudo: a circle."""
    for text, sudo in ((command, True), (f"sudo {command}", False)):
        permit(text, ANYTHING, Circumstances(sudo=sudo))


def test_reads_under_sudo_that_need_no_rights_are_the_job_of_the_tool() -> None:
    with pytest.raises(CommandIsCheatsheetMatch, match="ssh_systemctl_status"):
        permit("systemctl status nginx", ANYTHING, Circumstances(sudo=True))


def test_a_masked_view_is_replaced_by_a_masked_view_and_the_raw_reader_is_only_the_second_choice() -> None:
    with pytest.raises(CommandIsCheatsheetMatch) as caught:
        permit("tail -n 5 /etc/app.conf", ANYTHING, Circumstances(host="web01"))
    assert caught.value.remedy == (
        'Call ssh_read_redacted(host="web01", path="/etc/app.conf", last_lines=5) instead; '
        "ssh_sftp_download gives the exact bytes."
    )


def test_a_closed_tool_is_not_named() -> None:
    closed = frozenset({"ssh_mkdir", "ssh_sftp_download"})
    permit("mkdir /tmp/x", ANYTHING, Circumstances(closed=closed))
    with pytest.raises(CommandIsCheatsheetMatch) as caught:
        permit("cat /etc/hosts", ANYTHING, Circumstances(closed=closed))
    assert "ssh_sftp_download" not in str(caught.value)
    with pytest.raises(CommandIsCheatsheetMatch, match="The operator can open"):
        permit("cat /etc/shadow", ANYTHING, Circumstances(redact_globs=GLOBS, closed={"ssh_read_redacted"}))


# --- secret paths -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", SECRETS["named"])
def test_a_command_that_names_a_secret_file_in_any_spelling_is_sent_to_the_redacted_reader(command: str) -> None:
    with pytest.raises(CommandIsCheatsheetMatch, match=r"Call ssh_(?:sudo_)?read_redacted\(host=…, path=") as caught:
        permit(command, ANYTHING, Circumstances(redact_globs=GLOBS))
    assert caught.value.pattern_id == "redact-path"


@pytest.mark.parametrize("command", SECRETS["unnamed"])
def test_ordinary_files_and_words_are_no_secret_files(command: str) -> None:
    permit(command, UNCHECKED, Circumstances(redact_globs=GLOBS))


@pytest.mark.parametrize("command", HONEST)
def test_no_honest_command_names_a_file_of_the_default_list(command: str) -> None:
    permit(command, UNCHECKED, Circumstances(redact_globs=REDACT_PATHS_GLOBS))


def test_relative_paths_are_joined_to_the_default_directory() -> None:
    permit("cat shadow", UNCHECKED, Circumstances(redact_globs=GLOBS))
    with pytest.raises(RedactBypassBlocked, match="/etc/shadow"):
        permit("cat shadow", UNCHECKED, Circumstances(redact_globs=GLOBS, default_dir="/etc"))
    with pytest.raises(RedactBypassBlocked):
        permit("cat ../etc/sh*", UNCHECKED, Circumstances(redact_globs=GLOBS, default_dir="/usr"))


def test_with_the_cheatsheet_off_a_secret_file_is_still_blocked_under_its_own_name() -> None:
    with pytest.raises(RedactBypassBlocked, match="ssh_read_redacted"):
        permit("cat /etc/shadow", UNCHECKED, Circumstances(redact_globs=GLOBS))


def test_under_sudo_the_redacted_sudo_reader_is_named() -> None:
    for command, sudo in (("cat /etc/shadow", True), ("sudo cat /etc/shadow", False)):
        with pytest.raises(CommandIsCheatsheetMatch, match=r"ssh_sudo_read_redacted\("):
            permit(command, ANYTHING, Circumstances(redact_globs=GLOBS, sudo=sudo))


def test_inside_a_container_no_tool_of_the_host_is_named() -> None:
    """``cat /etc/hosts`` there is not the job of ssh_sftp_download, which reads the host's file."""
    for command in ("cat /etc/hosts", "ls /srv", "systemctl status x", "apt list --installed", "echo x > /tmp/x"):
        assert permit(command, ANYTHING, Circumstances(container=True, host="web01")).programs
        with pytest.raises(CommandIsCheatsheetMatch):
            permit(command, ANYTHING, Circumstances(host="web01"))
    with pytest.raises(CommandIsCheatsheetMatch, match="ssh_docker_cp and read it there with ssh_read_redacted"):
        permit("cat /app/.env", ANYTHING, Circumstances(redact_globs=("**/.env",), container=True, host="web01"))


def test_the_policys_own_globs_count_as_well() -> None:
    with pytest.raises(CommandIsCheatsheetMatch):
        permit("cat /x/y", CommandPolicy(allow=("*",), redact_globs=("/x/*",)))
