"""Quoting for a POSIX shell lives with the tokens; rooms that work on shell text find it here as well."""

from __future__ import annotations

from ssh_mcp.tokens import quote

__all__ = ["quote"]
