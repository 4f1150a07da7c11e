"""Input schemas under the rules of the function calling that clients use: Gemini's, OpenAI's strict mode, Claude's."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from ssh_mcp.policy.toolset import CORE_TOOLS
from ssh_mcp.settings.model import Settings
from ssh_mcp.tools.catalogue import Entry, exists, lean, read
from ssh_mcp.tools.registered import RegisteredTool

ENTRIES = read()
OPEN: dict[str, Any] = {"allow_low_access_tools": True, "allow_dangerous_tools": True, "allow_sudo": True}
SELF_EXPLANATORY = {
    "action", "alias", "backup", "command", "container", "content", "content_base64", "content_text", "detached", "dst",
    "dst_host", "dst_path", "force", "format", "grep", "host", "hosts", "image", "include_labels", "local_path",
    "name", "new_string", "old_string", "overwrite", "package", "packages", "parents", "path", "recursive", "remove",
    "script", "service", "session_id", "src", "src_host", "src_path", "status", "timestamps", "unified_diff",
    "first_lines", "last_lines", "offset", "max_bytes", "limit", "dry_run", "container_path", "host_path", "symbolic",
    "follow_symlinks", "chown_user", "chown_group", "ignore_case", "output_id",
    "forward_id", "terminal_id", "columns", "rows", "timeout", "unit", "lines", "compose_file", "compose_v1", "save",
    "remote_path", "other_path", "other_host",
}  # fmt: skip
"""Names that say what the parameter is; one with an enum says it too."""


def nodes(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
        for value in schema.values():
            yield from nodes(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from nodes(value)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: e.name)
def test_every_parameter_has_one_type_and_no_null(entry: Entry) -> None:
    for node in nodes(entry.input_schema):
        assert not isinstance(node.get("type"), list)
        assert "anyOf" not in node
        assert None not in node.get("enum", [])
        assert node.get("type") != "null"


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: e.name)
def test_every_parameter_says_what_it_is(entry: Entry) -> None:
    for name, parameter in entry.input_schema["properties"].items():
        assert name in SELF_EXPLANATORY or "enum" in parameter or parameter.get("description"), name


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::fastmcp.exceptions.FastMCPDeprecationWarning")
def test_every_schema_becomes_a_declaration_for_gemini() -> None:
    convert = pytest.importorskip("google.genai._mcp_utils").mcp_to_gemini_tool
    for entry in ENTRIES:
        made = convert(RegisteredTool.of(entry, None).to_mcp_tool(name=entry.name))  # type: ignore[arg-type]
        (declaration,) = made.function_declarations
        wanted = set(entry.input_schema["properties"])
        assert set(declaration.parameters.properties or {}) == wanted, entry.name


def test_every_schema_becomes_one_for_openais_strict_mode() -> None:
    strict = pytest.importorskip("openai.lib._pydantic")._ensure_strict_json_schema
    for entry in ENTRIES:
        schema = strict(copy.deepcopy(entry.input_schema), path=(), root=entry.input_schema)
        for node in nodes(schema["properties"]):
            assert isinstance(node.get("type", ""), (str, dict)), entry.name
        assert set(schema["required"]) == set(schema["properties"])


def test_every_schema_becomes_one_for_claude() -> None:
    transform = pytest.importorskip("anthropic.lib._parse._transform").transform_schema
    for entry in ENTRIES:
        assert set(transform(copy.deepcopy(entry.input_schema))["properties"]) == set(entry.input_schema["properties"])


def size(entries: list[Entry], *, small: bool) -> int:
    rows = [
        RegisteredTool.of(e, None, small=small)  # type: ignore[arg-type]
        .to_mcp_tool(name=e.name)
        .model_dump(mode="json", by_alias=True, exclude_none=True)
        for e in entries
    ]
    for row in rows:
        row.pop("outputSchema", None)
    return len(json.dumps(rows, separators=(",", ":"), ensure_ascii=False).encode())


def test_all_tools_are_128_at_most_in_60_kb_without_output_schemas() -> None:
    assert len(ENTRIES) <= 128
    assert size(list(ENTRIES), small=False) <= 60_000


def test_the_core_is_about_25_tools_in_12_kb() -> None:
    core = [e for e in ENTRIES if exists(e, Settings(ssh_tools=("core",), **OPEN))]
    assert {e.name for e in core} == CORE_TOOLS
    assert 20 <= len(core) <= 27
    assert size(core, small=True) <= 12_000


def test_a_small_schema_keeps_names_types_words_and_defaults_that_say_something() -> None:
    schema = {
        "type": "object",
        "required": ["a"],
        "properties": {
            "a": {"type": "string", "minLength": 1, "description": "A"},
            "b": {"type": "boolean", "default": False},
            "c": {"type": "integer", "default": 50, "maximum": 100},
        },
    }
    assert lean(schema) == {
        "type": "object",
        "required": ["a"],
        "properties": {
            "a": {"type": "string", "description": "A"},
            "b": {"type": "boolean"},
            "c": {"type": "integer", "default": 50},
        },
    }


def test_a_list_of_tools_may_name_the_core_too_and_tiers_still_count() -> None:
    def names(*chosen: str, **settings: Any) -> set[str]:
        return {e.name for e in ENTRIES if exists(e, Settings(ssh_tools=chosen, **settings))}

    assert names("ssh_host_ping", "ssh_exec_run") == {"ssh_host_ping"}
    assert names("ssh_host_ping", "ssh_exec_run", **OPEN) == {"ssh_host_ping", "ssh_exec_run"}
    assert names("core", "ssh_cp", **OPEN) == {"ssh_cp"} | names("core", **OPEN)


def test_callers_that_send_null_or_a_number_as_the_mode_still_pass() -> None:
    from ssh_mcp.tools.modules import load

    made = load("exec", "ssh_exec_run").arguments.model_validate({"host": "web", "command": "true", "timeout": None})
    assert made.timeout is None  # type: ignore[attr-defined]
    made = load("docker", "ssh_docker_ps").arguments.model_validate({"host": "web", "status": None, "label": None})
    assert made.status is None  # type: ignore[attr-defined]
    for mode in (493, "0755"):
        load("files", "ssh_mkdir").arguments.model_validate({"host": "web", "path": "/x", "mode": mode})
