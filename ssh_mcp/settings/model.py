"""Environment and the operator's settings file → Settings.

The class is the table: one attribute a setting, named like the variable in lower case, with its parser and default.
It is a plain dataclass: importing pydantic-settings takes 0.3 s, and its messages would have to be rewritten anyway.

Paths are strings with ``~`` and ``${VAR}`` expanded; durations are seconds, sizes bytes.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, cast, get_args

from ssh_mcp.errors import ConfigError
from ssh_mcp.inventory import values
from ssh_mcp.inventory.defaults import REDACT_PATHS_GLOBS
from ssh_mcp.inventory.model import BypassPolicy
from ssh_mcp.policy.tiers import GROUPS
from ssh_mcp.settings import values as v
from ssh_mcp.settings.file import read_settings_file, settings_file
from ssh_mcp.settings.trusted import read_trusted

T = TypeVar("T")
Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Signatures with a public key: who can verify a token must not be able to make one."""

_MIB: Final = 1 << 20
_ONE_TIB: Final = 1 << 40

OPENSSH_OWN: Final = frozenset(
    {
        "SSH_AGENT_LAUNCHER", "SSH_AGENT_PID", "SSH_ASKPASS", "SSH_ASKPASS_PROMPT", "SSH_ASKPASS_REQUIRE",
        "SSH_AUTH_INFO_0", "SSH_AUTH_SOCK", "SSH_CLIENT", "SSH_CONNECTION", "SSH_ORIGINAL_COMMAND", "SSH_PKCS11_HELPER",
        "SSH_SK_HELPER", "SSH_SK_PROVIDER", "SSH_TTY", "SSH_TUNNEL", "SSH_USER_AUTH", "SSH_USE_STRONG_RNG",
    }
)  # fmt: skip
"""Variables of ssh, sshd, ssh-agent and its launchers that are none of our business."""

SECRET_NAMES: Final = frozenset({"SSH_REDACT_SALT", "SSH_SUDO_PASSWORD", "SSH_SUDO_PASSWORD_CMD", "FASTMCP_DOCKET_URL"})
"""Values that no message shows; a command line may hold a token, a URL a password."""


def _s(parser: v.Parser[T], default: T, *, secret: bool = False) -> T:
    return dataclasses.field(default=default, repr=not secret, metadata={"parse": parser})


def _opt(parser: v.Parser[T], *, secret: bool = False) -> T | None:
    return _s(cast("v.Parser[T | None]", parser), None, secret=secret)


