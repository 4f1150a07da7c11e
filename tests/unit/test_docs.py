"""The documentation is true: settings, fields, commands, links, error names; what is no command of ours is marked."""

from __future__ import annotations

import dataclasses
import io
import os
import re
import shlex
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ssh_mcp.cli.policy_cases import load_cases
from ssh_mcp.errors import Refusal
from ssh_mcp.inventory.fields import AlertsLayer, AuthLayer, HostLayer, checks
from ssh_mcp.inventory.resolve import load_inventory
from ssh_mcp.policy.tiers import GROUPS
from ssh_mcp.settings.model import NAMES, Settings, load_settings
from ssh_mcp.tools.catalogue import exists, read
from transports.errors import TransportError

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "SECURITY.md", *ROOT.glob("docs/**/*.md")])
COMMANDS_TESTED = {
    "policy": "unit/cli/test_cli_policy.py",
    "demo": "integration/cli/test_cli_demo.py",
    "init": "integration/cli/test_cli_connection.py",
    "doctor": "integration/cli/test_doctor.py",
    "client": "unit/cli/test_clients.py",
    "example": "unit/cli/test_cli.py",
    "completion": "unit/publishing/test_deployment.py",
    "connect": "integration/cli/test_cli_connection.py",
    "disconnect": "integration/cli/test_cli_connection.py",
    "agent": "integration/cli/test_cli_connection.py",
    "audit": "unit/audit/test_audit.py",
    "approve": "integration/approval/test_operator_channel.py",
    "deny": "integration/approval/test_operator_channel.py",
    "console": "integration/operator/test_console_terminal.py",
    "status": "integration/approval/test_operator_channel.py",
    "--help": "unit/cli/test_cli.py",
}
"""Each command that a page shows, and the test file that runs it."""
OTHERS_TESTED = {"printf %s /etc/nginx/nginx.conf | sha256sum | cut -c1-16": "unit/audit/test_audit_docs.py"}
INSTALLING = {
    "uv tool install .",
    "uv tool install openssh-mcp",
    "pipx install openssh-mcp",
    "uv tool uninstall openssh-mcp",
}
"""Run as tests/integration/server/test_wheel.py does: the wheel into an empty environment."""
OURS_ON_THE_WEB = re.compile(r"https://github\.com/openssh-mcp/openssh-mcp/(?:blob|tree)/main/")
"""The package index shows README without the files beside it, so that its links are absolute."""


@dataclass(frozen=True)
class Block:
    """A fenced block, with the text between the heading above it and itself."""

    page: Path
    language: str
    text: str
    before: str

    @property
    def marked(self) -> bool:
        """Whether a reader is told that this is an example."""
        return "example" in (self.before + self.text.partition("\n")[0]).lower()


def blocks(*languages: str) -> Iterator[Block]:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for found in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
            if found[1] in languages:
                yield Block(page, found[1], found[2], re.split(r"^#+ ", text[: found.start()], flags=re.MULTILINE)[-1])


def spans() -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
        yield from ((page, found) for found in re.findall(r"(?<!`)`([^`\n]+)`(?!`)", prose))


def page_id(value: Any) -> str:
    return str(value.relative_to(ROOT)) if isinstance(value, Path) else str(value)


# -- configuration ----------------------------------------------------------------------------------------------------


def rows(section: str) -> dict[str, list[str]]:
    """Cells of the tables in a part of docs/configuration.md, by the name in the first one."""
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return {row[0].strip("`"): row[1:] for row in cells}


def test_every_setting_is_on_the_configuration_page_with_its_default() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    table = rows(page.split("\n## Settings")[1].split("\n## hosts.toml")[0])
    assert set(table) == set(NAMES)
    for field in dataclasses.fields(Settings):
        shown = table[field.name.upper()][0].strip("`")
        default = field.default
        if isinstance(default, bool):
            assert shown == str(default).lower(), field.name
        elif isinstance(default, (int, float)):
            assert float(shown) == default, field.name
        elif isinstance(default, str) and default:
            assert shown == str(default), field.name
        else:  # what is empty by default is said in words
            assert shown, field.name


