"""Audit (one JSON line per call, optionally in a chained file) and hooks."""
