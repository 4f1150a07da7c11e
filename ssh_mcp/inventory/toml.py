"""hosts.toml → layers. Refuses what it does not know, and says where."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ssh_mcp.errors import ConfigError
from ssh_mcp.inventory import values
from ssh_mcp.inventory.fields import (
    FORWARDING,
    SECRET_FIELDS,
    AlertsLayer,
    AuthLayer,
    HostLayer,
    checks,
)
from ssh_mcp.inventory.lines import line_of
from ssh_mcp.inventory.values import BadValue, shown
from ssh_mcp.settings.trusted import read_trusted

_NOT_IN_DEFAULTS: Final = frozenset({"hostname", "notes"})
_TOP: Final = ("defaults", "hosts", "roles", "identities")
_TABLES: Final = ("auth", "alerts")
_HOST: Final = checks(HostLayer)
_AUTH: Final = checks(AuthLayer)
_ALERTS: Final = checks(AlertsLayer)


@dataclass(frozen=True, slots=True)
class Document:
    """One file, parsed and checked field by field. ``file`` empty: there is none."""

    file: str = ""
    text: str = field(default="", repr=False)
    defaults: HostLayer = field(default_factory=HostLayer)
    hosts: Mapping[str, HostLayer] = field(default_factory=dict)
    roles: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    identities: Mapping[str, Any] = field(default_factory=dict)

    def place(self, path: tuple[str, ...]) -> str:
        """``file:line`` of the value at ``path``."""
        line = line_of(self.text, path)
        return f"{self.file}:{line}" if line else self.file

    def error(self, path: tuple[str, ...], what: str, remedy: str) -> ConfigError:
        """``file:line: [table] field: what. Remedy.`` for the value at ``path``."""
        return _error(self.file, self.text, path, what, remedy)


def load(file: Path, env: Mapping[str, str]) -> Document:
    """Read and check ``file``. Raises ConfigError with one line, also where others can change the file."""
    try:
        text = read_trusted(file).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{file}: is not UTF-8 text. Save it as UTF-8.") from None
    return parse(str(file), text, env)


def parse(file: str, text: str, env: Mapping[str, str]) -> Document:
    """Check the text of a hosts.toml. ``file`` is for messages. Raises ConfigError with one line."""
    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        reason = shown(str(error) or "nested too deeply", 200)
        raise ConfigError(f"{file}: is not valid TOML: {reason}. Fix the syntax.") from None
    reader = _Reader(file, text, env)
    for name, value in content.items():
        if name not in _TOP:
            raise reader.unknown((name,), _TOP, value)
        reader.table((name,), value)
    defaults = reader.host(("defaults",), content.get("defaults", {}))
    hosts = {name: reader.named(name, value) for name, value in content.get("hosts", {}).items()}
    roles = {name: reader.table(("roles", name), value) for name, value in content.get("roles", {}).items()}
    return Document(file, text, defaults, hosts, roles, content.get("identities", {}))


def _error(file: str, text: str, path: tuple[str, ...], what: str, remedy: str) -> ConfigError:
    line = line_of(text, path)
    where = f"{file}:{line}" if line else file
    *table, last = [shown(p) for p in path]
    name = f"[{'.'.join(table)}] {last}" if table and path[:-1] != ("hosts",) else f"[{'.'.join([*table, last])}]"
    return ConfigError(f"{where}: {name}: {what}. {remedy}")


@dataclass(frozen=True, slots=True)
class _Reader:
    file: str
    text: str
    env: Mapping[str, str]

    def error(self, path: tuple[str, ...], what: str, remedy: str) -> ConfigError:
        return _error(self.file, self.text, path, what, remedy)

    def table(self, path: tuple[str, ...], value: object) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.error(path, "is not a table", f"Write [{'.'.join(path)}] with its fields below.")
        return value

    def named(self, name: str, value: object) -> HostLayer:
        try:
            values.alias(name)
        except BadValue as error:
            raise self.error(("hosts", name), error.what, error.remedy) from None
        return self.host(("hosts", name), value)

    def host(self, path: tuple[str, ...], value: object) -> HostLayer:
        table = self.table(path, value)
        known = dict(_HOST)
        if path == ("defaults",):
            known = {k: c for k, c in _HOST.items() if k not in _NOT_IN_DEFAULTS}
        plain = {k: v for k, v in table.items() if k not in _TABLES}
        fields = self.fields(path, plain, known, also=(*_AUTH, *_TABLES))
        auth = AuthLayer(**self.fields((*path, "auth"), self.table((*path, "auth"), table.get("auth", {})), _AUTH))
        alerts = self.table((*path, "alerts"), table.get("alerts", {}))
        return HostLayer(**fields, auth=auth, alerts=AlertsLayer(**self.fields((*path, "alerts"), alerts, _ALERTS)))

    def fields(
        self, path: tuple[str, ...], table: Mapping[str, Any], known: Mapping[str, Any], also: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        found = {}
        for name, value in table.items():
            if name not in known:
                raise self.unknown((*path, name), (*known, *also), value)
            try:
                found[name] = known[name](value, self.env)
            except BadValue as error:
                raise self.error((*path, name), error.what, error.remedy) from None
        return found

    def unknown(self, path: tuple[str, ...], known: tuple[str, ...], value: object) -> ConfigError:
        """A name that means nothing here; the value stays out of the message, for it may be a secret."""
        name = path[-1]
        plain = name.lower().replace("-", "_")
        if plain in SECRET_FIELDS:
            instead = "passphrase_cmd" if "passphrase" in plain else "password_cmd"
            return self.error(path, "secrets do not belong in this file", f"Use {instead}, which prints the secret.")
        if plain in FORWARDING:
            return self.error(path, "agent forwarding cannot be switched on", "Use proxy_jump to reach hosts behind.")
        if path[0] == "hosts" and len(path) == 3 and name in _AUTH:
            return self.error(path, "belongs in the auth table", f"Move it to [hosts.{path[1]}.auth].")
        if path[0] == "hosts" and len(path) == 3 and isinstance(value, dict):
            return self.error(
                path,
                "unknown table",
                f'Tables are auth and alerts; an alias with dots is written [hosts."{path[1]}.{name}"].',
            )
        if path[0] == "defaults" and name in _NOT_IN_DEFAULTS:
            return self.error(path, "cannot be the same for all hosts", "Set it in [hosts.<alias>].")
        guess = values.nearest(name, known)
        return self.error(
            path, "unknown field", f"Did you mean {guess}?" if guess else f"Known are {', '.join(known)}."
        )
