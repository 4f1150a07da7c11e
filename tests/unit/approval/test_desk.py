"""The desk: whatever the order of calls, replies, decisions and replays, a yes is for its exact call."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssh_mcp.approval.channels import NoClient, QuestionForClient, Reply, Returned
from ssh_mcp.approval.desk import MAX_PENDING, Approvals, CallApproval, Channel
from ssh_mcp.approval.question import Login, Subject
from ssh_mcp.approval.store import ApprovalStore, Grant
from ssh_mcp.errors import ApprovalDenied, ApprovalPending, ApprovalRequired
from ssh_mcp.policy.approval import AskMatch

MATCH = (AskMatch("command:reboot", "SSH_ASK", "reboot"),)
BASE = Subject(
    "ssh_exec_run", (Login("web", "web.example", "deploy"),), {"host": "web", "command": "reboot"}, "local", None
)
SUBJECTS = [
    BASE,
    replace(BASE, tool="ssh_sudo_exec", root=True),
    replace(BASE, arguments={"host": "web", "command": "reboot", "timeout": 5}),
    replace(BASE, logins=(Login("web", "other.example", "deploy"),)),
    replace(BASE, logins=(Login("web", "web.example", "root"),)),
    replace(BASE, logins=(*BASE.logins, Login("db", "db.example"))),
    replace(BASE, identity="alice"),
    replace(BASE, what="/etc/passwd"),
    replace(BASE, where="/srv"),
]


@dataclass
class Client:
    """A client that replies at once, or whose question is its result."""

    reply: Reply = Reply.YES
    by_result: bool = False
    returned: Returned | None = None
    can_ask: bool = True

    async def ask(self, text: str) -> Reply:
        assert "reboot" in text or "/etc" in text
        return self.reply


def test_subjects_that_differ_in_anything_have_different_fingerprints() -> None:
    assert len({s.fingerprint() for s in SUBJECTS}) == len(SUBJECTS)
    assert replace(BASE, arguments=dict(reversed(list(BASE.arguments.items())))).fingerprint() == BASE.fingerprint()


@dataclass
class World:
    """Model and reality side by side: ``yes`` counts acceptances that no run has used up."""

    desk: Approvals
    yes: Counter[str]
    lasting: dict[str, str]
    states: list[tuple[str, str, bool]]
    """Every sealed state that was ever sent, the fingerprint that it asked about, and whether it was brought back."""

    def ran(self, subject: Subject) -> None:
        fingerprint = subject.fingerprint()
        if fingerprint in self.lasting.values():
            return
        self.yes[fingerprint] -= 1
        assert self.yes[fingerprint] >= 0, f"{subject} ran without a yes"

    async def call(self, subject: Subject, client: Client | NoClient) -> None:
        call = CallApproval(self.desk, client, "a client")
        try:
            await call.confirm(subject, MATCH)
        except QuestionForClient as question:
            self.states.append((question.state, subject.fingerprint(), False))
        except (ApprovalDenied, ApprovalPending, ApprovalRequired):
            return
        else:
            self.ran(subject)


FEW = st.sampled_from(SUBJECTS[:2])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("push"), FEW, st.sampled_from(list(Reply))),
        st.tuples(st.just("result"), FEW, st.none()),
        st.tuples(st.just("nobody"), FEW, st.none()),
        st.tuples(st.just("return"), FEW, st.sampled_from([*Reply, None])),
        st.tuples(st.just("decide"), st.booleans(), st.sampled_from([None, None, 5])),
        st.tuples(st.just("revoke"), st.none(), st.none()),
    ),
    max_size=20,
)


@given(STEPS, st.sampled_from(["auto", "client", "operator"]), st.booleans())
@settings(max_examples=150)
def test_no_sequence_of_answers_runs_a_call_that_nobody_accepted(
    steps: list[tuple[str, object, object]], channel: str, reachable: bool
) -> None:
    async def play() -> None:
        with tempfile.TemporaryDirectory() as directory:
            desk = Approvals(ApprovalStore(Path(directory) / "s"), channel=channel, seconds=0.005)  # type: ignore[arg-type]
            desk.operator_reachable = reachable
            world = World(desk, Counter(), {}, [])
            for kind, first, second in steps:
                await step(world, kind, first, second)

    anyio.run(play)


async def step(world: World, kind: str, first: object, second: object) -> None:
    desk = world.desk
    if isinstance(first, Subject) and kind == "push":
        assert isinstance(second, Reply)
        if second is Reply.YES and desk.channel != "operator":
            world.yes[first.fingerprint()] += 1  # at most one of it can be used: the client may also not be asked
        await world.call(first, Client(second))
    elif isinstance(first, Subject) and kind == "result":
        await world.call(first, Client(by_result=True))
    elif isinstance(first, Subject) and kind == "nobody":
        await world.call(first, NoClient())
    elif isinstance(first, Subject) and kind == "return" and world.states:
        state, asked, used = world.states[len(world.states) // 2]
        world.states[len(world.states) // 2] = (state, asked, True)
        assert second is None or isinstance(second, Reply)
        if second is Reply.YES and not used:
            world.yes[asked] += 1
        await world.call(first, Client(by_result=True, returned=Returned(state, second)))
    elif kind == "decide" and desk.pending():
        pending = desk.pending()[0]
        assert second is None or isinstance(second, int)
        found = desk.decide(pending.question.id, yes=bool(first), who="bob", minutes=second)
        assert found is pending
        if first and second and pending.decision and pending.decision.grant:
            world.lasting[pending.decision.grant] = pending.fingerprint
        elif first:
            world.yes[pending.fingerprint] += 1
    elif kind == "revoke" and world.lasting:
        grant = next(iter(world.lasting))
        assert desk.store.remove(grant)
        del world.lasting[grant]


async def test_a_yes_in_one_call_covers_what_it_named_and_nothing_else(tmp_path: Path) -> None:
    client = Client(Reply.YES)
    call = CallApproval(Approvals(ApprovalStore(tmp_path / "s"), seconds=5), client, "a client")
    await call.confirm(BASE, MATCH)
    client.reply = Reply.NO
    await call.confirm(BASE, MATCH)
    with pytest.raises(ApprovalDenied):
        await call.confirm(replace(BASE, what="/etc/passwd"), MATCH)


async def test_a_seal_counts_once_across_servers_of_one_user_and_survives_a_restart(tmp_path: Path) -> None:
    first = Approvals(ApprovalStore(tmp_path / "s"), seconds=5)
    with pytest.raises(QuestionForClient) as asked:
        await CallApproval(first, Client(by_result=True), "c").confirm(BASE, MATCH)
    back = Client(by_result=True, returned=Returned(asked.value.state, Reply.YES))
    second = Approvals(ApprovalStore(tmp_path / "s"), seconds=5)
    assert second.store.key() == ApprovalStore(tmp_path / "s").key()
    await CallApproval(second, back, "c").confirm(BASE, MATCH)
    for desk in (first, second, Approvals(ApprovalStore(tmp_path / "s"))):
        with pytest.raises(ApprovalRequired, match="has been used"):
            await CallApproval(desk, back, "c").confirm(BASE, MATCH)


async def test_two_questions_of_one_call_travel_through_the_client_one_after_the_other(tmp_path: Path) -> None:
    desk = Approvals(ApprovalStore(tmp_path / "s"))
    other = replace(BASE, what="/etc/passwd")

    async def leg(returned: Returned | None) -> str:
        call = CallApproval(desk, Client(by_result=True, returned=returned), "c")
        await call.confirm(BASE, MATCH)
        await call.confirm(other, MATCH)
        return "ran"

    with pytest.raises(QuestionForClient) as one:
        await leg(None)
    with pytest.raises(QuestionForClient) as two:
        await leg(Returned(one.value.state, Reply.YES))
    assert await leg(Returned(two.value.state, Reply.YES)) == "ran"
    with pytest.raises(ApprovalRequired):
        await leg(Returned(two.value.state, Reply.YES))


async def test_an_expired_grant_serves_nobody(tmp_path: Path) -> None:
    store = ApprovalStore(tmp_path / "s")
    desk = Approvals(store, channel="client")
    for expires, runs in ((1.0, False), (4e9, True)):
        store.keep(Grant("g1", BASE.fingerprint(), "local", "reboot", "bob", expires, once=False))
        if runs:
            await CallApproval(desk, NoClient(), "c").confirm(BASE, MATCH)
            continue
        with pytest.raises(ApprovalRequired):
            await CallApproval(desk, NoClient(), "c").confirm(BASE, MATCH)
        assert store.grants() == []


async def test_a_cancelled_call_takes_its_question_along(tmp_path: Path) -> None:
    desk = Approvals(ApprovalStore(tmp_path / "s"), channel="operator", seconds=60)
    desk.operator_reachable = True
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(CallApproval(desk, NoClient(), "c").confirm, BASE, MATCH)
        while not desk.pending():
            await anyio.sleep(0)
        tasks.cancel_scope.cancel()
    assert desk.pending() == []


async def test_nobody_is_buried_in_questions(tmp_path: Path) -> None:
    desk = Approvals(ApprovalStore(tmp_path / "s"))
    first = desk.register(replace(BASE, what="first"), MATCH, waiting=False)
    for number in range(MAX_PENDING):
        desk.register(replace(BASE, what=str(number)), MATCH, waiting=True)
    assert desk.find(first.question.id) is None  # nobody waited for it
    with pytest.raises(ApprovalRequired, match="wait for a decision already"):
        desk.register(BASE, MATCH, waiting=False)
    desk.register(replace(BASE, identity="alice"), MATCH, waiting=True)


async def test_a_directory_that_others_may_read_is_not_used_and_it_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "s").mkdir(mode=0o755)
    (tmp_path / "s").chmod(0o755)
    store = ApprovalStore(tmp_path / "s")
    store.keep(Grant("g1", BASE.fingerprint(), "local", "reboot", "bob", 4e9, once=True))
    assert store.use("n1")
    assert not store.use("n1")
    assert [g.id for g in store.grants()] == ["g1"]
    assert store.remove("g1")
    assert not store.remove("g1")
    assert "kept in memory" in caplog.text
    assert list((tmp_path / "s").iterdir()) == []


async def test_of_two_servers_that_start_at_once_both_have_one_key(tmp_path: Path) -> None:
    stores = [ApprovalStore(tmp_path / "s") for _ in range(8)]
    keys: set[bytes] = set()

    async def look(store: ApprovalStore) -> None:
        keys.add(await anyio.to_thread.run_sync(store.key))

    async with anyio.create_task_group() as tasks:
        for store in stores:
            tasks.start_soon(look, store)
    assert len(keys) == 1
    assert (tmp_path / "s" / "key").stat().st_mode & 0o777 == 0o600


async def test_a_no_of_the_operator_wins_over_a_yes_that_the_client_brings_back_later(tmp_path: Path) -> None:
    desk = Approvals(ApprovalStore(tmp_path / "s"))
    with pytest.raises(QuestionForClient) as asked:
        await CallApproval(desk, Client(by_result=True), "c").confirm(BASE, MATCH)
    desk.decide(desk.pending()[0].question.id, yes=False, who="bob")
    call = CallApproval(desk, Client(by_result=True, returned=Returned(asked.value.state, Reply.YES)), "c")
    for _ in range(2):
        with pytest.raises(ApprovalDenied, match="bob"):
            await call.confirm(BASE, MATCH)


@pytest.mark.parametrize(
    ("channel", "advice"), [("client", "SSH_ASK_CHANNEL"), ("operator", "in its log"), ("auto", "in its log")]
)
async def test_where_nobody_can_be_asked_the_advice_fits_the_channel(
    tmp_path: Path, channel: Channel, advice: str
) -> None:
    desk = Approvals(ApprovalStore(tmp_path / "s"), channel=channel)
    with pytest.raises(ApprovalRequired) as refused:
        await CallApproval(desk, NoClient(), "c").confirm(BASE, MATCH)
    assert advice in refused.value.remedy
    assert (channel == "client") == ("SSH_ASK_CHANNEL" in refused.value.remedy)
