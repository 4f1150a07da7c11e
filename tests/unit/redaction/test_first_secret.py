"""What a raw reader learns about a text: whether it holds a secret, which and where."""

from __future__ import annotations

import pytest

from ssh_mcp.redaction.engine import Finding, first_secret
from tests.unit.redaction.redaction_support import RULES


@pytest.mark.parametrize(
    ("text", "path", "found"),
    [
        ("# app\nport = 1\nDB_PASSWORD=hunter2-x\n", "", Finding("key", "DB_PASSWORD", 3)),
        ("a: 1\ndb:\n  password: hunter2-x\n", "/etc/app.yaml", Finding("key", "db.password", 3)),
        ('{"a": [{"secret": "hunter2-x"}]}', "/etc/app.json", Finding("key", "a.0.secret", 1)),
        ("see https://app:hunter2-x@db.example/\n", "", Finding("url", None, 1)),
        ("x\n-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r\n", "", Finding("pem", None, 2)),
        ("db:5432:app:app:hunter2-x\n", "/home/op/.pgpass", Finding("key", "db.app", 1)),
        ("hunter2-x\n", "/run/secrets/db", Finding("file", None, 1)),
        ("machine a login b\npassword hunter2-x\n", "/root/.netrc", Finding("key", "password", 2)),
    ],
)
def test_the_first_secret_is_named_with_its_line(text: str, path: str, found: Finding) -> None:
    assert first_secret(text, RULES, path=path) == found


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("", ""),
        ("# Passwords\nKeep your password secret.\n", "/srv/README.md"),
        ("password_file = /run/secrets/db\nmax_tokens = 4096\n", "/etc/app.ini"),
        ("sha256:" + "0123456789abcdef" * 4 + "\n", ""),
        ("aGVsbG8gd29ybGQgdGhpcyBpcyBsb25n" * 3 + "\n", ""),
        ("password: <sha:0a1b2c3d4e5f len:7>\n", "/etc/app.yaml"),
        ("def login(password: str) -> None:\n    check(password)\n", "/srv/app.py"),
    ],
)
def test_ordinary_text_holds_none(text: str, path: str) -> None:
    assert first_secret(text, RULES, path=path) is None
