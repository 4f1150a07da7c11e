"""What must hold for any text (property-based)."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ssh_mcp.inventory.model import RedactionPolicy
from ssh_mcp.redaction.engine import Format, redact_file, redact_output, rules_from
from ssh_mcp.redaction.values import MARKER
from tests.unit.redaction.redaction_support import RULES, output, shown

NAMES = st.sampled_from(
    ["password", "DB_PASSWORD", "api_key", "secret", "token", "client-secret", "user", "port", "key", "path", "note"]
)
VALUES = st.one_of(
    st.text(
        st.characters(codec="utf-8", exclude_characters="\r\n\x85\u2028\u2029", exclude_categories=["Cc", "Cs"]),
        min_size=1,
        max_size=30,
    ),
    st.sampled_from(
        [
            "hunter2",
            "true",
            "3600",
            "${VAR}",
            "/run/x",
            "a b c",
            '"x"',
            "it's",
            "x#y",
            "<a>",
            "$1",
            "[1]",
            "{a}",
            "|",
            "&x",
            "*y",
            "!z",
        ]
    ),
)
PIECES = st.one_of(
    st.builds("{}={}".format, NAMES, VALUES),
    st.builds("{}: {}".format, NAMES, VALUES),
    st.builds('"{}": "{}",'.format, NAMES, VALUES),
    st.builds("--{} {}".format, NAMES, VALUES),
    st.builds("<{0}>{1}</{0}>".format, NAMES, VALUES),
    st.builds("  - {}={}".format, NAMES, VALUES),
    st.builds("http://u:{}@h/".format, VALUES),
    st.builds("Authorization: Bearer {}".format, VALUES),
    st.sampled_from(
        [
            "[section]",
            "---",
            "{",
            "}",
            "]",
            "passwords: [",
            "password: |",
            "<a>",
            "-----BEGIN RSA PRIVATE KEY-----",
            "-----END RSA PRIVATE KEY-----",
            "kind: Secret",
            "data:",
            "",
        ]
    ),
    VALUES,
)
TEXTS = st.lists(PIECES, max_size=12).map("\n".join)


@given(TEXTS)
@settings(max_examples=400, deadline=None)
def test_redacting_output_twice_changes_nothing_more(text: str) -> None:
    once = output(text)
    assert output(once) == once


@given(TEXTS, st.sampled_from(list(Format)))
@settings(max_examples=400, deadline=None)
def test_redacting_a_file_twice_changes_nothing_more(text: str, kind: Format) -> None:
    once = redact_file(text, RULES, format=kind).text
    assert redact_file(once, RULES, format=kind).text == once


@given(TEXTS)
@settings(max_examples=200, deadline=None)
def test_what_is_no_marker_is_a_part_of_the_input_in_its_order(text: str) -> None:
    at = 0
    for part in MARKER.split(output(text)):
        found = text.find(part, at)
        assert found >= 0
        at = found + len(part)


@given(TEXTS)
@settings(max_examples=200, deadline=None)
def test_a_line_without_a_secret_is_never_longer(text: str) -> None:
    kept = [line for line in output(text).split("\n") if "<sha:" not in line]
    lines = text.split("\n")
    at = 0
    for line in kept:
        at = lines.index(line, at) + 1


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=3, max_size=40))
@settings(max_examples=300, deadline=None)
def test_a_json_string_under_a_secret_name_never_survives(value: str) -> None:
    text = json.dumps({"a": [{"password": value}], "z": 1})
    result = redact_file(text, RULES, path="x.json").text
    masked = json.loads(result)["a"][0]["password"]
    assert masked.startswith("<sha:") or masked == value
    if (
        len(value) > 3
        and value.isalnum()
        and not value.isdigit()
        and value.lower()
        not in {
            "null",
            "none",
            "true",
            "false",
            "auto",
            "unset",
            "never",
            "always",
            "empty",
            "default",
            "inherit",
            "enabled",
            "disabled",
            "optional",
            "required",
            "undefined",
            "notset",
        }
        and set(value.lower()) - {"x"}
    ):
        assert masked.startswith("<sha:")


@given(st.text(st.sampled_from("abcXYZ019!@%^*_+=.,:;#'\"$ \\/-é🔑"), min_size=6, max_size=30))
@settings(max_examples=300, deadline=None)
def test_a_yaml_string_under_a_secret_name_is_masked_as_one_value(value: str) -> None:
    text = yaml.safe_dump({"password": value + "a1", "after": "stays"}, allow_unicode=True, width=10_000)
    result = redact_file(text, RULES, path="x.yaml").text
    data = yaml.safe_load(result)
    assert data["after"] == "stays"
    assert data["password"].startswith("<sha:") or value.lstrip()[:1] in "/.$\\~"


@given(st.text(st.sampled_from("abcXYZ019!%^*_+=.,-"), min_size=6, max_size=20))
@settings(max_examples=200, deadline=None)
def test_equal_secrets_give_equal_markers_and_unequal_ones_do_not(value: str) -> None:
    value = f"a1{value}b2"
    one = output(f"password: {value}\n").partition("<sha:")[2][:12]
    two = redact_file(json.dumps({"secret": value}), RULES, path="x.json").text.partition("<sha:")[2][:12]
    three = output(f"password: {value}x\n").partition("<sha:")[2][:12]
    assert one == two != three


@pytest.mark.parametrize("kind", list(Format))
@given(text=st.text(max_size=400))
@settings(max_examples=60, deadline=None)
def test_any_text_is_survived(kind: Format, text: str) -> None:
    redact_file(text, RULES, format=kind)
    redact_output(text, rules_from(RedactionPolicy(keys_add=("x", "^y", "z$"))))


@given(TEXTS)
@settings(max_examples=100, deadline=None)
def test_markers_say_nothing_else_than_hash_and_length(text: str) -> None:
    for marker in MARKER.findall(output(text)):
        assert shown(marker) == "§"
