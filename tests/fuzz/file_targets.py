"""What models ask of files: unified diffs, and parts of files that hold secrets."""

from __future__ import annotations

import random
from typing import Any

from ssh_mcp.errors import Refusal
from ssh_mcp.inventory.model import RedactionPolicy
from ssh_mcp.redaction import engine as redaction
from ssh_mcp.remote.files import text_edits
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


TARGETS: list[Target[Any]] = [
    Target(
        "unified_diff", [_DIFF], _diff, ["@@ -1 +1 @@\n", "+x\n", "-line 2\n", " line 3\n", "\\ No newline", "-- \n"]
    ),
    Target("file_part", _CONFIGS, _part, ["password: ", "token = ", '"secret": "', "\n", "  ", "'"]),
]
