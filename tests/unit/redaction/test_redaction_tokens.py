"""Secrets known by their own shape. Put together here, so that no scanner mistakes this repository for a leak."""

from __future__ import annotations

import base64

import pytest

from ssh_mcp.redaction.engine import mask_key_value
from tests.unit.redaction.redaction_support import RULES, file, output, shown

A = "aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5zA7b"
H = "0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9"
U = "AB2CD3EF4GH5IJ6KL7MN"

TOKENS = {
    "aws id": "AK" + "IA" + U[:16],
    "aws temporary id": "AS" + "IA" + U[:16],
    "github classic": "gh" + "p_" + A[:36],
    "github oauth": "gh" + "o_" + A[:36],
    "github server": "gh" + "s_" + A[:36],
    "github user": "gh" + "u_" + A[:36],
    "github fine-grained": "github" + "_pat_" + A[:22] + "_" + A,
    "gitlab": "gl" + "pat-" + A[:20],
    "gitlab runner": "gl" + "rt-" + A[:20],
    "slack bot": "xo" + "xb-123456789012-1234567890123-" + A[:24],
    "slack user": "xo" + "xp-123456789012-123456789012-" + A[:24],
    "slack app": "xa" + "pp-1-A01234567-1234567890123-" + H,
    "stripe": "sk" + "_live_" + A[:24],
    "stripe restricted": "rk" + "_live_" + A[:24],
    "stripe webhook": "wh" + "sec_" + A[:32],
    "npm": "np" + "m_" + A[:36],
    "pypi": "py" + "pi-AgEIcHlwaS5vcmc" + A,
    "sendgrid": "SG" + "." + A[:22] + "." + A + "abc",
    "twilio": "SK" + H[:32],
    "google api": "AI" + "za" + A[:35],
    "google oauth": "ya" + "29." + A,
    "google client": "GOC" + "SPX-" + A[:28],
    "openai": "sk" + "-" + A,
    "openai project": "sk" + "-proj-" + A + "_" + A,
    "anthropic": "sk" + "-ant-api03-" + A + "-" + A,
    "hugging face": "hf" + "_" + A[:34],
    "digitalocean": "dop" + "_v1_" + H,
    "vault": "hv" + "s." + A[:24],
    "telegram": "123456789" + ":AA" + A[:33],
    "discord": "MT" + A[:22] + "." + A[:6] + "." + A[:27],
    "shopify": "shp" + "at_" + H[:32],
    "databricks": "da" + "pi" + H[:32],
    "grafana": "gl" + "sa_" + A[:32] + "_0a1b2c3d",
    "linear": "lin" + "_api_" + A,
    "doppler": "dp" + ".pt." + A,
    "pulumi": "pu" + "l-" + H[:40],
    "tailscale": "ts" + "key-auth-" + A[:12] + "-" + A[:20],
    "docker hub": "dck" + "r_pat_" + A[:27],
    "atlassian": "ATA" + "TT3" + A * 4,
    "mailgun": "key" + "-" + H[:32],
    "mailchimp": H[:32] + "-us" + "12",
    "square": "sq0" + "atp-" + A[:22],
    "new relic": "NR" + "AK-" + U + "1234567",
    "swarm": "SWM" + "TKN-1-" + H[:50] + "-" + H[:25],
    "age": "AGE-SECRET" + "-KEY-1" + U * 2 + "QQQQQQ",
    "jwt": "ey" + "JhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0NTY3ODkwIn0." + A,
    "crypt sha512": "$6" + "$salt$" + (A + A)[:86],
    "bcrypt": "$2" + "y$10$" + (A + A)[:53],
    "apr1": "$ap" + "r1$saltsalt$" + A[:22],
    "yescrypt": "$y" + "$j9T$" + A[:22] + "$" + A + "abc",
    "argon2": "$argon2" + "id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$" + A,
    "django": "pbkdf2" + "_sha256$260000$salt$" + A + "abc=",
    "ldap": "{SS" + "HA}" + A[:32],
    "mysql": "*" + H[:40].upper(),
    "postgres": "md" + "5" + H[:32],
}


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS.keys())
def test_a_token_is_masked_wherever_it_occurs(token: str) -> None:
    for before, after in (
        ("", ""),
        ("found ", " in x"),
        ('"', '"'),
        ("(", ")"),
        ("x=", ""),
        ("[1, '", "', 2]"),
        ("`", "`"),
    ):
        text = f"{before}{token}{after}\n"
        assert token not in output(text), text
        assert token not in file(text), text


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS.keys())
def test_a_token_is_masked_beside_other_text(token: str) -> None:
    if token[0].isalnum():
        assert shown(output(f"before {token} after\n")) == "before § after\n"


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS.keys())
def test_a_token_is_masked_as_a_structured_value_of_any_name(token: str) -> None:
    assert token not in mask_key_value("note", token, RULES)


def test_a_slack_webhook_keeps_its_host() -> None:
    secret = "T00000000/B00000000/" + A[:24]
    text = f"url: https://hooks.slack.com/services/{secret} ok\n"
    assert shown(output(text)) == "url: https://hooks.slack.com/services/§ ok\n"


def test_an_aws_secret_beside_its_id_is_masked_without_a_name() -> None:
    secret = "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYEXAMPLEKEY"
    assert secret not in output(f"creds: {TOKENS['aws id']} {secret} eu-central-1\n")


def test_a_private_key_in_base64_is_masked_and_a_certificate_is_not() -> None:
    key = base64.b64encode(b"-----BEGIN RSA PRIVATE KEY-----\n" + A.encode() * 3).decode()
    cert = base64.b64encode(b"-----BEGIN CERTIFICATE-----\n" + A.encode() * 3).decode()
    assert shown(output(f"blob {key}\nca {cert}\n")) == f"blob §\nca {cert}\n"
    assert cert in file(f"certificate-authority-data: {cert}\n", "kube.yaml")


def test_basic_is_masked_where_it_decodes_to_a_login() -> None:
    login = base64.b64encode(b"user:pass").decode()
    assert shown(output(f"sent Basic {login} to x\n")) == "sent Basic § to x\n"
    assert output("Basic authentication is on\n") == "Basic authentication is on\n"
