"""The entry of a client's file as JSON, TOML or YAML text."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ssh_mcp.cli.client_rows import SERVER_NAME, Client, Entry


def whole_file(known: Client, entry: Entry) -> str:
    """A client's whole file, with nothing but our entry in it."""
    if known.format == "toml":
        return toml_table(f"{known.container}.{SERVER_NAME}", entry)
    if known.format == "yaml":
        return f"name: Local\nversion: 0.0.1\nschema: v1\n{known.container}:\n{yaml_item(entry)}"
    return json.dumps({known.container: {SERVER_NAME: entry}}, indent=2) + "\n"


def toml_table(name: str, entry: Entry) -> str:
    """A table and the tables in it. JSON's strings and lists of strings are TOML's too."""
    plain = {key: value for key, value in entry.items() if not isinstance(value, dict)}
    text = f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in plain.items())
    for key, value in entry.items():
        if isinstance(value, dict):
            text += "\n" + toml_table(f"{name}.{key}", value)
    return text


def yaml_item(entry: Entry) -> str:
    """One item of a list at two blanks. Scalars and lists are JSON, which YAML reads as it is."""
    first, *rest = yaml_lines(entry)
    return "".join(f"{line}\n" for line in (f"  - {first}", *(f"    {line}" for line in rest)))


def yaml_lines(entry: Mapping[str, object]) -> list[str]:
    """A block mapping, line by line."""
    lines: list[str] = []
    for key, value in entry.items():
        if isinstance(value, dict):
            lines += [f"{key}:", *(f"  {line}" for line in yaml_lines(value))]
        else:
            lines.append(f"{key}: {json.dumps(value)}")
    return lines
