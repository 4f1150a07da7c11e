"""Readers of one format each: text in, spans out."""
