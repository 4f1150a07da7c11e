"""Vetting of ssh_options."""

from __future__ import annotations

import pytest

from transports.openssh.login.config import REFUSED_OPTIONS, check_option
from transports.openssh.login.options import ALLOWED_OPTIONS


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("Ciphers", "+aes128-cbc"), ("kexalgorithms", "-diffie-hellman-group1-sha1"), ("HostKeyAlgorithms", "^ssh-rsa"),
        ("MACs", "hmac-sha1,hmac-md5"), ("PubkeyAcceptedAlgorithms", "+ssh-rsa"), ("AddressFamily", "inet6"),
        ("RekeyLimit", "1G 1h"), ("HostKeyAlias", "web-pool"), ("ServerAliveInterval", "5"),
    ],
)  # fmt: skip
def test_keywords_for_legacy_gear_pass(keyword: str, value: str) -> None:
    check_option(keyword, value)


@pytest.mark.parametrize(
    "keyword",
    [
        "ProxyCommand", "StrictHostKeyChecking", "UserKnownHostsFile", "ControlPath", "controlmaster", "LocalCommand",
        "PermitLocalCommand", "ForwardAgent", "RemoteCommand", "Include", "Match", "Host", "IdentityFile", "BatchMode",
        "PKCS11Provider", "SecurityKeyProvider", "KnownHostsCommand", "LocalForward", "Tunnel", "ProxyJump", "User",
    ],
)  # fmt: skip
def test_keywords_that_undo_ours_are_refused_by_name(keyword: str) -> None:
    with pytest.raises(ValueError, match=f"ssh_options.{keyword} is refused: "):
        check_option(keyword, "yes")


def test_an_unknown_keyword_is_refused_and_ssh_config_is_named() -> None:
    with pytest.raises(ValueError, match="your own ssh_config"):
        check_option("Wibble", "yes")


@pytest.mark.parametrize(
    "value", ["", " x", "a\nProxyCommand id", "%h", "${HOME}", 'a"b', "a#b", "a\\b", "a;b", "x\u2028y"]
)
def test_a_value_that_is_not_plain_words_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="plain words"):
        check_option("Ciphers", value)


def test_no_keyword_is_both_allowed_and_refused() -> None:
    assert not ALLOWED_OPTIONS & REFUSED_OPTIONS
