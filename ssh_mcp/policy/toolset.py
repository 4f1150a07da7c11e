"""SSH_TOOLS: which of the open tools are listed. Pure."""

from __future__ import annotations

from typing import Final

ALL: Final = "all"
CORE: Final = "core"

CORE_TOOLS: Final = frozenset(
    {
        "ssh_broadcast", "ssh_docker_logs", "ssh_docker_ps", "ssh_edit", "ssh_exec_run", "ssh_grep",
        "ssh_host_disk_usage", "ssh_host_info", "ssh_host_list", "ssh_host_ping", "ssh_job_cancel", "ssh_job_list",
        "ssh_job_output", "ssh_job_start", "ssh_job_status", "ssh_journalctl", "ssh_output_read", "ssh_read_redacted",
        "ssh_sftp_download", "ssh_sftp_list", "ssh_sudo_exec", "ssh_systemctl_restart", "ssh_systemctl_status",
        "ssh_upload",
    }
)  # fmt: skip
"""What covers most work in 12 kB of schemas; ``ssh_exec_run`` reaches the rest where the operator allows it."""


def is_core(chosen: tuple[str, ...]) -> bool:
    """Whether the catalogue is the small one."""
    return chosen == (CORE,)


def listed(name: str, chosen: tuple[str, ...]) -> bool:
    """Whether a tool is on the operator's list. ``all`` and ``core`` may be in a list with names."""
    return ALL in chosen or name in chosen or (CORE in chosen and name in CORE_TOOLS)
