"""From what a caller writes for ``hosts`` to names: aliases, folded sets, tags and the algebra over them.

The syntax is ClusterShell's NodeSet (``web[01-20]``, ``@web&@eu``, ``@web!web03``, ``@db,web01``, ``web*``); tags of
hosts.toml are its groups. A plain name is passed on as it is, whether it is known or not: its own refusal says more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from ssh_mcp.errors import InvalidArgument
from ssh_mcp.inventory.values import nearest, shown

if TYPE_CHECKING:
    from ssh_mcp.inventory.model import HostPolicy

MAX_HOSTS: Final = 500
_OPERATORS: Final = re.compile(r"[@,&!^\[\]*?]")
"""What makes an item a set: without any of these it is one name."""
_RANGE: Final = re.compile(r"(\d{1,9})-(\d{1,9})")
_LONGEST: Final = 1_000


def select(items: Sequence[str], hosts: Iterable[HostPolicy]) -> list[str]:
    """The names that ``items`` mean, each once, in their order. Raises InvalidArgument."""
    known = list(hosts)
    names: dict[str, None] = {}
    for item in items:
        names.update(dict.fromkeys(_names(item, known) if _OPERATORS.search(item) else (item,)))
        if len(names) > MAX_HOSTS:
            raise InvalidArgument(f"The selection has more than {MAX_HOSTS} hosts.", "Select fewer at a time.")
    if not names:
        raise InvalidArgument("No host is selected.", _near(items, known))
    return list(names)


def fold(names: Iterable[str]) -> str:
    """Names in short: ``web[01-03],db1``."""
    from ClusterShell.NodeSet import NodeSet  # late: few calls are about many hosts

    try:
        return str(NodeSet.fromlist(list(names)))
    except Exception:  # noqa: BLE001 - a name that is not a node's stays as it is
        return ",".join(names)


def tags_of(hosts: Iterable[HostPolicy]) -> dict[str, list[str]]:
    """Aliases by tag."""
    found: dict[str, list[str]] = {}
    for host in hosts:
        for tag in host.tags:
            found.setdefault(tag, []).append(host.alias)
    return found


def complete_selection(begun: str, hosts: Iterable[HostPolicy]) -> list[str]:
    """What may follow: the last name or tag of a set completed, with the text before it."""
    known = list(hosts)
    head, last = re.fullmatch(r"(.*[,&!^])?([^,&!^]*)", begun, re.DOTALL).groups()  # type: ignore[union-attr]
    names = [f"@{tag}" for tag in sorted(tags_of(known))] + [host.alias for host in known]
    return [f"{head or ''}{name}" for name in names if name.lower().startswith(last.lower())]


def _names(item: str, known: Sequence[HostPolicy]) -> list[str]:
    from ClusterShell.NodeSet import NodeSet, NodeSetException
    from ClusterShell.NodeUtils import GroupResolver, GroupResolverError, GroupSource, GroupSourceError

    _bounded(item)
    aliases = [host.alias for host in known]
    groups = {tag: ",".join(members) for tag, members in tags_of(known).items()}
    resolver = GroupResolver(default_source=GroupSource("tags", groups=groups, allgroups=",".join(aliases)))
    missing = [tag for tag in re.findall(r"@([A-Za-z0-9_.-]+)", item) if tag not in groups]
    if missing:
        raise InvalidArgument(f"No host has the tag {shown(missing[0])}.", _near([f"@{missing[0]}"], known))
    try:
        found = list(NodeSet(item, resolver=resolver))
    except (NodeSetException, GroupSourceError, GroupResolverError) as error:
        raise InvalidArgument(
            f"The selection {shown(item)} cannot be read: {str(error)[:120]}.",
            "Write aliases, web[01-20], @tag, or sets joined by , & ! ^.",
        ) from None
    if not found:
        raise InvalidArgument(f"The selection {shown(item)} is empty.", _near([item], known))
    return found


def _bounded(item: str) -> None:
    """Ranges are spread out one by one: not those that nobody can mean."""
    sizes = [int(high) - int(low) + 1 for low, high in _RANGE.findall(item)]
    product = 1
    for size in sizes:
        product *= max(size, 1)
    if len(item) > _LONGEST or product > _LONGEST:
        raise InvalidArgument(f"The selection {shown(item[:80])} is too large.", f"Select at most {MAX_HOSTS} hosts.")


def _near(items: Sequence[str], known: Sequence[HostPolicy]) -> str:
    """Names that were perhaps meant."""
    tags = [f"@{tag}" for tag in tags_of(known)]
    everything = [host.alias for host in known] + tags
    guesses = dict.fromkeys(g for item in items if (g := nearest(item, everything)) is not None)
    if guesses:
        return f"Did you mean {', '.join(list(guesses)[:3])}?"
    if tags:
        return f"Tags are {', '.join(sorted(tags)[:10])}; ssh_host_list shows the hosts."
    return "No host has tags; ssh_host_list shows the hosts."
