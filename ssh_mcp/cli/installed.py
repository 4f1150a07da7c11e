"""Where this program was installed from, and the script that runs it: what a client needs to start it again."""

from __future__ import annotations

import json
import os
import sys
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ssh_mcp.distribution import COMMANDS
from ssh_mcp.distribution import NAME as DISTRIBUTION


def installed_from() -> str:
    """What uvx has to install to get this very program: the place it was installed from (PEP 610), else its name."""
    try:
        origin = json.loads(metadata.distribution(DISTRIBUTION).read_text("direct_url.json") or "{}")
    except (metadata.PackageNotFoundError, ValueError, OSError):
        return DISTRIBUTION
    url = origin.get("url") if isinstance(origin, dict) else None
    if not isinstance(url, str) or not url:
        return DISTRIBUTION
    vcs = origin.get("vcs_info")
    if isinstance(vcs, dict):
        return f"{vcs.get('vcs', 'git')}+{url}@{vcs.get('commit_id', 'HEAD')}"
    return unquote(urlsplit(url).path) if url.startswith("file:///") and os.sep == "/" else url


def absolute_source(source: str) -> str:
    """A source on this machine by its absolute path: a client starts uvx in a directory of its own."""
    if source.startswith(("./", "../", "~")) or source in (".", "..") or Path(source).is_file():
        return os.path.abspath(os.path.expanduser(source))  # noqa: PTH100, PTH111 - links stay as they were written
    return source


def this_script() -> str | None:
    """The script that runs now, else the one beside this Python. Another one of that name on PATH may not be ours."""
    path = Path(os.path.abspath(sys.argv[0]))  # noqa: PTH100 - links stay: an environment's script must stay in it
    if path.stem in COMMANDS:
        return str(path)
    beside = Path(sys.executable).with_name(DISTRIBUTION + (".exe" if os.name == "nt" else ""))
    return str(beside) if beside.is_file() else None


def is_temporary(script: str) -> bool:
    """Whether the script lies in an environment that uvx made for one run and may remove."""
    return "archive-v0" in Path(os.path.realpath(script)).parts
