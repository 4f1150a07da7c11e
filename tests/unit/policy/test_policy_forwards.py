"""Where a forward may lead."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssh_mcp.errors import ForwardNotAllowed, HostBlocked, InvalidArgument
from ssh_mcp.inventory.model import ForwardPolicy
from ssh_mcp.inventory.values import block_key
from ssh_mcp.policy.forwards import PermittedTarget, check_entry, permit, require_dynamic

POLICY = ForwardPolicy(
    local=("db.internal:5432", "10.0.0.0/8:443", "[2001:db8::1]:22", "cache:*"), remote=("localhost:3000",)
)
NOTHING: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    "target", ["db.internal:5432", "DB.internal:5432", "10.1.2.3:443", "[2001:db8:0::1]:22", "cache:1", "cache:65535"]
)
def test_a_listed_target_is_permitted(target: str) -> None:
    assert str(permit(target, POLICY, "local", NOTHING)).rpartition(":")[2] == target.rpartition(":")[2]


@pytest.mark.parametrize("target", ["db.internal:5433", "11.0.0.1:443", "10.0.0.1:80", "db.internal.evil:5432", "x:1"])
def test_an_unlisted_target_names_what_the_operator_sets(target: str) -> None:
    with pytest.raises(ForwardNotAllowed, match="forward_local"):
        permit(target, POLICY, "local", NOTHING)
    with pytest.raises(ForwardNotAllowed, match="forward_remote"):
        permit(target, POLICY, "remote", NOTHING)


@pytest.mark.parametrize(
    "target",
    ["/var/run/docker.sock", "/var/run/docker.sock:1", "-oProxyCommand=x:22", "a b:1", "a:0", "a:65536", "a:-1", "a",
     "", "2001:db8::1:22", "a:1:b", "[a]:1", "a\n:1", "a:1\n", "a:٣", "*:80"],
)  # fmt: skip
def test_what_is_no_target_is_refused_before_any_list(target: str) -> None:
    with pytest.raises(InvalidArgument):
        permit(target, ForwardPolicy(local=("*:*",)), "local", NOTHING)


@pytest.mark.parametrize("target", ["10.0.0.5:443", "0x0a000005:443", "10.5:443", "167772165:443"])
def test_a_blocked_host_is_refused_in_every_spelling(target: str) -> None:
    with pytest.raises(HostBlocked):
        permit(target, POLICY, "local", frozenset({block_key("10.0.0.5")}))


def test_a_dynamic_forward_is_off_unless_it_is_switched_on() -> None:
    with pytest.raises(ForwardNotAllowed, match="forward_dynamic"):
        require_dynamic(POLICY)
    require_dynamic(ForwardPolicy(dynamic=True))
    assert permit("anything:1", ForwardPolicy(dynamic=True), "dynamic", NOTHING).host == "anything"


def test_only_policy_makes_a_permitted_target() -> None:
    with pytest.raises(TypeError):
        PermittedTarget(maker=object(), host="a", port=1)  # type: ignore[arg-type]


@pytest.mark.parametrize("entry", ["db", "db:", "db:x", "db:70000", "10.0.0.1/8:1", "/sock:1", "-x:1", "*:1"])
def test_an_entry_that_can_never_match_is_said_at_load(entry: str) -> None:
    assert check_entry(entry) is not None


@given(st.text(max_size=40))
def test_any_text_is_refused_or_a_plain_target(text: str) -> None:
    try:
        found = permit(text, ForwardPolicy(dynamic=True), "dynamic", NOTHING)
    except (InvalidArgument, HostBlocked):
        return
    assert not found.host.startswith("-")
    assert "/" not in found.host
    assert 0 < found.port < 65536
