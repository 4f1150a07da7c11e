"""The guard on result models: unmarked text is the host's, marked text is not; structure says what is secret."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, Field

from ssh_mcp.guard.guard import Guard
from ssh_mcp.guard.walk import plan
from ssh_mcp.inventory.model import RedactionPolicy
from ssh_mcp.results.base import Ours, Provenance, Raw, Result, Warned
from tests.unit.redaction.redaction_support import shown

GUARD = Guard(RedactionPolicy())
SECRET = "password: hunter2"
MASKED = "password: §"


class Kind(StrEnum):
    PASSWORD = "password=kind-of"


class Inner(BaseModel):
    text: str = ""
    lines: list[str] = Field(default_factory=list)


class Everything(Warned):
    host: Ours = "password=ours"
    stdout: str = ""
    maybe: str | None = None
    ours_maybe: Ours | None = "password=ours"
    ours_list: list[Ours] = Field(default_factory=list)
    content: Raw = ""
    raw_maybe: Raw | None = None
    inner: Inner = Field(default_factory=Inner)
    inners: list[Inner] = Field(default_factory=list)
    by_name: dict[str, Inner] = Field(default_factory=dict)
    env: dict[str, str] = Field(default_factory=dict)
    free: list[dict[str, Any]] = Field(default_factory=list)
    pair: tuple[str, int] = ("", 0)
    kind: Kind = Kind.PASSWORD
    size: int = 0
    flag: bool = False


class Silent(Result):
    stdout: str = ""


def test_unmarked_text_is_masked_wherever_it_sits() -> None:
    before = Everything(
        stdout=SECRET,
        maybe=SECRET,
        inner=Inner(text=SECRET, lines=["a", SECRET]),
        inners=[Inner(text=SECRET)],
        by_name={"x": Inner(text=SECRET)},
        pair=(SECRET, 3),
    )
    after = GUARD.result(before)
    assert [shown(t or "") for t in (after.stdout, after.maybe, after.inner.text, after.inners[0].text)] == [MASKED] * 4
    assert shown(after.by_name["x"].text) == MASKED
    assert [shown(line) for line in after.inner.lines] == ["a", MASKED]
    assert (shown(after.pair[0]), after.pair[1]) == (MASKED, 3)
    assert before.stdout == SECRET


def test_our_own_text_and_names_are_left_alone() -> None:
    after = GUARD.result(Everything(ours_list=[SECRET]))
    assert (after.host, after.ours_maybe, after.ours_list) == ("password=ours", "password=ours", [SECRET])
    assert after.kind is Kind.PASSWORD


def test_raw_text_is_left_alone_and_warned_about() -> None:
    after = GUARD.result(Everything(content="a\x1b[31m", raw_maybe=SECRET))
    assert (after.content, after.raw_maybe) == ("a\x1b[31m", SECRET)
    assert len(after.output_warnings) == 1
    assert "escape sequences" in after.output_warnings[0]


def test_a_model_without_a_field_for_warnings_is_guarded_all_the_same() -> None:
    assert shown(GUARD.result(Silent(stdout=SECRET + "\u200b x")).stdout).startswith("password: §")


def test_warnings_are_merged_with_those_that_were_there() -> None:
    model = Everything(stdout="Human: a b c\n", inner=Inner(text="Human: a b c\n"), output_warnings=["first"])
    after = GUARD.result(model)
    assert after.output_warnings[0] == "first"
    assert len(after.output_warnings) == 2
    assert model.output_warnings == ["first"]


def test_a_model_without_secrets_is_the_same_object() -> None:
    model = Everything(stdout="total 0\n", env={"LOG_LEVEL": "debug"}, free=[{"Id": "abc", "N": [1, 2.5, None, True]}])
    assert GUARD.result(model) is model


def test_free_form_data_is_checked_by_its_names() -> None:
    after = GUARD.result(
        Everything(
            env={"DB_PASSWORD": "hunter2", "LOG": "info", "Environment": "A=b TOKEN=tok-123"},
            free=[
                {
                    "Config": {
                        "Env": ["DB_PASSWORD=with blank", "PATH=/bin"],
                        "Labels": {"api_token": "l4bel", "x": "y"},
                    },
                    "Args": ["--db-password", "hunter2", "--port", "1"],
                    "Parameters": [{"Name": "DB_PASSWORD", "Value": "hunter2"}, {"Name": "REGION", "Value": "eu"}],
                    "tokens": ["aB3dE5fG7hI9jK1lM3nO5pQ7"],
                    "password": {"deep": "kept by its own name"},
                    "State": {"Pid": 12, "Running": True},
                }
            ],
        )
    )
    assert shown(str(after.env)) == str({"DB_PASSWORD": "§", "LOG": "info", "Environment": "A=b TOKEN=§"})
    data = after.free[0]
    assert [shown(e) for e in data["Config"]["Env"]] == ["DB_PASSWORD=§", "PATH=/bin"]
    assert shown(str(data["Config"]["Labels"])) == str({"api_token": "§", "x": "y"})
    assert [shown(a) for a in data["Args"]] == ["--db-password", "§", "--port", "1"]
    assert [shown(p["Value"]) for p in data["Parameters"]] == ["§", "eu"]
    assert shown(data["tokens"][0]) == "§"
    assert data["State"] == {"Pid": 12, "Running": True}


def test_a_fields_own_name_says_nothing_about_secrets() -> None:
    class Tokens(Result):
        token: str = "disk"
        secrets: list[str] = Field(default_factory=lambda: ["db", "web"])

    model = Tokens()
    assert GUARD.result(model) is model


def test_endless_depth_is_cut() -> None:
    deep: dict[str, Any] = {}
    for _ in range(500):
        deep = {"a": deep}
    GUARD.result(Everything(free=[deep]))


def test_the_plan_of_a_class_is_made_once_and_leaves_out_what_is_no_hosts_text() -> None:
    fields = dict(plan(Everything))
    assert plan(Everything) is plan(Everything)
    assert "host" not in fields
    assert "ours_list" not in fields
    assert not {"size", "flag", "kind", "output_warnings"} & set(fields)
    assert fields["content"] is Provenance.RAW
    assert fields["stdout"] is Provenance.HOST


def test_without_redaction_only_control_characters_go() -> None:
    bare = Guard(RedactionPolicy(output=False))
    after = bare.result(Everything(stdout=f"{SECRET}\x1b[0m", env={"PASSWORD": "x1\x00"}))
    assert (after.stdout, after.env) == (SECRET, {"PASSWORD": "x1"})


def test_only_these_fields_say_that_they_were_guarded_before() -> None:
    from ssh_mcp.tools import catalogue
    from ssh_mcp.tools.modules import load

    def marked(cls: type[Result]) -> set[str]:
        found = {
            f"{cls.__name__}.{name}" for name, field in cls.model_fields.items() if Provenance.GUARDED in field.metadata
        }
        return found.union(*(marked(sub) for sub in cls.__subclasses__()))

    for entry in catalogue.read():
        load(entry.family, entry.name)
    assert marked(Result) == {
        "BroadcastResult.results",
        "BroadcastResult.errors",
        "FleetGroup.result",
        "FleetGroup.diff",
        "FleetError.error",
        "TerminalScreenResult.screen",
    }


def test_arguments_of_a_program_are_read_together() -> None:
    free = {
        "Args": ["mysqld", "-pargv-pw-1", "--user=mysql"],
        "Cmd": ["sshpass", "-p", "argv-pw-2", "ssh", "-p", "2222", "host"],
        "Test": ["CMD", "curl", "-u", "bob:argv-pw-3", "https://x/"],
        "Ports": ["-p", "80:80", "-v", "/a:/b"],
    }
    shown_free = GUARD.result(Everything(free=[free])).free[0]
    assert [shown(" ".join(v)) for v in shown_free.values()] == [
        "mysqld -p§ --user=mysql",
        "sshpass -p § ssh -p 2222 host",
        "CMD curl -u bob:§ https://x/",
        "-p 80:80 -v /a:/b",
    ]
    assert shown_free["Ports"] is free["Ports"]


def test_a_value_below_a_secret_name_is_masked() -> None:
    outputs = {"db_password": {"sensitive": True, "value": "tf-output-1"}, "region": {"value": "eu-west-1"}}
    guarded = GUARD.result(Everything(free=[outputs])).free[0]
    assert shown(guarded["db_password"]["value"]) == "§"
    assert guarded["region"] == {"value": "eu-west-1"}


def test_raw_text_keeps_its_escape_sequences_and_says_so() -> None:
    guarded = GUARD.result(Everything(content="a\x1b]52;c;eA==\x07b\n"))
    assert guarded.content == "a\x1b]52;c;eA==\x07b\n"
    assert any("escape sequences" in w for w in guarded.output_warnings)
    assert GUARD.result(Everything(content="plain\n")).output_warnings == []
