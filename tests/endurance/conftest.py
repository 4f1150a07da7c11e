"""The fault matrix's fixtures."""

from __future__ import annotations

from tests.faults.rig import quick  # noqa: F401
from tests.integration.conftest import control_dir, sshd, sshd_factory  # noqa: F401
from tests.integration.mcp_server import mcp_server  # noqa: F401
