"""The fields of hosts.toml: name, type, check. A layer is one table of the file; ``None`` is what it leaves open."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeVar

from ssh_mcp.inventory import values
from ssh_mcp.inventory.model import BypassPolicy
from ssh_mcp.inventory.values import BadValue, shown
from transports.api import AuthMethod

T = TypeVar("T")
Env = Mapping[str, str]
Check = Callable[[Any, Env], T]
"""A TOML value and the environment for ``${VAR}``. Raises BadValue."""

PLATFORMS: Final = ("posix", "windows", "linux", "macos", "bsd", "darwin")
DEVICES: Final = (
    "aethra_atosnt", "alcatel_aos", "arista_eos", "aruba_aoscx", "aruba_wlc", "cisco_aireos", "cisco_asa",
    "cisco_cbs", "cisco_ftd", "cisco_iosxe", "cisco_iosxr", "cisco_nxos", "cumulus_linux", "cumulus_vtysh",
    "datacom_dmos", "datacom_dmswitch", "dell_emc", "dell_enterprisesonic", "dlink_os", "edgecore_ecs", "eltex_esr",
    "fortinet_fortios", "fortinet_wlc", "hp_comware", "huawei_smartax", "huawei_vrp", "ipinfusion_ocnos",
    "juniper_junos", "mikrotik_routeros", "nokia_srlinux", "nokia_sros", "nokia_sros_classic",
    "nokia_sros_classic_aram", "paloalto_panos", "raisecom_ros", "ruckus_fastiron", "ruckus_unleashed",
    "ruijie_rgos", "siemens_roxii", "ubiquiti_edgeswitch", "versa_flexvnf", "vyos_vyos", "zyxel_dslam",
)  # fmt: skip
"""Network systems, by the names of scrapli's definitions."""
SECRET_FIELDS: Final = frozenset(
    {"password", "passwd", "passphrase", "sudo_password", "key_passphrase", "secret", "token"}
)
"""Names under which people put secrets into the file. Their values are never shown."""
FORWARDING: Final = frozenset({"forward_agent", "agent_forwarding", "forwardagent", "agent_forward"})

_KEYWORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*\Z")


def _text(value: object, _env: Env) -> str:
    if not isinstance(value, str):
        raise BadValue(f"{shown(value)} is not text", 'Write it in quotes, such as "value".')
    return value


def _line(value: object, env: Env) -> str:
    text = _text(value, env)
    if not text.strip() or values.has_control(text):
        raise BadValue("is empty or holds control characters", "Write one line of text.")
    return text


def _checked(check: Callable[[str], str]) -> Check[str]:
    def parse(value: object, env: Env) -> str:
        text = values.expand(_text(value, env), env)
        try:
            return check(text)
        except BadValue as error:
            raise BadValue(f"{shown(text)} {error.what}", error.remedy) from None

    return parse


def _boolean(value: object, _env: Env) -> bool:
    if not isinstance(value, bool):
        raise BadValue(f"{shown(value)} is neither true nor false", "Write true or false without quotes.")
    return value


def _whole(low: int, high: int) -> Check[int]:
    def parse(value: object, _env: Env) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise BadValue(f"{shown(value)} is out of range", f"Give a whole number from {low} to {high}.")
        return value

    return parse


def _number(low: float, high: float | None) -> Check[float]:
    def parse(value: object, _env: Env) -> float:
        fits = isinstance(value, int | float) and not isinstance(value, bool) and value >= low
        if not fits or (high is not None and not value <= high):  # type: ignore[operator]
            limits = f"from {low:g} to {high:g}" if high is not None else f"from {low:g} upwards"
            raise BadValue(f"{shown(value)} is out of range", f"Give a number {limits}.")
        return float(value)  # type: ignore[arg-type]

    return parse


def _choice(*allowed: str) -> Check[Any]:
    def parse(value: object, env: Env) -> str:
        text = _text(value, env).strip().lower()
        if text not in allowed:
            raise BadValue(f"{shown(value)} is not known", f"Use one of {', '.join(allowed)}.")
        return next(a for a in allowed if a == text)

    return parse


