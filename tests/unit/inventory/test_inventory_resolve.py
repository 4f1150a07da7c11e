"""From layers to hosts, and from a name to one of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssh_mcp.errors import ConfigError, HostBlocked, HostNotAllowed, public_text
from ssh_mcp.inventory.destination import to_destination, transport_config
from ssh_mcp.inventory.model import BypassPolicy, HostPolicy, Platform
from ssh_mcp.inventory.resolve import Inventory, diff, load_inventory
from ssh_mcp.inventory.values import block_key, host_key
from ssh_mcp.policy.paths import restricted_by
from ssh_mcp.settings.model import Settings
from transports.api import AuthMethod, Effective

ENV = {"HOME": "/home/op", "APP": "shop"}


def load(tmp_path: Path, text: str = "", **values: object) -> tuple[Inventory, list[str]]:
    file = tmp_path / "hosts.toml"
    file.write_text(text)
    return load_inventory(Settings(ssh_hosts_file=str(file), **values), ENV)  # type: ignore[arg-type]


def hosts(tmp_path: Path, text: str, **values: object) -> dict[str, HostPolicy]:
    return dict(load(tmp_path, text, **values)[0].hosts)


# --- merging --------------------------------------------------------------------------------------------------------


def test_the_host_wins_over_the_defaults_and_both_over_the_environment(tmp_path: Path) -> None:
    text = """
[defaults]
user = "deploy"
port = 2200
redact_hint_chars = 2
redact_bypass_policy = "warn"
docker_cmd = "podman"
[defaults.auth]
method = "key"
key = "~/.ssh/default"
identities_only = true
[defaults.alerts]
disk_use_percent_max = 90
mem_free_percent_min = 5
[hosts.a]
hostname = "a.example"
user = "root"
redact_hint_chars = 0
[hosts.a.auth]
key = "~/keys/${APP}"
[hosts.a.alerts]
disk_use_percent_max = 70
disk_mounts = ["/"]
[hosts.b]
hostname = "b.example"
"""
    found = hosts(
        tmp_path,
        text,
        ssh_redact_hint_chars=4,
        ssh_redact_entropy_detection=False,
        ssh_docker_cmd=("docker", "-H", "x"),
    )
    a, b = found["a"], found["b"]
    assert (a.user, a.port, b.user) == ("root", 2200, "deploy")
    assert (a.redaction.hint_chars, b.redaction.hint_chars) == (0, 2)
    assert not a.redaction.entropy
    assert a.paths.bypass is BypassPolicy.WARN
    assert a.docker_cmd == ("podman",)
    assert a.auth.method is AuthMethod.KEY
    assert (a.auth.key, b.auth.key) == ("/home/op/keys/shop", "/home/op/.ssh/default")
    assert a.auth.identities_only is True
    assert (a.alerts.disk_use_percent_max, a.alerts.mem_free_percent_min, a.alerts.disk_mounts) == (70, 5, ("/",))
    assert b.alerts.disk_use_percent_max == 90


def test_lists_of_the_environment_are_united_with_each_host_s_own(tmp_path: Path) -> None:
    text = """
[defaults]
path_allowlist = ["/defaults"]
command_allowlist = ["git"]
[hosts.a]
path_allowlist = ["/own", "/shared"]
restricted_paths = ["/own/r"]
restricted_globs = ["**/own"]
redact_paths_globs = ["**/own.conf"]
[hosts.b]
"""
    found = hosts(
        tmp_path,
        text,
        ssh_path_allowlist=("/shared", "/env"),
        ssh_restricted_paths=("/env/r",),
        ssh_restricted_globs=("**/env",),
        ssh_command_allowlist=("ls",),
        ssh_redact_paths_globs=("**/.env",),
    )
    a = found["a"]
    assert a.paths.allow == ("/own", "/shared", "/env")
    assert a.paths.restricted == ("/own/r", "/env/r")
    assert a.paths.restricted_globs == ("**/own", "**/env")
    assert a.paths.redact_globs == a.commands.redact_globs == ("**/own.conf", "**/.env")
    assert a.commands.allow == ("git", "ls")
    assert found["b"].paths.allow == ("/defaults", "/shared", "/env")


def test_none_lifts_the_redact_list_of_one_host(tmp_path: Path) -> None:
    found = hosts(tmp_path, '[hosts.a]\nredact_paths_globs = "none"\n[hosts.b]\nredact_paths_globs = []\n')
    assert found["a"].paths.redact_globs == ()
    assert "**/.env" in found["b"].paths.redact_globs


def test_a_replacement_of_key_words_drops_what_outer_layers_added(tmp_path: Path) -> None:
    text = '[hosts.a]\nredact_keys_replace = ["own"]\n[hosts.b]\nredact_keys_add = ["own"]\n'
    found = hosts(tmp_path, text, ssh_redact_keys_add=("env",))
    assert (found["a"].redaction.keys_add, found["a"].redaction.keys_replace) == ((), ("own",))
    assert found["b"].redaction.keys_add == ("env", "own")
    found = hosts(tmp_path, text, ssh_redact_keys_replace=("env",))
    assert (found["b"].redaction.keys_add, found["b"].redaction.keys_replace) == (("own",), ("env",))


def test_ssh_options_are_merged_by_keyword(tmp_path: Path) -> None:
    text = """
