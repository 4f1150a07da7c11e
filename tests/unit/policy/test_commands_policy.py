"""The command allowlist against tables of attacks and of honest commands."""

from __future__ import annotations

import contextlib
import re
import time
import tomllib
from pathlib import Path

import pytest

from ssh_mcp.errors import (
    CommandIsCheatsheetMatch,
    CommandNotAllowed,
    InvalidArgument,
    RedactBypassBlocked,
    Refusal,
)
from ssh_mcp.inventory.model import BypassPolicy, CommandPolicy
from ssh_mcp.policy.allowlist import check_allow_entry
from ssh_mcp.policy.commands import Circumstances, permit, permit_script
from ssh_mcp.shell.parse import MAX_BYTES

DATA = Path(__file__).parent.parent.parent / "data" / "attacks"
DEFAULT = ["ls", "cat", "echo", "grep"]
ATTACKS = [
    pytest.param(tuple(table.get("allow", DEFAULT)), command, id=f"{table['group']}: {command}")
    for table in tomllib.loads((DATA / "commands.toml").read_text())["attack"]
    for command in table["commands"]
]
HONEST = tomllib.loads((DATA / "honest.toml").read_text())


def policy(*allow: str) -> CommandPolicy:
    return CommandPolicy(allow=allow, cheatsheet=False)


@pytest.mark.parametrize(("allow", "command"), ATTACKS)
def test_an_attack_is_refused_with_one_sentence_what_and_one_what_to_do(allow: tuple[str, ...], command: str) -> None:
    with pytest.raises(CommandNotAllowed) as caught:
        permit(command.replace("{canary}", "/tmp/canary"), policy(*allow))
    assert re.fullmatch(r"[^a-z\s].*\.", caught.value.what, re.DOTALL), caught.value.what
    assert caught.value.remedy.endswith(".")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("command", HONEST["commands"])
def test_an_honest_command_may_run(command: str) -> None:
    permit(command, policy(*HONEST["allow"]))


@pytest.mark.parametrize("command", HONEST["commands"])
def test_an_honest_command_with_one_program_less_on_the_list_is_refused(command: str) -> None:
    permitted = permit(command, policy(*HONEST["allow"]))
    for program in permitted.programs:
        base = program.rpartition("/")[2]
        rest = [a for a in HONEST["allow"] if a != base]
        with pytest.raises(CommandNotAllowed):
            permit(command, policy(*rest))


def test_every_program_is_reported_as_written_also_those_that_wrappers_start() -> None:
    permitted = permit(
        "/bin/ls | xargs -n1 grep x; sudo env A=1 cat", policy("ls", "xargs", "grep", "sudo", "env", "cat")
    )
    assert permitted.programs == ("/bin/ls", "xargs", "grep", "sudo", "env", "cat")


def test_a_bare_entry_covers_any_absolute_path_and_an_absolute_entry_only_itself() -> None:
    permit("/bin/ls; /opt/x/ls; ls", policy("ls"))
    permit("/bin/ls", policy("/bin/ls"))
    for command in ("ls", "/usr/bin/ls"):
        with pytest.raises(CommandNotAllowed):
            permit(command, policy("/bin/ls"))


def test_without_an_allowlist_nothing_runs_unless_any_command_is_allowed() -> None:
    with pytest.raises(CommandNotAllowed, match=r"no command allowlist.*ALLOW_ANY_COMMAND"):
        permit("ls", CommandPolicy())
    permit("rm -rf /x /y; eval foo", CommandPolicy(allow_any=True))


def test_allow_any_does_not_widen_an_allowlist() -> None:
    with pytest.raises(CommandNotAllowed):
        permit("rm x", CommandPolicy(allow=("ls",), allow_any=True))
    with pytest.raises(CommandNotAllowed):
        permit_script("#!/usr/bin/python3\nprint()", CommandPolicy(allow=("ls",), allow_any=True))


def test_a_star_permits_anything_also_what_no_grammar_reads() -> None:
    for command in ("eval x", "ls '", "function f { :; }", "x=(1 2); echo ${x[0]}", "ls > /tmp/x y"):
        permit(command, CommandPolicy(allow=("*",)))


PYTHON = "#!/usr/bin/env python3\nprint(1)\n"


def test_a_script_in_sh_is_decided_like_a_command() -> None:
    for head in ("", "#!/bin/sh\n", "#!/bin/bash -eu\n", "#!/usr/bin/env bash\n"):
        permitted = permit_script(f"{head}set -e\nls /tmp | grep x\n", policy("ls", "grep"))
        assert permitted.programs == ("ls", "grep")
        with pytest.raises(CommandNotAllowed, match="`rm` is not on"):
            permit_script(f"{head}ls\nrm x\n", policy("ls", "grep"))
    with pytest.raises(CommandNotAllowed):
        permit_script("ls\n", CommandPolicy())


