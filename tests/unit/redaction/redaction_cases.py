"""Reads ``tests/data/redaction/cases``: outputs and files, written down without a look at the detectors.

``### name [@path] [esc] [crlf]`` begins a case; with a path it is a file that the redacting reader knows by its name.
⟦…⟧ are secrets that must not survive in any reading; ⟨…⟩ may only show in a command's output, where no path tells the
format; ⦅…⦆ are known to show (no context tells them from ordinary words) or are ciphertext. ``¦`` breaks a token's
prefix, so that no scanner takes the corpus for a leak, and is left out. ``esc``: ``\\x1b`` and ``\\u200b`` are meant.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ssh_mcp.redaction.values import MARKER

CASES = Path(__file__).resolve().parents[2] / "data" / "redaction" / "cases"
_ESCAPED = re.compile(r"\\x(..)|\\u(....)|\\n")
_MARKED = re.compile(r"⟦([^⟧]*)⟧|⟨([^⟩]*)⟩|⦅([^⦆]*)⦆")
_SEQUENCE = re.compile("\x1b\\[[0-9;]*[A-Za-z]|\0")


@dataclass(frozen=True)
class Case:
    """One output or file with its marks."""

    name: str
    path: str
    marked: str

    @property
    def text(self) -> str:
        return _MARKED.sub(lambda m: m[1] or m[2] or m[3] or "", self.marked)

    def secrets(self, *, reader: bool) -> list[str]:
        """What must not survive."""
        clean = _SEQUENCE.sub("", self.marked)
        return [m[1] or m[2] for m in _MARKED.finditer(clean) if m[1] or (reader and m[2])]

    def leaked(self, result: str, *, reader: bool) -> list[str]:
        """Secrets that stand in ``result`` more often than elsewhere in the text."""
        bare = MARKER.sub("\0", result)
        elsewhere = _MARKED.sub(lambda m: "\0" if m[1] or (reader and m[2]) else m[0], _SEQUENCE.sub("", self.marked))
        return [s for s in self.secrets(reader=reader) if bare.count(s.strip()) > elsewhere.count(s.strip())]

    def changed(self, result: str) -> list[str]:
        """Lines without a mark that did not come back as they were."""
        have = Counter(result.split("\n"))
        inside = False
        lost = []
        for line in _SEQUENCE.sub("", self.marked).split("\n"):
            begins, ends = any(c in line for c in "⟦⟨⦅"), any(c in line for c in "⟧⟩⦆")
            if not (inside or begins):
                have[line] -= 1
                lost += [line] if have[line] < 0 else []
            inside = (inside or begins) and not (ends and line.rfind("⟦") <= line.rfind("⟧"))
        return lost


def cases() -> list[Case]:
    """All of them, in the order of the files."""
    found = []
    for file in sorted(CASES.glob("*.txt")):
        for chunk in re.split(r"(?m)^### ", file.read_text(encoding="utf-8"))[1:]:
            head, _, body = chunk.partition("\n")
            name, *flags = head.split()
            body = body.replace("¦", "")
            if "esc" in flags:
                body = _ESCAPED.sub(lambda m: chr(int(m[1] or m[2], 16)) if m[1] or m[2] else "\n", body)
            if "crlf" in flags:
                body = body.replace("\n", "\r\n")
            path = next((flag[1:] for flag in flags if flag[0] == "@"), "")
            found.append(Case(f"{file.stem}:{name}", path, body))
    return found
