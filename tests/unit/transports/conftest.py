"""What the frame's tests share: each shell that a host's ``sh`` may be."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.peers import need


@pytest.fixture(params=["dash", "bash", "busybox", "mksh", "ksh", "zsh"])
def environment(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """An environment in which ``sh`` is that shell."""
    program = shutil.which(request.param)
    need(program, f"{request.param} is not installed")
    assert program is not None
    (tmp_path / "sh").symlink_to(program)
    return {**os.environ, "PATH": f"{tmp_path}:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
