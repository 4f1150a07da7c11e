"""docs/dependencies.md gives a reason for each dependency, and for no other."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path


def test_each_dependency_has_its_reason(project_root: Path) -> None:
    project = tomllib.loads((project_root / "pyproject.toml").read_text())["project"]
    page = (project_root / "docs" / "dependencies.md").read_text()
    runtime, extras = page.split("## Extras")

    def names(requirements: list[str]) -> set[str]:
        return {re.split(r"[\[<>=,; ]", requirement)[0] for requirement in requirements}

    def rows(text: str) -> set[str]:
        cells = (re.findall(r"`([\w-]+)`", line.split("|")[2 if text is extras else 1]) for line in lines(text))
        return {name for found in cells for name in found}

    def lines(text: str) -> list[str]:
        return [line for line in text.splitlines() if line.startswith("| `")]

    assert rows(runtime) == names(project["dependencies"])
    wanted = set().union(*(names(group) for group in project["optional-dependencies"].values()))
    assert rows(extras) - {"tasks"} == wanted
