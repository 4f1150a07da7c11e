"""What models ask of files: unified diffs, and parts of files that hold secrets."""

from __future__ import annotations

import posixpath
import random
from typing import Any

from ssh_mcp.errors import Refusal
from ssh_mcp.inventory.model import RedactionPolicy
from ssh_mcp.redaction import engine as redaction
from ssh_mcp.remote.files import text_edits
from ssh_mcp.remote.files.archive import members
from tests.fuzz.engine import Broken, Target

# --- unified diffs ------------------------------------------------------------------------------------------------

_DIFFED = "".join(f"line {n}\n" for n in range(12))
_DIFF = "--- a/f\n+++ b/f\n@@ -2,3 +2,3 @@\n line 1\n-line 2\n+zwei\n line 3\n@@ -9,2 +9,3 @@\n line 8\n+neu\n line 9\n"


def _diff(text: str, _rng: random.Random) -> None:
    """A diff is applied with every line that looks like a change, or refused."""
    try:
        changed = text_edits.patch(_DIFFED, text, "/f")
    except Refusal:
        return
    header = 0
    rows = text.split("\n-- \n", maxsplit=1)[0].split("\n")
    for position, row in enumerate(rows):
        header += row.startswith("--- ") and position + 1 < len(rows) and rows[position + 1].startswith("+++ ")
    added = sum(row.startswith("+") for row in rows) - header
    removed = sum(row.startswith("-") and row.rstrip("\r") != "-- " for row in rows) - header
    if changed.count("\n") - _DIFFED.count("\n") not in range(added - removed - 1, added - removed + 2):
        raise Broken(f"{added} added and {removed} removed made {changed!r}")


# --- parts of files -----------------------------------------------------------------------------------------------

_CANARY = "cAnary-h0rse-battery-77"
_CONFIGS = [
    f"name = web\ndb_password = {_CANARY}\nport = 80\n",
    f"DB_PASSWORD={_CANARY}\nDEBUG=1\n",
    f"db:\n  password: {_CANARY}\n  host: db01\n",
    f'{{"db": {{"password": "{_CANARY}", "port": 5432}}}}\n',
]


def _part(text: str, rng: random.Random) -> None:
    """Whatever part is asked for, it shows no more of a secret than the whole file does."""
    whole = redaction.redact_file(text, redaction.rules_from(RedactionPolicy())).text
    start = rng.randrange(len(text) + 1)
    end = rng.randrange(start, len(text) + 1)
    part = redaction.redact_part(text, start, end, redaction.rules_from(RedactionPolicy())).text
    pieces = [_CANARY[i : i + 5] for i in range(len(_CANARY) - 4)]
    if leaked := [p for p in pieces if part.count(p) > whole.count(p)]:
        raise Broken(f"{start}:{end} shows {leaked[0]!r}: {part!r}")


# --- archives -----------------------------------------------------------------------------------------------------

_MEMBERS = (
    'drwxr-xr-x 0/0  0 2026-11-27 23:00 "a/"\n-rw-r--r-- 0/0 12 2026-11-27 23:00 "a/b"\n'
    'lrwxrwxrwx 0/0  0 2026-11-27 23:00 "a/l" -> "b"\nhrw-r--r-- 0/0 0 2026-11-27 23:00 "h" link to "a/b"\n'
)


def _members(text: str, _rng: random.Random) -> None:
    """An archive that may be unpacked has no member, link or chain of links that leads out of the directory."""
    try:
        found = members.parse_tar(text.encode("utf-8", "surrogatepass"))
    except ValueError:
        return
    if members.refusal(found) is not None:
        return
    links = {members.plain(m.path): m.target for m in found if m.kind == "symlink"}
    for member in found:
        path = posixpath.normpath(posixpath.join("/in", member.path))
        if not f"{path}/".startswith("/in/"):
            raise Broken(f"{member.path!r} leads out")
        if member.kind == "symlink" and not _inside(members.plain(member.path) or "", links):
            raise Broken(f"the link {member.path!r} leads out to {member.target!r}")


def _inside(path: str, links: dict[str | None, str]) -> bool:
    """Follow a path as a kernel does, name by name; it may end nowhere, but never above the root."""
    here: list[str] = []
    waiting, steps = path.split("/"), 0
    while waiting and steps < 200:
        steps += 1
        name = waiting.pop(0)
        if name in ("", "."):
            continue
        if name == "..":
            if not here:
                return False
            here.pop()
            continue
        target = links.get("/".join([*here, name]))
        if target is None:
            here.append(name)
        elif target.startswith("/"):
            return False
        else:
            waiting = target.split("/") + waiting
    return True


TARGETS: list[Target[Any]] = [
    Target("archive_members", [_MEMBERS], _members, ["../", "/", "..", " -> ", "a/l", "\\056", '"', "\n", "h"]),
    Target(
        "unified_diff", [_DIFF], _diff, ["@@ -1 +1 @@\n", "+x\n", "-line 2\n", " line 3\n", "\\ No newline", "-- \n"]
    ),
    Target("file_part", _CONFIGS, _part, ["password: ", "token = ", '"secret": "', "\n", "  ", "'"]),
]
