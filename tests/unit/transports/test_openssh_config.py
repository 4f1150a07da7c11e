"""The generated fragment: order, precedence and injection, checked by the real ssh where there is one."""

from __future__ import annotations

import socket
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.peers import need
from transports.api import Auth, AuthMethod, Destination, TransportConfig
from transports.openssh.login.binaries import Binaries, parse_settings, probe
from transports.openssh.login.config import (
    Login,
    base_lines,
    escape,
    launch_lines,
    prefer_aes,
    prefer_mlkem,
    quote,
    render,
    via_lines,
)

CONFIG = TransportConfig(known_hosts_file="/k/known hosts")
WEB = Destination(name="web01")
KEYWORDS = {
    "stricthostkeychecking": "true", "forwardagent": "no", "permitlocalcommand": "no", "requesttty": "false",
    "clearallforwardings": "yes", "forwardx11": "no", "updatehostkeys": "false", "tunnel": "false",
}  # fmt: skip


@pytest.fixture
async def binaries() -> Binaries:
    import shutil

    need(shutil.which("ssh"), "no ssh client is installed")
    return await probe()


def effective(tmp_path: Path, text: str, name: str = "web01") -> dict[str, tuple[str, ...]]:
    path = tmp_path / "fragment"
    path.write_text(text)
    done = subprocess.run(["ssh", "-F", str(path), "-G", "--", name], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return parse_settings(done.stdout)


def fragment(
    destination: Destination, binaries: Binaries, *, config: TransportConfig = CONFIG, include: str = ""
) -> str:
    lines = [*launch_lines(Login(), destination.auth, binaries), *base_lines(destination, config, binaries)]
    fallbacks = [("User", config.default_user)] if config.default_user else []
    return render(lines, [include] if include else [], fallbacks)


async def test_the_operators_file_cannot_undo_what_must_not_vary(binaries: Binaries, tmp_path: Path) -> None:
    operator = tmp_path / "config"
    operator.write_text(
        "Host *\n StrictHostKeyChecking no\n ForwardAgent yes\n PermitLocalCommand yes\n LocalCommand id\n"
        " RemoteCommand id\n RequestTTY force\n ClearAllForwardings no\n LocalForward 1 a:1\n ForwardX11 yes\n"
        " ControlPath /tmp/other\n ControlMaster auto\n UserKnownHostsFile /dev/null\n UpdateHostKeys yes\n"
        " Tunnel yes\n BatchMode no\n LogLevel QUIET\n EscapeChar ~\n SessionType none\n"
        " NoHostAuthenticationForLocalhost yes\n"
    )
    operator.chmod(0o600)
    found = effective(tmp_path, fragment(WEB, binaries, include=str(operator)))
    assert {key: found[key][0] for key in KEYWORDS} == KEYWORDS
    assert found["controlpath"] == ("none",) if "controlpath" in found else True
    assert found["controlmaster"] == ("false",)
    assert found["batchmode"] == ("yes",)
    assert found["userknownhostsfile"] == ("/k/known hosts",)
    assert found["nohostauthenticationforlocalhost"] == ("no",)
    assert "remotecommand" not in found or found["remotecommand"] == ("none",)
    assert "localforward" not in found or found["clearallforwardings"] == ("yes",)


async def test_hosts_toml_wins_over_ssh_config_which_wins_over_defaults(binaries: Binaries, tmp_path: Path) -> None:
    operator = tmp_path / "config"
    operator.write_text("Host web01\n User fromconfig\n Port 2200\n HostName real.example\n")
    operator.chmod(0o600)
    config = replace(CONFIG, default_user="fallback")
    found = effective(tmp_path, fragment(replace(WEB, port=2222), binaries, config=config, include=str(operator)))
    assert (found["user"], found["port"], found["hostname"]) == (("fromconfig",), ("2222",), ("real.example",))
    found = effective(tmp_path, fragment(Destination("db"), binaries, config=config, include=str(operator)), "db")
    assert found["user"] == ("fallback",)


async def test_one_known_hosts_file_means_only_that_file(binaries: Binaries, tmp_path: Path) -> None:
    found = effective(tmp_path, fragment(WEB, binaries))
    assert found["userknownhostsfile"] == ("/k/known hosts",)
    assert found["globalknownhostsfile"] == ("/dev/null",)
    assert found["verifyhostkeydns"] == ("false",)
    own = fragment(WEB, binaries, config=TransportConfig())
    assert "KnownHosts" not in own


async def test_a_password_host_offers_no_key_and_asks_once(binaries: Binaries) -> None:
    auth = Auth(method=AuthMethod.PASSWORD, password_cmd="pass web", key="/k/id")
    lines = dict(
        [*launch_lines(Login(askpass=True), auth, binaries), *base_lines(replace(WEB, auth=auth), CONFIG, binaries)]
    )
    assert lines["BatchMode"] == "no"
    assert lines["NumberOfPasswordPrompts"] == "1"
    assert lines["PasswordAuthentication"] == "yes"
    assert lines["PubkeyAuthentication"] == "no"
    assert "IdentityFile" not in lines
    key = Auth(method=AuthMethod.KEY, key="/k/id", passphrase_cmd="pass key")
    lines = dict(launch_lines(Login(askpass=True), key, binaries))
    assert lines["PasswordAuthentication"] == "no"
    assert lines["KbdInteractiveAuthentication"] == "no"


async def test_an_idle_time_of_zero_does_not_mean_for_ever(binaries: Binaries) -> None:
    lines = dict(launch_lines(Login(control_path="/s", persist=0.0), Auth(), binaries))
    assert lines["ControlPersist"] == "1"


async def test_aes_comes_first_only_where_nobody_chose(binaries: Binaries) -> None:
    default = ",".join(binaries.default_ciphers)
    preferred = prefer_aes(default, binaries)
    assert preferred[:2] == ("aes256-gcm@openssh.com", "aes128-gcm@openssh.com")
    assert sorted(preferred) == sorted(binaries.default_ciphers)
    assert prefer_aes("aes128-ctr", binaries) == ()


async def test_mlkem_comes_first_where_ssh_has_it_behind_and_nobody_chose(binaries: Binaries) -> None:
    names = ("sntrup761x25519-sha512", "mlkem768x25519-sha256", "curve25519-sha256")
    as_9_9 = replace(binaries, default_kex=names)
    assert prefer_mlkem(",".join(names), as_9_9) == (names[1], names[0], names[2])
    assert prefer_mlkem("mlkem768x25519-sha256,curve25519-sha256", as_9_9) == ()  # the operator's own list
    assert prefer_mlkem(",".join(names[::2]), replace(binaries, default_kex=names[::2])) == ()  # 9.2 has none
    as_10 = replace(binaries, default_kex=(names[1], names[0]))
    assert prefer_mlkem(",".join(as_10.default_kex), as_10) == ()


async def test_a_percent_in_a_login_name_is_escaped_only_where_ssh_expands_it(binaries: Binaries) -> None:
    host = replace(WEB, user="alice%db1")
    assert ("User", "alice%db1") in base_lines(host, CONFIG, replace(binaries, version=(9, 9)))
    assert ("User", "alice%%db1") in base_lines(host, CONFIG, replace(binaries, version=(10, 0)))


async def test_an_unattended_login_adds_no_key_to_the_agent(binaries: Binaries) -> None:
    for login in (Login(), Login(askpass=True)):
        assert ("AddKeysToAgent", "no") in launch_lines(login, Auth(), binaries)
    assert "AddKeysToAgent" not in dict(launch_lines(Login(interactive=True), Auth(), binaries))


@pytest.mark.parametrize(
    "value", ["a\nProxyCommand id", 'a"b', "a\x00b", "", "a\\", "a\\\\b", "a\rb", "a\u2028b", "a\tb"]
)
def test_what_no_quoting_can_carry_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="ssh"):
        quote(value)


