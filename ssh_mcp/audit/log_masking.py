"""The server's own log: what a library says in detail, or an exception quotes, may hold an argument or an answer."""

from __future__ import annotations

import logging

from ssh_mcp.inventory.model import RedactionPolicy


class MaskingFormatter(logging.Formatter):
    """Masks secrets in DEBUG lines and tracebacks. Other lines are sentences of ours, and free of them."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        if record.levelno > logging.DEBUG and not (record.exc_info or record.exc_text):
            return text
        from ssh_mcp.redaction.engine import redact_output, rules_from  # late: its patterns are a tenth of the start

        return redact_output(text, rules_from(RedactionPolicy())).text
