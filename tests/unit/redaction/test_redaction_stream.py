"""Output in pieces: the same as whole, however it is cut."""

from __future__ import annotations

import itertools
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssh_mcp.redaction.engine import OutputStream
from ssh_mcp.redaction.settled import settled
from ssh_mcp.redaction.stream import HOLD
from tests.unit.redaction.redaction_support import RULES, Labelled, corpus, in_pieces, output, shown

CORPUS = corpus()
KEY_LINE = "MIIEpAIBAAKCAQEAabcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKL\n"
OPENERS = [
    "-----BEGIN RSA PRIVATE KEY-----\n", "-----END RSA PRIVATE KEY-----\n", KEY_LINE, "aB3d+/==\n", "plain words\n",
    "password: |\n", "  indented line 1\n", "    - name: DB_PASSWORD\n", "      value: hunter2x9\n", "\n", "  \n",
    "passwords: [\n", '  "hunter2x9",\n', "]\n", "secrets: {\n", '  "--api-token",\n', "- --password\n", "- hunter2x9\n",
    '<property name="password">\n', "<value>hunter2x9</value>\n", "<name>db.password</name>\n", "</property>\n",
    'variable "db_password" {\n', '  default = "hunter2x9"\n', "}\n", "kind: Secret\n", "data:\n", "  a: cGFzc3dvcmQ=\n",
    "apiVersion: v1\n", "---\n", "- apiVersion: v1\n", "  kind: Secret\n", "  data:\n", "    b: cGFzc3dvcmQ=\n",
    '    "kind": "Secret",\n', '    "data": {\n', '      "c": "cGFzc3dvcmQ="\n', "    },\n", "Private-Lines: 2\n",
    "token = hunter2x9\n", "Authorization: Bearer abcdef1234567890\n", "key: DB_TOKEN\r\n", "value: hunter2x9\r\n",
    "id,password\n", "1,hunter2x9\n", "id\tpassword\r\n", "1\thunter2x9\r\n", " a | password\n", "---+----------\n",
    " 1 | hunter2x9\n", "+---+---+\n", "| id | token |\n", "| 1 | hunter2x9 |\n", "COPY t (a, password) FROM stdin;\n",
    "CREATE TABLE t (\n", "  password text\n", ");\n", "INSERT INTO t VALUES ('hunter2x9');\n", "('hunter2x9');\n",
    "INSERT INTO t (password) VALUES\n", "Key    Value\n", "---    -----\n", "password    hunter2x9\n",
    "-[ RECORD 1 ]---\n", "password | hunter2x9\n", "password  a\n", "--------  --\n", "passwords:\n", "- hunter2x9\n",
    "requirepass\n", "hunter2x9\n", 'expect "password:"\n', 'send "hunter2x9"\n', " password\n", "-----------\n",
    " hunter2x9\n",
]  # fmt: skip


def streamed(pieces: list[str]) -> str:
    stream = OutputStream(RULES)
    return "".join([*(stream.feed(p) for p in pieces), stream.close()])


def cut(text: str, sizes: list[int], seed: int) -> list[str]:
    rng, pieces, at = random.Random(seed), [], 0
    while at < len(text):
        size = rng.choice(sizes)
        pieces.append(text[at : at + size])
        at += size
    return pieces


@pytest.mark.parametrize("case", CORPUS, ids=lambda c: c.name)
@pytest.mark.parametrize("sizes", [[1], [1, 3, 17, 80, 500], [4096]], ids=["bytes", "mixed", "blocks"])
def test_a_stream_says_the_same_as_the_whole_text(case: Labelled, sizes: list[int]) -> None:
    text = case.text[:20_000]
    assert streamed(cut(text, sizes, 7)) == in_pieces(text)


@pytest.mark.parametrize("case", CORPUS, ids=lambda c: c.name)
@given(data=st.data())
@settings(max_examples=8, deadline=None)
def test_cuts_anywhere_change_nothing(case: Labelled, data: st.DataObject) -> None:
    text = case.text[:12_000]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    assert streamed([text[a:b] for a, b in itertools.pairwise([0, *cuts, len(text)])]) == in_pieces(text)


@pytest.mark.parametrize("case", CORPUS, ids=lambda c: c.name)
def test_a_place_called_settled_parts_nothing(case: Labelled) -> None:
    text = case.text[:6_000]
    whole = in_pieces(text)
    ends = [m.end() for m in re.finditer("\n", text)]
    places = {settled(text[:end], RULES)[0] for end in ends}
    assert [at for at in places if in_pieces(text[:at], text[at:]) != whole] == []


@given(st.lists(st.sampled_from(OPENERS), min_size=1, max_size=12), st.data())
@settings(max_examples=400, deadline=None)
def test_what_goes_on_over_lines_is_never_parted(parts: list[str], data: st.DataObject) -> None:
    text = "".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    assert streamed([text[a:b] for a, b in itertools.pairwise([0, *cuts, len(text)])]) == in_pieces(text)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_secret_cut_anywhere_is_masked(data: st.DataObject) -> None:
    text = "line one\nexport DB_PASSWORD=hunter2-long\ncurl -H 'Authorization: Bearer abcdef1234567890' x\nlast\n"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    result = streamed(pieces)
    assert result == output(text)
    assert "hunter2" not in result


