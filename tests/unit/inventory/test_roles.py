"""[roles] and [identities] of hosts.toml."""

from __future__ import annotations

from pathlib import Path

import pytest

from ssh_mcp.errors import ConfigError, IdentityNotAllowed
from ssh_mcp.inventory.resolve import Inventory, load_inventory
from ssh_mcp.inventory.roles import claims_of
from ssh_mcp.settings.model import Settings

HOSTS = '[hosts.web01]\ntags = ["web"]\n[hosts.web02]\ntags = ["web"]\n[hosts.db01]\n'


def load(tmp_path: Path, text: str) -> Inventory:
    file = tmp_path / "hosts.toml"
    file.write_text(HOSTS + text)
    return load_inventory(Settings(ssh_hosts_file=str(file)))[0]


def test_a_subject_wins_over_a_claim_and_both_over_anyone(tmp_path: Path) -> None:
    roles = load(
        tmp_path,
        '[roles.a]\nhosts = ["@web"]\ntiers = ["read", "dangerous"]\n[roles.b]\n[roles.c]\nhosts = []\n'
        '[identities]\n"*" = "c"\n"groups:sre" = "b"\nalice = "a"\n',
    ).roles
    alice = roles.of("alice", ("groups:sre",))
    assert alice is not None
    assert alice.hosts == frozenset({"web01", "web02"})
    assert alice.tiers == ("read", "dangerous")
    bob = roles.of("bob", ("groups:dev", "groups:sre"))
    assert bob is not None
    assert bob.name == "b"
    assert bob.reaches("db01")
    assert bob.tiers == ("read",)
    other = roles.of("*", ())
    assert other is not None
    assert not other.reaches("web01")


def test_who_has_no_role_is_refused_and_without_identities_nobody_has_one(tmp_path: Path) -> None:
    roles = load(tmp_path, '[roles.a]\n[identities]\nalice = "a"\n').roles
    with pytest.raises(IdentityNotAllowed, match="mallory has no role on this server"):
        roles.of("mallory", ("sub:alice",))
    assert load(tmp_path, "[roles.a]\n").roles.of("mallory", ()) is None


def test_a_subject_cannot_take_the_place_of_a_claim(tmp_path: Path) -> None:
    """An issuer may let people choose a name, such as that of a claim's line: subjects win only over plain names."""
    roles = load(tmp_path, '[roles.a]\n[identities]\n"groups:sre" = "a"\n').roles
    with pytest.raises(IdentityNotAllowed):
        roles.of("groups:sre", ())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[roles.a]\nhost = []\n", r"\[roles\.a\] host: unknown field\. Did you mean hosts\?"),
        ('[roles.a]\nhosts = "web01"\n', r"\[roles\.a\] hosts: is not a list of strings"),
        ('[roles.a]\nhosts = ["web09"]\n', r"web09 is not a host"),
        ('[roles.a]\nhosts = ["@mail"]\n', r"No host has the tag mail"),
        ('[roles.a]\ntiers = ["root"]\n', r"root is not a tier\. Tiers are read, low-access, dangerous, sudo"),
        ('[roles.a]\nask = ["nonsense here"]\n', r"\[roles\.a\] ask: nonsense here"),
        (
            '[roles.ops]\n[identities]\nalice = "opps"\n',
            r"\[identities\] alice: opps is not a role\. Did you mean ops\?",
        ),
        ("[roles]\na = 1\n", r"\[roles\] a: is not a table"),
        ("[identities]\nalice = 1\n", r"1 is not a role"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, text)


def test_claims_are_flat() -> None:
    claims = {"scope": "ssh admin", "groups": ["sre", "dev", 1], "team": "a b", "exp": 5, "x": {"y": "z"}}
    assert claims_of(claims) == ("scope:ssh", "scope:admin", "groups:sre", "groups:dev", "team:a b")
