"""Results about packages: apt's own, and those of any package manager."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ssh_mcp.results.base import Ours, Result, Spooled

AptMode = Literal["installed", "upgradable", "all"]
AptActionName = Literal["install", "upgrade", "remove", "purge", "autoremove", "hold", "unhold"]
PackageQuestion = Literal["installed", "updates", "search", "show", "owner"]
PackageChangeName = Literal["install", "remove", "upgrade"]


class AptPackage(Result):
    """``state``: installed, held, available, upgradable from X, or dpkg's own word for anything in between."""

    name: str
    version: str
    architecture: str
    state: str


class AptList(Spooled):
    """At most a thousand rows; ``total`` counts all."""

    host: Ours
    mode: AptMode
    packages: list[AptPackage] = Field(default_factory=list)
    total: int
    truncated: bool


class AptSearchHit(Result):
    """One package that matches."""

    name: str
    short_description: str


class AptSearch(Spooled):
    """Result of ssh_apt_search: at most two hundred rows; ``total`` counts all."""

    host: Ours
    pattern: Ours
    results: list[AptSearchHit] = Field(default_factory=list)
    total: int = 0
    truncated: bool = False


class AptShow(Spooled):
    """Versions are None where the package is not installed, or not to be had."""

    host: Ours
    package: Ours
    installed_version: str | None = None
    candidate_version: str | None = None
    repos: list[str] = Field(default_factory=list)
    description: str | None = None
    depends: list[str] = Field(default_factory=list)
    recommends: list[str] = Field(default_factory=list)
    suggests: list[str] = Field(default_factory=list)
    conflicts: list[str] = Field(default_factory=list)
    breaks: list[str] = Field(default_factory=list)
    replaces: list[str] = Field(default_factory=list)


class AptOutcome(Spooled):
    """How apt-get or apt-mark ended."""

    host: Ours
    exit_code: int
    stdout: str
    stderr: str
    duration_ms: int
    stdout_truncated: bool = False


class AptHolds(AptOutcome):
    """Result of ssh_apt_show_holds."""

    held: list[str] = Field(default_factory=list)


class AptAction(AptOutcome):
    """How apt-get or apt-mark ended. A non-zero exit is data; ``hint`` says what to do about it where that is known."""

    action: AptActionName
    packages: list[Ours] = Field(default_factory=list)
    timed_out: bool = False
    hint: Ours | None = None


class PackageRow(Result):
    """One package. ``new_version`` is what an upgrade would install; what a manager does not say is null."""

    name: str
    version: str | None = None
    new_version: str | None = None
    architecture: str | None = None
    repository: str | None = None
    summary: str | None = None


class PackageList(Spooled):
    """``manager`` is the one that was asked; ``text`` is its own, where the question was ``show``. ``total`` counts all
    rows.
    """

    host: Ours
    manager: Ours
    what: PackageQuestion
    packages: list[PackageRow] = Field(default_factory=list)
    text: str = ""
    total: int = 0
    truncated: bool = False
    exit_code: int = 0


class PackageChange(AptOutcome):
    """How the package manager ended. A non-zero exit is data; a dry run of dnf ends with 1."""

    manager: Ours
    action: PackageChangeName
    packages: list[Ours] = Field(default_factory=list)
    dry_run: bool = False
    timed_out: bool = False
    hint: Ours | None = None
