"""``ssh-mcp audit play``: recordings, after their hash was compared with the audit's."""

from __future__ import annotations

import hashlib
import json
import re
import sys
import time
from pathlib import Path

from ssh_mcp.audit import reader
from ssh_mcp.audit.rows import plain, shown_time
from ssh_mcp.cli.output import console, say
from ssh_mcp.errors import ConfigError
from ssh_mcp.recording.asciicast import as_output, events
from ssh_mcp.recording.recorder import SUFFIX
from ssh_mcp.settings.model import Settings, load_settings


def play(wanted: str | None, directory: Path | None, *, speed: float, idle: float, at_once: bool) -> int:
    """Play one recording, or list all. Exit status 1 where there is none, or where its hash is not the audit's."""
    settings, _ = load_settings()
    place = directory or (Path(settings.ssh_record_dir) if settings.ssh_record_dir else None)
    if place is None:
        raise ConfigError("Nothing is recorded: SSH_RECORD_DIR is not set. Set it, or name a directory with --dir.")
    files = sorted(place.glob(f"*{SUFFIX}"))
    if wanted is None:
        return _list(files)
    found = _find(files, wanted, settings)
    if found is None:
        say(console(stderr=True), f"There is no recording {plain(wanted)[:80]} in {place}.")
        return 1
    sound = _compare(found, settings)
    _show(found, speed, idle, at_once=at_once or not sys.stdout.isatty())
    return 0 if sound else 1


def _list(files: list[Path]) -> int:
    for file in files:
        with file.open(encoding="utf-8", errors="replace") as stream:
            title = plain(str(_header(stream.readline()).get("title", "")))
        print(f"{shown_time(file.stat().st_mtime)} {file.stat().st_size:>10}  {plain(file.stem)}  {title}")
    return 0 if files else 1


def _find(files: list[Path], wanted: str, settings: Settings) -> Path | None:
    """By its name, by the id that its name ends with, or by the correlation id of a call in it."""
    word = wanted.removesuffix(SUFFIX)
    for file in reversed(files):
        if file.stem == word or file.stem.endswith(f"-{word}"):
            return file
    if settings.ssh_audit_file and re.fullmatch("[0-9a-f]{16}", word):
        audit = reader.audit_files(Path(settings.ssh_audit_file))
        for record in reader.read(audit, reader.Query(correlation_id=word)):
            return next((file for file in files if file.stem == record.recording), None)
    return None


def _compare(file: Path, settings: Settings) -> bool:
    """Whether the file has the hash that the audit's last line about it has; says so where it has not."""
    errors = console(stderr=True)
    if not settings.ssh_audit_file:
        say(errors, "No audit file is set: the recording's hash was not compared.")
        return True
    last = None
    for record in reader.read(reader.audit_files(Path(settings.ssh_audit_file)), reader.Query(recording=file.stem)):
        last = record.recording_hash
    with file.open("rb") as stream:
        actual = f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"
    if last is None:
        say(errors, "The audit has no line about this recording: its hash was not compared.")
    elif last != actual:
        say(errors, "This recording was CHANGED: its hash is not the one in the audit.")
        return False
    return True


def _header(line: str) -> dict[str, object]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _show(file: Path, speed: float, idle: float, *, at_once: bool) -> None:
    with file.open(encoding="utf-8", errors="replace") as stream:
        stream.readline()
        shown = 0.0
        for event in events(iter(stream)):
            if not at_once:
                time.sleep(max(0.0, min(event.seconds - shown, idle)) / speed)
            shown = event.seconds
            if event.kind == "o":
                # Harmless as written; somebody may have changed the file since.
                sys.stdout.write(as_output(event.text))
                sys.stdout.flush()
