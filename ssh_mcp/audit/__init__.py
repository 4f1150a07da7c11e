"""Audit (one JSON line a call, optionally in a chained file) and hooks."""