@pytest.mark.parametrize("head", ["#!/tmp/sh", "#!/bin/sh -c", "#!/usr/bin/env -S sh -s", "#!/bin/bash --rcfile x"])
def test_a_shell_from_elsewhere_or_with_other_options_is_another_interpreter(head: str) -> None:
    with pytest.raises(CommandNotAllowed, match="cannot be read from its text"):
        permit_script(f"{head}\nls\n", policy("ls", "sh", "bash"))


def test_a_script_for_another_interpreter_needs_it_allowed_and_any_command_beside_it() -> None:
    for permitted in (
        CommandPolicy(allow=("*",)),
        CommandPolicy(allow_any=True),
        CommandPolicy(allow=("python3",), allow_any=True),
    ):
        permit_script(PYTHON, permitted)
    for refused in (
        CommandPolicy(),
        CommandPolicy(allow=("ls", "sh")),
        CommandPolicy(allow=("python3",)),
        CommandPolicy(allow=("ls",), allow_any=True),
    ):
        with pytest.raises(CommandNotAllowed, match="interpreter"):
            permit_script(PYTHON, refused)


def test_an_entry_of_several_words_permits_the_program_with_these_first_words_only() -> None:
    allow = policy("git log", "systemctl status", "/usr/bin/apt list", "sudo")
    for command in (
        "git log --oneline",
        "/usr/bin/git --no-pager log -3",
        "systemctl --no-pager status nginx",
        "sudo systemctl status x",
        "/usr/bin/apt list",
    ):
        permit(command, allow)
    for command in (
        "git push",
        "git",
        "git -C /srv log",
        "git -c alias.log=x log",
        "systemctl -H web status",
        "systemctl stop status",
        "apt list",
        'git "$x"',
        "git 'log x'",
    ):
        with pytest.raises(CommandNotAllowed):
            permit(command, allow)
    with pytest.raises(CommandNotAllowed, match="other first words"):
        permit("git push", allow)


def test_pwd_and_jobs_need_no_entry_but_nothing_hides_in_them() -> None:
    assert permit("pwd; pwd -P; jobs -l; jobs %1", policy("ls")).programs == ()
    for command in ("jobs -x touch x", "jobs $x", "pwd() { ls; }; pwd", "env pwd", "jobs -lx touch x"):
        with pytest.raises(CommandNotAllowed):
            permit(command, policy("ls", "env"))


@pytest.mark.parametrize("command", ["", " ", "\n\t ", "ls\0; rm x", "ls " + "a" * MAX_BYTES, "é" * (MAX_BYTES - 10)])
def test_an_empty_overlong_or_nul_command_is_an_invalid_argument_under_any_policy(command: str) -> None:
    for any_policy in (policy("ls"), CommandPolicy(allow=("*",)), CommandPolicy(allow_any=True)):
        with pytest.raises(InvalidArgument):
            permit(command, any_policy)


def test_the_remedy_names_what_may_run_and_never_the_value_of_an_assignment() -> None:
    with pytest.raises(CommandNotAllowed) as caught:
        permit("rm x", policy("ls", "cat"))
    assert caught.value.remedy == "Only these programs may run here: cat, ls."
    with pytest.raises(CommandNotAllowed) as caught:
        permit("LD_PRELOAD=hunter2 ls", policy("ls"))
    assert "hunter2" not in str(caught.value)
    assert "LD_PRELOAD" in str(caught.value)


