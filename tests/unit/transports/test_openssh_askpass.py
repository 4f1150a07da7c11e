"""The askpass helper, run as ssh runs it: prompt in argv, secret on stdout, exit code."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from transports.api import Auth, AuthMethod
from transports.openssh.login import askpass
from transports.openssh.login.binaries import Binaries

NEW = Binaries("ssh", None, None, None, (9, 2), "OpenSSH_9.2p1", frozenset(), (), (), ())
AUTH = Auth(
    method=AuthMethod.KEY, key="/k/id ' $(id)", passphrase_cmd="printf 'open sesame'", password_cmd="echo pw; echo x"
)


@pytest.fixture
def helper(tmp_path: Path) -> Iterator[askpass.Askpass]:
    made = askpass.make(prompts(), NEW, str(tmp_path))
    yield made
    askpass.dispose(made)
    assert not Path(made.directory).exists()


def prompts(auth: Auth = AUTH) -> tuple[askpass.Prompt, ...]:
    return askpass.prompts(auth, user="deploy", hosts=["web.example", "alias"], keys=[auth.key or "/k/other"])


def ask(made: askpass.Askpass, prompt: str) -> subprocess.CompletedProcess[str]:
    program = dict(made.environment)["SSH_ASKPASS"]
    return subprocess.run([program, prompt], check=False, capture_output=True, text=True, timeout=10)


def test_the_keys_prompt_is_answered_once(helper: askpass.Askpass) -> None:
    prompt = "Enter passphrase for key '/k/id ' $(id)': "
    assert ask(helper, prompt).stdout == "open sesame"
    again = ask(helper, prompt)
    assert (again.returncode, again.stdout) == (1, "")
    assert "was not accepted" in helper.outcome().clause


@pytest.mark.parametrize(
    "prompt",
    [
        "deploy@web.example's password: ",
        "deploy@alias's password: ",
        "(deploy@web.example) Password: ",
        "(deploy@web.example) password:",
        "Password: ",
        "Password for deploy@box:",
    ],
)
def test_the_password_prompts_of_ssh_pam_and_bsd_are_answered(helper: askpass.Askpass, prompt: str) -> None:
    assert ask(helper, prompt).stdout.splitlines()[0] == "pw"


@pytest.mark.parametrize(
    "prompt",
    [
        "Are you sure you want to continue connecting (yes/no/[fingerprint])? ",
        "Enter passphrase for key '/k/other': ",
        "Enter PIN for ED25519-SK key /k/id: ",
        "root@web.example's password: ",
        "deploy@evil.example's password: ",
        "(deploy@web.example) Verification code: ",
        "(deploy@web.example) Your password has expired. New password: ",
        "Confirm user presence for key",
        "",
    ],
)
def test_every_other_prompt_is_refused_and_no_command_runs(helper: askpass.Askpass, prompt: str) -> None:
    asked = ask(helper, prompt)
    assert (asked.returncode, asked.stdout) == (1, "")
    found = helper.outcome()
    assert found.unexpected
    assert found.clause == f"ssh asked {prompt.strip()!r}, which no configured command is for"


@pytest.mark.parametrize("word", ["Passwort: ", "Mot de passe : ", "Contraseña: ", "Hasło: "])
def test_pams_own_translations_of_its_password_prompt_are_answered(helper: askpass.Askpass, word: str) -> None:
    for prompt in (word, f"(deploy@web.example) {word}"):
        assert ask(helper, prompt).stdout.splitlines()[0] == "pw"
        for directory in Path(helper.directory).glob("asked-*"):
            directory.rmdir()


def test_a_failing_command_gives_no_answer_and_its_exit_code_is_reported(tmp_path: Path) -> None:
    auth = replace(AUTH, password_cmd="echo partial; echo secret-on-stderr >&2; exit 7")
    made = askpass.make(prompts(auth), NEW, str(tmp_path))
    asked = ask(made, "Password: ")
    assert asked.returncode == 1
    assert "secret" not in asked.stderr
    assert made.outcome().clause == "the command for the password failed with exit code 7"


def test_the_helper_is_private_and_its_place_cannot_be_guessed(helper: askpass.Askpass, tmp_path: Path) -> None:
    program = Path(dict(helper.environment)["SSH_ASKPASS"])
    assert stat.S_IMODE(program.stat().st_mode) == 0o700
    assert stat.S_IMODE(program.parent.stat().st_mode) == 0o700
    other = askpass.make(prompts(), NEW, str(tmp_path))
    assert other.directory != helper.directory


def test_a_host_without_commands_has_no_answers() -> None:
    assert prompts(Auth(key="/k/id")) == ()
    assert prompts(Auth(method=AuthMethod.PASSWORD, key="/k/id", passphrase_cmd="x")) == ()


def test_before_8_4_a_display_stands_in_for_the_missing_variable(tmp_path: Path) -> None:
    old = replace(NEW, version=(8, 2))
    made = askpass.make(prompts(), old, str(tmp_path))
    assert dict(made.environment)["DISPLAY"]
    assert "DISPLAY" not in dict(askpass.make(prompts(), NEW, str(tmp_path)).environment)


def test_a_session_helper_answers_again_and_again(tmp_path: Path) -> None:
    made = askpass.make(prompts(), NEW, str(tmp_path), once=False)
    assert [ask(made, "Password: ").stdout for _ in range(3)] == ["pw\nx\n"] * 3


def test_a_place_where_programs_cannot_be_started_is_left_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.statvfs

    class NoExec:
        f_flag = os.ST_NOEXEC

    monkeypatch.setattr(os, "statvfs", lambda p: NoExec() if str(p) == str(tmp_path) else real(p))
    made = askpass.make(prompts(), NEW, str(tmp_path))
    assert not made.directory.startswith(str(tmp_path))
    askpass.dispose(made)
