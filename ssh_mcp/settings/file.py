"""The operator's settings file: which one it is, and its lines.

Clients start a server in whatever directory they have open, so nothing is read from the working directory: a
repository must not be able to open tiers or name hosts.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ssh_mcp.errors import ConfigError
from ssh_mcp.inventory.values import shown
from ssh_mcp.settings.trusted import read_trusted

FILE_NAME: Final = "settings.env"
VARIABLE: Final = "SSH_ENV_FILE"
"""Names another settings file; only the real environment (or ``--env-file``) can set it."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def config_directory() -> Path:
    """The user's configuration directory of this program: settings.env and hosts.toml are looked for there."""
    from platformdirs import user_config_path

    return user_config_path("ssh-mcp", appauthor=False)


def settings_file(environment: Mapping[str, str]) -> Path | None:
    """The settings file that counts, or None where there is none.

    Raises ConfigError where SSH_ENV_FILE names a file that does not exist.
    """
    named = environment.get(VARIABLE, "").strip()
    if named:
        file = Path(named).expanduser()
        if not file.exists():
            raise ConfigError(f"{VARIABLE}={shown(named)}: does not exist. Correct the name or unset it.")
        return file.absolute()
    usual = config_directory() / FILE_NAME
    return usual if usual.exists() else None


def read_settings_file(file: Path) -> dict[str, str]:
    """Name → value of each assignment, in dotenv's syntax without interpolation.

    Raises ConfigError for a file that others can change, and for a line that is not an assignment: a typing error must
    not leave a blocklist out of force.
    """
    try:
        text = read_trusted(file).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{file}: is not UTF-8 text. Save it as UTF-8.") from None
    return parse_settings(file, text)


def parse_settings(file: Path, text: str) -> dict[str, str]:
    """The assignments of ``text``; ``file`` is for messages. Raises ConfigError with one line."""
    from dotenv.parser import parse_stream

    found: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(text)):
        if binding.key is None and not binding.error:
            continue  # a comment or an empty line
        if binding.error or binding.value is None or not _NAME.match(binding.key or ""):
            raise _no_assignment(file, binding.original.string, binding.original.line)
        found[binding.key or ""] = binding.value
    return found


def _no_assignment(file: Path, text: str, line: int) -> ConfigError:
    """The text of the line stays out of the message but for its first word: it may be a secret."""
    blank = len(text) - len(text.lstrip())
    line += text[:blank].count("\n")
    word = (re.split(r"[\s=]", text.strip(), maxsplit=1) or [""])[0]
    return ConfigError(
        f"{file}:{line}: {shown(word, 60)}: is not an assignment. Write NAME=value, or # before a remark."
    )


def unused_in_working_directory(environment: Mapping[str, str]) -> list[Path]:
    """``.env`` and ``hosts.toml`` of the working directory, where no setting names them."""
    used = {environment.get(name, "").strip() for name in (VARIABLE, "SSH_HOSTS_FILE")}
    named = {os.path.realpath(os.path.expanduser(name)) for name in used if name}  # noqa: PTH111
    usual = {os.path.realpath(config_directory() / name) for name in (FILE_NAME, "hosts.toml")}
    here = [Path.cwd() / name for name in (".env", FILE_NAME, "hosts.toml")]
    return [file for file in here if file.exists() and os.path.realpath(file) not in named | usual]