[defaults.ssh_options]
Ciphers = "+aes128-cbc"
MACs = ["hmac-sha1", "hmac-md5"]
[hosts.a.ssh_options]
ciphers = "aes256-ctr"
Compression = true
"""
    found = hosts(tmp_path, text)["a"].ssh_options
    assert found == (("ciphers", "aes256-ctr"), ("MACs", "hmac-sha1,hmac-md5"), ("Compression", "yes"))


@pytest.mark.parametrize("word", ["posix", "linux", "macos", "bsd", "darwin", "Linux"])
def test_all_unix_words_mean_posix(tmp_path: Path, word: str) -> None:
    assert hosts(tmp_path, f"[hosts.a]\nplatform = '{word}'\n")["a"].platform is Platform.POSIX


def test_a_windows_host_takes_windows_paths_and_inherits_lists_that_mean_nothing_there(tmp_path: Path) -> None:
    text = "[defaults]\npath_allowlist = ['/srv']\ndefault_dir = '/srv'\n[hosts.w]\nplatform = 'windows'\n"
    own = text + "path_allowlist = ['C:\\Data', 'D:/', '/E:/x', '*']\ndefault_dir = 'C:\\Data'\n"
    assert hosts(tmp_path, own)["w"].paths.default_dir == "C:\\Data"
    inherited = hosts(tmp_path, text)["w"]
    assert (inherited.paths.allow, inherited.paths.default_dir) == (("/srv",), None)


def test_a_mac_forbids_regardless_of_case_and_behind_its_links(tmp_path: Path) -> None:
    found = hosts(tmp_path, "[hosts.m]\nplatform = 'macos'\nrestricted_paths = ['/etc/ssh', '/Users/op/Private']\n")
    paths = found["m"].paths
    assert paths.restricted == ("/etc/ssh", "/private/etc/ssh", "/Users/op/Private")
    assert restricted_by("/private/etc/SSH/sshd_config", paths)
    assert restricted_by("/users/OP/private/x", paths)


def test_a_password_command_without_the_password_method_is_not_used(tmp_path: Path) -> None:
    inventory, warnings = load(tmp_path, "[hosts.a.auth]\nmethod = 'key'\npassword_cmd = 'pass x'\n")
    assert inventory.hosts["a"].auth.password_cmd is None
    assert warnings == ["[hosts.a.auth] password_cmd: has no effect with method key."]


# --- jump hosts -----------------------------------------------------------------------------------------------------

JUMPS = """
[defaults]
proxy_jump = "edge"
[hosts.edge]
hostname = "edge.example"
[hosts.inner]
hostname = "inner.example"
[hosts.target]
hostname = "target.example"
proxy_jump = ["inner", "last"]
[hosts.last]
hostname = "last.example"
proxy_jump = []
[hosts.plain]
"""


def chain(policy: HostPolicy) -> list[str]:
    return [p.alias for p in policy.jump]


def test_jumps_follow_the_first_hop_s_own_way_and_then_the_list(tmp_path: Path) -> None:
    found = hosts(tmp_path, JUMPS)
    assert chain(found["edge"]) == []
    assert chain(found["inner"]) == ["edge"]
    assert chain(found["target"]) == ["edge", "inner", "last"]
    assert chain(found["last"]) == []
    assert chain(found["plain"]) == ["edge"]
    assert [chain(p) for p in found["target"].jump] == [[], ["edge"], ["edge", "inner"]]


def test_a_default_jump_also_holds_for_names_of_the_allowlist_and_may_be_one(tmp_path: Path) -> None:
    inventory, _ = load(
        tmp_path, "[defaults]\nproxy_jump = 'gw.example'\n", ssh_hosts_allowlist=("gw.example", "x.example")
    )
    assert chain(inventory.resolve("x.example")) == ["gw.example"]
    assert chain(inventory.resolve("gw.example")) == []


def test_a_long_chain_of_jumps_is_no_problem(tmp_path: Path) -> None:
    text = "[hosts.h0]\n" + "".join(f"[hosts.h{i}]\nproxy_jump = 'h{i - 1}'\n" for i in range(1, 60))
    assert len(hosts(tmp_path, text)["h59"].jump) == 59


def test_a_destination_carries_what_the_operator_said_and_nothing_else(tmp_path: Path) -> None:
    text = "[hosts.a]\n[hosts.b]\nhostname = 'b.example'\nport = 22\nproxy_jump = 'a'\nplatform = 'windows'\n"
    settings = Settings()
    found = hosts(tmp_path, text)
    bare = to_destination(found["a"], settings)
    assert (bare.name, bare.hostname, bare.user, bare.port, bare.jump) == ("a", None, None, None, ())
    full = to_destination(found["b"], settings)
    assert (full.name, full.hostname, full.port, full.windows) == ("b", "b.example", 22, True)
    assert full.jump == (bare,)


def test_the_transport_gets_absolute_paths_and_no_missing_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").write_text("")
    made = transport_config(Settings(ssh_config_file="config", ssh_known_hosts="known", ssh_default_user="u"))
    assert made.ssh_config_file == str(tmp_path / "config")
    assert made.known_hosts_file == str(tmp_path / "known")
    assert transport_config(Settings(ssh_config_file="/no/config")).ssh_config_file is None
    assert transport_config(Settings()).known_hosts_file is None


# --- which host -----------------------------------------------------------------------------------------------------

NAMES = """
[hosts.web01]
hostname = "Web01.example.com"
[hosts.db]
hostname = "10.0.0.5"
[hosts.db2]
hostname = "10.0.0.5"
port = 2222
[hosts.behind]
hostname = "behind.example.com"
proxy_jump = "web01"
[hosts.bare]
"""


@pytest.mark.parametrize(
    ("name", "alias"),
    [("web01", "web01"), ("web01.example.com", "web01"), ("WEB01.EXAMPLE.COM.", "web01"), ("bare", "bare"),
     ("extra.example", "extra.example"), ("EXTRA.example", "extra.example"), ("::ffff:10.0.0.9", "10.0.0.9"),
     ("[fe80::1]", "FE80:0::1")],
)  # fmt: skip
def test_a_name_is_an_alias_then_a_hostname_then_an_allowlisted_name(tmp_path: Path, name: str, alias: str) -> None:
    inventory, _ = load(tmp_path, NAMES, ssh_hosts_allowlist=("extra.example", "10.0.0.9", "FE80:0::1"))
    assert inventory.resolve(name).alias == alias


def test_an_allowlisted_name_takes_the_defaults_and_leaves_the_rest_to_ssh(tmp_path: Path) -> None:
    inventory, _ = load(tmp_path, "[defaults]\nuser = 'u'\npath_allowlist = ['/srv']\n", ssh_hosts_allowlist=("x",))
    policy = inventory.resolve("x")
    assert (policy.user, policy.paths.allow, policy.ssh_name) == ("u", ("/srv",), "x")
    assert not policy.in_inventory
    assert not policy.hostname_given
    assert inventory.needs_effective(policy)


def test_a_host_of_the_file_is_not_listed_twice(tmp_path: Path) -> None:
    inventory, _ = load(tmp_path, NAMES, ssh_hosts_allowlist=("web01.example.com", "db", "new"))
    assert [p.alias for p in inventory.listed()] == ["web01", "db", "db2", "behind", "bare", "new"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("web1", "HostNotAllowed: web1 is not a known host. Did you mean web01? ssh_host_list shows all."),
        ("zzzzzz", "HostNotAllowed: zzzzzz is not a known host. ssh_host_list shows the hosts."),
        ("", "HostNotAllowed: An empty name is not a known host. ssh_host_list shows the hosts."),
        ("a\nb", "HostNotAllowed: a\\nb is not a known host. ssh_host_list shows the hosts."),
        ("-oProxyCommand=id", "HostNotAllowed: -oProxyCommand=id is not a known host. ssh_host_list shows the hosts."),
        ("10.0.0.5", "HostNotAllowed: 10.0.0.5 is the hostname of 2 hosts. Use an alias: db, db2."),
    ],
)
def test_other_names_are_not_allowed_and_the_nearest_is_named(tmp_path: Path, name: str, sentence: str) -> None:
    inventory, _ = load(tmp_path, NAMES)
    with pytest.raises(HostNotAllowed) as caught:
        inventory.resolve(name)
    assert public_text(caught.value) == sentence


def test_an_empty_inventory_says_what_the_operator_must_do(tmp_path: Path) -> None:
    with pytest.raises(
        HostNotAllowed, match=r"The operator must first add hosts to hosts\.toml or SSH_HOSTS_ALLOWLIST\.$"
    ):
        Inventory().resolve("x")


@pytest.mark.parametrize(
    ("blocked", "name", "sentence"),
    [
        ("WEB01.example.com.", "web01", "HostBlocked: Web01.example.com is on SSH_HOSTS_BLOCKLIST. "),
        ("web01", "web01.example.com", "HostBlocked: web01 is on SSH_HOSTS_BLOCKLIST. "),
        ("web01.example.com", "behind", ("HostBlocked: behind (its jump host Web01.example.com) is on "
         "SSH_HOSTS_BLOCKLIST. ")),
        ("10.0.0.5", "db", "HostBlocked: 10.0.0.5 is on SSH_HOSTS_BLOCKLIST. "),
        ("::ffff:10.0.0.5", "db", "HostBlocked: 10.0.0.5 is on SSH_HOSTS_BLOCKLIST. "),
        ("10.5", "db", "HostBlocked: 10.0.0.5 is on SSH_HOSTS_BLOCKLIST. "),
        ("0x0a000005", "db", "HostBlocked: 10.0.0.5 is on SSH_HOSTS_BLOCKLIST. "),
        ("012.0.0.5", "db", "HostBlocked: 10.0.0.5 is on SSH_HOSTS_BLOCKLIST. "),
        ("extra", "extra", "HostBlocked: extra is on SSH_HOSTS_BLOCKLIST. "),
    ],
)  # fmt: skip
def test_the_blocklist_wins_over_every_list(tmp_path: Path, blocked: str, name: str, sentence: str) -> None:
    inventory, _ = load(tmp_path, NAMES, ssh_hosts_allowlist=("extra",), ssh_hosts_blocklist=(blocked,))
    with pytest.raises(HostBlocked) as caught:
        inventory.resolve(name)
    assert public_text(caught.value) == f"{sentence}Only the operator can change that."
    assert name not in [p.alias for p in inventory.listed()]


def test_the_blocklist_is_applied_to_what_ssh_would_really_connect_to(tmp_path: Path) -> None:
    inventory, _ = load(tmp_path, NAMES, ssh_hosts_blocklist=("evil.example", "hop.example"))
    policy = inventory.resolve("bare")
    assert inventory.needs_effective(policy)
    inventory.check_effective(policy, Effective(hostname="good.example", user="u", port=22))
    with pytest.raises(HostBlocked, match=r"^bare \(EVIL\.example\) is on SSH_HOSTS_BLOCKLIST"):
        inventory.check_effective(policy, Effective(hostname="EVIL.example", user="u", port=22))
    with pytest.raises(HostBlocked, match=r"^bare \(hop\.example\) is on"):
        inventory.check_effective(policy, Effective(hostname="good", user="u", port=22, jump=("a", "hop.example")))
    with pytest.raises(HostBlocked, match=r"^bare \(hop\.example\) is on"):
        inventory.check_effective(policy, Effective("good", "u", 22, jump=("a",), jump_names=("hop.example",)))


@pytest.mark.parametrize("name", ["fe80::7%eth0", "FE80:0:0::7", "[fe80::7]", "fe80::7%1"])
def test_a_blocked_address_is_the_same_in_every_spelling_and_zone(name: str) -> None:
    assert block_key(name) == block_key("fe80::7")
    assert block_key(f"bad。com。{name}"[:8]) == "bad.com"


@pytest.mark.parametrize("name", ["10.5", "167772165", "0x0a000005", "012.0.0.5", "0a.0.0.5"])
def test_what_allows_takes_an_address_only_as_it_is_written(tmp_path: Path, name: str) -> None:
    inventory, _ = load(tmp_path, "[hosts.db]\nhostname = '10.0.0.5'\n", ssh_hosts_allowlist=("10.0.0.6",))
    with pytest.raises(HostNotAllowed):
        inventory.resolve(name)
    assert inventory.resolve("10.0.0.5").alias == "db"


@pytest.mark.parametrize(
    "command",
    [
        "ssh -W [%h]:%p evil.example",
        "ssh -W%h:%p -Jevil.example:22,b c",
        "ssh -o ProxyJump=u@EVIL.example. x",
        "nc -X connect -xevil.example:3128 %h %p",
        "sh -c 'nc evil.example 22'",
        "corkscrew http://evil.example:8080/ %h %p",
        "ssh -W [%h]:%p u@fe80::7",
        "nc 10.6 22",
    ],
)
def test_a_proxycommand_that_names_a_blocked_host_is_refused(tmp_path: Path, command: str) -> None:
    inventory, _ = load(tmp_path, NAMES, ssh_hosts_blocklist=("evil.example", "fe80::7", "10.0.0.6"))
    policy = inventory.resolve("bare")
    inventory.check_effective(policy, Effective("good", "u", 22, proxy_command="ssh -W [%h]:%p good.example"))
    with pytest.raises(HostBlocked, match=r"in its ProxyCommand\) is on SSH_HOSTS_BLOCKLIST"):
        inventory.check_effective(policy, Effective("good", "u", 22, proxy_command=command))


def test_ssh_is_not_asked_where_nothing_depends_on_its_answer(tmp_path: Path) -> None:
    inventory, _ = load(tmp_path, NAMES)
    assert not inventory.needs_effective(inventory.resolve("web01"))
    assert inventory.needs_effective(inventory.resolve("bare"))


@given(st.text(max_size=30))
def test_no_unknown_text_resolves(name: str) -> None:
    inventory = Inventory(hosts={"web01": HostPolicy("web01", "web01.example.com", "web01")})
    if name == "web01" or host_key(name) == "web01.example.com":
        return
    with pytest.raises(HostNotAllowed):
        inventory.resolve(name)


# --- loading --------------------------------------------------------------------------------------------------------


def test_no_file_at_all_is_valid_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    inventory, warnings = load_inventory(Settings(), ENV)
    assert inventory.listed() == ()
    assert warnings == ["No host is known: write hosts.toml (`ssh-mcp init`) or set SSH_HOSTS_ALLOWLIST."]


def test_a_named_file_that_is_missing_is_warned_of(tmp_path: Path) -> None:
    _, warnings = load_inventory(Settings(ssh_hosts_file="/no/hosts.toml", ssh_hosts_allowlist=("x",)), ENV)
    assert warnings == ["SSH_HOSTS_FILE /no/hosts.toml does not exist: no hosts are taken from it."]


def test_the_file_is_looked_for_in_the_configuration_directory_and_never_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hosts.toml").write_text("[hosts.here]\n")
    assert list(load_inventory(Settings(), ENV)[0].hosts) == []
    there = tmp_path / "config/ssh-mcp/hosts.toml"
    there.parent.mkdir(parents=True)
    there.write_text("[hosts.there]\n")
    inventory, _ = load_inventory(Settings(), ENV)
    assert list(inventory.hosts) == ["there"]
    assert inventory.source == str(there)


@pytest.mark.parametrize("mode", [0o666, 0o664, 0o602])
def test_a_file_that_others_can_change_stops_the_start(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "hosts.toml"
    file.write_text("[hosts.a]\n")
    file.chmod(mode)
    with pytest.raises(ConfigError) as caught:
        load_inventory(Settings(ssh_hosts_file=str(file)), ENV)
    assert str(caught.value) == f"{file}: can be changed by others (mode {mode:04o}). Run: chmod go-w {file}"


def test_a_reload_reports_what_was_added_removed_and_changed(tmp_path: Path) -> None:
    old, _ = load(
        tmp_path, "[hosts.a]\n[hosts.b]\n[hosts.c]\nproxy_jump = 'b'\n[hosts.d]\n", ssh_hosts_allowlist=("x",)
    )
    new, _ = load(tmp_path, "[hosts.b]\nport = 1\n[hosts.c]\nproxy_jump = 'b'\n[hosts.d]\n[hosts.e]\n")
    assert diff(old, new) == (("e",), ("a", "x"), ("b", "c"))
    assert diff(new, new) == ((), (), ())


# --- warnings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "values", "sentences"),
    [
        (
            "[hosts.a]\npath_allowlist = ['*']\n[hosts.b]\npath_allowlist = ['*']\n",
            {},
            [('hosts a, b: path_allowlist holds "*", which allows every path; /etc/shadow, /etc/sudoers and /etc/ssh '
             "stay readable. Name directories instead, or add to restricted_paths.")],
        ),
        (
            "[hosts.a]\npath_allowlist = ['/']\nrestricted_paths = ['/etc/ssh']\nrestricted_globs = ['/etc/sh*']\n",
            {},
            [('host a: path_allowlist holds "/", which allows every path; /etc/sudoers stays readable. '
             "Name directories instead, or add to restricted_paths.")],
        ),
        (
            "[hosts.a]\nrestricted_paths = ['/etc']\n",
            {"ssh_path_allowlist": ("/",)},
            [('host a: path_allowlist holds "/", which allows every path; /etc/shadow, /etc/sudoers and /etc/ssh are '
             "restricted.")],
        ),
        (
            "[hosts.a]\nplatform = 'windows'\npath_allowlist = ['*']\n",
            {},
            ['host a: path_allowlist holds "*", which allows every path. Name directories instead.'],
        ),
        (
            "[hosts.a]\nrestricted_paths = ['/srv/*.key']\n",
            {},
            [("host a: /srv/*.key is taken literally, since path lists hold directories. "
             "Use restricted_globs for patterns.")],
        ),
        (
            "[hosts.a]\n",
            {"allow_dangerous_tools": True},
            [("host a: the dangerous tier is open but there is no command_allowlist: "
             "the exec tools refuse every command.")],
        ),
        (
            "[hosts.a]\n",
            {"allow_dangerous_tools": True, "allow_any_command": True},
            ["host a: no command_allowlist and ALLOW_ANY_COMMAND is set: the exec tools run any command."],
        ),
        (
            "[hosts.a]\ncommand_allowlist = ['*']\n",
            {"allow_dangerous_tools": True},
            ['host a: command_allowlist holds "*": the exec tools run any command.'],
        ),
        ("[hosts.a]\ncommand_allowlist = ['ls']\n", {"allow_dangerous_tools": True}, []),
        ("[hosts.a]\n", {}, []),
        (
            "[defaults]\nsudo_mode = 'persistent-su'\n[hosts.a]\n",
            {},
            ["[defaults] sudo_mode: persistent-su is not supported; per-call is used."],
        ),
    ],
)  # fmt: skip
def test_what_is_warned_of_at_load(tmp_path: Path, text: str, values: dict[str, object], sentences: list[str]) -> None:
    assert load(tmp_path, text, **values)[1] == sentences


# --- the examples ---------------------------------------------------------------------------------------------------


def test_the_example_inventory_loads_as_it_is_and_warns_of_nothing(project_root: Path) -> None:
    inventory, warnings = load_inventory(Settings(ssh_hosts_file=str(project_root / "hosts.toml.example")), ENV)
    assert [w for w in warnings if "can be changed by other users" not in w] == []
    assert list(inventory.hosts) == ["web01", "db01", "bastion", "staging", "switch01", "win01"]
    assert chain(inventory.hosts["db01"]) == ["bastion"]


def test_the_commented_fields_of_the_example_load_too(project_root: Path, tmp_path: Path) -> None:
    lines = (project_root / "hosts.toml.example").read_text().splitlines()
    commented = [x for x in lines if x.startswith("# ") and ("=" in x or x.startswith("# [")) and "---" not in x]
    live = [x[2:] if x in commented else x for x in lines]
    inventory, _ = load(tmp_path, "\n".join(live), allow_password_auth=True)
    assert inventory.hosts["nas"].auth.method is AuthMethod.PASSWORD
    assert inventory.hosts["web01"].commands.allow == ("git", "/usr/bin/rsync")
