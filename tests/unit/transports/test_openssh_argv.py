"""Command lines: nothing that a name holds can become an option or a second word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.openssh.login import argv
from transports.openssh.login.config import via_lines

BAD_NAMES = ["", "-oProxyCommand=id", "a b", "a\nb", "a\x00b", "a;b", "$(id)", "`id`",
             "user@host", "ssh://host", "a/b", "a\tb", "x\u2028y"]  # fmt: skip


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_could_be_more_than_a_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="host name"):
        argv.check_name(name)


@pytest.mark.parametrize(
    "name", ["web01", "10.0.0.1", "::1", "fe80::1%eth0", "host.example", "alias_1", "a+b", "müller"]
)
def test_ordinary_names_pass_unchanged(name: str) -> None:
    assert argv.check_name(name) == name


@pytest.mark.parametrize(
    "user", ["", "-l", "a -o", " a", "a ", "a\nb", "a;b", "a|b", "${HOME}", "$(id)", "x\\", "a\\\\b", "a" * 256]
)
def test_a_user_that_could_be_more_than_a_user_is_refused(user: str) -> None:
    with pytest.raises(ValueError, match="user name"):
        argv.check_user(user)


@pytest.mark.parametrize(
    "user",
    [
        "root",
        "deploy-1",
        "bob@corp.example",
        "CORP\\bob",
        "CORP\\john doe",
        "_svc",
        "a.b",
        "alice:db1",
        "alice%db1",
        "HOST$",
        "alice#root#10.0.0.7",
        "gu=alice@db1",
        "müller",
    ],
)
def test_ordinary_users_pass_unchanged(user: str) -> None:
    assert argv.check_user(user) == user


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_out_of_range_is_refused(port: int) -> None:
    with pytest.raises(ValueError, match="port"):
        argv.check_port(port)


def test_ipv6_is_bracketed_where_a_port_follows_and_nowhere_else() -> None:
    assert argv.known_hosts_name("::1", 22) == "::1"
    assert argv.known_hosts_name("::1", 2222) == "[::1]:2222"
    assert argv.ssh_argv("ssh", "/f", "::1")[-2:] == ["--", "::1"]


def test_a_subsystem_and_a_command_stand_behind_the_destination() -> None:
    assert argv.mux_argv("ssh", "/s", "web", subsystem="sftp")[-4:] == ["-s", "--", "web", "sftp"]
    assert argv.mux_argv("ssh", "/s", "web", command="exec sh")[-3:] == ["--", "web", "exec sh"]
    assert argv.mux_argv("ssh", "/s", "web")[-2:] == ["--", "web"]


def test_a_client_of_a_control_socket_can_never_log_in_by_itself() -> None:
    words = argv.mux_argv("ssh", "/s", "web", command="true")
    assert words[:5] == ["ssh", "-F", "none", "-S", "/s"]
    assert "ProxyCommand=false" in words
    assert "IdentityAgent=none" in words


@given(st.text(max_size=40))
def test_the_destination_is_one_word_behind_two_dashes_or_the_name_is_refused(name: str) -> None:
    try:
        words = argv.ssh_argv("ssh", "/f", name, command="true")
    except ValueError:
        return
    assert words[words.index("--") + 1 :] == [name, "true"]
    assert not name.startswith("-")
    assert name.split() == [name]


@given(st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs"]), max_size=30))
def test_a_proxy_command_reads_back_as_its_words(word: str) -> None:
    import shlex

    try:
        line = via_lines(["ssh", word, "-W", "[%h]:%p"])
    except ValueError:
        return
    back = shlex.split(line)
    assert [w.replace("%%", "%") for w in back[:2]] == ["ssh", word]
    assert back[-1] == "[%h]:%p"
    assert "%" not in back[1].replace("%%", "")
