"""Which parameter of which tool is a path, a command or a script. Pure; one row per tool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ssh_mcp.policy.paths import Purpose


@dataclass(frozen=True, slots=True)
class PathParameter:
    """A parameter that is a path. ``tree``: what lies below it changes too; ``reader`` masks in the same view."""

    parameter: str
    purpose: Purpose
    tree: bool = False
    reader: str = "ssh_read_redacted"


_READ, _WRITE, _LIST, _STAT = Purpose.READ_RAW, Purpose.WRITE, Purpose.LIST, Purpose.STAT
PATHS: Final[dict[str, tuple[PathParameter, ...]]] = {
    "ssh_sftp_list": (PathParameter("path", _LIST),),
    "ssh_sftp_stat": (PathParameter("path", _STAT),),
    "ssh_sftp_download": (PathParameter("path", _READ),),
    "ssh_read_redacted": (PathParameter("path", Purpose.READ_REDACTED),),
    "ssh_file_hash": (PathParameter("path", _STAT),),
    "ssh_find": (PathParameter("path", _LIST),),
    "ssh_grep": (PathParameter("path", _LIST),),
    "ssh_disk_usage_of": (PathParameter("path", _LIST),),
    "ssh_upload": (PathParameter("path", _WRITE),),
    "ssh_deploy": (PathParameter("path", _WRITE),),
    "ssh_edit": (PathParameter("path", _WRITE),),
    "ssh_patch": (PathParameter("path", _WRITE),),
    "ssh_mkdir": (PathParameter("path", _WRITE),),
    "ssh_delete": (PathParameter("path", Purpose.DELETE, tree=True),),
    "ssh_delete_folder": (PathParameter("path", Purpose.DELETE, tree=True),),
    "ssh_mv": (PathParameter("src", Purpose.DELETE, tree=True), PathParameter("dst", _WRITE, tree=True)),
    "ssh_link": (PathParameter("src", _STAT), PathParameter("dst", _WRITE, tree=True)),
    "ssh_sudo_read": (PathParameter("path", _READ, reader="ssh_sudo_read_redacted"),),
    "ssh_sudo_read_redacted": (PathParameter("path", Purpose.READ_REDACTED),),
    "ssh_sudo_sftp_list": (PathParameter("path", _LIST),),
    "ssh_sudo_write": (PathParameter("path", _WRITE),),
    "ssh_sudo_edit": (PathParameter("path", _WRITE),),
    **{f"ssh_docker_compose_{verb}": (PathParameter("compose_file", _READ),)
       for verb in ("up", "down", "logs", "ps", "pull", "restart", "start", "stop")},
}  # fmt: skip
TWO_PATHS: Final = {"ssh_cp": ("src", "dst"), "ssh_mv": ("src", "dst"), "ssh_transfer": ("src_path", "dst_path")}
"""Both sides are decided together: a redact-listed file must not get a name under which it could be read raw."""
COMMANDS: Final = {
    "ssh_exec_run": "command",
    "ssh_exec_run_streaming": "command",
    "ssh_broadcast": "command",
    "ssh_shell_exec": "command",
    "ssh_docker_exec": "command",
    "ssh_sudo_exec": "command",
    "ssh_job_start": "command",
}
SCRIPTS: Final = {"ssh_exec_script": "script", "ssh_sudo_run_script": "script"}
ELSEWHERE: Final = {
    "ssh_sync": "what lies in the trees is decided one by one while they are compared",
    "ssh_archive": "the members of the archive are decided before anything is written",
    "ssh_fleet": "the tool that it calls is decided on each host",
    "ssh_terminal_open": "what is typed into the terminal is decided by the host alone",
}


_BY_DIRECTION: Final = {
    "ssh_docker_cp": ("host_path",),
    "ssh_sync": ("remote_path",),
    "ssh_archive": ("archive", "paths", "dest"),
}
"""Read or written as another argument says."""


def path_parameters(tool: str) -> tuple[str, ...]:
    """The parameters of ``tool`` that are paths on the host, in order."""
    found = dict.fromkeys(p.parameter for p in PATHS.get(tool, ()))
    found |= dict.fromkeys(TWO_PATHS.get(tool, ()))
    return (*found, *_BY_DIRECTION.get(tool, ()))
