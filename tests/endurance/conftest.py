"""The fault matrix's fixtures."""

from __future__ import annotations

from tests.faults.rig import quick  # noqa: F401
from tests.integration.conftest import control_dir, shared_sshd, sshd, sshd_factory, throwaway_users  # noqa: F401
from tests.integration.mcp_server import mcp_server  # noqa: F401
