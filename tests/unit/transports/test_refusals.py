"""What hosts write to accounts that get no session, as the accounts' own state."""

from __future__ import annotations

import pytest

from transports.refusals import account_refusal


@pytest.mark.parametrize(
    ("said", "what", "remedy"),
    [
        (
            "WARNING: Your password has expired.\nPassword change required but no TTY available.",
            "password",
            "plain ssh",
        ),
        ("You are required to change your password immediately (administrator enforced).", "password", "plain ssh"),
        ("Your account has expired; please contact your system administrator.", "has expired", "chage"),
        ("This account is currently not available.", "nologin", "chsh"),
        ("This account is not available", "nologin", "chsh"),
        ("This service allows sftp connections only.", "SFTP only", "another account"),
        ("fatal: unrecognized command 'exec sh -c x'", "git-shell", "another account"),
        ("rbash: line 1: exec: restricted", "restricted shell", "another account"),
    ],
)
def test_the_text_of_a_refusal_gives_its_remedy(said: str, what: str, remedy: str) -> None:
    found = account_refusal(f"Welcome!\r\n{said}\r\n")
    assert found is not None
    assert what in found.what
    assert remedy in found.remedy


@pytest.mark.parametrize(
    "said", ["", "bash: line 1: foo: command not found", "The account is available.", "is: restricted to staff"]
)
def test_other_text_is_no_refusal(said: str) -> None:
    assert account_refusal(said) is None