def _strings(value: object, _env: Env) -> tuple[str, ...]:
    if isinstance(value, str):
        raise BadValue(f"{shown(value)} is not a list", f'Write ["{shown(value)}"].')
    if not isinstance(value, list) or not all(isinstance(x, str) for x in value):
        raise BadValue("is not a list of texts", 'Write ["one", "two"].')
    return tuple(dict.fromkeys(value))


def _each(check: Callable[[str], str]) -> Check[tuple[str, ...]]:
    one = _checked(check)

    def parse(value: object, env: Env) -> tuple[str, ...]:
        return tuple(one(x, env) for x in _strings(value, env))

    return parse


def _words(value: object, env: Env) -> tuple[str, ...]:
    found = _strings(value, env)
    for word in found:
        if not word.strip() or values.has_control(word):
            raise BadValue(f"{shown(word) if word else 'an empty entry'} cannot be used", "Write plain words.")
    return found


def _redact_globs(value: object, env: Env) -> tuple[str, ...]:
    """``["none"]`` (or ``"none"``) lifts the environment's list for this host."""
    if value in ("none", ["none"]):
        return ("none",)
    found = _each(values.remote_glob)(value, env)
    if "none" in found:
        raise BadValue("holds none among patterns", 'Write ["none"] alone or patterns.')
    return found


def _jump(value: object, env: Env) -> tuple[str, ...]:
    names = value.split(",") if isinstance(value, str) else list(_strings(value, env))
    return tuple(n.strip() for n in names if n.strip())


def _command(value: object, env: Env) -> tuple[str, ...]:
    import shlex

    try:
        found = tuple(shlex.split(value)) if isinstance(value, str) else _words(value, env)
    except ValueError:
        found = ()
    if not found or any(values.has_control(x) for x in found):
        raise BadValue("is not a command line", "Write it like 'docker' or 'sudo -n docker'.")
    return found


def _path_here(value: object, env: Env) -> str:
    text = _text(value, env)
    try:
        return values.local_path(text, env)
    except BadValue as error:
        raise BadValue(f"{shown(text)} {error.what}", error.remedy) from None


def _agent(value: object, env: Env) -> str:
    """ssh_config(5) IdentityAgent: a socket, ``none``, ``SSH_AUTH_SOCK`` or ``$NAME``."""
    text = _text(value, env)
    if text in ("none", "SSH_AUTH_SOCK") or re.fullmatch(r"\$[A-Za-z_][A-Za-z0-9_]*", text):
        return text
    return _path_here(text, env)


def _options(value: object, _env: Env) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict):
        raise BadValue("is not a table", 'Write it like { Ciphers = "+aes128-cbc" }.')
    return tuple(_vetted(_keyword(k), _option_value(k, v)) for k, v in value.items())


def _vetted(keyword: str, value: str) -> tuple[str, str]:
    from transports.openssh.login.options import check_option

    try:
        check_option(keyword, value)
    except ValueError as error:
        raise BadValue(str(error).removeprefix("ssh_options.").rstrip("."), f"Remove {keyword} here.") from None
    return keyword, value


def _keyword(name: str) -> str:
    if not _KEYWORD.match(name):
        raise BadValue(f"{shown(name)} is no ssh_config keyword", "See ssh_config(5).")
    return name


def _option_value(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(x, str) for x in value):
        value = ",".join(value)
    if not isinstance(value, str | int) or not str(value).strip() or values.has_control(str(value)):
        raise BadValue(f"{name} has a value that ssh_config cannot hold", "Write one line of text.")
    return str(value)


def _ask(value: object, env: Env) -> tuple[str, ...]:
    from ssh_mcp.policy.approval import check_ask_entry  # late: few files ask

    entries = _words(value, env)
    for entry in entries:
        if (problem := check_ask_entry(entry)) is not None:
            raise BadValue(
                f"{shown(entry)} {problem}", 'Write rules such as "sudo", "command:reboot" or "write:/etc/**".'
            )
    return entries


