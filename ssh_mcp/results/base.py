"""The base of all result models, and the marks that show the guard where a piece of text came from.

Unmarked ``str`` fields count as host output: the guard sanitises and redacts them. A field that this program made up
itself is ``Ours``; a field that must arrive byte for byte (an edit is made from it) is ``Raw``: the guard only warns.
A field of many hosts, each part of which its own host's guard has seen already, is ``GUARDED``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Protocol

from pydantic import BaseModel, ConfigDict, Field


class Provenance(StrEnum):
    """Who wrote a text."""

    HOST = "host"
    OURS = "ours"
    RAW = "raw"
    GUARDED = "guarded"


class Rows(StrEnum):
    """Which rows of a list a result keeps where not all of them fit (see ``ssh_mcp.guard.fit``): the first, unless a
    list is marked otherwise.
    """

    FIRST = "first"
    LAST = "last"


Ours = Annotated[str, Provenance.OURS]
Raw = Annotated[str, Provenance.RAW]


class Result(BaseModel):
    """What a tool returns. Field names are part of the contract with clients and do not change."""

    model_config = ConfigDict(extra="forbid")

    def quiet_fields(self) -> frozenset[str]:
        """Fields that carry nothing in this result and are left out of its text form."""
        return frozenset()


class LongText(Protocol):
    """A stream of which a result's field holds only the begin, until the guard cuts it to head and tail."""


class Warned(Result):
    """A result that can carry remarks about its own text."""

    output_warnings: list[Ours] = Field(default_factory=list)


class Spooled(Warned):
    """A result that may be cut to the size of a context: ``ssh_output_read`` shows the rest of ``output_id``.

    ``left_out`` counts the rows that a list or mapping had and the result has not. Every result with one is of this
    kind.
    """

    output_id: Ours | None = None
    left_out: dict[Ours, int] = Field(default_factory=dict)

    def when_cut(self) -> dict[str, object]:
        """Fields that say otherwise where rows were left out; called on the result without them."""
        return {"truncated": True} if "truncated" in type(self).model_fields else {}
