"""The server's own log: what a library says in detail, or an exception quotes, may hold an argument or output."""

from __future__ import annotations

import logging
import re

from ssh_mcp.inventory.model import RedactionPolicy

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_INDENT = "    "


class MaskingFormatter(logging.Formatter):
    """Masks secrets in DEBUG lines and tracebacks. Other lines are sentences of ours, and free of them.

    What a client or a host sent may be in any of them: it can neither begin a line of its own, since further lines of
    a record are indented, nor move a terminal.
    """

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        if record.levelno <= logging.DEBUG or record.exc_info or record.exc_text:
            from ssh_mcp.redaction.engine import redact_output, rules_from  # late: a tenth of the start

            text = redact_output(text, rules_from(RedactionPolicy())).text
        return _CONTROL.sub(_escaped, text.replace("\n", f"\n{_INDENT}"))


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
