"""Groups of the help page, and parameters that several commands have."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Group, Parameter

FIRST = Group("First steps", sort_key=1)
SERVER = Group("Server", sort_key=2)
CONNECTIONS = Group("Connections", sort_key=3)

Json = Annotated[
    bool, Parameter(name="--json", negative="", show_default=False, help="Print JSON, for programs to read.")
]
