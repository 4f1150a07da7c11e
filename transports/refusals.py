"""Accounts that may log in and then get no session: what the host writes, and the remedy. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class AccountRefusal:
    """``what`` is a clause about "the account", ``remedy`` a sentence for the operator."""

    what: str
    remedy: str


_CHANGE: Final = "A person must change it: log in with plain ssh in a terminal, where the host asks for a new one."
_EXPIRED: Final = AccountRefusal("has an expired password", _CHANGE)
_OTHER: Final = "Commands need another account, or another login shell for this one."
_TABLE: Final = tuple(
    (re.compile(pattern, re.IGNORECASE | re.MULTILINE), refusal)
    for pattern, refusal in (
        # sshd's session.c: "WARNING: Your password has expired." "Password change required but no TTY available."
        (r"password (?:has|is) expired|password change required|required to change your password", _EXPIRED),
        # PAM (pam_unix): "Your account has expired; please contact your system administrator."
        (
            r"your account has expired",
            AccountRefusal("has expired", "Its administrator can extend it: chage -E -1 NAME on the host."),
        ),
        # nologin(8) of shadow and util-linux; /etc/nologin is said before, and ends the login itself
        (
            r"this account is (?:currently )?not available",
            AccountRefusal(
                "has nologin as its login shell and runs no commands",
                "Its login shell can be changed on the host: chsh -s /bin/sh NAME.",
            ),
        ),
        # sshd's internal-sftp as a ForceCommand
        (
            r"this service allows sftp connections only",
            AccountRefusal("is allowed SFTP only", "Commands need another account."),
        ),
        # git-shell(1): "fatal: unrecognized command 'exec sh …'", "fatal: Interactive git shell is not enabled."
        (
            r"^fatal: (?:unrecognized command|interactive git shell)",
            AccountRefusal("has git-shell as its login shell, which runs git's commands only", _OTHER),
        ),
        # bash -r and its kin: "rbash: line 1: exec: restricted", "rksh: sh: restricted"
        (
            r": restricted\s*$",
            AccountRefusal("has a restricted shell as its login shell", _OTHER),
        ),
    )
)


def account_refusal(said: str) -> AccountRefusal | None:
    """The refusal behind what a session wrote before it ended; None where the text is none of these."""
    return next((refusal for pattern, refusal in _TABLE if pattern.search(said)), None)