def test_every_field_of_hosts_toml_is_on_the_configuration_page() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text().split("\n## hosts.toml")[1]
    for title, layer in (("Host", HostLayer), ("Auth", AuthLayer), ("Alerts", AlertsLayer)):
        section = page.split(f"\n### {title} fields")[1].split("\n### ")[0]
        assert set(rows(section)) == set(checks(layer)), title


def test_the_groups_that_the_pages_name_are_the_groups() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    assert ", ".join(GROUPS) in page


@pytest.mark.parametrize(
    "block", [b for b in blocks("toml") if "[[case]]" not in b.text], ids=lambda block: page_id(block.page)
)
def test_every_hosts_toml_that_is_shown_loads(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "hosts.toml"
    file.write_text(block.text)
    load_inventory(Settings(ssh_hosts_file=str(file)))


@pytest.mark.parametrize(
    "block", [b for b in blocks("toml") if "[[case]]" in b.text], ids=lambda block: page_id(block.page)
)
def test_every_file_of_policy_cases_that_is_shown_loads(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "cases.toml"
    file.write_text(block.text)
    assert load_cases(file)


def test_every_setting_that_is_shown_with_a_value_exists() -> None:
    lines = [(block.page, line) for block in blocks("sh") for line in block.text.splitlines()]
    set_here = [(page, found[1]) for page, line in lines if (found := re.match(r"([A-Z][A-Z0-9_]+)=", line))]
    set_here += [(page, found[1]) for page, span in spans() if (found := re.match(r"([A-Z][A-Z0-9_]+)=", span))]
    assert set_here
    assert [(page_id(page), name) for page, name in set_here if name not in NAMES] == []


def test_every_setting_that_is_named_exists() -> None:
    others = {"SSH_AUTH_SOCK", "SSH_SUDO_PASSWORD", "SSH_MCP_REQUIRE_LAB", "SSH_ASKPASS_REQUIRE"}
    for page in PAGES:
        named = set(re.findall(r"\b(?:SSH|ALLOW|MCP)_[A-Z0-9_]+[A-Z0-9]\b", page.read_text()))
        assert {name for name in named if not name.startswith("SSH_MCP_")} - set(NAMES) - others == set(), page


# -- commands ---------------------------------------------------------------------------------------------------------


def command_lines() -> Iterator[tuple[Block, str]]:
    """Lines of shell blocks that are commands, without prompt and remark."""
    for block in blocks("sh", "console"):
        for line in block.text.splitlines():
            command = re.sub(r"\s{2,}#.*$", "", line.removeprefix("$ ")).strip()
            if command and not command.startswith("#") and not re.match(r"[A-Z][A-Z0-9_]+=", command):
                yield block, command


@pytest.mark.parametrize(("block", "command"), list(command_lines()), ids=page_id)
def test_every_command_in_a_block_is_run_by_a_test_or_marked_as_an_example(block: Block, command: str) -> None:
    if command.startswith("ssh-mcp "):
        check_ours(command)
    elif command.startswith("./scripts/"):
        assert os.access(ROOT / command, os.X_OK)
    elif command in OTHERS_TESTED:
        assert (ROOT / "tests" / OTHERS_TESTED[command]).exists()
    else:
        assert block.marked, f"{command}: neither run by a test nor marked as an example"


@pytest.mark.parametrize(
    ("page", "span"), sorted({(p, s) for p, s in spans() if s.startswith("ssh-mcp ")}), ids=page_id
)
def test_every_command_of_ours_in_a_sentence_is_one_that_a_test_runs(page: Path, span: str) -> None:
    check_ours(span)


def check_ours(command: str) -> None:
    """The command line understands it (``HOST`` and the like stand for a word), and a test runs its kind."""
    from cyclopts.exceptions import CycloptsError

    from ssh_mcp.cli.commands import app

    words = shlex.split(command.replace("NAME", "cursor").replace("...", ""))[1:]
    assert (ROOT / "tests" / COMMANDS_TESTED[words[0]]).exists()
    said = io.StringIO()
    try:
        with redirect_stdout(said), redirect_stderr(said):
            app.parse_args(words, exit_on_error=False, print_error=True)
    except CycloptsError as error:
        raise AssertionError(f"{command}: {error}") from None


def test_the_ways_to_install_are_those_that_are_known_to_work() -> None:
    found = {span for _, span in spans() if re.match(r"(uv|pipx|pip) ", span)}
    assert found <= INSTALLING


def test_every_script_that_is_named_exists() -> None:
    for page in PAGES:
        for name in re.findall(r"(?<![\w/.])(?:\./)?scripts/([a-z]+(?:-[a-z]+)*)\b", page.read_text()):
            assert os.access(ROOT / "scripts" / name, os.X_OK), (page, name)


# -- the first page ---------------------------------------------------------------------------------------------------


def readme(title: str) -> str:
    return (ROOT / "README.md").read_text().split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_two_commands_set_it_up_and_show_it() -> None:
    (block,) = re.findall(r"```console\n(.*?)```", readme("Two commands"), re.DOTALL)
    assert [line.split()[1] for line in block.splitlines()] == ["./scripts/demo", "./scripts/test"]


def test_a_newcomer_reaches_a_first_ping_in_five_steps() -> None:
    steps = re.findall(r"^(\d)\. (.*(?:\n   .*)*)", readme("Your first host, in five steps"), re.MULTILINE)
    assert [number for number, _ in steps] == ["1", "2", "3", "4", "5"]
    for (_, text), command in zip(
        steps[:4],
        ["uv tool install openssh-mcp", "ssh-mcp init", "ssh-mcp doctor", "ssh-mcp client claude-desktop"],
        strict=True,
    ):
        assert f"`{command}`" in text
    assert "ping" in steps[4][1]


def test_a_recipe_that_counts_tools_counts_right() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    found = re.findall(r"in (\d+) tools[^\n]*:\n\n```sh\n(.*?)```", page, re.DOTALL)
    assert found
    for count, text in found:
        settings, _ = load_settings(dict(line.split("=", 1) for line in text.splitlines()), Path("/nonexistent"))
        assert sum(exists(entry, settings) for entry in read()) == int(count), text


def test_the_clients_that_the_first_page_names_are_those_that_are_known() -> None:
    from ssh_mcp.cli.client_rows import CLIENTS

    page = readme("Your first host, in five steps")
    assert all(f"`{name}`" in page or f"client {name}`" in page for name in CLIENTS)


def test_errors_that_the_pages_explain_are_errors_that_occur() -> None:
    def below(kind: type[Any]) -> set[str]:
        return {kind.public_name}.union(*(below(child) for child in kind.__subclasses__()))

    known = below(Refusal) | below(TransportError)
    explained = set(re.findall(r"^\| `([A-Za-z]+)`", readme("When something does not work"), re.MULTILINE))
    assert explained
    assert explained <= known


# -- links ------------------------------------------------------------------------------------------------------------


def links() -> list[tuple[Path, str]]:
    found = []
    for page in PAGES:
        prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
        targets = re.findall(r"\]\(([^)\s]+)\)", prose)
        found += [(page, OURS_ON_THE_WEB.sub("", t)) for t in targets if "://" not in t or OURS_ON_THE_WEB.match(t)]
    return found


def anchor(title: str) -> str:
    return re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize(("page", "target"), links(), ids=page_id)
def test_every_link_leads_somewhere(page: Path, target: str) -> None:
    path, _, fragment = target.removesuffix("?raw=true").partition("#")
    file = (page.parent / path).resolve() if path else page
    assert file.exists()
    if fragment:
        titles = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
        assert fragment in {anchor(title) for title in titles}
