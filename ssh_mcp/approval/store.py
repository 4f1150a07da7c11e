"""What approval keeps on disk: the key that seals questions, which seals were used, and the operator's grants.

All of it lies in one directory (0700, files 0600) of the user's state directory, shared by this user's servers: a
question asked before a restart can be answered after it, a seal can be used once by whichever server gets it first,
and a grant of the operator outlives the server. Where the directory cannot be used, the same is kept in memory.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import stat
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

SEAL_SECONDS: Final = 600.0
"""How long a sealed question can be answered, and how long a yes that nobody waited for stays good."""

_KEY_BYTES: Final = 32

logger = logging.getLogger("ssh_mcp")


@dataclass(frozen=True, slots=True)
class Grant:
    """A yes that is good until ``expires`` (seconds since the epoch): for one call, or for each equal one.

    ``fingerprint`` is that of the subject; ``summary`` is for people.
    """

    id: str
    fingerprint: str
    identity: str
    summary: str
    who: str
    expires: float
    once: bool


def state_directory() -> Path:
    """Where approval's files belong; not made here."""
    from platformdirs import user_state_path

    return user_state_path("ssh-mcp", appauthor=False) / "approval"


class ApprovalStore:
    """The directory, opened at first use; ``problem`` says why it is not used."""

    def __init__(self, directory: Path | None = None) -> None:
        self._wanted = directory
        self._directory: Path | None = None
        self._opened = False
        self._used: set[str] = set()
        self._grants: dict[str, Grant] = {}
        self._key = b""
        self.problem: str | None = None

    def key(self) -> bytes:
        """The secret that seals questions: 32 random bytes, made once per user."""
        if not self._key:
            directory = self._open()
            self._key = _key_in(directory / "key") if directory else secrets.token_bytes(_KEY_BYTES)
        return self._key

    def use(self, nonce: str) -> bool:
        """Mark a seal as used. False: it was used already, here or in another server of this user."""
        if nonce in self._used:
            return False
        self._used.add(nonce)
        directory = self._open()
        if directory is None:
            return True
        used = directory / "used"
        try:
            used.mkdir(mode=0o700, exist_ok=True)
            _forget_old(used)
            os.close(os.open(used / nonce, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            return False
        except OSError as error:
            logger.warning("An approval could not be marked as used (%s), so it does not count.", error.strerror)
            return False
        return True

    def keep(self, grant: Grant) -> None:
        """Store a grant of the operator."""
        directory = self._open()
        if directory is None:
            self._grants[grant.id] = grant
            return
        folder = directory / "grants"
        folder.mkdir(mode=0o700, exist_ok=True)
        temporary = folder / f".{grant.id}"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(grant), file)
        temporary.rename(folder / f"{grant.id}.json")

    def grants(self) -> list[Grant]:
        """All that are still good, soonest to end first."""
        found = list(self._grants.values())
        directory = self._open()
        if directory is not None:
            found += [g for file in sorted((directory / "grants").glob("*.json")) if (g := _read(file)) is not None]
        now = time.time()
        for grant in found:
            if grant.expires <= now:
                self.remove(grant.id)
        return sorted((g for g in found if g.expires > now), key=lambda g: g.expires)

    def remove(self, grant_id: str) -> bool:
        """Withdraw or consume a grant. False: it is gone already, so that a once-grant serves one call only."""
        if self._grants.pop(grant_id, None) is not None:
            return True
        directory = self._open()
        if directory is None or not grant_id.isalnum():
            return False
        try:
            (directory / "grants" / f"{grant_id}.json").unlink()
        except OSError:
            return False
        return True

    def _open(self) -> Path | None:
        if not self._opened:
            self._opened = True
            try:
                self._directory = _private(self._wanted or state_directory())
            except OSError as error:
                self.problem = error.strerror or str(error)
                logger.warning(
                    "Approvals are kept in memory (%s): a question or grant does not survive this server.", self.problem
                )
        return self._directory


def _private(path: Path) -> Path:
    """The directory, ours alone. Raises OSError."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    seen = path.lstat()
    if os.name == "posix" and (
        not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.geteuid() or stat.S_IMODE(seen.st_mode) & 0o077
    ):
        raise PermissionError(f"{path} is not a directory that is closed to everybody else")
    return path


def _key_in(file: Path) -> bytes:
    """The key's bytes. A first server writes it aside and links it, so that two that start at once get the same."""
    for _ in range(2):
        try:
            seen = file.lstat()
            data = file.read_bytes()
        except FileNotFoundError:
            data = b""
        except OSError:
            return secrets.token_bytes(_KEY_BYTES)
        else:
            if len(data) == _KEY_BYTES and (os.name != "posix" or not stat.S_IMODE(seen.st_mode) & 0o077):
                return data
            file.unlink(missing_ok=True)
        aside = file.with_name(f".key-{secrets.token_hex(6)}")
        try:
            descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as out:
                out.write(secrets.token_bytes(_KEY_BYTES))
            os.link(aside, file)
        except OSError as error:
            logger.debug("the approval key was not written: %s", error)
        finally:
            aside.unlink(missing_ok=True)
    return secrets.token_bytes(_KEY_BYTES)


def _forget_old(used: Path) -> None:
    """Seals older than their life are refused by their own date, so that their marks are not needed."""
    limit = time.time() - 2 * SEAL_SECONDS
    for mark in used.iterdir():
        if mark.stat().st_mtime < limit:
            mark.unlink(missing_ok=True)


def _read(file: Path) -> Grant | None:
    try:
        return Grant(**json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