N = MAX_BYTES - 50
ABSURD = {
    "a megabyte": "ls " + "a" * 1_000_000,
    "many commands": "ls; " * (N // 4),
    "many words": "ls " + "a " * (N // 2),
    "nested substitutions": "$(" * (N // 2),
    "nested subshells": "(" * N,
    "nested groups": "{ " * (N // 2),
    "nested expansions": "echo " + "${a:-" * (N // 5),
    "nested process substitutions": "<(" * (N // 2),
    "double quotes": '"' * N,
    "single quotes": "'" * N,
    "backticks": "`" * N,
    "escapes": "ls " + "\\a" * (N // 2),
    "here-documents": "cat <<E " * (N // 8),
    "variables": "ls " + '"$a"x ' * (N // 6),
    "bindings": "a=x$a$a$a;" * (N // 10) + "ls $a$a$a",
    "chained bindings": "".join(f"v{i}=$v{i + 1};" for i in range(2000)) + "ls $v1",
    "patterns": "ls " + "/e*c/?a " * (N // 8),
    "one long pattern": "ls " + "*a" * (N // 2),
    "brace lists": "ls " + "{a,b}" * (N // 5),
    "open braces": "ls " + "{a," * (N // 3),
    "slashes": "ls " + "/" * N,
    "parents": "ls " + "/.." * (N // 3),
    "arithmetic": "echo $((" + "1+" * (N // 2 - 10) + "1))",
    "arithmetic brackets": "echo $((" + "(" * (N - 20),
    "cases": "case x in " + "a) ls;; " * (N // 9) + "esac",
    "elif": "if ls; then ls; " + "elif ls; then ls; " * (N // 19) + "fi",
    "functions": "f() { ls; }; " * (N // 13),
    "sed brackets": "sed 's/" + "[" * (N - 20) + "/x/'",
    "sed commands": "sed '" + "p;" * (N // 2 - 10) + "'",
    "awk patterns": "awk '" + "/a/ " * (N // 4 - 10) + "'",
    "awk quotes": "awk '" + '"' * (N - 10) + "'",
    "find tests": "find / " + "-name x " * (N // 9),
    "bangs": "! " * (N // 2),
    "dollars": "$" * N,
    "colons": "ls " + "$a:" * (N // 3),
    "tildes": "ls " + "~/x " * (N // 4),
    "separators": "ls " + "a,b=c:/d@" * (N // 9),
}


@pytest.mark.parametrize("name", ABSURD)
@pytest.mark.parametrize("allow", [("ls", "cat", "echo", "sed", "awk", "find"), ("*",)], ids=["list", "star"])
def test_no_input_makes_the_decision_slow(name: str, allow: tuple[str, ...]) -> None:
    began = time.process_time()
    with contextlib.suppress(Refusal):
        permit(
            ABSURD[name],
            CommandPolicy(allow=allow),
            Circumstances(redact_globs=("**/.env", "/etc/shadow", "**/*.pem", "**/id_*")),
        )
    assert time.process_time() - began < 5  # a bound against runaway growth, not a measurement


@pytest.mark.parametrize(
    ("entry", "word"),
    [
        ("git log;", "shell characters"),
        ("git 'log'", "quotes"),
        ("", "empty"),
        (" ls", "blanks"),
        ("bin/ls", "relative"),
        ("./ls", "relative"),
        ("l*", "name"),
        ("ls;rm", "name"),
        ("$HOME/x", "relative"),
        ("/", "name"),
        ("eval", "never"),
        ("source", "never"),
        (".", "never"),
        ("if", "never"),
        ("zsh", "never"),
        ("alias", "never"),
    ],
)
def test_an_allowlist_entry_that_cannot_mean_what_it_says_is_named(entry: str, word: str) -> None:
    problem = check_allow_entry(entry)
    assert problem is not None
    assert word in problem


@pytest.mark.parametrize(
    "entry", ["*", "ls", "/usr/bin/ls", "g++", "python3.11", "[", "apt-get", "time", "x86_64-linux-gnu-ld"]
)
def test_a_program_name_or_absolute_path_is_a_fine_entry(entry: str) -> None:
    assert check_allow_entry(entry) is None


REDACT = ("**/.env", "/etc/shadow")
ANY = CommandPolicy(allow_any=True)


@pytest.mark.parametrize(
    "script",
    [
        "cat /app/.env",
        "#!/bin/bash\nset -eu\ncd /app\ncat .env\n",
        "#!/usr/bin/env python3\nprint(open('/app/.env').read())\n",
        "for f in /etc/shad*; do cat $f; done",
        "function f { cat /etc/shadow; }\nf\n",
        "x" * 100_000 + "\ncat /etc/shadow\n",
        "echo '" + "a b " * 60_000 + "'\ncat /etc/shadow\n",
    ],
)
def test_a_script_that_names_a_redact_listed_file_is_refused_like_a_command(script: str) -> None:
    with pytest.raises(CommandIsCheatsheetMatch, match="ssh_read_redacted"):
        permit_script(script, ANY, Circumstances(redact_globs=REDACT))
    with pytest.raises(RedactBypassBlocked, match="ssh_sudo_read_redacted"):
        permit_script(
            script, CommandPolicy(allow=("*",), cheatsheet=False), Circumstances(redact_globs=REDACT, sudo=True)
        )
    warned = permit_script(script, ANY, Circumstances(redact_globs=REDACT, bypass=BypassPolicy.WARN))
    assert (warned.redact_bypass, len(warned.warnings)) == (True, 1)
    silent = permit_script(script, ANY, Circumstances(redact_globs=REDACT, bypass=BypassPolicy.AUDIT_ONLY))
    assert (silent.redact_bypass, silent.warnings) == (True, ())


@pytest.mark.parametrize("script", ["cat /etc/hosts", "ls /app\n", "#!/usr/bin/perl\nprint 1;\n", "mkdir /x", "eval x"])
def test_what_a_dedicated_tool_could_do_may_stand_in_a_script(script: str) -> None:
    assert not permit_script(script, ANY, Circumstances(redact_globs=REDACT)).redact_bypass


@pytest.mark.parametrize("command", ["dd if=/etc/shadow", "curl file:///etc/shadow", "x --a=b,/etc/shadow"])
def test_the_whole_path_is_suggested_and_not_the_word_around_it(command: str) -> None:
    with pytest.raises(CommandIsCheatsheetMatch, match=r'path="/+etc/shadow"'):
        permit(command, ANY, Circumstances(redact_globs=REDACT, default_dir="/srv"))
