"""What the redaction tests share: rules of a default policy, marked-up snippets, the corpus."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from ssh_mcp.inventory.model import RedactionPolicy
from ssh_mcp.redaction import lines
from ssh_mcp.redaction.engine import Repeats, Rules, redact_file, redact_output, rules_from
from ssh_mcp.redaction.values import MARKER

DATA = Path(__file__).resolve().parents[2] / "data" / "redaction"
RULES: Rules = rules_from(RedactionPolicy())
_MARKED = re.compile(r"«(.*?)»", re.DOTALL)


def plain(marked: str) -> str:
    """A snippet without its «marks»."""
    return marked.replace("«", "").replace("»", "")


def wanted(marked: str) -> str:
    """The snippet with every marked secret as §."""
    return _MARKED.sub("§", marked)


def shown(redacted: str) -> str:
    """A redacted text with every marker as §."""
    return MARKER.sub("§", redacted)


def output(text: str) -> str:
    """Output masked. Short text is let through where the gate sees nothing in it: the detectors must agree."""
    if text.isascii() and not RULES.gate.may_find(text):
        assert lines.find(text, RULES) == [], text
    return redact_output(text, RULES).text


def in_pieces(*pieces: str) -> str:
    """Pieces of one output masked one by one, which share what they know of repeated values."""
    known = Repeats(forward=True)
    return "".join(redact_output(piece, RULES, known).text for piece in pieces)


def file(text: str, path: str = "") -> str:
    return redact_file(text, RULES, path=path).text


def snippets(name: str) -> list[str]:
    text = (DATA / name).read_text(encoding="utf-8")
    return text.rstrip("\n").split("\n\n" if "secret" in name else "\n")


@dataclass(frozen=True)
class Labelled:
    """One file of the corpus."""

    name: str
    path: str
    text: str
    reading: str
    secrets: dict[str, int]
    secret_lines: frozenset[int]

    def redacted(self, text: str | None = None) -> str:
        given = self.text if text is None else text
        return output(given) if self.reading == "output" else file(given, self.path)


def corpus() -> list[Labelled]:
    found = []
    for sidecar in sorted(DATA.rglob("*.labels.json")):
        labels = json.loads(sidecar.read_text(encoding="utf-8"))
        source = sidecar.with_name(sidecar.name.removesuffix(".labels.json"))
        with source.open(encoding="utf-8", newline="") as handle:
            text = handle.read()
        name = str(source.relative_to(DATA))
        found.append(
            Labelled(
                name=name,
                path=labels.get("path", name),
                text=text,
                reading=labels["reading"],
                secrets=labels["secrets"],
                secret_lines=frozenset(labels["secret_lines"]),
            )
        )
    return found