_hosts = v.listed(values.hostname)
_words = v.listed()
_prefixes_allow = v.listed(lambda x: values.remote_prefix(x, None, everything=True))
_prefixes_deny = v.listed(lambda x: values.remote_prefix(x, None, everything=False))
_globs = v.listed(values.remote_glob)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting, named as its environment variable in lower case. The program gets it from ``load_settings``."""

    ssh_env_file: str | None = _opt(v.path)
    ssh_hosts_file: str | None = _opt(v.path)
    ssh_config_file: str | None = _opt(v.path)
    ssh_known_hosts: str | None = _opt(v.path)
    ssh_default_user: str | None = _opt(v.login)
    ssh_default_key: str | None = _opt(v.path)
    ssh_hosts_allowlist: tuple[str, ...] = _s(_hosts, ())
    ssh_hosts_blocklist: tuple[str, ...] = _s(_hosts, ())
    ssh_path_allowlist: tuple[str, ...] = _s(_prefixes_allow, ())
    ssh_restricted_paths: tuple[str, ...] = _s(_prefixes_deny, ())
    ssh_restricted_globs: tuple[str, ...] = _s(_globs, ())
    ssh_command_allowlist: tuple[str, ...] = _s(_words, ())
    allow_low_access_tools: bool = _s(v.boolean, False)
    allow_dangerous_tools: bool = _s(v.boolean, False)
    allow_sudo: bool = _s(v.boolean, False)
    allow_any_command: bool = _s(v.boolean, False)
    allow_password_auth: bool = _s(v.boolean, False)
    allow_persistent_sessions: bool = _s(v.boolean, True)
    allow_docker_privileged: bool = _s(v.boolean, False)
    ssh_exec_allow_cheatsheet_patterns: bool = _s(v.boolean, False)
    ssh_enabled_groups: tuple[str, ...] = _s(_words, ())
    ssh_tools: tuple[str, ...] = _s(_words, ("all",))
    ssh_enable_bm25: bool = _s(v.boolean, False)
    ssh_bm25_max_results: int = _s(v.whole(1, 100), 8)
    ssh_bm25_always_visible: tuple[str, ...] = _s(
        _words, ("ssh_host_ping", "ssh_host_info", "ssh_session_list", "ssh_shell_list")
    )
    ssh_connect_timeout: float = _s(v.seconds(1, 600), 10.0)
    ssh_command_timeout: float = _s(v.seconds(1, 86400), 60.0)
    ssh_idle_timeout: float = _s(v.seconds(1, 86400), 300.0)
    ssh_keepalive_interval: float = _s(v.seconds(0, 3600), 30.0)
    ssh_max_connections_per_host: int = _s(v.whole(1, 64), 4)
    ssh_transport: Literal["auto", "native", "process", "direct"] = _s(
        v.choice("auto", "native", "process", "direct"), "auto"
    )
    ssh_stdout_cap_bytes: int = _s(v.whole(1, 1 << 30), _MIB)
    ssh_stderr_cap_bytes: int = _s(v.whole(1, 1 << 30), _MIB)
    ssh_read_max_bytes: int = _s(v.whole(1, 1 << 30), 64 << 10)
    ssh_result_max_bytes: int = _s(v.whole(256, 1 << 30), 32 << 10)
    ssh_spool_max_bytes: int = _s(v.whole(0, 1 << 34), 64 * _MIB)
    ssh_spool_keep_seconds: float = _s(v.seconds(1, 86400), 1800.0)
    ssh_edit_max_file_bytes: int = _s(v.whole(1, 1 << 30), 10 * _MIB)
    ssh_upload_max_file_bytes: int = _s(v.whole(1, 1 << 34), 256 * _MIB)
    ssh_find_max_depth: int = _s(v.whole(1, 1000), 10)
    ssh_find_max_results: int = _s(v.whole(1, 1_000_000), 10_000)
    ssh_delete_folder_max_entries: int = _s(v.whole(1, 10_000_000), 10_000)
    ssh_job_max_output_bytes: int = _s(v.whole(1024, _ONE_TIB), 256 * _MIB)
    ssh_job_keep_hours: float = _s(v.seconds(0, 8760), 72.0)
    ssh_local_transfer_roots: tuple[str, ...] = _s(v.local_roots, ())
    ssh_local_transfer_max_bytes: int = _s(v.whole(1, _ONE_TIB), 2048 * _MIB)
    ssh_redact_paths_globs: tuple[str, ...] = _s(v.redact_globs, REDACT_PATHS_GLOBS)
    ssh_redact_bypass_policy: BypassPolicy = _s(v.choice(*BypassPolicy), BypassPolicy.BLOCK)  # noqa: RUF009
    ssh_redact_keys_add: tuple[str, ...] = _s(_words, ())
    ssh_redact_keys_replace: tuple[str, ...] = _s(_words, ())
    ssh_redact_salt: str = _s(v.salt, "", secret=True)
    ssh_redact_entropy_detection: bool = _s(v.boolean, True)
    ssh_redact_hint_chars: int = _s(v.whole(0, 4), 0)
    ssh_redact_output: bool = _s(v.boolean, True)
    ssh_sudo_mode: Literal["per-call"] = _s(v.choice("per-call", also={"persistent-su": "per-call"}), "per-call")
    ssh_sudo_password_cmd: str | None = _opt(v.word, secret=True)
    ssh_docker_cmd: tuple[str, ...] = _s(v.command_words, ("docker",))
    ssh_docker_compose_cmd: tuple[str, ...] | None = _opt(v.command_words)
    ssh_host_notes_dir: str | None = _opt(v.path)
    ssh_host_notes_max_bytes: int = _s(v.whole(1024, 1 << 30), 256 << 10)
    ssh_ping_includes_notes: bool = _s(v.boolean, True)
    ssh_ping_includes_agent_notes: bool = _s(v.boolean, True)
    ssh_skills_dir: str | None = _opt(v.path)
    ssh_runbooks_dir: str | None = _opt(v.path)
    ssh_enable_runbooks: bool = _s(v.boolean, True)
    ssh_hooks_module: str | None = _opt(v.word)
    ssh_ask: tuple[str, ...] = _s(v.listed(v.ask_entry), ())
    ssh_ask_channel: Literal["client", "operator", "auto"] = _s(v.choice("client", "operator", "auto"), "auto")
    ssh_ask_seconds: float = _s(v.seconds(1, 3600), 50.0)
    ssh_audit_file: str | None = _opt(v.path)
    ssh_audit_detail: Literal["hashes", "masked"] = _s(v.choice("hashes", "masked"), "hashes")
    ssh_audit_format: Literal["native", "ocsf", "ecs"] = _s(v.choice("native", "ocsf", "ecs"), "native")
    ssh_record_dir: str | None = _opt(v.path)
    ssh_record_keep_days: float = _s(v.seconds(0, 36500), 30.0)
    ssh_record_max_bytes: int = _s(v.whole(1 << 16, _ONE_TIB), 1024 * _MIB)
    mcp_transport: Literal["stdio", "http", "sse"] = _s(
        v.choice("stdio", "http", "sse", also={"streamable-http": "http"}), "stdio"
    )
    mcp_http_host: str = _s(v.word, "127.0.0.1")
    mcp_http_port: int = _s(v.whole(0, 65535), 8000)
    mcp_http_token_file: str | None = _opt(v.path)
    mcp_http_local_open: bool = _s(v.boolean, False)
    mcp_auth: Literal["bearer", "jwt", "oidc"] = _s(v.choice("bearer", "jwt", "oidc"), "bearer")
    mcp_auth_issuer: str | None = _opt(v.word)
    mcp_auth_audience: str | None = _opt(v.word)
    mcp_auth_scopes: tuple[str, ...] = _s(_words, ())
    mcp_jwt_jwks_uri: str | None = _opt(v.word)
    mcp_jwt_public_key_file: str | None = _opt(v.path)
    mcp_jwt_algorithm: Algorithm = _s(v.choice(*get_args(Algorithm)), "RS256")  # noqa: RUF009
    mcp_oidc_config_url: str | None = _opt(v.word)
    mcp_oidc_client_id: str | None = _opt(v.word)
    mcp_oidc_client_secret_file: str | None = _opt(v.path)
    mcp_base_url: str | None = _opt(v.word)
    mcp_rate_limit: int = _s(v.whole(0, 1_000_000), 0)
    mcp_instance: str | None = _opt(v.instance)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = _s(
        v.choice("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"), "INFO"
    )
    otel_enabled: bool = _s(v.boolean, True)
    fastmcp_docket_url: str | None = _opt(v.word, secret=True)


NAMES: Final = tuple(f.name.upper() for f in dataclasses.fields(Settings))
"""Every environment variable that is read, in the order of the fields."""


def load_settings(env: Mapping[str, str] | None = None, file: Path | None = None) -> tuple[Settings, list[str]]:
    """Settings and warnings. ``env`` None: this process's environment.

    ``file`` None: what SSH_ENV_FILE names, else settings.env in the user's configuration directory; a ``file`` given
    here may be missing. Raises ConfigError with one line: name, value (never a secret's), what is allowed.
    """
    given, warnings = given_settings(env, file)
    parsed: dict[str, Any] = {}
    for field in dataclasses.fields(Settings):
        name = field.name.upper()
        if name in given:
            parsed[field.name] = _parse(name, given[name], field.metadata["parse"], given)
    settings = Settings(**parsed)
    _forbid(settings, given)
    return settings, [*warnings, *_unknown(given), *_remarks(settings, given)]


def given_settings(env: Mapping[str, str] | None = None, file: Path | None = None) -> tuple[dict[str, str], list[str]]:
    """The environment over the settings file, as text, without what is empty; and warnings. As ``load_settings``."""
    process = os.environ if env is None else env
    source = settings_file(process) if file is None else file if file.exists() else None
    read = read_settings_file(source) if source is not None else {}
    warnings = []
    if read.pop("SSH_ENV_FILE", "").strip():
        warnings.append(f"SSH_ENV_FILE in {source} has no effect: only the environment or --env-file can name a file.")
    given = {k: x for k, x in read.items() if x.strip()}
    return given | {k: x for k, x in process.items() if x.strip()}, warnings


def is_loopback(host: str) -> bool:
    """Whether an HTTP listener on ``host`` can be reached from this machine only. Names but localhost count as not."""
    key = values.host_key(host)
    return key in ("localhost", "::1") or (key.startswith("127.") and key.replace(".", "").isdigit())


def _parse(name: str, text: str, parse: v.Parser[Any], env: Mapping[str, str]) -> object:
    try:
        return parse(text, env)
    except ValueError as error:
        value = "***" if name in SECRET_NAMES else values.shown(text.strip())
        raise ConfigError(f"{name}={value}: {str(error).rstrip('.')}.") from None


def _forbid(settings: Settings, given: Mapping[str, str]) -> None:
    """Rules over more than one setting. Raises ConfigError."""
    if "SSH_SUDO_PASSWORD" in given and settings.allow_sudo:
        raise ConfigError(
            "SSH_SUDO_PASSWORD=***: a sudo password must not be in the environment. "
            "Use SSH_SUDO_PASSWORD_CMD or the keyring (service ssh-mcp-sudo, user = alias)."
        )
    if settings.ssh_redact_keys_add and settings.ssh_redact_keys_replace:
        raise ConfigError(
            f"SSH_REDACT_KEYS_REPLACE={values.shown(given['SSH_REDACT_KEYS_REPLACE'])}: "
            "must not be set together with SSH_REDACT_KEYS_ADD. Keep one of them."
        )
    if settings.mcp_transport == "stdio":
        return
    if settings.mcp_auth != "bearer":
        _check_auth(settings)
    elif settings.mcp_http_token_file is not None:
        _check_token_file(settings.mcp_http_token_file)
    elif not is_loopback(settings.mcp_http_host):
        raise ConfigError(
            f"MCP_HTTP_HOST={values.shown(settings.mcp_http_host)}: any address but loopback needs a bearer token. "
            "Set MCP_HTTP_TOKEN_FILE, or MCP_HTTP_HOST=127.0.0.1."
        )


def _check_auth(settings: Settings) -> None:
    """MCP_AUTH=jwt and oidc need what a token is checked against. Raises ConfigError."""
    auth = settings.mcp_auth
    needed = ["mcp_oidc_config_url", "mcp_oidc_client_id", "mcp_oidc_client_secret_file", "mcp_base_url"]
    if auth == "jwt":
        needed = ["mcp_auth_issuer", "mcp_auth_audience"]
        if settings.mcp_jwt_jwks_uri is not None and settings.mcp_jwt_public_key_file is not None:
            raise ConfigError("MCP_AUTH=jwt: needs MCP_JWT_JWKS_URI or MCP_JWT_PUBLIC_KEY_FILE, not both.")
    missing = [name.upper() for name in needed if getattr(settings, name) is None]
    if auth == "jwt" and settings.mcp_jwt_jwks_uri is None and settings.mcp_jwt_public_key_file is None:
        missing.append("MCP_JWT_JWKS_URI or MCP_JWT_PUBLIC_KEY_FILE")
    if missing:
        raise ConfigError(f"MCP_AUTH={auth}: needs {', '.join(missing)}.")
    if settings.mcp_http_token_file is not None or settings.mcp_http_local_open:
        raise ConfigError(f"MCP_AUTH={auth}: has no use for MCP_HTTP_TOKEN_FILE and MCP_HTTP_LOCAL_OPEN. Remove them.")


def _check_token_file(file: str) -> None:
    try:
        content = read_trusted(Path(file), secret=True)
    except ConfigError as error:
        raise ConfigError(f"MCP_HTTP_TOKEN_FILE={values.shown(file)}: {str(error).removeprefix(f'{file}: ')}") from None
    if not content.strip():
        raise ConfigError(f"MCP_HTTP_TOKEN_FILE={values.shown(file)}: is empty. Write a long random token into it.")


def _unknown(given: Mapping[str, str]) -> list[str]:
    found = []
    for name in sorted(given):
        ours = name.startswith(("ALLOW_", "SSH_"))
        if (
            not ours
            or name in NAMES
            or name in OPENSSH_OWN
            or name.startswith("SSH_MCP_")
            or name == "SSH_SUDO_PASSWORD"
        ):
            continue
        guess = values.nearest(name, NAMES)
        found.append(
            f"{values.shown(name)} is not a setting and was ignored.{f' Did you mean {guess}?' if guess else ''}"
        )
    return found


def _remarks(settings: Settings, given: Mapping[str, str]) -> list[str]:
    """What starts, but not as the operator may think."""
    found = []
    if "SSH_SUDO_PASSWORD" in given:
        found.append("SSH_SUDO_PASSWORD is ignored. Use SSH_SUDO_PASSWORD_CMD or the keyring and unset it.")
    if settings.allow_sudo and not settings.allow_dangerous_tools:
        found.append("ALLOW_SUDO has no effect without ALLOW_DANGEROUS_TOOLS.")
    if given.get("SSH_SUDO_MODE", "").strip().lower() == "persistent-su":
        found.append("SSH_SUDO_MODE=persistent-su is not supported; per-call is used.")
    if not settings.ssh_redact_salt:
        found.append(
            "SSH_REDACT_SALT is not set: redaction markers are plain SHA-256, from which short secrets can be guessed."
            " Set it to 32 or more random characters, as from `openssl rand -hex 32`."
        )
    config = settings.ssh_config_file
    if config and config != os.devnull and not Path(config).is_file():
        found.append(f"SSH_CONFIG_FILE {values.shown(config)} does not exist and is not used.")
    if settings.ssh_known_hosts and not Path(settings.ssh_known_hosts).is_file():
        found.append(f"SSH_KNOWN_HOSTS {values.shown(settings.ssh_known_hosts)} does not exist: every host is unknown.")
    for group in settings.ssh_enabled_groups:
        if group not in GROUPS:
            guess = values.nearest(group, GROUPS)
            known = f"Did you mean {guess}?" if guess else f"Groups are {', '.join(GROUPS)}."
            found.append(f"SSH_ENABLED_GROUPS names {values.shown(group)}, which is not a group. {known}")
    found += [
        f"SSH_LOCAL_TRANSFER_ROOTS names {values.shown(root)}, which is not a directory."
        for root in settings.ssh_local_transfer_roots
        if not Path(root).is_dir()
    ]
    return found
