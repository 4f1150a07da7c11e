"""What was installed: the name on the package index, the version, and the example files that come along."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

NAME: Final = "openssh-mcp"
"""On the package index. ``ssh-mcp`` is another project's name there."""
COMMANDS: Final = ("openssh-mcp", "ssh-mcp")
"""The scripts that an installation makes."""
WEBSITE: Final = "https://github.com/openssh-mcp/openssh-mcp"

Example = Literal["hosts", "settings", "cases"]

_EXAMPLES: Final[dict[Example, tuple[str, str]]] = {
    "hosts": ("hosts.toml.example", "hosts.toml.example"),
    "settings": ("settings.env.example", ".env.example"),
    "cases": ("policy-cases.toml.example", "policy-cases.toml.example"),
}
"""What the example shows → its name in the wheel, and in the source tree."""


def version() -> str:
    """The installed version; ``0+source`` for a source tree that is on the path but not installed."""
    from importlib import metadata  # late: a tenth of the time that --help takes

    try:
        return metadata.version(NAME)
    except metadata.PackageNotFoundError:
        return "0+source"


def example(which: Example) -> str:
    """The text of an example file, from the source tree of an editable installation or from the wheel's metadata."""
    from importlib import metadata

    installed, source = _EXAMPLES[which]
    file = Path(__file__).resolve().parent.parent / source
    if file.exists():
        return file.read_text(encoding="utf-8")
    text = metadata.distribution(NAME).read_text(f"extra_metadata/{installed}")
    assert text is not None  # the wheel holds it
    return text
