"""One cell of scripts/install-matrix: the wheel by uv, with its dependencies from the package index."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.peers import need


@pytest.mark.timeout(500)
def test_the_wheel_is_installed_from_the_index_and_pings_a_host(project_root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "scripts/install-matrix", "--sample"], cwd=project_root,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    need("skipped" not in done.stdout, done.stdout.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("ok ")
