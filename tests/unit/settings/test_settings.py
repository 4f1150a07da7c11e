"""Settings: one test a rule, with the exact sentence."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssh_mcp.errors import ConfigError
from ssh_mcp.inventory.defaults import REDACT_PATHS_GLOBS
from ssh_mcp.inventory.destination import transport_config
from ssh_mcp.inventory.model import BypassPolicy
from ssh_mcp.policy.tiers import GROUPS
from ssh_mcp.settings import model as module
from ssh_mcp.settings import values
from ssh_mcp.settings.file import unused_in_working_directory
from ssh_mcp.settings.model import NAMES, Settings, is_loopback, load_settings

SALTED = {"SSH_REDACT_SALT": "s" * 32}
NOWHERE = Path("/nonexistent/.env")


def load(**env: str) -> tuple[Settings, list[str]]:
    return load_settings({**SALTED, "HOME": "/home/op", **env}, NOWHERE)


def refusal(**env: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(**env)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_nothing_set_gives_the_defaults_of_the_specification() -> None:
    settings, warnings = load()
    assert warnings == []
    assert settings == Settings(ssh_redact_salt="s" * 32)
    assert settings.ssh_redact_paths_globs == REDACT_PATHS_GLOBS
    assert (settings.ssh_connect_timeout, settings.ssh_command_timeout) == (10, 60)
    assert (settings.ssh_idle_timeout, settings.ssh_keepalive_interval) == (300, 30)
    assert settings.ssh_stdout_cap_bytes == settings.ssh_stderr_cap_bytes == 1 << 20
    assert settings.ssh_local_transfer_max_bytes == 2 << 30
    assert not settings.allow_low_access_tools
    assert settings.allow_persistent_sessions


def test_every_name_of_the_specification_is_a_setting(project_root: Path) -> None:
    example = (project_root / ".env.example").read_text()
    assert set(re.findall(r"^([A-Z0-9_]+)=", example, re.MULTILINE)) == set(NAMES)
    assert len(NAMES) == len(set(NAMES))


def test_the_example_loads_as_it_is_and_shows_the_defaults(project_root: Path) -> None:
    settings, warnings = load_settings({}, project_root / ".env.example")
    assert settings == Settings()
    [warning] = warnings
    assert warning == (
        "SSH_REDACT_SALT is not set: redaction markers are plain SHA-256, from which short secrets can be guessed. "
        "Set it to 32 or more random characters, as from `openssl rand -hex 32`."
    )


def test_an_empty_or_blank_value_is_unset() -> None:
    settings, warnings = load(SSH_FIND_MAX_DEPTH="", ALLOW_SUDO="  ", SSH_SUDO_PASSWORD="")
    assert settings.ssh_find_max_depth == 10
    assert not settings.allow_sudo
    assert warnings == []


@pytest.mark.parametrize("text", ["a.example,b.example", " a.example , ,b.example,", '["a.example", "b.example"]'])
def test_lists_take_commas_and_json(text: str) -> None:
    assert load(SSH_HOSTS_ALLOWLIST=text)[0].ssh_hosts_allowlist == ("a.example", "b.example")


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters=",[\n"), min_size=1), max_size=5))
def test_any_words_survive_as_a_comma_list(words: list[str]) -> None:
    words = list(dict.fromkeys(w.strip() for w in words if w.strip()))
    assert values.items(",".join(words)) == tuple(words)


@pytest.mark.parametrize("text", ["true", "TRUE", "1", "yes", "on"])
def test_truth_has_many_spellings(text: str) -> None:
    assert load(ALLOW_SUDO=text, ALLOW_DANGEROUS_TOOLS="1")[0].allow_sudo


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("ALLOW_SUDO", "maybe", "ALLOW_SUDO=maybe: must be true or false."),
        ("SSH_FIND_MAX_DEPTH", "0", "SSH_FIND_MAX_DEPTH=0: must be a whole number from 1 to 1000."),
        ("SSH_FIND_MAX_DEPTH", "٣", "SSH_FIND_MAX_DEPTH=٣: must be a whole number from 1 to 1000."),
        ("SSH_REDACT_HINT_CHARS", "5", "SSH_REDACT_HINT_CHARS=5: must be a whole number from 0 to 4."),
        ("SSH_CONNECT_TIMEOUT", "nan", "SSH_CONNECT_TIMEOUT=nan: must be a number of seconds from 1 to 600."),
        ("SSH_TRANSPORT", "quick", "SSH_TRANSPORT=quick: must be one of auto, native, process, direct."),
        (
            "SSH_REDACT_BYPASS_POLICY",
            "allow",
            "SSH_REDACT_BYPASS_POLICY=allow: must be one of block, warn, audit_only.",
        ),
        ("MCP_TRANSPORT", "tcp", "MCP_TRANSPORT=tcp: must be one of stdio, http, sse, streamable-http."),
        ("LOG_LEVEL", "LOUD", "LOG_LEVEL=LOUD: must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL."),
        ("MCP_HTTP_PORT", "70000", "MCP_HTTP_PORT=70000: must be a whole number from 0 to 65535."),
        ("SSH_REDACT_SALT", "tooshort", "SSH_REDACT_SALT=***: must have at least 32 characters."),
        ("SSH_HOSTS_ALLOWLIST", "[1, 2]", "SSH_HOSTS_ALLOWLIST=[1, 2]: must be a,b,c or a JSON array of strings."),
        (
            "SSH_HOSTS_ALLOWLIST",
            "a,-oProxyCommand=x",
            ("SSH_HOSTS_ALLOWLIST=a,-oProxyCommand=x: entry -oProxyCommand=x begins with '-', which ssh would take for "
            "an option. Give a host name or an address."),
        ),
        (
            "SSH_PATH_ALLOWLIST",
            "/srv,log",
            "SSH_PATH_ALLOWLIST=/srv,log: entry log is a relative path. Write an absolute path such as /srv/app.",
        ),
        (
            "SSH_RESTRICTED_PATHS",
            "*",
            "SSH_RESTRICTED_PATHS=*: entry * is a relative path. Write an absolute path such as /srv/app.",
        ),
        (
            "SSH_RESTRICTED_GLOBS",
            "*.pem",
            ("SSH_RESTRICTED_GLOBS=*.pem: entry *.pem is a relative pattern and would never match. "
            "Write **/*.pem or an absolute pattern."),
        ),
        (
            "SSH_REDACT_PATHS_GLOBS",
            "none,/a",
            ("SSH_REDACT_PATHS_GLOBS=none,/a: entry none is a relative pattern and would never match. "
            "Write **/none or an absolute pattern."),
        ),
        ("SSH_DEFAULT_USER", "-l", ("SSH_DEFAULT_USER=-l: begins with '-', which ssh would take for an option. "
         "Give a login name such as deploy, DOMAIN\\deploy or alice:db1.")),
        ("SSH_DEFAULT_KEY", "${NO_SUCH}/k", ("SSH_DEFAULT_KEY=${NO_SUCH}/k: names the variable NO_SUCH, which is not "
         "set. Set it or write the value itself.")),
        ("SSH_LOCAL_TRANSFER_ROOTS", "data", ("SSH_LOCAL_TRANSFER_ROOTS=data: entry data must be an absolute directory "
         "of this machine.")),
        ("SSH_DOCKER_CMD", "docker '", "SSH_DOCKER_CMD=docker ': must be a command line with balanced quotes."),
        ("SSH_HOOKS_MODULE", "a\x1b[2J", "SSH_HOOKS_MODULE=a\\x1b[2J: must not hold control characters."),
    ],
)  # fmt: skip
def test_a_bad_value_stops_the_start_with_name_value_and_what_is_allowed(name: str, value: str, sentence: str) -> None:
    assert refusal(**{name: value}) == sentence


def test_a_sudo_password_in_the_environment_stops_the_start_and_is_not_repeated() -> None:
    text = refusal(SSH_SUDO_PASSWORD="hunter2", ALLOW_SUDO="true")
    assert text == (
        "SSH_SUDO_PASSWORD=***: a sudo password must not be in the environment. "
        "Use SSH_SUDO_PASSWORD_CMD or the keyring (service ssh-mcp-sudo, user = alias)."
    )


def test_a_sudo_password_without_the_sudo_tier_is_ignored_with_a_warning() -> None:
    assert load(SSH_SUDO_PASSWORD="hunter2")[1] == [
        "SSH_SUDO_PASSWORD is ignored. Use SSH_SUDO_PASSWORD_CMD or the keyring and unset it."
    ]


def test_added_and_replacing_key_words_exclude_each_other() -> None:
    assert refusal(SSH_REDACT_KEYS_ADD="a", SSH_REDACT_KEYS_REPLACE="b") == (
        "SSH_REDACT_KEYS_REPLACE=b: must not be set together with SSH_REDACT_KEYS_ADD. Keep one of them."
    )


def test_tokens_of_an_issuer_need_all_that_they_are_checked_against_named_at_once() -> None:
    at = {"MCP_TRANSPORT": "http", "MCP_AUTH": "jwt"}
    keys = "MCP_JWT_JWKS_URI or MCP_JWT_PUBLIC_KEY_FILE"
    assert refusal(**at) == f"MCP_AUTH=jwt: needs MCP_AUTH_ISSUER, MCP_AUTH_AUDIENCE, {keys}."
    both = {"MCP_JWT_JWKS_URI": "https://login.example.net/keys", "MCP_JWT_PUBLIC_KEY_FILE": "/etc/issuer.pem"}
    assert refusal(**at, **both) == f"MCP_AUTH=jwt: needs {keys}, not both."


def test_http_beyond_loopback_needs_a_token_file(tmp_path: Path) -> None:
    assert refusal(MCP_TRANSPORT="streamable-http", MCP_HTTP_HOST="0.0.0.0") == (
        "MCP_HTTP_HOST=0.0.0.0: any address but loopback needs a bearer token. "
        "Set MCP_HTTP_TOKEN_FILE, or MCP_HTTP_HOST=127.0.0.1."
    )
    token = tmp_path / "token"
    at = {"MCP_TRANSPORT": "sse", "MCP_HTTP_HOST": "0.0.0.0", "MCP_HTTP_TOKEN_FILE": str(token)}
    assert (
        refusal(**at) == f"MCP_HTTP_TOKEN_FILE={token}: cannot be read (No such file or directory). Fix or remove it."
    )
    token.write_text("\n")
    token.chmod(0o644)
    assert refusal(**at) == (f"MCP_HTTP_TOKEN_FILE={token}: can be read by others (mode 0644). Run: chmod 600 {token}")
    token.chmod(0o600)
    assert refusal(**at) == f"MCP_HTTP_TOKEN_FILE={token}: is empty. Write a long random token into it."
    token.write_text("t" * 40)
    assert load(**at)[0].mcp_http_token_file == str(token)


def test_streamable_http_is_http_and_loopback_needs_no_token_file() -> None:
    assert load(MCP_TRANSPORT="streamable-http")[0].mcp_transport == "http"
    assert load(MCP_TRANSPORT="sse", MCP_HTTP_HOST="localhost")[0].mcp_transport == "sse"


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("[::1]", True), ("localhost", True),
     ("0.0.0.0", False), ("::", False), ("127.0.0.1.evil.example", False), ("10.0.0.1", False), ("", False)],
)  # fmt: skip
def test_only_addresses_of_this_machine_are_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_an_unknown_name_is_warned_of_with_the_nearest_known_one() -> None:
    assert load(ALLOW_SODU="1", SSH_HOST_ALLOWLIST="x", SSH_QQQQQQQQ="1")[1] == [
        "ALLOW_SODU is not a setting and was ignored. Did you mean ALLOW_SUDO?",
        "SSH_HOST_ALLOWLIST is not a setting and was ignored. Did you mean SSH_HOSTS_ALLOWLIST?",
        "SSH_QQQQQQQQ is not a setting and was ignored.",
    ]


def test_openssh_s_own_names_and_those_of_others_are_no_business_of_ours() -> None:
    own = dict.fromkeys(module.OPENSSH_OWN, "x") | {"SSH_MCP_REQUIRE_LAB": "1", "PATH": "/bin", "ALLOWED": "1"}
    assert load(**own)[1] == []


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(
        'SSH_FIND_MAX_DEPTH=3\nSSH_DEFAULT_USER="from file"\nexport SSH_TRANSPORT=direct # why\nALLOW_SODU=1\n'
    )
    file.chmod(0o600)
    settings, warnings = load_settings({**SALTED, "SSH_DEFAULT_USER": "op"}, file)
    assert (settings.ssh_find_max_depth, settings.ssh_default_user, settings.ssh_transport) == (3, "op", "direct")
    assert warnings == ["ALLOW_SODU is not a setting and was ignored. Did you mean ALLOW_SUDO?"]


def test_nothing_is_read_from_the_working_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("SSH_FIND_MAX_DEPTH=4\n")
    (tmp_path / "settings.env").write_text("SSH_FIND_MAX_DEPTH=4\n")
    (tmp_path / "hosts.toml").write_text("")
    assert load_settings(SALTED)[0].ssh_find_max_depth == 10
    names = [file.name for file in unused_in_working_directory(SALTED)]
    assert names == [".env", "settings.env", "hosts.toml"]
    assert [file.name for file in unused_in_working_directory({"SSH_ENV_FILE": ".env", "SSH_HOSTS_FILE": "x"})] == [
        "settings.env",
        "hosts.toml",
    ]


def test_the_settings_file_is_the_one_of_the_configuration_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "ssh-mcp").mkdir()
    (tmp_path / "ssh-mcp" / "settings.env").write_text("SSH_FIND_MAX_DEPTH=4\n")
    assert load_settings(SALTED)[0].ssh_find_max_depth == 4


def test_the_environment_can_name_another_settings_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("SSH_FIND_MAX_DEPTH=5\nSSH_ENV_FILE=other\n")
    settings, warnings = load_settings({**SALTED, "SSH_ENV_FILE": ".env"})
    assert settings.ssh_find_max_depth == 5
    assert len(warnings) == 1
    assert "SSH_ENV_FILE in" in warnings[0]
    with pytest.raises(ConfigError) as caught:
        load_settings({**SALTED, "SSH_ENV_FILE": "missing.env"})
    assert str(caught.value) == "SSH_ENV_FILE=missing.env: does not exist. Correct the name or unset it."


@pytest.mark.parametrize("mode", [0o666, 0o620])
def test_a_settings_file_that_others_can_change_stops_the_start(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "settings.env"
    file.write_text("")
    file.chmod(mode)
    with pytest.raises(ConfigError) as caught:
        load_settings(SALTED, file)
    assert str(caught.value) == f"{file}: can be changed by others (mode {mode:04o}). Run: chmod go-w {file}"


@pytest.mark.skipif(os.geteuid() != 0, reason="giving a file away needs root")
def test_a_settings_file_of_another_user_stops_the_start(tmp_path: Path) -> None:
    file = tmp_path / "settings.env"
    file.write_text("")
    os.chown(file, 12345, -1)
    # Root may run as anyone's server: only its own files count.
    with pytest.raises(ConfigError, match=r"belongs to another user \(uid 12345\)"):
        load_settings(SALTED, file)


def test_a_pipe_as_settings_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "settings.env"
    os.mkfifo(file, 0o600)
    with pytest.raises(ConfigError, match=r"is not a regular file"):
        load_settings(SALTED, file)


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("SSH_HOSTS_BLOCKLIST: 127.0.0.1\n", 1, "SSH_HOSTS_BLOCKLIST:"),
        ("A=1\n# a remark\n\nSSH_HOSTS_BLOCKLIST 127.0.0.1\nB=2\n", 4, "SSH_HOSTS_BLOCKLIST"),
        ("A=1\nALLOW_SUDO\n", 2, "ALLOW_SUDO"),
        ("A='never closed\nB=2\n", 1, "A"),
        ("SSH-HOSTS=1\n", 1, "SSH-HOSTS"),
        ("[settings]\n", 1, "[settings]"),
    ],
)
def test_a_line_that_is_no_assignment_stops_the_start(tmp_path: Path, text: str, line: int, word: str) -> None:
    file = tmp_path / "settings.env"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_settings(SALTED, file)
    assert str(caught.value) == (
        f"{file}:{line}: {word}: is not an assignment. Write NAME=value, or # before a remark."
    )


def test_a_file_that_is_no_text_stops_the_start(tmp_path: Path) -> None:
    file = tmp_path / "settings.env"
    file.write_bytes(b"SSH_DEFAULT_USER=\xff\xfe\n")
    with pytest.raises(ConfigError, match=r"settings\.env: is not UTF-8 text\. Save it as UTF-8\."):
        load_settings(SALTED, file)


def test_an_empty_ssh_config_can_be_asked_for() -> None:
    settings, warnings = load(SSH_CONFIG_FILE="/dev/null")
    assert warnings == []
    assert transport_config(settings).ssh_config_file == "/dev/null"


def test_paths_expand_home_and_variables() -> None:
    settings, _ = load(SSH_DEFAULT_KEY="~/.ssh/k", SSH_AUDIT_FILE="${STATE}/audit", STATE="/var/lib/op")
    assert (settings.ssh_default_key, settings.ssh_audit_file) == ("/home/op/.ssh/k", "/var/lib/op/audit")


def test_redact_globs_can_be_replaced_or_lifted() -> None:
    assert load(SSH_REDACT_PATHS_GLOBS="none")[0].ssh_redact_paths_globs == ()
    assert load(SSH_REDACT_PATHS_GLOBS="**/x,/y")[0].ssh_redact_paths_globs == ("**/x", "/y")
    assert load(SSH_REDACT_BYPASS_POLICY="WARN")[0].ssh_redact_bypass_policy is BypassPolicy.WARN


def test_things_that_start_but_not_as_meant_are_warned_of(tmp_path: Path) -> None:
    _, warnings = load(
        ALLOW_SUDO="1",
        SSH_SUDO_MODE="persistent-su",
        SSH_CONFIG_FILE="/no/config",
        SSH_KNOWN_HOSTS="/no/known",
        SSH_ENABLED_GROUPS="host,dockr,zzz",
        SSH_LOCAL_TRANSFER_ROOTS="/no/root",
    )
    assert warnings == [
        "ALLOW_SUDO has no effect without ALLOW_DANGEROUS_TOOLS.",
        "SSH_SUDO_MODE=persistent-su is not supported; per-call is used.",
        "SSH_CONFIG_FILE /no/config does not exist and is not used.",
        "SSH_KNOWN_HOSTS /no/known does not exist: every host is unknown.",
        "SSH_ENABLED_GROUPS names dockr, which is not a group. Did you mean docker?",
        f"SSH_ENABLED_GROUPS names zzz, which is not a group. Groups are {', '.join(GROUPS)}.",
        "SSH_LOCAL_TRANSFER_ROOTS names /no/root, which is not a directory.",
    ]


def test_no_secret_shows_in_the_representation() -> None:
    settings, _ = load(SSH_SUDO_PASSWORD_CMD="pass show hunter2")
    assert "hunter2" not in repr(settings)
    assert "ssss" not in repr(settings)


def test_importing_settings_loads_neither_pydantic_nor_asyncio() -> None:
    code = "import ssh_mcp.settings.model, sys; print(sorted({'pydantic', 'asyncio', 'dotenv'} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
