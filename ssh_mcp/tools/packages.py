"""Group pkg: packages of any manager, and Debian's with more detail: reads through dpkg and apt's caches."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ssh_mcp.facts.packages import apt_get, apt_mark
from ssh_mcp.policy import arguments
from ssh_mcp.policy.tiers import Tier
from ssh_mcp.remote.host import RemoteHost
from ssh_mcp.remote.services import managers as remote_any
from ssh_mcp.remote.services import packages as remote
from ssh_mcp.results.packages import (
    AptAction,
    AptActionName,
    AptHolds,
    AptList,
    AptMode,
    AptSearch,
    AptShow,
    PackageChange,
    PackageChangeName,
    PackageList,
    PackageQuestion,
)
from ssh_mcp.tools.spec import ToolFunction, tool

Timeout = int | None
ChangeTimeout = Annotated[int | None, Field(description="Default 900 s")]
Packages = Annotated[list[str], Field(min_length=1, max_length=100, description="Such as nginx or nginx=1.22.1-9")]

_NO_MANAGER = "Windows hosts have none of these package managers."
_WINDOWS = "Windows hosts have no apt."


@tool(group="pkg", tier=Tier.READ, windows_instead=_WINDOWS)
async def ssh_apt_list(
    host: RemoteHost,
    mode: AptMode,
    pattern: Annotated[str | None, Field(description="Glob on the name, such as lib*")] = None,
) -> AptList:
    """List packages of a Debian or Ubuntu host: installed, upgradable, or all. At most 1000 rows: give a pattern."""
    return await remote.list_packages(host, mode, None if pattern is None else arguments.package_pattern(pattern))


@tool(group="pkg", tier=Tier.READ, windows_instead=_WINDOWS)
async def ssh_apt_search(
    host: RemoteHost, pattern: Annotated[str, Field(description="Regular expression")]
) -> AptSearch:
    """Search the package index of a host by name and description, 200 rows at most. What is installed: ssh_apt_list."""
    return await remote.search(host, arguments.package_search(pattern))


@tool(group="pkg", tier=Tier.READ, windows_instead=_WINDOWS)
async def ssh_apt_show(host: RemoteHost, package: str) -> AptShow:
    """Show a package's installed and candidate version, sources and dependencies."""
    return await remote.show(host, arguments.package(package))


@tool(group="pkg", tier=Tier.READ, windows_instead=_WINDOWS)
async def ssh_apt_show_holds(host: RemoteHost, timeout: Timeout = None) -> AptHolds:
    """List the packages that are held back from upgrades."""
    return await remote.holds(host, timeout)


@tool(group="pkg", tier=Tier.DANGEROUS, windows_instead=_WINDOWS)
async def ssh_apt_install(
    host: RemoteHost,
    packages: Packages,
    update_first: Annotated[bool, Field(description="apt-get update before")] = False,
    timeout: ChangeTimeout = None,
) -> AptAction:
    """Install packages without questions, refreshing the index first if asked. Changed configuration files are kept."""
    names = tuple(arguments.package_with_version(p) for p in packages)
    command = apt_get("install", names, update_first=update_first)
    return await remote.change(host, "install", names, command, timeout)


@tool(group="pkg", tier=Tier.DANGEROUS, windows_instead=_WINDOWS)
async def ssh_apt_remove(
    host: RemoteHost,
    packages: Annotated[list[str], Field(min_length=1, max_length=100)],
    purge: Annotated[bool, Field(description="Configuration files too")] = False,
    timeout: ChangeTimeout = None,
) -> AptAction:
    """Remove packages, with purge their configuration too. What depends on them goes too; what they needed stays until
    ssh_apt_autoremove.
    """
    names = tuple(arguments.package(p) for p in packages)
    action: AptActionName = "purge" if purge else "remove"
    return await remote.change(host, action, names, apt_get(action, names), timeout)


@tool(group="pkg", tier=Tier.DANGEROUS, windows_instead=_WINDOWS)
async def ssh_apt_mark(
    host: RemoteHost,
    action: Literal["hold", "unhold"],
    packages: Annotated[list[str], Field(min_length=1, max_length=100)],
    timeout: Timeout = None,
) -> AptAction:
    """Hold packages back from upgrades, or lift the hold. ssh_apt_show_holds lists them."""
    names = tuple(arguments.package(p) for p in packages)
    return await remote.change(host, action, names, apt_mark(action, names), timeout)


@tool(group="pkg", tier=Tier.READ, windows_instead=_NO_MANAGER)
async def ssh_pkg_query(
    host: RemoteHost,
    what: Annotated[PackageQuestion, Field(description="owner: of a file")] = "installed",
    name: Annotated[str | None, Field(description="Package, word, or path")] = None,
) -> PackageList:
    """Ask the host's package manager: apt, dnf, yum, apk, zypper or pacman."""
    return await remote_any.query(host, what, name)


@tool(group="pkg", tier=Tier.DANGEROUS, windows_instead=_NO_MANAGER)
async def ssh_pkg_change(
    host: RemoteHost,
    action: PackageChangeName,
    packages: Annotated[list[str], Field(description="None: upgrade all")] = [],  # noqa: B006
    *,
    dry_run: bool = False,
    timeout: ChangeTimeout = None,
) -> PackageChange:
    """Install, remove or upgrade packages with the host's package manager."""
    return await remote_any.change(host, action, packages, dry_run=dry_run, timeout=timeout)


_WHOLE: dict[AptActionName, str] = {
    "upgrade": "Upgrade all packages that can be upgraded without removing others. Held ones stay.",
    "autoremove": "Remove packages that were installed as dependencies and are needed no longer.",
}
"""Changes that name no package."""


def _whole_system(action: AptActionName, description: str) -> ToolFunction:
    async def run(host: RemoteHost, timeout: ChangeTimeout = None) -> AptAction:
        return await remote.change(host, action, (), apt_get(action), timeout)

    run.__name__ = run.__qualname__ = f"ssh_apt_{action}"
    run.__doc__ = description
    return tool(group="pkg", tier=Tier.DANGEROUS, windows_instead=_WINDOWS)(run)


for _action, _description in _WHOLE.items():
    _whole_system(_action, _description)
