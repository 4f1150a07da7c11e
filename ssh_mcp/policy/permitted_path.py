"""What may be touched: paths that only ``policy`` makes (``permitted`` has the commands that may run)."""

from __future__ import annotations

from typing import Final, Self


class Maker:
    """Its one instance is what a permitted value is made with."""


POLICY: Final = Maker()


class PermittedPath(str):
    """A canonical path that the host's path policy permits for one purpose; the text is the path itself.

    Whoever reads, writes or removes takes this type, so that the type checker finds an argument that nobody decided
    about. ``warnings`` belong in output_warnings, ``redact_bypass`` in the audit line: it is redact-listed and was
    permitted to be delivered unmasked.
    """

    __slots__ = ("redact_bypass", "warnings")
    warnings: tuple[str, ...]
    redact_bypass: bool

    def __new__(cls, path: str, *, maker: Maker, warnings: tuple[str, ...] = (), redact_bypass: bool = False) -> Self:
        if maker is not POLICY:
            raise TypeError("only policy makes a PermittedPath")
        made = super().__new__(cls, path)
        made.warnings = warnings
        made.redact_bypass = redact_bypass
        return made
