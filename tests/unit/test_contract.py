"""The catalogue against the contract: names, tiers, groups, parameters, defaults and result fields are fixed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ssh_mcp.tools import catalogue
from ssh_mcp.tools.catalogue import Entry

CONTRACT: dict[str, Any] = json.loads(
    (Path(__file__).resolve().parents[1] / "data" / "contract" / "tools.json").read_text(encoding="utf-8")
)
TOOLS: list[dict[str, Any]] = CONTRACT["tools"]
LISTED: dict[str, Entry] = {e.name: e for e in catalogue.read()}


def types_of(node: dict[str, Any]) -> set[str]:
    """The JSON types that a schema node admits."""
    if "anyOf" in node:
        return set().union(*(types_of(option) for option in node["anyOf"]))
    kind = node.get("type")
    if kind is None:
        return {"null" if v is None else "string" for v in node.get("enum", [])}
    return set(kind) if isinstance(kind, list) else {kind}


def wanted(contract_type: str) -> set[str]:
    """The JSON types that the contract's word for a type admits."""
    kinds = set()
    for part in map(str.strip, contract_type.split(" | ") if "[" not in contract_type else split_top(contract_type)):
        if part.startswith("list["):
            kinds.add("array")
        elif part.startswith("map["):
            kinds.add("object")
        elif part.startswith("one of") or part == "string":
            kinds.add("string")
        elif part in {"integer", "number", "boolean", "null"}:
            kinds.add(part)
        else:
            raise AssertionError(f"unknown contract type {part}")
    return kinds


def one_type(kinds: set[str]) -> set[str]:
    """What an input schema shows of them: no null, and of a number or a string the string."""
    kinds = kinds - {"null"}
    return {"string"} if "string" in kinds else kinds


def split_top(text: str) -> list[str]:
    parts, depth, current = [], 0, ""
    for char in text:
        depth += (char in "[{") - (char in "]}")
        if char == "|" and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += char
    return [*parts, current]


def test_every_contract_tool_is_in_the_catalogue() -> None:
    assert {t["name"] for t in TOOLS} <= set(LISTED)


@pytest.mark.parametrize("tool", TOOLS, ids=lambda t: t["name"])
def test_tier_group_and_parameters_are_the_contracts(tool: dict[str, Any]) -> None:
    entry = LISTED[tool["name"]]
    assert (entry.tier.value, entry.group) == (tool["tier"], tool["group"])
    properties = entry.input_schema.get("properties", {})
    required = set(entry.input_schema.get("required", []))
    for parameter in tool["params"]:
        node = properties[parameter["name"]]
        expected = {"string"} if parameter["name"] == "mode" else one_type(wanted(parameter["type"]))
        assert expected == types_of(node), parameter
        if parameter["type"].startswith("one of "):
            options = parameter["type"].removeprefix("one of ").split(" | ")[0].split(", ")
            assert set(options) <= set(node["enum"])
        if "default" in parameter:
            assert parameter["name"] not in required
            default = parameter["default"]
            octal = node["type"] == "string" and isinstance(default, int)
            assert node.get("default") == (f"{default:04o}" if octal else default), parameter
        else:
            assert parameter["name"] in required
    further = set(properties) - {p["name"] for p in tool["params"]}
    assert not further & required, "a further parameter must have a default"


@pytest.mark.parametrize("tool", TOOLS, ids=lambda t: t["name"])
def test_result_fields_are_the_contracts(tool: dict[str, Any]) -> None:
    properties = LISTED[tool["name"]].output_schema["properties"]
    for name, kind in tool["result"].items():
        assert name in properties, name
        found = types_of(properties[name])
        assert wanted(kind) <= found | ({"integer"} if "number" in found else set()), (name, kind, properties[name])
        expected_model = kind.removeprefix("list[").removeprefix("map[").removesuffix("]")
        if expected_model in CONTRACT["models"]:
            inner = properties[name].get("items") or properties[name].get("additionalProperties")
            assert set(CONTRACT["models"][expected_model]) <= set(inner["properties"]), name


def test_the_catalogue_fits_the_context_it_costs() -> None:
    """At most 160,000 bytes of compact JSON, and 60,000 without output schemas."""
    rows = [listed(entry) for entry in LISTED.values()]
    assert len(json.dumps(rows, separators=(",", ":"), ensure_ascii=False).encode()) <= 160_000
    for row in rows:
        del row["outputSchema"]
    assert len(json.dumps(rows, separators=(",", ":"), ensure_ascii=False).encode()) <= 60_000


def listed(entry: Entry) -> dict[str, Any]:
    """A tool as FastMCP lists it."""
    from ssh_mcp.tools.registered import RegisteredTool

    tool = RegisteredTool.of(entry, None)  # type: ignore[arg-type]
    return tool.to_mcp_tool(name=entry.name).model_dump(mode="json", by_alias=True, exclude_none=True)


def test_annotations_are_explicit_and_follow_the_tier() -> None:
    for entry in LISTED.values():
        hints = entry.annotations
        assert set(hints) == {"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"}, entry.name
        assert hints["openWorldHint"]
        if entry.tier == "read" and entry.name != "ssh_fleet":  # whose tier is that of the tool it calls
            assert (hints["readOnlyHint"], hints["destructiveHint"], hints["idempotentHint"]) == (True, False, True)
        else:
            assert not hints["readOnlyHint"]
        if entry.tier in {"dangerous", "sudo"}:
            assert hints["destructiveHint"], entry.name


def test_no_schema_holds_generated_titles_or_references() -> None:
    for entry in LISTED.values():
        for schema in (entry.input_schema, entry.output_schema):
            text = json.dumps(schema)
            assert '"$ref"' not in text, entry.name
            assert '"title"' not in text, entry.name
