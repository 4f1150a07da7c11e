"""Words for the search: what a query and a tool's texts have in common, whatever their grammar. Pure."""

from __future__ import annotations

import re
from typing import Final

_WORD: Final = re.compile(r"[a-z0-9]{2,}")
_SECTION: Final = re.compile(r"^## (.+)$", re.MULTILINE)
_USE: Final = "When to use"
"""The section of a skill that says what its tool is for; the others name other tools' work too."""
_STOP: Final = frozenset(
    """
    about after all also am an and any are as at be because been before but by can could did do does doing done for from
    get gets give had has have having he her here hers him his how if in into is it its just like make me more most my
    need needs no nor not now of off on once one only or other our out over own please same she should show so some such
    than that the their them then there these they thing this those through to too under until up us use used uses using
    very want was we were what when where while who whom will with would you your ssh tool tools example instead
    """.split()  # noqa: SIM905 - a list of 140 literals is not easier to read
)
"""English function words, and words that every tool's text has."""
_SAME: Final = {
    "full": "space", "fail": "failed", "failing": "failed", "failure": "failed", "crash": "failed", "crashed": "failed",
    "broken": "failed", "daemon": "service", "unit": "service", "rollback": "backup", "roll": "backup",
    "revert": "backup", "undo": "backup", "restore": "backup", "config": "configuration", "conf": "configuration",
    "folder": "directory", "ram": "memory", "untar": "archive", "unpack": "archive", "unzip": "archive",
    "tarball": "archive", "schedule": "start", "launch": "start", "cron": "job", "background": "job", "root": "sudo",
}  # fmt: skip
"""What people say for what the tools' texts say."""
_NAME_WEIGHT: Final = 3
_DESCRIPTION_WEIGHT: Final = 2
_USE_WEIGHT: Final = 2


def words(text: str) -> list[str]:
    """The words of a text that carry meaning, in one form each."""
    return [_one_form(word) for word in _WORD.findall(text.lower()) if word not in _STOP]


def _one_form(word: str) -> str:
    """``_SAME``, and plurals as singulars: ``processes`` and ``process``, ``queries`` and ``query``."""
    if word in _SAME:
        return _SAME[word]
    if len(word) > 4 and word.endswith("ies"):
        word = word[:-3] + "y"
    elif len(word) > 4 and word.endswith(("sses", "xes", "ches", "shes")):
        word = word[:-2]
    elif len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    return _SAME.get(word, word)


def document(name: str, description: str, parameters: str, skill: str) -> str:
    """All that a tool is found by."""
    parts = [words(name)] * _NAME_WEIGHT + [words(description)] * _DESCRIPTION_WEIGHT
    parts += [words(_use(skill))] * _USE_WEIGHT + [words(parameters)]
    return " ".join(word for part in parts for word in part)


def _use(skill: str) -> str:
    pieces = _SECTION.split(skill)
    return " ".join(text for title, text in zip(pieces[1::2], pieces[2::2], strict=True) if title == _USE)
