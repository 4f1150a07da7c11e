"""One SKILL.md a tool, shipped as package data: front part generated, body written by hand."""
