"""Names of owners and groups: sent by the SFTP server (from 9.1 on), else read from the host's own tables."""

from __future__ import annotations

from typing import Final
from weakref import WeakKeyDictionary

from transports.api import Files
from transports.errors import FileError

_TABLE_MAX: Final = 1 << 20
"""Bytes of /etc/passwd or /etc/group that are read; with more, some numbers stay numbers."""

Names = dict[int, str]

_KNOWN: WeakKeyDictionary[Files, tuple[Names, Names]] = WeakKeyDictionary()
"""What a channel has received: it costs a round trip only once."""


async def owner_and_group(files: Files, uid: int, gid: int) -> tuple[str, str]:
    """The names; the numbers as text where nobody knows them."""
    users, groups = _KNOWN.setdefault(files, ({}, {}))
    if uid not in users or gid not in groups:
        new_users, new_groups = await files.names([uid], [gid])
        if not new_users and not new_groups:
            if not users:
                users.update(await _table(files, "/etc/passwd"))
                groups.update(await _table(files, "/etc/group"))
            new_users, new_groups = users, groups
        users[uid] = new_users.get(uid, str(uid))
        groups[gid] = new_groups.get(gid, str(gid))
    return users[uid], groups[gid]


async def _table(files: Files, path: str) -> Names:
    """passwd(5) and group(5): the name first, its number third; as with getent the first entry of a number counts."""
    try:
        handle = await files.open(path, "r")
        try:
            data = await handle.read(0, _TABLE_MAX)
        finally:
            await handle.close()
    except FileError:
        return {}
    names: Names = {}
    for line in data.decode("utf-8", "replace").splitlines():
        fields = line.split(":", 3)
        if len(fields) == 4 and fields[0] and fields[2].isascii() and fields[2].isdigit():
            names.setdefault(int(fields[2]), fields[0])
    return names
