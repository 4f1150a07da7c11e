"""hosts.toml: each refusal with file, line, alias, field and remedy, as the exact line an operator reads."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssh_mcp.errors import ConfigError
from ssh_mcp.inventory.lines import line_of
from ssh_mcp.inventory.resolve import Inventory, load_inventory
from ssh_mcp.inventory.toml import parse
from ssh_mcp.settings.model import Settings

ENV = {"HOME": "/home/op"}
REFUSALS = tomllib.loads((Path(__file__).parent.parent.parent / "data/inventory/refusals.toml").read_text())["case"]


def load(tmp_path: Path, text: str, **values: object) -> tuple[Inventory, list[str]]:
    file = tmp_path / "hosts.toml"
    file.write_text(text)
    return load_inventory(Settings(ssh_hosts_file=str(file), **values), ENV)  # type: ignore[arg-type]


def refusal(tmp_path: Path, text: str, **values: object) -> str:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text, **values)
    return str(caught.value).replace(f"{tmp_path}/", "")


@pytest.mark.parametrize("case", REFUSALS, ids=lambda c: c["body"].strip())
def test_what_is_refused_at_load(tmp_path: Path, case: dict[str, str]) -> None:
    assert refusal(tmp_path, f"[hosts.web01]\n{case['body']}") == case["sentence"]


def test_a_secret_given_as_a_literal_is_never_repeated(tmp_path: Path) -> None:
    for name in ("password", "passphrase", "token"):
        assert "hunter2" not in refusal(tmp_path, f"[hosts.a.auth]\n{name} = 'hunter2'\n")
        assert "hunter2" not in refusal(tmp_path, f"[defaults.auth]\n{name} = 'hunter2'\n")
        assert "hunter2" not in refusal(tmp_path, f"[hosts.a]\n{name} = 'hunter2'\n")


def test_jump_circles_name_the_way_round(tmp_path: Path) -> None:
    text = "[hosts.a]\nproxy_jump = 'b'\n[hosts.b]\nproxy_jump = ['c']\n[hosts.c]\nproxy_jump = 'b'\n"
    assert refusal(tmp_path, text) == (
        "hosts.toml:6: [hosts.c] proxy_jump: jumps in a circle: b -> c -> b. Remove one of them."
    )


def test_a_password_login_needs_the_command_that_prints_it(tmp_path: Path) -> None:
    text = "[hosts.a]\n[hosts.a.auth]\nmethod = 'password'\n"
    assert refusal(tmp_path, text, allow_password_auth=True) == (
        "hosts.toml:3: [hosts.a.auth] method: password login needs password_cmd. Set it to a command that prints it."
    )
    inventory, _ = load(tmp_path, f"{text}password_cmd = 'pass show a'\n", allow_password_auth=True)
    assert inventory.hosts["a"].auth.password_cmd == "pass show a"


def test_a_refusal_of_the_defaults_points_at_the_defaults(tmp_path: Path) -> None:
    text = "[defaults.auth]\nmethod = 'password'\n[hosts.a]\nhostname = 'a'\n"
    assert refusal(tmp_path, text) == (
        "hosts.toml:2: [defaults.auth] method: password login is not allowed. "
        "Set ALLOW_PASSWORD_AUTH=true or use an agent or a key."
    )


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is not a regular file\. Name a file\.$"):
        load_inventory(Settings(ssh_hosts_file=str(tmp_path)), ENV)
    file = tmp_path / "hosts.toml"
    file.write_bytes(b"notes = '\xff'")
    with pytest.raises(ConfigError, match=r"hosts\.toml: is not UTF-8 text\. Save it as UTF-8\.$"):
        load_inventory(Settings(ssh_hosts_file=str(file)), ENV)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("defaults", "user"), 2),
        (("hosts", "a.b", "port"), 9),
        (("hosts", "a.b", "auth", "key"), 10),
        (("hosts", "a.b"), 4),
        (("hosts", "a.b", "ssh_options", "MACs"), 11),
        (("hosts", "c", "auth", "method"), 13),
        (("hosts", "c", "port"), 12),
        (("nothing",), None),
    ],
)
def test_lines_are_found_through_quotes_dots_and_long_strings(path: tuple[str, ...], line: int | None) -> None:
    text = '''[defaults]
user = "x"
# port = 1
[hosts."a.b"]
notes = """
port = 7
[hosts.c]
"""
port = 5
auth.key = "k"
ssh_options = { Ciphers = "x" }
[hosts.c]
auth = { method = "key" }
'''
    assert line_of(text, path) == line


def one_line_or_none(text: str) -> bool:
    try:
        parse("hosts.toml", text, ENV)
    except ConfigError as error:
        return str(error).startswith("hosts.toml") and len(str(error).splitlines()) == 1
    return True


@given(st.text(max_size=300))
@settings(max_examples=300, deadline=None)
def test_any_text_loads_or_is_refused_in_one_line(text: str) -> None:
    assert one_line_or_none(text)


SCRAPS = st.sampled_from(
    ["[hosts.a]\n", "[defaults]\n", "[hosts.a.auth]\n", "port = 22\n", "port = -1\n", "user = 'x'\n", "auth = 1\n",
     "path_allowlist = ['/']\n", "proxy_jump = 'a'\n", "hosts = 3\n", "hostname = [[]]\n", 'x."y z".z = {}\n',
     "alerts.disk_mounts = [1]\n", "ssh_options = {A=[1]}\n", "[[hosts]]\n", "notes='''\n", "'''\n", "method = 'key'\n",
     "user = 2024-01-01\n", "docker_cmd = ['']\n"]
)  # fmt: skip


@given(st.lists(SCRAPS, max_size=8).map("".join))
@settings(max_examples=500, deadline=None)
def test_any_arrangement_of_tables_loads_or_is_refused_in_one_line(text: str) -> None:
    assert one_line_or_none(text)
