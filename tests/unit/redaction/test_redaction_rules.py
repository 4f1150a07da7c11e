"""Markers, salt, hints, the operator's keys, references and entropy."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from ssh_mcp.inventory.model import RedactionPolicy
from ssh_mcp.redaction.engine import Format, first_secret, mask_key_value, redact_file, redact_output, rules_from
from tests.unit.redaction.redaction_support import RULES, file, output, shown

SALT = "0123456789abcdef0123456789abcdef"


def test_a_marker_is_twelve_hex_of_sha256_and_the_length() -> None:
    digest = hashlib.sha256(b"hunter2").hexdigest()[:12]
    assert output("password: hunter2\n") == f"password: <sha:{digest} len:7>\n"


def test_a_salted_marker_is_hmac_and_differs_from_the_plain_one() -> None:
    rules = rules_from(RedactionPolicy(salt=SALT))
    digest = hmac.new(SALT.encode(), b"hunter2", hashlib.sha256).hexdigest()[:12]
    assert redact_output("password: hunter2\n", rules).text == f"password: <sha:{digest} len:7>\n"


def test_equal_secrets_get_equal_markers_in_every_format() -> None:
    texts = {
        "a.env": 'PASSWORD="p w\'d"',
        "b.env": "PASSWORD=p w'd",
        "c.yaml": "password: 'p w''d'",
        "d.yaml": 'password: "p w\\u0027d"',
        "e.json": '{"password": "p w\\u0027d"}',
        "f.toml": 'password = "p w\'d"',
        "g.ini": "[x]\npassword = p w'd",
    }
    markers = {file(text + "\n", path).split("<sha:")[1].split(">")[0] for path, text in texts.items()}
    assert len(markers) == 1


@pytest.mark.parametrize(("chars", "hint"), [(0, ""), (1, " hint:s..7"), (2, " hint:s3..67"), (9, " hint:s3cr..4567")])
def test_a_hint_shows_as_many_characters_as_asked_for_but_four_at_most(chars: int, hint: str) -> None:
    rules = rules_from(RedactionPolicy(hint_chars=chars))
    text = redact_output("password: s3cretvalue1234567\n", rules).text
    assert text.endswith(f" len:18{hint}>\n")
    assert redact_output(text, rules).text == text


def test_a_short_secret_gets_no_hint() -> None:
    rules = rules_from(RedactionPolicy(hint_chars=4))
    assert "hint" not in redact_output("password: hunter2\n", rules).text


def test_the_same_policy_gives_the_same_rules() -> None:
    assert rules_from(RedactionPolicy(salt=SALT)) is rules_from(RedactionPolicy(salt=SALT))


def test_an_operators_key_is_masked_everywhere_whatever_its_value() -> None:
    rules = rules_from(RedactionPolicy(keys_add=("internal_host", "^pin$")))
    for text in (
        "internal_host: db\n",
        "INTERNAL_HOST=db\n",
        '{"my_internal_hostname": "db"}\n',
        "--internal-host db\n".replace("-host", "_host"),
    ):
        assert "db" not in redact_output(text, rules).text.replace("db_", ""), text
    assert "1234" not in redact_file("[card]\npin = 1234\n", rules, path="x.ini").text
    assert redact_output("shipping=1234\n", rules).text == "shipping=1234\n"
    assert redact_output("internal_host: ${HOST}\n", rules).text == "internal_host: ${HOST}\n"


def test_an_operators_key_beyond_ascii_is_masked() -> None:
    rules = rules_from(RedactionPolicy(keys_add=("schlüssel",)))
    assert "geheim" not in redact_file("schlüssel: geheim\n", rules, path="x.yaml").text


def test_replaced_keys_leave_the_default_words_readable_but_not_tokens() -> None:
    rules = rules_from(RedactionPolicy(keys_replace=("codeword",)))
    token = "gh" + "p_" + "aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5"
    text = redact_output(f"password: hunter2\ncodeword: x1\nuse {token}\n", rules).text
    assert shown(text) == "password: hunter2\ncodeword: §\nuse §\n"


REFERENCES = [
    "${DB_PASSWORD}",
    "$DB_PASSWORD",
    "$(cat /run/secrets/db)",
    "`pass show db`",
    "{{ vault_password }}",
    "{{ .Values.password }}",
    "%(password)s",
    "%PASSWORD%",
    "@PASSWORD@",
    "<your-password>",
    "<password>",
    "/run/secrets/db",
    "~/.pgpass",
    "./secret.txt",
    "C:\\secrets\\db.txt",
    "vault:secret/data/db#password",
    "op://vault/item/password",
    "arn:aws:secretsmanager:eu-west-1:1:secret:db",
    "${{ secrets.DB_PASSWORD }}",
    "env:DB_PASSWORD",
    "file:/run/secrets/db",
    "ENC[AES256_GCM,data:abc,iv:def,tag:ghi,type:str]",
    "(sensitive value)",
    "[REDACTED]",
    "********",
    "null",
    "None",
    "~",
    "true",
    "no",
    "",
]


@pytest.mark.parametrize("value", REFERENCES)
def test_a_reference_a_placeholder_or_nothing_is_no_secret(value: str) -> None:
    for text in (f"password: {value}\n", f"DB_PASSWORD={value}\n", f'{{"password": "{value}"}}\n'):
        assert output(text) == text


@pytest.mark.parametrize("value", REFERENCES)
def test_a_reference_in_a_file_is_no_secret(value: str) -> None:
    assert file(f"DB_PASSWORD={value}\n", ".env") == f"DB_PASSWORD={value}\n"
    assert file(f"[db]\npassword = {value}\n", "x.ini") == f"[db]\npassword = {value}\n"
    escaped = value.replace("\\", "\\\\")
    assert file(f'{{"password": "{escaped}"}}\n', "x.json") == f'{{"password": "{escaped}"}}\n'


def test_only_the_default_of_a_reference_is_masked() -> None:
    assert shown(file("PASSWORD=${DB_PASSWORD:-hunter2}\n", ".env")) == "PASSWORD=${DB_PASSWORD:-§}\n"
    assert shown(file('password: "${DB_PASSWORD:-hunter2}"\n', "x.yaml")) == 'password: "${DB_PASSWORD:-§}"\n'


@pytest.mark.parametrize(
    "line",
    [
        "# note a9F3kL0pQz7XwV2bN8mT4rYs6UeHc1Gd",
        "sha256:0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9",
        "commit 0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d",
        'checksum = "0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9"',
        "0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9  file.tar.gz",
        '"integrity": "sha512-a9F3kL0pQz7XwV2bN8mT4rYs6UeHc1Gda9F3kL0pQz7XwV2bN8mT4rYs6UeHc1Gda9F3kL0pQz7XwV2bN8=="',
        "6f1c2a3b-4d5e-6f70-8192-a3b4c5d6e7f8",
        "/usr/lib/python3.11/site-packages/AbstractSingletonProxyFactoryBean/lib64",
        "org.springframework.beans.factory.config.AbstractFactoryBean",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIa9F3kL0pQz7XwV2bN8mT4rYs6UeHc1Gda9F3kL0pQz me@host",
        "<sha:0a1b2c3d4e5f len:44>",
        "linux-image-6.1.0-13-amd64-unsigned",
        "12345678901234567890123456789012",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "the_quick_brown_fox_jumps_over_the_lazy_dog",
    ],
)
def test_entropy_leaves_alone(line: str) -> None:
    assert file(line + "\n", "notes.txt") == line + "\n"


@pytest.mark.parametrize(
    "secret",
    ["a9F3kL0pQz7XwV2bN8mT4rYs6UeHc1Gd", "0a1b2c3d4e5f60718293a4b5c6d7e8f9", "a9F3kL0pQz7XwV2bN8mT+/Ys6UeHc1Gd=="],
)
def test_entropy_finds_what_nothing_names_and_can_be_switched_off(secret: str) -> None:
    text = f"blob\n  {secret}\n"
    assert secret not in file(text, "notes.txt")
    quiet = rules_from(RedactionPolicy(entropy=False))
    assert redact_file(text, quiet, path="notes.txt").text == text
    assert output(text) == text


def test_a_certificate_is_no_secret() -> None:
    body = "\n".join(["a9F3kL0pQz7XwV2bN8mT4rYs6UeHc1Gda9F3kL0pQz7XwV2bN8mT4rYs6UeHc1Gd"] * 4)
    text = f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"
    assert file(text, "x.pem") == text


def test_what_was_redacted_is_reported_with_key_line_kind_and_hash() -> None:
    text = 'name: x\ndb:\n  users:\n    - login: a\n      password: "hunter2"\nurl: http://u:pw@h/\n'
    found = redact_file(text, RULES, path="x.yml")
    assert found.format is Format.YAML
    assert [(r.key, r.line, r.kind) for r in found.redactions] == [("db.users.0.password", 5, "key"), (None, 6, "url")]
    assert f"<sha:{found.redactions[0].hash} len:7>" in found.text


def test_a_named_value_of_structured_data_is_masked_by_its_name() -> None:
    assert mask_key_value("DB_PASSWORD", "hunter2", RULES).startswith("<sha:")
    assert mask_key_value("LOG_LEVEL", "debug", RULES) == "debug"
    assert mask_key_value("session_timeout", "3600", RULES) == "3600"
    assert shown(mask_key_value("Cmd", "app --password hunter2", RULES)) == "app --password §"
    assert mask_key_value("password", "", RULES) == ""


def test_a_quick_look_says_whether_text_holds_secrets() -> None:
    assert first_secret("a\nb\npassword: hunter2\n", RULES)
    assert first_secret("-----BEGIN RSA PRIVATE KEY-----\n", RULES)
    assert not first_secret("password:\nkey: value\n" * 100, RULES)
    assert not first_secret("password: <sha:0a1b2c3d4e5f len:7>\n", RULES)
