"""What is published beside the wheel: the registry's server.json, and the bundle for Claude Desktop."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ssh_mcp.settings.model import NAMES


def valid(value: Any, schema: str, root: Path) -> None:
    jsonschema.validate(value, json.loads((root / "tests" / "data" / "publishing" / schema).read_text()))


@pytest.fixture
def project(project_root: Path) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((project_root / "pyproject.toml").read_text())["project"]
    return found


def test_the_registrys_file_is_valid_and_names_this_version(project: dict[str, Any], project_root: Path) -> None:
    described = json.loads((project_root / "server.json").read_text())
    valid(described, "server-json.schema.json", project_root)
    (package,) = described["packages"]
    assert package["identifier"] == project["name"]
    assert described["version"] == package["version"] == project["version"]
    assert {variable["name"] for variable in package["environmentVariables"]} <= set(NAMES)
    # the registry looks for this line in the package's long description
    assert f"mcp-name: {described['name']}" in (project_root / "README.md").read_text()


def test_the_icons_that_are_named_are_there(project_root: Path) -> None:
    for icon in json.loads((project_root / "server.json").read_text())["icons"]:
        assert (project_root / icon["src"].partition("/main/")[2]).is_file()


def test_the_bundle_is_valid_reproducible_and_runs_from_where_it_is_unpacked(
    project: dict[str, Any], project_root: Path, tmp_path: Path
) -> None:
    files = []
    for name in ("one", "two"):
        command = [sys.executable, "scripts/package", "--bundle-only", str(tmp_path / name)]
        done = subprocess.run(command, cwd=project_root, capture_output=True, text=True, check=True)
        files.append(Path(done.stdout.strip()))
    assert files[0].read_bytes() == files[1].read_bytes()
    with zipfile.ZipFile(files[0]) as archive:
        archive.extractall(tmp_path / "unpacked")
    place = tmp_path / "unpacked"
    manifest = json.loads((place / "manifest.json").read_text())
    valid(manifest, "mcpb-manifest.schema.json", project_root)
    assert manifest["version"] == project["version"]
    assert manifest["server"]["mcp_config"]["args"][-1] in project["scripts"]
    assert set(manifest["server"]["mcp_config"]["env"]) <= set(NAMES)
    assert (place / manifest["icon"]).is_file()
    assert (place / manifest["server"]["entry_point"]).is_file()
    code = "import ssh_mcp, ssh_mcp.cli.commands; print(ssh_mcp.__file__)"
    ran = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(place)}, cwd=tmp_path,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert Path(ran.stdout.strip()).is_relative_to(place)
