"""Layers and settings → HostPolicy: a host's own layer, then [defaults], then the settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from ssh_mcp.inventory import values
from ssh_mcp.inventory.fields import DEVICES, AlertsLayer, AuthLayer, HostLayer
from ssh_mcp.inventory.jumps import with_jumps
from ssh_mcp.inventory.model import (
    AlertLimits,
    AskEntry,
    CommandPolicy,
    DevicePolicy,
    ForwardPolicy,
    HostPolicy,
    PathPolicy,
    Platform,
    RedactionPolicy,
)
from ssh_mcp.inventory.toml import Document
from ssh_mcp.inventory.values import BadValue, shown
from ssh_mcp.settings.model import Settings
from transports.api import Auth, AuthMethod

T = TypeVar("T")
L = TypeVar("L", AuthLayer, AlertsLayer)

_FOLDING: Final = ("macos", "darwin")
_MACOS_LINKS: Final = ("/etc", "/tmp", "/var")
"""Links to /private on every Mac: what restricts one must restrict the other."""


def merge(document: Document, settings: Settings) -> tuple[dict[str, HostPolicy], dict[str, HostPolicy]]:
    """The hosts of the file, and those that only SSH_HOSTS_ALLOWLIST names; jump hosts included. Raises ConfigError."""
    hosts = {
        name: _Merge(document, settings, ("hosts", name), layer).policy(name) for name, layer in document.hosts.items()
    }
    described = {values.host_key(p.hostname) for p in hosts.values()} | set(hosts)
    outside = {}
    for name in settings.ssh_hosts_allowlist:
        if name in described or values.host_key(name) in described:
            continue
        policy = _Merge(document, settings, ("defaults",), HostLayer()).policy(name)
        outside[name] = dataclasses.replace(policy, in_inventory=False, hostname_given=False)
    return with_jumps(document, hosts, outside)


def default_redaction(document: Document, settings: Settings) -> RedactionPolicy:
    """For text that belongs to no single host."""
    return _Merge(document, settings, ("defaults",), HostLayer()).redaction()


def default_ask(document: Document, settings: Settings) -> tuple[AskEntry, ...]:
    """For tools that are about no host."""
    return _Merge(document, settings, ("defaults",), HostLayer()).ask()


@dataclass(frozen=True, slots=True)
class _Merge:
    """One host: its own layer over the defaults over the settings."""

    document: Document
    settings: Settings
    path: tuple[str, ...]
    host: HostLayer

    def of(self, name: str) -> Any:
        own = getattr(self.host, name)
        return own if own is not None else getattr(self.document.defaults, name)

    def place(self, *names: str) -> tuple[str, ...]:
        """Where in the file the effective value of a field is set."""
        layer: object = self.host
        for name in names:
            layer = getattr(layer, name)
        return (*(self.path if layer is not None else ("defaults",)), *names)

    def policy(self, alias: str) -> HostPolicy:
        """Everything but the jump hosts."""
        platform = self.of("platform") or "posix"
        windows = platform == "windows"
        hostname = self.host.hostname
        return HostPolicy(
            alias=alias,
            hostname=hostname or alias,
            ssh_name=alias,
            hostname_given=hostname is not None,
            user=self.of("user"),
            port=self.of("port"),
            platform=Platform.WINDOWS if windows else Platform.POSIX,
            auth=self.auth(),
            ssh_options=self.options(),
            paths=self.paths(windows=windows, fold=platform in _FOLDING),
            commands=self.commands(),
            ask=self.ask(),
            redaction=self.redaction(),
            alerts=self.alerts(),
            persistent_session=_first(self.of("persistent_session"), True),
            docker_cmd=self.of("docker_cmd") or self.settings.ssh_docker_cmd,
            compose_cmd=self.settings.ssh_docker_compose_cmd,
            notes=self.host.notes,
            tags=_union(self.host.tags, self.document.defaults.tags or ()),
            forwards=ForwardPolicy(
                local=_union(self.host.forward_local, self.document.defaults.forward_local or ()),
                remote=_union(self.host.forward_remote, self.document.defaults.forward_remote or ()),
                dynamic=_first(self.of("forward_dynamic"), False),
            ),
            device=self.device(platform),
            sync_delete=_first(self.of("sync_delete"), False),
        )

    def device(self, platform: str) -> DevicePolicy | None:
        if platform not in DEVICES:
            return None
        return DevicePolicy(
            definition=platform,
            allow=_union(self.host.device_allow, self.document.defaults.device_allow or ()),
            enable_cmd=self.of("device_enable_cmd"),
        )

    def auth(self) -> Auth:
        own, defaults = self.host.auth, self.document.defaults.auth
        merged = _over(own, defaults)
        method = merged.method or AuthMethod.AUTO
        if method is AuthMethod.PASSWORD:
            self.check_password(merged)
        return Auth(
            method=method,
            identity_agent=merged.identity_agent,
            identity_fingerprint=merged.identity_fingerprint,
            identities_only=merged.identities_only,
            key=merged.key,
            passphrase_cmd=merged.passphrase_cmd,
            password_cmd=merged.password_cmd if method is AuthMethod.PASSWORD else None,
        )

    def check_password(self, merged: AuthLayer) -> None:
        place = self.place("auth", "method")
        if not self.settings.allow_password_auth:
            raise self.document.error(
                place, "password login is not allowed", "Set ALLOW_PASSWORD_AUTH=true or use an agent or a key."
            )
        if merged.password_cmd is None:
            raise self.document.error(place, "password login needs password_cmd", "Set it to a command that prints it.")

    def options(self) -> tuple[tuple[str, str], ...]:
        """The host's keywords over those of the defaults, compared case-blind as ssh does."""
        merged = {k.lower(): (k, v) for k, v in self.document.defaults.ssh_options or ()}
        merged |= {k.lower(): (k, v) for k, v in self.host.ssh_options or ()}
        return tuple(merged.values())

    def paths(self, *, windows: bool, fold: bool) -> PathPolicy:
        s = self.settings
        default_dir = self.of("default_dir")
        if self.host.default_dir is not None:
            self.recheck("default_dir", (default_dir,), lambda x: values.remote_path(x, windows))
        elif default_dir is not None and values.is_drive_path(default_dir) != windows:
            default_dir = None
        allow = self.prefixes("path_allowlist", windows, everything=True)
        restricted = _union(self.prefixes("restricted_paths", windows, everything=False), s.ssh_restricted_paths)
        if fold:
            restricted = tuple(x for p in restricted for x in _with_macos_target(p))
        return PathPolicy(
            allow=_union(allow, s.ssh_path_allowlist),
            restricted=restricted,
            restricted_globs=_union(self.of("restricted_globs"), s.ssh_restricted_globs),
            redact_globs=self.redact_globs(),
            bypass=self.of("redact_bypass_policy") or s.ssh_redact_bypass_policy,
            windows=windows,
            default_dir=default_dir,
            fold_case=fold,
        )

    def prefixes(self, name: str, windows: bool, *, everything: bool) -> tuple[str, ...]:
        """A path list. What is inherited serves all platforms at once; what the host says must fit its own."""
        own: tuple[str, ...] | None = getattr(self.host, name)
        self.recheck(name, own or (), lambda x: values.remote_prefix(x, windows, everything=everything))
        return self.of(name) or ()

    def recheck(self, name: str, entries: tuple[str, ...], check: Callable[[str], str]) -> None:
        """The host's own paths once more, now that the platform is known."""
        for entry in entries:
            try:
                check(entry)
            except BadValue as error:
                raise self.document.error((*self.path, name), f"{shown(entry)} {error.what}", error.remedy) from None

    def redact_globs(self) -> tuple[str, ...]:
        own = self.of("redact_paths_globs")
        if own == ("none",):
            return ()
        return _union(own, self.settings.ssh_redact_paths_globs)

    def commands(self) -> CommandPolicy:
        s = self.settings
        return CommandPolicy(
            allow=_union(self.of("command_allowlist"), s.ssh_command_allowlist),
            allow_any=s.allow_any_command,
            cheatsheet=not s.ssh_exec_allow_cheatsheet_patterns,
            redact_globs=self.redact_globs(),
        )

    def ask(self) -> tuple[AskEntry, ...]:
        """The rules of defaults and host united with the environment's: each layer can only add questions."""
        found = [AskEntry(entry, "SSH_ASK") for entry in self.settings.ssh_ask]
        for path, layer in ((("defaults",), self.document.defaults), (self.path, self.host)):
            if layer.ask:
                where = self.document.place((*path, "ask"))
                found += [AskEntry(entry, where) for entry in layer.ask]
        return tuple(dict.fromkeys(found))

    def redaction(self) -> RedactionPolicy:
        s = self.settings
        add, replace = self.key_words()
        return RedactionPolicy(
            keys_add=add,
            keys_replace=replace,
            entropy=_first(self.of("redact_entropy_detection"), s.ssh_redact_entropy_detection),
            hint_chars=_first(self.of("redact_hint_chars"), s.ssh_redact_hint_chars),
            salt=s.ssh_redact_salt,
            output=_first(self.of("redact_output"), s.ssh_redact_output),
        )

    def key_words(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Added and replacing key words. A replacement drops what outer layers added; additions add to either."""
        s = self.settings
        add, replace = s.ssh_redact_keys_add, s.ssh_redact_keys_replace
        for path, layer in ((("defaults",), self.document.defaults), (self.path, self.host)):
            if layer.redact_keys_add and layer.redact_keys_replace:
                raise self.document.error(
                    (*path, "redact_keys_replace"), "cannot be combined with redact_keys_add", "Keep one of the two."
                )
            if layer.redact_keys_replace:
                add, replace = (), layer.redact_keys_replace
            add = _union(add, layer.redact_keys_add or ())
        return add, replace

    def alerts(self) -> AlertLimits:
        merged = _over(self.host.alerts, self.document.defaults.alerts)
        return AlertLimits(
            disk_use_percent_max=merged.disk_use_percent_max,
            load_avg_1min_max=merged.load_avg_1min_max,
            mem_free_percent_min=merged.mem_free_percent_min,
            disk_mounts=merged.disk_mounts or (),
        )


def _over(own: L, below: L) -> L:
    """Field by field, ``own`` where it says something."""
    given = {f.name: getattr(own, f.name) for f in dataclasses.fields(own) if getattr(own, f.name) is not None}
    return dataclasses.replace(below, **given)


def _first(value: T | None, otherwise: T) -> T:
    return otherwise if value is None else value


def _union(first: tuple[str, ...] | None, second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*(first or ()), *second)))


def _with_macos_target(path: str) -> tuple[str, ...]:
    linked = any(path == link or path.startswith(f"{link}/") for link in _MACOS_LINKS)
    return (path, f"/private{path}") if linked else (path,)
