"""What a device's output means: echo, pager, prompt, question, log lines; and the definitions that say so."""

from __future__ import annotations

import pytest

from ssh_mcp.errors import PlatformNotSupported
from ssh_mcp.inventory.fields import DEVICES
from ssh_mcp.remote.devices.definitions import definition
from ssh_mcp.remote.devices.dialogue import Known, Reply, State
from ssh_mcp.remote.devices.printed import printed_text

IOS = definition("cisco_iosxe")
SW1 = Known("sw1#")


def reply(sent: str | None, *pieces: bytes, known: Known = SW1) -> tuple[State, str]:
    made = Reply(IOS, known, sent)
    state = State.OPEN
    for piece in pieces:
        state = made.feed(piece)
    return state, made.text()[0]


def test_a_reply_is_over_at_the_prompt_behind_the_echo_however_it_was_cut() -> None:
    whole = b"show clock\r\n*12:00:00 UTC\r\n\r\nsw1#"
    assert reply("show clock", whole) == (State.OVER, "*12:00:00 UTC")
    assert reply("show clock", *(bytes([b]) for b in whole)) == (State.OVER, "*12:00:00 UTC")


@pytest.mark.parametrize(
    ("data", "state"),
    [
        (b"", State.OPEN), (b"show x", State.OPEN), (b"show x\r\nsw1", State.OPEN),
        (b"show x\r\ncore#", State.PROMPTED), (b"show x\r\nsw1(config-if)#", State.OVER), (b"\r\nsw1#", State.PROMPTED),
        (b"show x\r\nrow\r\n --More-- ", State.PAGED), (b"show x\r\n---- More ----", State.PAGED),
        (b"show x\r\n<--- More --->", State.PAGED), (b"show x\r\nMore is here\r\n", State.OPEN),
        (b"show x\r\n\r\nsw1#\r\n*Mar 1: %SYS-5-CONFIG_I\r\n", State.LOGGED),
        (b"show x\r\nsw1#\r\n", State.LOGGED), (b"show x\r\nreload? [confirm]", State.OPEN),
        (b"show x\r\nsw1#\r\nProceed? [confirm]", State.OPEN),
    ],
)  # fmt: skip
def test_where_a_reply_is(data: bytes, state: State) -> None:
    assert reply("show x", data)[0] is state


def test_a_wrapped_echo_and_a_pager_that_wipes_itself_out_are_no_text() -> None:
    long = "description " + "x" * 90
    assert reply(long, long[:60].encode() + b" \r\n" + long[60:].encode() + b"\r\nsw1#") == (State.OVER, "")
    for wiped in (b"\r          \r", b"\b" * 10 + b" " * 10 + b"\b" * 10, b"\x1b[10D" + b" " * 10 + b"\x1b[10D"):
        assert printed_text("\r\n 1\r\n --More-- " + wiped.decode() + " 2\r\n") == "\n 1\n 2\n"


def test_bytes_that_are_no_utf_8_are_replaced_and_said() -> None:
    made = Reply(IOS, SW1, "x")
    made.feed(b"x\r\nZ\xfcrich\r\nsw1#")
    assert made.text() == ("Z\ufffdrich", True)


def test_a_question_is_looked_for_only_where_one_is_expected() -> None:
    for name, question in (
        ("cisco_iosxe", b"Password: "),
        ("dell_emc", b"enable password:"),
        ("cisco_cbs", b"Password:"),
    ):
        made = definition(name)
        [step] = [s for m in made.modes for steps in m.ways.values() for s in steps if s.kind == "ask"]
        assert Reply(made, SW1, "enable", step.ask).feed(b"enable\r\n" + question) is State.ASKED
        assert Reply(made, SW1, "enable").feed(b"enable\r\n" + question) is State.OPEN


@pytest.mark.parametrize("name", DEVICES)
def test_every_definition_leads_from_its_default_mode_into_its_configuration_and_back(name: str) -> None:
    made = definition(name)
    assert made.mode(made.default_mode) is not None
    if made.configuration is not None:
        assert made.route(made.default_mode, made.configuration)
        assert made.route(made.configuration, made.default_mode)
    sent = [step.text for mode in made.modes for steps in mode.ways.values() for step in steps]
    assert not [text for text in sent if "conif" in text]


@pytest.mark.parametrize(
    ("name", "prompt", "mode"),
    [
        ("cumulus_vtysh", "r1#", "exec"), ("cumulus_vtysh", "r1(config)#", "configuration"),
        ("cumulus_vtysh", "r1(config-router-af)#", "configuration"), ("cumulus_vtysh", "root@r1:mgmt:~#", "linux"),
        ("cisco_iosxe", "sw1(config-if)#", "configuration"), ("cisco_iosxe", "sw1>", "exec"),
        ("juniper_junos", "{master:0}\nadmin@ex>", "exec"), ("juniper_junos", "admin@ex#", "configuration"),
        ("huawei_vrp", "<HUAWEI>", "privileged_exec"), ("huawei_vrp", "[HUAWEI-Vlanif1]", "configuration"),
        ("mikrotik_routeros", "[admin@MikroTik] >", "cli"), ("vyos_vyos", "vyos@gw:~$", "privileged_exec"),
        ("nokia_srlinux", "--{ running }--[  ]--\nA:srl#", "exec"),
        ("arista_eos", "sw(config-if-Et1)#", "configuration"),
    ],
)  # fmt: skip
def test_prompts_are_those_of_their_mode(name: str, prompt: str, mode: str) -> None:
    made = definition(name)
    assert made.mode_of(prompt) == mode
    read = Reply(made, Known(prompt), "x")
    assert read.feed(b"x\r\nrow\r\n" + prompt.replace("\n", "\r\n").encode() + b" ") is State.OVER
    assert read.text()[0] == "row"


def test_a_system_that_scrapli_has_no_file_of_is_refused() -> None:
    with pytest.raises(PlatformNotSupported):
        definition("nobody_nothing")
