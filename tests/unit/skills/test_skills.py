"""Skills and runbooks hold together with the tools, and are served."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from ssh_mcp.errors import Refusal
from ssh_mcp.policy.tiers import Tier
from ssh_mcp.skills.front import fronts, render_front, with_front
from ssh_mcp.skills.loader import Library, read_front, shipped
from ssh_mcp.tools import catalogue
from ssh_mcp.tools.catalogue import Entry
from ssh_mcp.tools.modules import load_all
from transports.errors import TransportError


def _all(kind: type[TransportError]) -> list[type[Refusal | TransportError]]:
    return [kind, *(deeper for child in kind.__subclasses__() for deeper in _all(child))]


TOOLS: dict[str, Entry] = {entry.name: entry for entry in catalogue.read()}
RUNBOOKS = [
    "health-check", "incident-response", "disk-full", "container-incident", "container-rollout", "deploy-and-verify",
    "integrity-audit", "signature-check", "systemd-diagnostics", "snapshot-before-change", "long-running-job",
    "os-upgrade",
]  # fmt: skip
ERRORS = {error.public_name for error in (*Refusal.__subclasses__(), *_all(TransportError))}
SKILL_FILES = sorted(shipped("skills").glob("*/SKILL.md"))
BOOK_FILES = sorted(shipped("runbooks").glob("*/SKILL.md"))
FILES = SKILL_FILES + BOOK_FILES


def name_of(path: Path) -> str:
    return path.parent.name


def calls(path: Path) -> list[dict[str, Any]]:
    return [
        json.loads(block) for block in re.findall(r"^```json\n(.*?)\n```$", path.read_text(), re.DOTALL | re.MULTILINE)
    ]


def complaints(call: dict[str, Any]) -> list[str]:
    if set(call) != {"tool", "arguments"} or call["tool"] not in TOOLS:
        return [f"no call of a tool: {call}"]
    schema = {"additionalProperties": False, **TOOLS[call["tool"]].input_schema}
    return [error.message for error in Draft202012Validator(schema).iter_errors(call["arguments"])]


# -- content ----------------------------------------------------------------------------------------------------------


def test_every_tool_has_a_skill_and_every_skill_a_tool() -> None:
    assert {name_of(path) for path in SKILL_FILES} == set(TOOLS)


def test_the_wanted_runbooks_are_there() -> None:
    assert set(RUNBOOKS) <= {name_of(path) for path in BOOK_FILES}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_example_is_a_valid_call(path: Path) -> None:
    found = calls(path)
    assert found, "no example"
    assert [problem for call in found for problem in complaints(call)] == []
    if path in SKILL_FILES:
        assert all(call["tool"] == name_of(path) for call in found)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_is_ascii_concise_and_names_only_what_exists(path: Path) -> None:
    text = path.read_text()
    assert text.isascii()
    assert 15 <= len(text.splitlines()) <= (60 if path in SKILL_FILES else 110)
    assert set(re.findall(r"\bssh_[a-z0-9_]+", text)) - set(TOOLS) - {"ssh_mcp"} == set()
    names = set(re.findall(r"`([A-Z][A-Za-z]+[a-z][A-Z]?[A-Za-z]*)`", text))
    assert {name for name in names if name.endswith(("Error", "Allowed", "Lost", "Refused"))} <= ERRORS
    for heading in re.findall(r"^- `([A-Z][A-Za-z]+)`:", text, re.MULTILINE):
        assert heading in ERRORS


@pytest.mark.parametrize("path", SKILL_FILES, ids=name_of)
def test_a_skill_has_its_parts_and_points_to_other_tools(path: Path) -> None:
    text = path.read_text()
    for part in ("## When to use", "## When not to use", "## Example", "## Common failures", "## Related tools"):
        assert f"\n{part}\n" in text
    related = set(re.findall(r"`(ssh_\w+)`", text.split("## Related tools")[1]))
    assert related
    assert name_of(path) not in related


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_the_front_part_is_yaml_and_agrees_with_the_registry(path: Path) -> None:
    text = path.read_text()
    front = yaml.safe_load(text.split("\n---\n")[0])
    assert front["name"] == name_of(path)
    assert 10 <= len(front["description"]) <= 1024
    assert read_front(text)["description"] == front["description"]
    if path in SKILL_FILES:
        tool = TOOLS[name_of(path)]
        assert (front["tier"], front["group"]) == (tool.tier.value, tool.group)
        assert front["annotations"]["read_only"] is (tool.tier is Tier.READ and tool.name != "ssh_fleet")
        if tool.tier in (Tier.DANGEROUS, Tier.SUDO):
            assert front["annotations"]["destructive"] is True


def test_bodies_are_written_one_by_one() -> None:
    when = [path.read_text().split("## When to use")[1].split("##")[0].strip() for path in SKILL_FILES]
    assert len(set(when)) == len(when)


# -- the generated front part -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Hints:
    read_only: bool = True
    destructive: bool = False
    idempotent: bool = True
    open_world: bool = True


@dataclass(frozen=True)
class Tool:
    name: str = "ssh_x"
    description: str = 'Says "yes": # not a comment\n  and goes on.'
    tier: str = "read"
    group: str = "host"
    annotations: Hints = Hints()


def test_a_front_part_survives_quotes_colons_and_line_breaks() -> None:
    front = render_front(Tool())
    assert yaml.safe_load(front.removesuffix("---\n"))["description"] == 'Says "yes": # not a comment and goes on.'
    assert read_front(front)["description"] == 'Says "yes": # not a comment and goes on.'
    assert read_front(front)["tier"] == "read"


def test_a_front_part_is_replaced_and_the_body_kept(tmp_path: Path) -> None:
    body = "# ssh_x\n\nBody with\n---\na rule.\n"
    file = tmp_path / "ssh_x" / "SKILL.md"
    file.parent.mkdir()
    file.write_text(with_front(body, Tool()))
    changed = replace(Tool(), description="Another.")
    assert fronts([Tool()], tmp_path) == {file: file.read_text()}
    assert fronts([changed], tmp_path) == {file: render_front(changed) + "\n" + body}
    with pytest.raises(FileNotFoundError):
        fronts([replace(Tool(), name="ssh_y")], tmp_path)


def test_examples_and_front_parts_follow_the_registry() -> None:
    specs = {name: spec for name, (_, spec) in load_all().items()}
    for path in FILES:
        for call in calls(path):
            specs[call["tool"]].arguments.model_validate(call["arguments"])
    stale = [str(file) for file, text in fronts(specs.values(), shipped("skills")).items() if file.read_text() != text]
    assert stale == [], "run scripts/generate"


# -- loading ----------------------------------------------------------------------------------------------------------


def put(root: Path, name: str, text: str) -> None:
    (root / name).mkdir(parents=True)
    (root / name / "SKILL.md").write_text(text)


def test_the_shipped_ones_are_found_from_any_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = Library().all
    assert len(found) == len(SKILL_FILES) + len(BOOK_FILES)
    assert found["ssh_cp"].kind == "skill"
    assert found["disk-full"].kind == "runbook"
    assert found["disk-full"].read().startswith(b"---\n")


def test_runbooks_can_be_switched_off_and_skills_of_hidden_tools_are_hidden() -> None:
    assert "disk-full" not in Library(runbooks=False).all
    found = Library(visible=lambda name: name == "ssh_cp").all
    assert [skill.name for skill in found.values() if skill.kind == "skill"] == ["ssh_cp"]


def test_an_operators_directories_replace_the_shipped_ones(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    put(tmp_path / "s", "ours", "---\nname: ours\ndescription: >\n  folded\n  text\n---\nbody\n")
    put(tmp_path / "s", "plain", "# no front part\n")
    put(tmp_path / "s", "broken", "---\nname: [\n---\n")
    put(tmp_path / "s", "endless", "---\nname: x\n")
    put(tmp_path / "s", "bad name", "x")
    put(tmp_path / "r", "ours", "a clash")
    (tmp_path / "s" / "empty").mkdir()
    with caplog.at_level(logging.WARNING):
        found = Library(tmp_path / "s", tmp_path / "r", visible=lambda _: False).all
    assert {name: skill.description for name, skill in found.items()} == {"ours": "folded text", "plain": "plain"}
    for word in ("broken", "endless", "bad name", "runbook ours"):
        assert word in caplog.text


def test_a_missing_directory_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert Library(tmp_path / "no", tmp_path / "no").all == {}
    assert "cannot be read" in caplog.text


@pytest.mark.parametrize("relative", ["../../outside.txt", "link", "/etc/passwd", "no", ".", "huge"])
def test_a_skill_serves_nothing_from_outside_its_folder(tmp_path: Path, relative: str) -> None:
    put(tmp_path / "s", "ours", "x")
    (tmp_path / "outside.txt").write_text("secret")
    (tmp_path / "s" / "ours" / "link").symlink_to(tmp_path / "outside.txt")
    (tmp_path / "s" / "ours" / "huge").write_bytes(bytes(1024 * 1024 + 1))
    skill = Library(tmp_path / "s", runbooks=False).all["ours"]
    with pytest.raises(FileNotFoundError):
        skill.read(relative)


@pytest.mark.parametrize(
    ("front", "fields"),
    [
        ("name: a\ndescription: b c", {"name": "a", "description": "b c"}),
        ("name: a # remark", {"name": "a"}),
        ("name: 'it''s'", {"name": "it's"}),
        ("description: |\n  one\n  two", {"description": "one two"}),
        ("name: a\nmetadata:\n  b: c", {"name": "a"}),
        ("tags: [a, b]\nname: a", {"name": "a"}),
        ("annotations: {a: b}\nname: a", {"name": "a"}),
        ("# only a remark", {}),
    ],
)
def test_front_parts_mean_what_yaml_says(front: str, fields: dict[str, str]) -> None:
    assert read_front(f"---\n{front}\n---\nbody\n") == fields


# -- serving ----------------------------------------------------------------------------------------------------------


async def test_a_client_lists_and_reads_skills_and_their_files(tmp_path: Path) -> None:
    from fastmcp import Client, FastMCP
    from fastmcp.exceptions import McpError

    from ssh_mcp.skills.provider import SkillsProvider

    put(tmp_path / "r", "ours", "---\nname: ours\ndescription: Our own.\n---\nbody\n")
    (tmp_path / "r" / "ours" / "list.txt").write_text("a file")
    (tmp_path / "r" / "ours" / "raw.bin").write_bytes(b"\xff\x00")
    server = FastMCP("test", providers=[SkillsProvider(Library(None, tmp_path / "r"))])
    async with Client(server) as client:
        listed = {str(resource.uri): resource for resource in await client.list_resources()}
        assert len(listed) == len(SKILL_FILES) + 1
        assert listed["skill://ours/SKILL.md"].description == "Our own."
        assert listed["skill://ssh_cp/SKILL.md"].mime_type == "text/markdown"
        for uri, start in (("skill://ssh_cp/SKILL.md", "---\n"), ("skill://ours/list.txt", "a file")):
            (content,) = await client.read_resource(uri)
            assert content.text.startswith(start)
        (content,) = await client.read_resource("skill://ours/raw.bin")
        assert content.blob
        for uri in ("skill://ours/../../x", "skill://ours/%2e%2e/%2e%2e/outside", "skill://nobody/SKILL.md"):
            with pytest.raises(McpError):
                await client.read_resource(uri)


def test_the_settings_decide_what_is_served(tmp_path: Path) -> None:
    from ssh_mcp.settings.model import Settings
    from ssh_mcp.skills.provider import skill_provider
    from ssh_mcp.tools.catalogue import closed_tools, read

    def served(**values: Any) -> set[str]:
        settings = Settings(**values)
        return set(skill_provider(settings, closed_tools(read(), settings)).library.all)

    assert "disk-full" in served()
    assert "disk-full" not in served(ssh_enable_runbooks=False)
    put(tmp_path / "r", "ours", "x")
    assert {name for name in served(ssh_runbooks_dir=str(tmp_path / "r")) if "_" not in name} == {"ours"}
    hidden = served()
    assert "ssh_host_ping" in hidden
    assert "ssh_exec_run" not in hidden
