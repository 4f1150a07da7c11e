"""Every detector. A new one is one file: its ``DETECTOR``, named here.

The order decides where two report the same place: what comes first gives the name.
"""

from __future__ import annotations

from ssh_mcp.redaction.detectors import (
    assigned,
    calls,
    commands,
    continued,
    directives,
    elements,
    encoded,
    flags,
    hashes,
    headers,
    key_blocks,
    kubernetes,
    mappings,
    marked,
    pairs,
    program,
    scalars,
    sentences,
    sql,
    tables,
    tokens,
    urls,
    variables,
    yielded,
)
from ssh_mcp.redaction.detectors.base import Detector

DETECTORS: tuple[Detector, ...] = (
    key_blocks.DETECTOR,
    tokens.DETECTOR,
    urls.DETECTOR,
    headers.DETECTOR,
    hashes.DETECTOR,
    assigned.DETECTOR,
    encoded.DETECTOR,
    elements.DETECTOR,
    pairs.DETECTOR,
    scalars.DETECTOR,
    variables.DETECTOR,
    mappings.DETECTOR,
    flags.DETECTOR,
    calls.DETECTOR,
    program.DETECTOR,
    yielded.DETECTOR,
    directives.DETECTOR,
    sentences.DETECTOR,
    sql.DETECTOR,
    tables.PAIR_ROWS,
    tables.DETECTOR,
    commands.DETECTOR,
    continued.DETECTOR,
    marked.DETECTOR,
    kubernetes.DETECTOR,
)
