"""Unit, package and journal tools as root, where the login may not and the operator opened the sudo tier.

The command runs as the login user first: root logins, polkit rules and group memberships need no sudo, and a refusal
for lack of rights has changed nothing. Only then the same command runs once more through sudo.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ssh_mcp.errors import SudoFailed
from ssh_mcp.policy.tiers import Tier, visible
from ssh_mcp.remote.facts import prepared, text_of
from ssh_mcp.remote.sudo.session import DOAS
from ssh_mcp.tokens import Command, arg, command

if TYPE_CHECKING:
    import re

    from ssh_mcp.remote.host import RemoteHost
    from transports.api import Completed

USED_SUDO: Final = "The login user may not do this: it was done as root with {program}."


@dataclass(frozen=True, slots=True)
class Outcome:
    """What ran last. ``remarks`` are for output_warnings; ``missing`` says what the operator must grant, or None."""

    done: Completed
    remarks: tuple[str, ...] = ()
    missing: str | None = None


async def with_rights(
    host: RemoteHost,
    action: Command,
    done: Completed,
    denied: re.Pattern[str],
    *,
    timeout: float | None = None,
    cap: int | None = None,
    instead: str = "",
    said: bytes | None = None,
) -> Outcome:
    """``done`` as it is, unless ``said`` (its stderr if not given) matches ``denied``: then ``action`` as root.

    ``instead`` names what would serve without sudo (a group), as a whole sentence. Raises as approval does.
    """
    if done.exit_code is None or denied.search(text_of(done.stderr if said is None else said)) is None:
        return Outcome(done)
    if not visible(Tier.SUDO, "sudo", host.settings):
        opens = "The operator opens the sudo tier (ALLOW_DANGEROUS_TOOLS=true and ALLOW_SUDO=true) and allows it: "
        return Outcome(done, missing=" ".join(part for part in (instead, opens + await _rule(host)) if part))
    await host.call.confirm_as_root()
    try:
        again = await host.sudo.run(command("sh -c", arg(prepared(action).wire())), timeout=timeout, stdout_cap=cap)
    except SudoFailed as error:
        remedy = f"{error.remedy} What is needed: {await _rule(host)}"
        return Outcome(done, missing=" ".join(part for part in (instead, f"{error.what} {remedy}") if part))
    return Outcome(again, remarks=(USED_SUDO.format(program=await host.sudo.program()),))


async def _rule(host: RemoteHost) -> str:
    """A line of sudoers or doas.conf. All commands, since ours start a shell that says when it has begun."""
    if await host.sudo.program() == DOAS:
        return f"'permit nopass {host.user or 'LOGIN'} as root' in doas.conf."
    return f"'{host.user or 'LOGIN'} ALL=(root) ALL' in sudoers (visudo)."
