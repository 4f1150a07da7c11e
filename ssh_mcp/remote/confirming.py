"""Which ask rules a call meets: about the tool, about a command that policy permitted, about a path that is written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from pydantic_core import to_jsonable_python

from ssh_mcp.approval.question import Login, Subject
from ssh_mcp.policy.tiers import Tier

if TYPE_CHECKING:
    from ssh_mcp.inventory.model import AskEntry
    from ssh_mcp.policy.approval import AskMatch, AskRules
    from ssh_mcp.policy.permitted import PermittedCommand
    from ssh_mcp.remote.call import Call
    from ssh_mcp.remote.host import RemoteHost


def tool_matches(call: Call) -> tuple[AskMatch, ...]:
    """The rules about the tool itself, of every host of the call; of the defaults where it is about no host."""
    lists = [host.policy.ask for host in call.hosts] or [_everywhere(call)]
    found = [m for entries in lists if entries for m in rules(entries).for_tool(call.tool, call.group, call.tier)]
    return _unique((*found, *(sudo_matches(call) if call.arguments.get("sudo") is True else ())))


def sudo_matches(call: Call) -> tuple[AskMatch, ...]:
    """The rules that a tool of the sudo tier with this name would meet."""
    lists = [host.policy.ask for host in call.hosts]
    return _unique(m for entries in lists if entries for m in rules(entries).for_tool(call.tool, "sudo", Tier.SUDO))


def command_matches(host: RemoteHost, command: PermittedCommand) -> tuple[AskMatch, ...]:
    """The rules about what ``command`` starts and writes on ``host``."""
    return rules(host.policy.ask).for_command(command) if host.policy.ask else ()


def write_matches(host: RemoteHost, path: str, *, tree: bool) -> tuple[AskMatch, ...]:
    """The rules about a canonical path that is written or removed; ``tree``: with everything below it."""
    if not host.policy.ask:
        return ()
    found = rules(host.policy.ask)
    fold = host.policy.paths.fold_case or host.policy.windows
    return found.for_tree(path, ignore_case=fold) if tree else found.for_write(path, ignore_case=fold)


def subject_of(
    call: Call, hosts: Sequence[RemoteHost], what: str | None, where: str | None, *, root: bool = False
) -> Subject:
    """The exact call. What its arguments say word by word is not named a second time: one question covers both."""
    named = what is None or what in call.arguments.values()
    return Subject(
        tool=call.tool,
        logins=tuple(Login(host.alias, host.hostname, host.user) for host in hosts),
        arguments={name: to_jsonable_python(value) for name, value in call.arguments.items()},
        identity=call.caller.identity,
        what=None if named else what,
        where=where,
        root=root or call.tier == Tier.SUDO or call.arguments.get("sudo") is True,
    )


@lru_cache(maxsize=256)
def rules(entries: tuple[AskEntry, ...]) -> AskRules:
    """The parsed rules of a host. Entries were checked when they were loaded."""
    from ssh_mcp.policy.approval import AskRules  # late: nothing of it is wanted where nothing is asked

    return AskRules.of((each.entry, each.source) for each in entries)


def _everywhere(call: Call) -> tuple[AskEntry, ...]:
    """The rules of a call that is about no host."""
    return (*call.fleet.inventory.ask, *(call.role.ask if call.role is not None else ()))


def _unique(matches: Iterable[AskMatch]) -> tuple[AskMatch, ...]:
    return tuple(dict.fromkeys(matches))
