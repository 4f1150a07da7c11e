r"""Path decisions on Windows hosts: one file, many spellings."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ssh_mcp.errors import InvalidArgument, PathNotAllowed, PathRestricted, RedactBypassBlocked, public_text
from ssh_mcp.inventory.defaults import REDACT_PATHS_GLOBS
from ssh_mcp.inventory.model import PathPolicy
from ssh_mcp.policy.paths import (
    Purpose,
    decide,
    holds_restricted,
    normalise_argument,
    redact_listed,
    restricted_by,
    split_parent,
)

POLICY = PathPolicy(
    allow=("C:\\Users\\Deploy", "/srv"),
    restricted=("C:/Users/Deploy/Private",),
    restricted_globs=("C:\\Users\\**\\*.pfx", "**/Vault/**", "?:/secret*"),
    redact_globs=REDACT_PATHS_GLOBS,
    windows=True,
)


@pytest.mark.parametrize(
    "path",
    [r"C:\Users\Deploy\a.txt", "C:/Users/Deploy/a.txt", "/C:/Users/Deploy/a.txt", "c:\\Users/Deploy//.\\a.txt"],
)
def test_all_spellings_become_the_form_of_the_sftp_server(path: str) -> None:
    assert normalise_argument(path, POLICY) == "/C:/Users/Deploy/a.txt"


def test_a_relative_path_is_joined_to_default_dir() -> None:
    assert normalise_argument(r"log\x", replace(POLICY, default_dir=r"C:\Users\Deploy")) == "/C:/Users/Deploy/log/x"
    with pytest.raises(InvalidArgument):
        normalise_argument("log", POLICY)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (r"\\server\share\x", "is a network (UNC) or device path, which cannot be decided on"),
        ("//server/share", "is a network (UNC) or device path, which cannot be decided on"),
        (r"\\?\C:\Users\Deploy", "is a network (UNC) or device path, which cannot be decided on"),
        (r"\\.\PhysicalDrive0", "is a network (UNC) or device path, which cannot be decided on"),
        (r"\??\C:\Users", "is a network (UNC) or device path, which cannot be decided on"),
        ("C:x", "depends on a drive's current directory"),
        ("/C:x", "depends on a drive's current directory"),
        ("/Users/Deploy", "names no drive"),
        (r"\Users\Deploy", "names no drive"),
        (r"C:\Users\Deploy\a.txt:stream", "names an alternate data stream"),
        (r"C:\Users\Deploy\.env::$DATA", "names an alternate data stream"),
        (r"C:\Users\Deploy\.env.", "has a name that ends in a dot or a blank, which Windows drops"),
        ("C:\\Users\\Deploy\\.env ", "has a name that ends in a dot or a blank, which Windows drops"),
        (r"C:\Users\Deploy \x", "has a name that ends in a dot or a blank, which Windows drops"),
        (r"C:\Users\Deploy\...\x", "has a name that ends in a dot or a blank, which Windows drops"),
        (r"C:\PROGRA~1\x", "holds a short (8.3) name, which may mean another one"),
        (r"C:\Users\Deploy\ENV~1.TXT", "holds a short (8.3) name, which may mean another one"),
        (r"C:\Users\Deploy\NUL", "holds a reserved device name"),
        (r"C:\Users\Deploy\com1.txt", "holds a reserved device name"),
        (r"C:\Users\Deploy\a*", "holds characters that no Windows file name can hold"),
        (r"C:\Users\Deploy\a?b", "holds characters that no Windows file name can hold"),
    ],
)
def test_what_windows_would_read_otherwise_is_refused_by_reason(path: str, reason: str) -> None:
    with pytest.raises(PathNotAllowed) as caught:
        normalise_argument(path, POLICY)
    assert public_text(caught.value) == (
        f"PathNotAllowed: The path {path} {reason}. Give the full path with its drive"
        ", such as C:/Users/deploy/file.txt."
    )


@pytest.mark.parametrize("path", ["/C:/Users/Deploy/ENV~1.TXT", "//server/x", "/Users/Deploy", "/C:/Users/Deploy/../x"])
def test_the_host_s_answer_is_held_to_the_same(path: str) -> None:
    with pytest.raises(PathNotAllowed):
        decide(path, replace(POLICY, allow=("*",)), purpose=Purpose.STAT)


@pytest.mark.parametrize("path", ["/C:/Users/Deploy", "/c:/users/DEPLOY/X", "C:/USERS/deploy/ü"])
def test_case_and_separators_do_not_matter(path: str) -> None:
    assert decide(path, POLICY, purpose=Purpose.STAT).startswith("/C:/")


@pytest.mark.parametrize("path", ["/C:/", "/C:/Users", "/C:/Users/Deployer", "/D:/Users/Deploy"])
def test_other_places_and_other_drives_are_outside(path: str) -> None:
    with pytest.raises(PathNotAllowed):
        decide(path, POLICY, purpose=Purpose.STAT)


def test_folding_never_makes_two_names_one() -> None:
    policy = PathPolicy(allow=("C:/straße", "C:/\u0131x"), windows=True)
    assert decide("/C:/STRAßE/x", policy, purpose=Purpose.STAT)
    for path in ("/C:/strasse/x", "/C:/Ix"):
        with pytest.raises(PathNotAllowed):
            decide(path, policy, purpose=Purpose.STAT)


@pytest.mark.parametrize(
    "path",
    ["/C:/users/deploy/PRIVATE/x", "/C:/Users/Deploy/cert.PFX", "/C:/Users/Deploy/vault/x", "/C:/users/deploy/vault"],
)
def test_restrictions_hold_in_any_case(path: str) -> None:
    assert restricted_by(path, POLICY)
    with pytest.raises(PathRestricted):
        decide(path, POLICY, purpose=Purpose.STAT)


def test_patterns_may_be_written_with_backslashes_drives_and_wildcard_drives() -> None:
    assert restricted_by("/D:/SECRETS", POLICY) == "/?:/secret*"
    assert holds_restricted("/C:/Users", POLICY)
    assert holds_restricted("/E:/data", PathPolicy(restricted=("C:/x",), windows=True)) is None


def test_redact_listed_names_are_known_in_any_case() -> None:
    assert redact_listed("/C:/Users/Deploy/.ENV", POLICY)
    with pytest.raises(RedactBypassBlocked):
        decide("/C:/Users/Deploy/ID_RSA", POLICY, purpose=Purpose.READ_RAW)


def test_an_environment_entry_for_other_platforms_covers_nothing_here() -> None:
    with pytest.raises(PathNotAllowed):
        decide("/C:/srv", POLICY, purpose=Purpose.STAT)


def test_a_drive_root_allows_the_whole_drive() -> None:
    policy = PathPolicy(allow=("D:\\",), windows=True)
    assert decide("/D:/a/b", policy, purpose=Purpose.STAT) == "/D:/a/b"
    assert decide("/d:/", policy, purpose=Purpose.STAT) == "/D:/"
    assert split_parent("/D:/a") == ("/D:/", "a")