def test_whole_lines_without_secrets_go_out_at_once() -> None:
    stream = OutputStream(RULES)
    assert stream.feed("one\ntwo\nthr") == "one\ntwo\n"
    assert stream.feed("ee\n") == "three\n"
    assert stream.close() == ""


def test_a_line_without_an_end_comes_out_at_the_close() -> None:
    stream = OutputStream(RULES)
    assert stream.feed("password=hun") == ""
    assert stream.feed("ter2") == ""
    assert shown(stream.close()) == "password=§"


def test_an_endless_line_is_held_back_boundedly() -> None:
    stream = OutputStream(RULES)
    held = most = 0
    for _ in range(60):
        held += 50_000 - len(stream.feed("word " * 10_000))
        most = max(most, held)
    assert most <= HOLD + 60_000
    assert held - len(stream.close()) == 0


def test_a_secret_in_an_endless_line_is_masked() -> None:
    filler = "x=1 " * 300_000
    text = f"{filler}password=hunter2-long {filler}"
    for sizes in ([9_997], [65_536]):
        result = streamed(cut(text, sizes, 3))
        assert shown(result) == text.replace("hunter2-long", "§")


def test_a_secret_longer_than_all_that_is_held_is_swallowed() -> None:
    secret = "aB3" * 600_000
    result = streamed(cut(f"a\npassword={secret} b\nnext\n", [100_000], 1))
    assert "aB3aB3" not in result
    assert result.startswith("a\npassword=<sha:")
    assert result.endswith("next\n")


@pytest.mark.parametrize(
    ("first", "line", "last"),
    [
        ("-----BEGIN PGP PRIVATE KEY BLOCK-----\n", KEY_LINE, "-----END PGP PRIVATE KEY BLOCK-----\n"),
        ("password: |\n", "  correct horse battery\n", "after: plain\n"),
        ("kind: Secret\ndata:\n", "  a: cGFzc3dvcmQ=\n", "---\n"),
        ("data:\n", "  a: cGFzc3dvcmQ=\n", "kind: Secret\n"),
    ],
    ids=["key block", "block scalar", "data of a secret", "data before the kind"],
)
def test_what_is_longer_than_all_that_is_held_stays_masked_to_its_end(
    first: str, line: str, last: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssh_mcp.redaction.stream.HOLD", 50_000)
    text = first + line * (150_000 // len(line)) + last + "after\n"
    result = streamed(cut(text, [7_000], 1))
    assert line.rsplit(maxsplit=1)[-1] not in result
    assert result.endswith("after\n")


def test_a_log_that_names_secrets_flows() -> None:
    stream = OutputStream(RULES)
    line = "Nov 22 12:00:00 web sshd[1]: Accepted publickey for deploy, session opened, key: id 3, token=hunter2x9\n"
    assert shown("".join(stream.feed(line) for _ in range(50))) == line.replace("hunter2x9", "§") * 50


def test_a_key_block_over_many_pieces_is_one_marker() -> None:
    body = "MIIEpAIBAAKCAQEAabcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKL\n" * 3000
    text = f"before\n-----BEGIN PGP PRIVATE KEY BLOCK-----\n{body}-----END PGP PRIVATE KEY BLOCK-----\nafter\n"
    assert shown(streamed(cut(text, [4096], 1))) == "before\n§\nafter\n"


def test_the_values_of_a_secret_object_are_masked_though_its_kind_comes_last() -> None:
    text = "apiVersion: v1\ndata:\n  a: cGFzcw==\n  b: eHh4\nkind: Secret\nmetadata:\n  name: x\n"
    assert shown(streamed([line + "\n" for line in text.splitlines()])) == text.replace("cGFzcw==", "§").replace(
        "eHh4", "§"
    )
    plain = text.replace("Secret", "ConfigMap")
    assert streamed([line + "\n" for line in plain.splitlines()]) == plain


def test_nothing_fed_is_nothing_shown() -> None:
    stream = OutputStream(RULES)
    assert stream.feed("") == ""
    assert stream.close() == ""


LONG = {
    "csv": ("id,note,password\n", "{n},{pad},hunter2\n"),
    "psql": (" id | note | password\n----+------+-------\n", " {n} | {pad} | hunter2\n"),
    "copy": ("COPY t (id, note, password) FROM stdin;\n", "{n}\t{pad}\thunter2\n"),
    "dump": (
        "CREATE TABLE t (\n  id int,\n  note text,\n  password text\n);\n",
        "INSERT INTO t VALUES ({n},'{pad}','hunter2');\n",
    ),
    "insert": ("INSERT INTO t (id, note, password) VALUES\n", "({n},'{pad}','hunter2'),\n"),
    "items": ("passwords:\n", "- hunter2 # {n} {pad}\n"),
}


@pytest.mark.parametrize("kind", LONG)
def test_a_table_longer_than_may_be_held_back_stays_masked_to_its_end(kind: str) -> None:
    head, row = LONG[kind]
    text = head + "".join(row.format(n=n, pad="x" * 900) for n in range(2 * HOLD // 1800))
    stream = OutputStream(RULES)
    parts = [stream.feed(text[at : at + 100_000]) for at in range(0, len(text), 100_000)]
    shown_all = "".join([*parts, stream.close()])
    assert "hunter2" not in shown_all
    assert shown_all.count("<sha:") == text.count("hunter2")
