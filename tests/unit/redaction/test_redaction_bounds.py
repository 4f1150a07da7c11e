"""Size and depth: a megabyte of any build is read in time that grows with its length only.

Shown by counting work, not by a clock: a text twice as long may cost little more than twice the function calls, and the
patterns that could walk are fed their worst inputs under the test run's own time limit.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType

import pytest

from ssh_mcp.redaction.engine import Format
from ssh_mcp.redaction.engine import redact_file as _redact_file
from tests.unit.redaction.redaction_support import RULES, output, shown

MEGABYTE = 1_048_576
WORST: dict[str, Callable[[int], str]] = {
    "one word": lambda n: "a" * n,
    "dashes": lambda n: "a-" * (n // 2),
    "equals": lambda n: "a.b=" * (n // 4),
    "colons": lambda n: "password:" * (n // 9),
    "secrets on one line": lambda n: "password=hunter2 " * (n // 17),
    "open brackets": lambda n: "[" * n,
    "open objects": lambda n: '{"a":' * (n // 5),
    "open quotes": lambda n: 'password="' * (n // 10),
    "backslashes": lambda n: 'password="' + "\\" * n,
    "escaped": lambda n: '\\"password\\":\\"x\\",' * (n // 19),
    "tags": lambda n: "<password>" * (n // 10),
    "quotes in tags": lambda n: '<a "<" ' * (n // 7),
    "attributes": lambda n: '<a name="password" ' * (n // 19),
    "begin": lambda n: "-----BEGIN PRIVATE KEY-----" * (n // 27),
    "begin lines": lambda n: "-----BEGIN PRIVATE KEY-----\n" * (n // 28),
    "end lines": lambda n: "QUJDREVGR0hJSktMTU5P\n-----END PRIVATE KEY-----\n" * (n // 47),
    "key words before an end": lambda n: ("InIx" * (n // 4)) + "[-----END RSA PRIVATE KEY-----",
    "ends on one line": lambda n: "QUJDREVGR0hJSktMTU5P[-----END RSA PRIVATE KEY-----" * (n // 49),
    "backslashes in a key": lambda n: "-----BEGIN PRIVATE KEY-----" + "\\" * n,
    "breaks in a key": lambda n: "-----BEGIN PRIVATE KEY-----" + "\\n" * (n // 2),
    "dotted values": lambda n: ("password=" + "a." * 240 + "! ") * (n // 491),
    "data lines": lambda n: "data:\n  a: b\n" * (n // 13),
    "blanks in a sentence": lambda n: "temporary password is " + " " * n,
    "letters in brackets": lambda n: ("password=(" + "a" * 480 + " ") * (n // 491),
    "flags": lambda n: "htpasswd -" + "b" * (n // 2) + " curl -" + "u" * (n // 2),
    "urls": lambda n: "http://a:b" * (n // 10),
    "jwt": lambda n: "eyJaaaaaaaaaaaa." * (n // 16),
    "base64": lambda n: "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVph" * (n // 36),
    "hex lines": lambda n: ("0123456789abcdef" * 4 + "\n") * (n // 65),
    "cookies": lambda n: "Cookie: " + "a=b;" * (n // 4),
    "names": lambda n: "name: password\n" * (n // 15),
    "open lists": lambda n: 'passwords: ["a", ' * (n // 17),
    "block signs": lambda n: "password: |\n" * (n // 12),
    "commands": lambda n: "mysql -p" * (n // 8),
    "sql": lambda n: "PASSWORD '" * (n // 10),
    "calls": lambda n: 'f("password",' * (n // 13),
    "continued": lambda n: "password = a\\\n" * (n // 14),
    "open env quotes": lambda n: "PASSWORD='a\n" * (n // 12),
    "toml strings": lambda n: 'a="""' * (n // 5),
    "kinds": lambda n: "data:\nkind: Secret\n" * (n // 19),
    "blanks": lambda n: "password" + " " * n + "= x",
    "putty": lambda n: "Private-Lines: 9999\n" * (n // 20),
    "wide": lambda n: "пароль: секрет " * (n // 15),
    "surrogates": lambda n: "password=\ud800x " * (n // 12),
    "markers": lambda n: "<sha:0123456789ab len:3> " * (n // 25),
    "indents": lambda n: "".join(" " * (i % 500) + "a:\n" for i in range(n // 250)),
    "heads": lambda n: "a,password\n" * (n // 11),
    "heads that fit nothing": lambda n: "a,password\nb,token,c\n" * (n // 21),
    "drawn heads": lambda n: "| a | password |\n|---|---|\n" * (n // 27),
    "drawn heads without rows": lambda n: " a | password\n---+----\n\n" * (n // 25),
    "cells": lambda n: ("a," * 400 + "password\n" + "b," * 400 + "c\n") * (n // 1612),
    "open quotes in cells": lambda n: "a,password\n" + '"b,' * (n // 3),
    "dashes below": lambda n: "password  a\n-- --\n" * (n // 18),
    "records": lambda n: "-[ RECORD 1 ]---\npassword | x\n" * (n // 30),
    "tables created": lambda n: "CREATE TABLE t (\n  password text,\n" * (n // 35),
    "tables created whole": lambda n: "CREATE TABLE t (\n  password text\n);\n" * (n // 37),
    "rows inserted": lambda n: "INSERT INTO t (a, password) VALUES\n" + "(1, 'hunter2'),\n" * (n // 16),
    "copies": lambda n: "COPY t (a, password) FROM stdin;\n" * (n // 33),
    "items": lambda n: "passwords:\n" + "- hunter2\n" * (n // 10),
    "headings of items": lambda n: "passwords:\n- a:\n" * (n // 17),
    "bare items": lambda n: "passwords: [" + "a, " * (n // 3),
    "stars": lambda n: "a * b * \n" * (n // 9),
    "anchors": lambda n: "a: &a [x,x]\n" + "".join(f"b{i}: &b{i} [*a,*a,*a]\n" for i in range(n // 24)),
}


@pytest.mark.parametrize("make", WORST.values(), ids=WORST.keys())
def test_output_of_any_build_is_read(make: Callable[[int], str]) -> None:
    text = make(MEGABYTE // 8)
    result = output(text)
    assert result
    assert "hunter2" not in result


@pytest.mark.parametrize("make", WORST.values(), ids=WORST.keys())
@pytest.mark.parametrize("kind", list(Format))
def test_a_file_of_any_build_and_format_is_read(make: Callable[[int], str], kind: Format) -> None:
    assert _redact_file(make(12_000), RULES, format=kind).format is kind


@pytest.mark.parametrize(
    "name", ["one word", "dashes", "equals", "open brackets", "base64", "blanks", "urls", "jwt", "cookies"]
)
def test_a_megabyte_on_one_line_is_read(name: str) -> None:
    assert output(WORST[name](MEGABYTE))


def calls_for(function: Callable[[], object]) -> int:
    count = 0

    def counted(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        function()
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("make", WORST.values(), ids=WORST.keys())
def test_twice_the_text_costs_little_more_than_twice_the_calls(make: Callable[[int], str]) -> None:
    small, large = make(20_000), make(40_000)
    output(small)
    once, twice = calls_for(lambda: output(small)), calls_for(lambda: output(large))
    assert twice <= 2.6 * once + 2000


def test_deep_json_is_read_to_its_bottom() -> None:
    depth = 50_000
    text = '{"a":' * depth + '{"password":"hunter2"}' + "}" * depth
    assert "hunter2" not in _redact_file(text, RULES, path="x.json").text


def test_an_alias_bomb_is_not_expanded() -> None:
    lines = ["a0: &a0 [password, password]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 30)]
    text = "\n".join([*lines, "password: hunter2"]) + "\n"
    assert shown(_redact_file(text, RULES, path="x.yaml").text) == text.replace("hunter2", "§")


def test_ordinary_lines_are_not_looked_at_one_by_one() -> None:
    text = "Nov 22 12:00:00 web01 systemd[1]: Started Daily apt download activities.\n" * 14_000
    assert calls_for(lambda: output(text)) < 6000