def _forward(text: str) -> str:
    from ssh_mcp.policy.forwards import check_entry  # late: few files forward

    if (problem := check_entry(text)) is not None:
        raise BadValue(problem, 'Write targets such as "db.internal:5432" or "10.0.0.0/8:443".')
    return text


def _platform(value: object, env: Env) -> str:
    return value if isinstance(value, str) and value in DEVICES else _choice(*PLATFORMS)(value, env)


def _f(check: Check[T]) -> T | None:
    return dataclasses.field(default=None, metadata={"check": check})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AuthLayer:
    """``[….auth]``. Commands are run later; nothing in here is a secret."""

    method: AuthMethod | None = _f(_choice(*(m for m in AuthMethod if m is not AuthMethod.AUTO)))  # noqa: RUF009
    identity_agent: str | None = _f(_agent)
    identity_fingerprint: str | None = _f(_checked(values.fingerprint))
    identities_only: bool | None = _f(_boolean)
    key: str | None = _f(_path_here)
    passphrase_cmd: str | None = _f(_line)
    password_cmd: str | None = _f(_line)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AlertsLayer:
    """``[….alerts]``: thresholds in percent, load, and mount points."""

    disk_use_percent_max: float | None = _f(_number(0, 100))
    load_avg_1min_max: float | None = _f(_number(0, None))
    mem_free_percent_min: float | None = _f(_number(0, 100))
    disk_mounts: tuple[str, ...] | None = _f(_each(lambda x: values.remote_path(x, None)))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HostLayer:
    """``[defaults]`` or ``[hosts.<alias>]``. Remote paths are checked again once the platform is known."""

    hostname: str | None = _f(_checked(values.hostname))
    user: str | None = _f(_checked(values.user))
    port: int | None = _f(_whole(1, 65535))
    platform: str | None = _f(_platform)
    default_dir: str | None = _f(_checked(lambda x: values.remote_path(x, None)))
    sudo_mode: Literal["per-call", "persistent-su"] | None = _f(_choice("per-call", "persistent-su"))
    path_allowlist: tuple[str, ...] | None = _f(_each(lambda x: values.remote_prefix(x, None, everything=True)))
    restricted_paths: tuple[str, ...] | None = _f(_each(lambda x: values.remote_prefix(x, None, everything=False)))
    restricted_globs: tuple[str, ...] | None = _f(_each(values.remote_glob))
    redact_paths_globs: tuple[str, ...] | None = _f(_redact_globs)
    redact_keys_add: tuple[str, ...] | None = _f(_words)
    redact_keys_replace: tuple[str, ...] | None = _f(_words)
    redact_entropy_detection: bool | None = _f(_boolean)
    redact_bypass_policy: BypassPolicy | None = _f(_choice(*BypassPolicy))  # noqa: RUF009
    redact_hint_chars: int | None = _f(_whole(0, 4))
    redact_output: bool | None = _f(_boolean)
    command_allowlist: tuple[str, ...] | None = _f(_words)
    ask: tuple[str, ...] | None = _f(_ask)
    proxy_jump: tuple[str, ...] | None = _f(_jump)
    persistent_session: bool | None = _f(_boolean)
    docker_cmd: tuple[str, ...] | None = _f(_command)
    notes: str | None = _f(_text)
    tags: tuple[str, ...] | None = _f(_each(values.tag))
    forward_local: tuple[str, ...] | None = _f(_each(_forward))
    forward_remote: tuple[str, ...] | None = _f(_each(_forward))
    forward_dynamic: bool | None = _f(_boolean)
    sync_delete: bool | None = _f(_boolean)
    device_allow: tuple[str, ...] | None = _f(_words)
    device_enable_cmd: str | None = _f(_line)
    ssh_options: tuple[tuple[str, str], ...] | None = _f(_options)
    auth: AuthLayer = AuthLayer()
    alerts: AlertsLayer = AlertsLayer()


def checks(layer: type[HostLayer | AuthLayer | AlertsLayer]) -> dict[str, Check[Any]]:
    """Field name → check, without the tables inside."""
    return {f.name: f.metadata["check"] for f in dataclasses.fields(layer) if "check" in f.metadata}
