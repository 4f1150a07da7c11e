"""Recordings of shells, terminals, jobs and commands, as the model saw them: redacted before they reach the disk."""
