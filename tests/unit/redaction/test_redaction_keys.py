"""Names: which words make one secret, and which make it a name of something else."""

from __future__ import annotations

import pytest

from ssh_mcp.redaction.keys import KeyMatcher, Strength, words_of

KEYS = KeyMatcher()

STRONG = """
password PASSWORD Password db_password DB_PASSWORD dbPassword dbpassword DBPassword db.password db-password
db:password passwd passphrase pass pwd secret token credential api_key apikey apiKey API-KEY ssh_passphrase
client_secret clientSecret secret_key secretkey secret_access_key aws_secret_access_key private_key privateKey
encryption_key signing_key access_token refreshToken authToken auth_token bearer_token session_secret
cookie_secret jwt_secret oauth_token oauth2_client_secret requirepass masterauth rootpw bindpw smtp_pass
MYSQL_ROOT_PASSWORD POSTGRES_PASSWORD key_password password_hash PresharedKey secret_key_base SECRET_KEY
password2 new_password psk wpa_passphrase keystorePassword storepass rpcpassword identitytoken SharedAccessKey
AccountKey spring.datasource.password _authToken REDIS_AUTH_PASS user_password_hash masterKey license_key
"""
WEAK = "auth private session cookie jwt oauth bearer credentials ssh_key client_key server_key session_id secret_id salt dsn"
FAINT = "key keys secrets tokens idempotence_key2 signature"
NONE = """
monkey keyspace keyboard tokenizer tokenize authoring_tool author authority authored public_key publicKey
PUBLIC_KEY max_tokens maxTokens min_tokens total_tokens session_timeout sessionTimeout token_count token_type
token_ttl token_url tokenExpiry password_file PASSWORD_FILE passwordFile password_min_length
passwordAuthentication PasswordAuthentication password_policy secret_name secretName secretKeyRef key_id keyId
key_path key_file keyName primary_key foreign_key sort_key partition_key cache_key auth_method auth_type
auth_url auth_basic proxy_pass fastcgi_pass private_ip PrivateTmp PrivateDevices bypass compass passenger
secretary hotkey turkey whiskey username host port path name passwordless password_reset_url session.save_path
cookie_domain cookie_path cookieSameSite key_exchange keyring authorized_keys host_key gpg_key api_key_header
"""


@pytest.mark.parametrize("name", STRONG.split())
def test_any_value_of_this_name_is_a_secret(name: str) -> None:
    assert KEYS.strength(name) is Strength.STRONG


@pytest.mark.parametrize("name", WEAK.split())
def test_a_value_of_this_name_is_a_secret_unless_it_is_plainly_harmless(name: str) -> None:
    assert KEYS.strength(name) is Strength.WEAK


@pytest.mark.parametrize("name", FAINT.split())
def test_a_value_of_this_name_is_a_secret_only_if_it_looks_generated(name: str) -> None:
    assert KEYS.strength(name) in {Strength.FAINT, Strength.NONE}


@pytest.mark.parametrize("name", NONE.split())
def test_a_value_of_this_name_may_be_seen(name: str) -> None:
    assert KEYS.strength(name) is Strength.NONE


def test_names_fall_into_words_at_separators_and_humps() -> None:
    assert words_of("DB_userPassword-v2.APIKey") == ["db", "user", "password", "v", "2", "api", "key"]


def test_an_operators_key_matches_as_a_substring_of_any_case() -> None:
    keys = KeyMatcher(add=("license",))
    assert keys.strength("MyLicenseText") is Strength.STRONG
    assert keys.strength("password") is Strength.STRONG


@pytest.mark.parametrize(
    ("pattern", "hits", "misses"),
    [
        ("^pin", ["pin", "pin_code", "PINCODE"], ["shipping", "my_pin"]),
        ("pin$", ["pin", "my_pin"], ["pin_code"]),
        ("^pin$", ["pin", "PIN"], ["pin_code", "my_pin"]),
        ("a.b", ["a.b", "xa.bx"], ["axb"]),
    ],
)
def test_an_operators_key_can_be_anchored_and_is_no_pattern_otherwise(
    pattern: str, hits: list[str], misses: list[str]
) -> None:
    keys = KeyMatcher(add=(pattern,))
    assert all(keys.strength(h) is Strength.STRONG for h in hits)
    assert all(keys.strength(m) is Strength.NONE for m in misses)


def test_replacing_keys_forget_the_default_words() -> None:
    keys = KeyMatcher(replace=("codeword",))
    assert keys.strength("codeword") is Strength.STRONG
    assert keys.strength("password") is Strength.NONE


@pytest.mark.parametrize("junk", ["", "^", "$", "^$", " "])
def test_an_empty_operators_key_matches_nothing(junk: str) -> None:
    assert KeyMatcher(add=(junk,)).strength("anything") is Strength.NONE
