"""The catalogue: in step with the registry, valid, small, and changed only with a decision."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import pytest
from fastmcp import Client
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field

from ssh_mcp.server.app import build
from ssh_mcp.settings.model import Settings
from ssh_mcp.tools.catalogue import Entry, compact, exists, read, snapshot

ENTRIES = read()
NAMES = {entry.name for entry in ENTRIES}
SCHEMAS = Path(__file__).resolve().parents[2] / "data" / "schemas"


def name_of(entry: Entry) -> str:
    return entry.name


@pytest.mark.parametrize("entry", ENTRIES, ids=name_of)
def test_a_tools_interface_is_the_accepted_one(entry: Entry) -> None:
    file = SCHEMAS / f"{entry.name}.json"
    assert file.exists(), "a new tool: scripts/generate --accept"
    assert snapshot(entry) == file.read_text(encoding="utf-8"), "clients see a change: scripts/generate --accept"


def test_no_accepted_interface_is_without_its_tool() -> None:
    assert {file.stem for file in SCHEMAS.glob("*.json")} == NAMES


def test_what_is_generated_is_in_step_with_the_registry(project_root: Path) -> None:
    done = subprocess.run(
        [sys.executable, project_root / "scripts" / "generate", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("entry", ENTRIES, ids=name_of)
def test_schemas_are_valid_and_defaults_fit_them(entry: Entry) -> None:
    for schema in (entry.input_schema, entry.output_schema):
        Draft202012Validator.check_schema(schema)
        assert schema["type"] == "object"
    for parameter in entry.input_schema["properties"].values():
        if "default" in parameter:
            Draft202012Validator(parameter).validate(parameter["default"])


@pytest.mark.parametrize("entry", ENTRIES, ids=name_of)
def test_a_description_is_sentences_that_name_only_tools_that_exist(entry: Entry) -> None:
    text = entry.description
    assert text.isascii()
    assert re.match(r"[A-Z]", text)
    assert text.endswith((".", ")"))
    assert 20 <= len(text) <= 300
    assert set(re.findall(r"ssh_[a-z0-9_]+", text)) <= NAMES - {entry.name}


NEIGHBOURS = [
    ("ssh_exec_run", "ssh_exec_run_streaming", "ssh_exec_script", "ssh_broadcast", "ssh_shell_open"),
    ("ssh_upload", "ssh_deploy", "ssh_edit", "ssh_patch"),
    ("ssh_sftp_download", "ssh_read_redacted"),
    ("ssh_docker_ps", "ssh_docker_compose_ps"),
    ("ssh_docker_logs", "ssh_docker_compose_logs"),
    ("ssh_docker_run", "ssh_docker_exec", "ssh_docker_start"),
    ("ssh_docker_compose_down", "ssh_docker_compose_stop"),
    ("ssh_docker_prune", "ssh_docker_rm", "ssh_docker_rmi"),
    ("ssh_systemctl_status", "ssh_systemctl_show", "ssh_journalctl"),
    ("ssh_systemctl_restart", "ssh_systemctl_reload"),
    ("ssh_delete", "ssh_delete_folder"),
    ("ssh_find", "ssh_sftp_list"),
    ("ssh_host_notes_append", "ssh_host_notes_set"),
    ("ssh_sudo_read", "ssh_sudo_read_redacted"),
    ("ssh_sudo_write", "ssh_sudo_edit"),
]


@pytest.mark.parametrize("group", NEIGHBOURS, ids=lambda group: group[0])
def test_tools_that_could_be_taken_for_each_other_say_which_is_for_what(group: tuple[str, ...]) -> None:
    described = {entry.name: entry.description for entry in ENTRIES}
    links = {(one, other) for one in group for other in group if re.search(rf"\b{other}\b", described[one])}
    joined = {group[0]}
    for _ in group:
        joined |= {b for a, b in links if a in joined} | {a for a, b in links if b in joined}
    assert joined == set(group)


async def test_clients_get_the_catalogue_as_it_is_without_made_up_titles_and_tags() -> None:
    app = build(Settings(allow_low_access_tools=True, allow_dangerous_tools=True, allow_sudo=True))
    async with Client(app.server) as client:
        listed = {tool.name: tool.model_dump(mode="json", by_alias=True) for tool in await client.list_tools()}
    assert set(listed) == NAMES
    for entry in ENTRIES:
        row = {key: value for key, value in listed[entry.name].items() if value is not None}
        assert set(row) <= {"name", "description", "inputSchema", "outputSchema", "annotations", "execution"}
        assert row["description"] == entry.description
        assert row["inputSchema"] == entry.input_schema
        assert row["outputSchema"] == entry.output_schema
        assert {key: value for key, value in row["annotations"].items() if value is not None} == entry.annotations


def test_a_shell_tool_exists_only_with_shells() -> None:
    (entry,) = [entry for entry in ENTRIES if entry.name == "ssh_shell_open"]
    assert exists(entry, Settings(allow_dangerous_tools=True))
    assert not exists(entry, Settings(allow_dangerous_tools=True, allow_persistent_sessions=False))


class Inner(BaseModel):
    """A row."""

    name: str
    size: int | None = None


class Outer(BaseModel):
    """All shapes that occur."""

    plain: str = Field(description="Said")
    kind: Literal["a", "b"] = "a"
    maybe: Literal["a", "b"] | None = None
    rows: list[Inner] = []
    words: list[str] = []
    table: dict[str, Inner] = {}
    mixed: int | str = 0o644
    either: list[int] | str = "x"


def test_an_input_schema_keeps_what_a_caller_needs() -> None:
    schema: dict[str, Any] = compact(Outer.model_json_schema(), output=False)
    inner = {"properties": {"name": {"type": "string"}, "size": {"type": "integer"}}, "required": ["name"]}
    inner["type"] = "object"
    assert schema == {
        "type": "object",
        "required": ["plain"],
        "properties": {
            "plain": {"description": "Said", "type": "string"},
            "kind": {"default": "a", "enum": ["a", "b"], "type": "string"},
            "maybe": {"enum": ["a", "b"], "type": "string"},
            "rows": {"default": [], "items": {**inner, "description": "A row."}, "type": "array"},
            "words": {"default": [], "items": {"type": "string"}, "type": "array"},
            "table": {"default": {}, "additionalProperties": {**inner, "description": "A row."}, "type": "object"},
            "mixed": {"default": "0644", "type": "string"},
            "either": {"default": "x", "type": "string"},
        },
    }


def test_an_output_schema_keeps_names_and_types_and_admits_what_the_model_returns() -> None:
    schema = compact(Outer.model_json_schema(mode="serialization"), output=True)
    inner = {"properties": {"name": {"type": "string"}, "size": {"type": ["integer", "null"]}}}
    assert schema == {
        "type": "object",
        "properties": {
            "plain": {"type": "string"},
            "kind": {"enum": ["a", "b"]},
            "maybe": {"enum": ["a", "b", None]},
            "rows": {"items": inner, "type": "array"},
            "words": {"type": "array"},
            "table": {"additionalProperties": inner, "type": "object"},
            "mixed": {"type": ["integer", "string"]},
            "either": {"anyOf": [{"items": {"type": "integer"}, "type": "array"}, {"type": "string"}]},
        },
    }
    answer = Outer(plain="x", rows=[Inner(name="n")], table={"k": Inner(name="m", size=1)})
    Draft202012Validator(schema).validate(answer.model_dump(mode="json"))
    assert json.loads(json.dumps(schema)) == schema