async def test_two_word_options_reach_ssh_as_two_words(binaries: Binaries, tmp_path: Path) -> None:
    host = replace(WEB, options=(("RekeyLimit", "1G 1h"), ("Ciphers", "+aes128-cbc")))
    found = effective(tmp_path, fragment(host, binaries))
    assert found["rekeylimit"] == ("1073741824 3600",)
    assert found["ciphers"][0].endswith(",aes128-cbc")


def test_expansions_are_escaped_or_refused() -> None:
    assert escape("/a/%h") == "/a/%%h"
    with pytest.raises(ValueError, match="expand"):
        escape("/a/${HOME}")
    for path in ("relative", "/a/*.conf", "/a/%h", "/a/$X"):
        with pytest.raises(ValueError, match="ssh_config path"):
            render([], [path])
    with pytest.raises(ValueError, match="ProxyCommand"):
        via_lines(["ssh", "a\nb"])


def _spellings(name: str) -> set[str]:
    """The name, and for a short numeric address (``0``, ``127.1``) what getaddrinfo makes of it, as ssh prints it."""
    try:
        return {name, socket.inet_ntoa(socket.inet_aton(name))}
    except OSError:
        return {name}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(hostname="0", user="u", key="k", agent="a", option="o")
@given(
    hostname=st.text(max_size=20), user=st.text(max_size=20), key=st.text(max_size=30), agent=st.text(max_size=20),
    option=st.text(max_size=20),
)  # fmt: skip
async def test_no_value_can_add_a_line_a_keyword_or_a_token(
    binaries: Binaries, tmp_path: Path, hostname: str, user: str, key: str, agent: str, option: str
) -> None:
    auth = Auth(key=f"/{key}", identity_agent=f"/{agent}")
    plain = fragment(Destination("web01", hostname="h", user="u", auth=Auth(key="/k", identity_agent="/a")), binaries)
    for changed in (
        Destination("web01", hostname=hostname, user="u", auth=Auth(key="/k", identity_agent="/a")),
        Destination("web01", hostname="h", user=user, auth=Auth(key="/k", identity_agent="/a")),
        Destination("web01", hostname="h", user="u", auth=auth),
    ):
        try:
            text = fragment(changed, binaries)
        except ValueError:
            continue
        assert [line.split()[0] for line in text.split("\n") if line] == [w.split()[0] for w in plain.split("\n") if w]
        found = effective(tmp_path, text)
        assert found["stricthostkeychecking"] == ("true",)
        assert found["hostname"][0].casefold() in _spellings((changed.hostname or "").casefold())
        assert found["user"] == (changed.user,)
        assert found["identityfile"][0].replace("%%", "%") == changed.auth.key
        assert found["identityagent"][0].replace("%%", "%") == changed.auth.identity_agent
    try:
        text = fragment(Destination("web01", options=(("HostKeyAlias", option),)), binaries)
    except ValueError:
        return
    assert effective(tmp_path, text)["hostkeyalias"][0] == option.casefold()
