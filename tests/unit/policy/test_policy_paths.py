"""Path decisions on canonical paths, POSIX rules."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ssh_mcp.errors import InvalidArgument, PathNotAllowed, PathRestricted, RedactBypassBlocked, Refusal, public_text
from ssh_mcp.inventory.defaults import REDACT_PATHS_GLOBS
from ssh_mcp.inventory.model import BypassPolicy, PathPolicy
from ssh_mcp.policy.paths import (
    Purpose,
    child,
    decide,
    decide_two,
    holds_restricted,
    may_hold_redact_listed,
    normalise_argument,
    redact_listed,
    restricted_by,
    split_parent,
    with_resolved_restrictions,
)

POLICY = PathPolicy(
    allow=("/srv", "/var/log/"),
    restricted=("/srv/private",),
    restricted_globs=("**/*.secret", "/srv/*/locked/**"),
    redact_globs=REDACT_PATHS_GLOBS,
)
OPEN = PathPolicy(allow=("/",))


def text_of(caught: pytest.ExceptionInfo[Refusal]) -> str:
    return public_text(caught.value)


PLAIN = "Give it without them."


# --- arguments ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("", "InvalidArgument: The path is empty. Give an absolute path."),
        ("/a\0b", "InvalidArgument: The path /a\\x00b holds NUL or other control characters. " + PLAIN),
        ("/a\nb", "InvalidArgument: The path /a\\nb holds NUL or other control characters. " + PLAIN),
        ("/a\x7f", "InvalidArgument: The path /a\\x7f holds NUL or other control characters. " + PLAIN),
        ("/a\x9b2J", "InvalidArgument: The path /a\\x9b2J holds NUL or other control characters. " + PLAIN),
        ("/a\ud800", "InvalidArgument: The path /a\\ud800 holds NUL or other control characters. " + PLAIN),
        ("log", ("InvalidArgument: The path log is relative and the host has no default_dir. "
         "Give an absolute path such as /srv/app.")),
        ("~/x", "InvalidArgument: The path ~/x begins with ~, which is not expanded. Give an absolute path."),
        ("/" + "a" * 4096, "InvalidArgument: The path is longer than 4096 characters. Give a shorter path."),
    ],
)  # fmt: skip
def test_arguments_of_a_wrong_shape_are_refused(path: str, sentence: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        normalise_argument(path, POLICY)
    assert text_of(caught) == sentence


@pytest.mark.parametrize(
    ("path", "normal"),
    [("/srv//a/./b/", "/srv/a/b"), ("/", "/"), ("//srv", "/srv"), ("/srv/../etc", "/srv/../etc"),
     ("/srv/ü \udcff'\"", "/srv/ü \udcff'\""), ("/srv/...", "/srv/...")],
)  # fmt: skip
def test_arguments_lose_what_means_nothing_and_keep_dot_dot(path: str, normal: str) -> None:
    assert normalise_argument(path, POLICY) == normal


def test_a_relative_argument_is_joined_to_default_dir() -> None:
    policy = replace(POLICY, default_dir="/srv/app")
    assert normalise_argument("log/x", policy) == "/srv/app/log/x"
    assert normalise_argument("../x", policy) == "/srv/app/../x"
    assert normalise_argument(".", policy) == "/srv/app"


def test_a_path_splits_into_directory_and_name() -> None:
    assert split_parent("/srv/a") == ("/srv", "a")
    assert split_parent("/a") == ("/", "a")
    for path in ("/", "/srv/..", "/C:", "/C:/"):
        with pytest.raises(InvalidArgument):
            split_parent(path)


@pytest.mark.parametrize("name", ["..", ".", "", "a/b"])
def test_names_below_what_does_not_exist_cannot_lead_elsewhere(name: str) -> None:
    assert child("/srv", "a", "b") == "/srv/a/b"
    assert child("/", "a") == "/a"
    with pytest.raises(InvalidArgument):
        child("/srv", "new", name)


# --- allowlist ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/srv", "/srv/a/b", "/var/log/syslog", "/srv/", "/srv/\udcff"])
def test_what_lies_inside_is_allowed(path: str) -> None:
    assert decide(path, POLICY, purpose=Purpose.STAT) == (path.rstrip("/") or "/")


@pytest.mark.parametrize("path", ["/", "/srvx", "/srv-old/a", "/var", "/var/logs", "/etc/passwd", "/SRV/a"])
def test_what_lies_outside_or_beside_is_not(path: str) -> None:
    with pytest.raises(PathNotAllowed) as caught:
        decide(path, POLICY, purpose=Purpose.STAT)
    assert text_of(caught) == (
        f"PathNotAllowed: {path} lies outside the host's path_allowlist. Allowed: /srv, /var/log/."
    )


def test_an_empty_allowlist_allows_nothing_and_says_whose_turn_it_is() -> None:
    with pytest.raises(PathNotAllowed) as caught:
        decide("/srv", PathPolicy(), purpose=Purpose.LIST)
    assert text_of(caught) == (
        "PathNotAllowed: /srv lies outside the host's path_allowlist. "
        "The operator must first set path_allowlist in hosts.toml or SSH_PATH_ALLOWLIST."
    )


@pytest.mark.parametrize("everything", ["*", "/"])
def test_star_and_slash_allow_everything(everything: str) -> None:
    assert decide("/etc/passwd", PathPolicy(allow=(everything,)), purpose=Purpose.WRITE) == "/etc/passwd"


@pytest.mark.parametrize("path", ["srv/a", "", "/srv/../etc/passwd", "/srv/a/..", "/srv/a\nb", "C:/x"])
def test_what_the_host_calls_canonical_is_not_taken_on_trust(path: str) -> None:
    for policy in (POLICY, OPEN):
        with pytest.raises(PathNotAllowed):
            decide(path, policy, purpose=Purpose.STAT)


# --- restricted -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("/srv/private", "/srv/private"),
        ("/srv/private/a", "/srv/private"),
        ("/srv/x.secret", "**/*.secret"),
        ("/srv/a/locked", "/srv/*/locked/**"),
        ("/srv/a/locked/deep/er", "/srv/*/locked/**"),
    ],
)
def test_restricted_zones_are_closed_for_every_purpose(path: str, rule: str) -> None:
    assert restricted_by(path, POLICY) == rule
    for purpose in Purpose:
        with pytest.raises(PathRestricted) as caught:
            decide(path, POLICY, purpose=purpose)
        assert text_of(caught) == f"PathRestricted: {path} is restricted by {rule}. It cannot be reached by any tool."


@pytest.mark.parametrize("path", ["/srv/private2", "/srv/a/b/locked/x", "/srv/secret"])
def test_neighbours_of_restricted_zones_stay_open(path: str) -> None:
    assert restricted_by(path, POLICY) is None
    assert decide(path, POLICY, purpose=Purpose.READ_RAW) == path


def test_a_tree_that_may_hold_something_restricted_is_distinguished() -> None:
    policy = PathPolicy(allow=("/",), restricted=("/srv/a/private",), restricted_globs=("/etc/*.key",))
    for tree in ("/", "/srv", "/srv/a", "/srv/a/private", "/srv/a/private/x", "/etc"):
        assert holds_restricted(tree, policy), tree
    for tree in ("/srv/b", "/srv/a/priv", "/etc/ssl", "/var"):
        assert holds_restricted(tree, policy) is None, tree
    assert may_hold_redact_listed("/srv", POLICY)


def test_a_restriction_holds_where_its_path_is_a_link() -> None:
    policy = with_resolved_restrictions(PathPolicy(allow=("/",), restricted=("/etc/app",)), {"/etc/app": "/data/app"})
    assert restricted_by("/data/app/x", policy)
    assert restricted_by("/etc/app", policy)
    assert with_resolved_restrictions(POLICY, {"/srv/private": "/srv/private"}) is POLICY


@pytest.mark.parametrize(
    "path",
    ["/proc/1/root", "/proc/1/root/etc/shadow", "/proc/self/cwd/x", "/proc/9/fd/3", "/proc/9/task/10/root/etc",
     "/proc/thread-self/fd/pipe:[1]", "/proc/2/map_files/1-2", "/proc/2/exe", "/dev/fd/3"],
)  # fmt: skip
def test_kernel_links_cannot_be_checked_and_never_lead_around_a_zone(path: str) -> None:
    for policy in (
        PathPolicy(allow=("/proc", "/dev")),
        PathPolicy(allow=("*",), restricted=("/srv/x",)),
        PathPolicy(allow=("*",), restricted_globs=("**/y",)),
    ):
        with pytest.raises(PathRestricted, match="is a kernel link whose target cannot be known"):
            decide(path, policy, purpose=Purpose.STAT)
    guarded = PathPolicy(allow=("*",), redact_globs=("**/.env",))
    with pytest.raises(PathRestricted):
        decide(path, guarded, purpose=Purpose.READ_RAW)
    assert decide(path, guarded, purpose=Purpose.STAT) == path


@pytest.mark.parametrize("path", ["/proc/1/status", "/proc/1/fd", "/proc/cpuinfo", "/proc/1/rootx", "/srv/proc/1/root"])
def test_other_entries_of_proc_are_ordinary_paths(path: str) -> None:
    assert decide(path, PathPolicy(allow=("/proc", "/srv")), purpose=Purpose.READ_RAW) == path


# --- redact list ----------------------------------------------------------------------------------------------------


def test_a_redact_listed_file_is_not_shown_raw() -> None:
    with pytest.raises(RedactBypassBlocked) as caught:
        decide("/srv/app/.env", POLICY, purpose=Purpose.READ_RAW)
    assert text_of(caught) == (
        "RedactBypassBlocked: /srv/app/.env is redact-listed and would be shown unmasked. "
        "Use ssh_read_redacted to read it."
    )


@pytest.mark.parametrize("purpose", [p for p in Purpose if p is not Purpose.READ_RAW])
def test_everything_but_showing_it_is_allowed(purpose: Purpose) -> None:
    verdict = decide("/srv/app/.env", POLICY, purpose=purpose)
    assert (verdict.redact_bypass, verdict.warnings) == (False, ())


def test_warn_delivers_with_a_warning_and_audit_only_silently() -> None:
    warned = decide("/srv/.env", replace(POLICY, bypass=BypassPolicy.WARN), purpose=Purpose.READ_RAW)
    assert warned.redact_bypass
    assert warned.warnings == (
        "/srv/.env is redact-listed and was delivered unmasked; ssh_read_redacted masks its secrets.",
    )
    silent = decide("/srv/.env", replace(POLICY, bypass=BypassPolicy.AUDIT_ONLY), purpose=Purpose.READ_RAW)
    assert (silent.redact_bypass, silent.warnings) == (True, ())


def test_a_restricted_file_stays_restricted_whatever_the_bypass_policy() -> None:
    policy = replace(POLICY, bypass=BypassPolicy.AUDIT_ONLY, restricted_globs=("**/.env",))
    with pytest.raises(PathRestricted):
        decide("/srv/.env", policy, purpose=Purpose.READ_RAW)


def test_no_copy_gives_a_secret_a_readable_name() -> None:
    for purpose in (Purpose.READ_RAW, Purpose.DELETE, Purpose.STAT):
        with pytest.raises(RedactBypassBlocked):
            decide_two("/srv/.env", "/srv/plain.txt", POLICY, source_purpose=purpose)
    source, target = decide_two("/srv/.env", "/srv/.env.bak", POLICY)
    assert (source, target) == ("/srv/.env", "/srv/.env.bak")
    assert decide_two("/srv/a", "/srv/.env", POLICY)[0] == "/srv/a"


def test_both_sides_of_a_copy_are_checked_each_by_its_own_host() -> None:
    other = PathPolicy(allow=("/data",), redact_globs=())
    with pytest.raises(PathNotAllowed):
        decide_two("/srv/a", "/srv/b", POLICY, target_policy=other)
    with pytest.raises(PathNotAllowed):
        decide_two("/etc/a", "/data/b", POLICY, target_policy=other)
    with pytest.raises(PathRestricted):
        decide_two("/srv/a", "/srv/private/b", POLICY)
    with pytest.raises(RedactBypassBlocked):
        decide_two("/srv/.env", "/data/.env", POLICY, target_policy=other)


@pytest.mark.parametrize(
    "path",
    ["/srv/.env", "/srv/.env.production", "/home/u/.ssh/id_ed25519", "/etc/shadow", "/etc/ssh/ssh_host_rsa_key",
     "/root/.aws/credentials", "/home/u/.netrc", "/home/u/.pgpass", "/home/u/.my.cnf", "/home/u/.kube/config",
     "/home/u/.docker/config.json", "/home/u/.npmrc", "/home/u/.pypirc", "/srv/tls/server.key", "/srv/tls/cert.pem",
     "/home/u/.config/gcloud/application_default_credentials.json", "/home/u/.azure/accessTokens.json",
     "/srv/infra/terraform.tfstate", "/srv/infra/prod.tfvars", "/proc/1/environ", "/home/u/.git-credentials",
     "/run/secrets/db_password", "/etc/gshadow", "/home/u/.vault-token", "/etc/apache2/.htpasswd"],
)  # fmt: skip
def test_files_that_exist_to_hold_secrets_are_on_the_built_in_list(path: str) -> None:
    assert redact_listed(path, POLICY)


@pytest.mark.parametrize(
    "path",
    ["/home/u/.ssh/id_ed25519.pub", "/home/u/.ssh/id_rsa-cert.pub", "/home/u/.ssh/known_hosts", "/etc/passwd",
     "/home/u/.ssh/config", "/home/u/.ssh/authorized_keys", "/etc/ssh/ssh_host_rsa_key.pub", "/etc/ssh/sshd_config",
     "/srv/app/config.yml", "/srv/app/environment", "/srv/keyboard.txt", "/home/u/.aws/config", "/srv/env/readme.md",
     "/etc/nginx/nginx.conf", "/srv/app/package.json", "/var/log/auth.log", "/srv/docs/secrets.md"],
)  # fmt: skip
def test_everyday_files_are_not(path: str) -> None:
    assert not redact_listed(path, POLICY)


# --- properties -----------------------------------------------------------------------------------------------------

PIECES = st.sampled_from(["srv", "a", "b", "private", "..", ".", "", "link", "out", "loop", "etc", "new", "x.secret"])
TREE = {"link": "a", "out": "../etc", "loop": "loop", "a/up": "..", "a/abs": "/"}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """srv (allowed, with private inside) beside etc (outside), and links from one to the other."""
    root = tmp_path_factory.mktemp("tree").resolve()
    for directory in ("srv/a", "srv/b", "srv/private", "etc"):
        (root / directory).mkdir(parents=True)
    for name, target in TREE.items():
        (root / "srv" / name).symlink_to(str(root) if target == "/" else target)
    return root


def canonical(path: str, root: Path) -> str | None:
    """What a host's own ``readlink -f`` and our program make of it; None where they refuse.

    ``os.path.realpath`` would not do: behind a loop it goes on by the text alone, and ends before a link.
    """
    program = root / "ssh_mcp/remote/files/programs/canonical.sh"
    done = subprocess.run(["sh", program, path], capture_output=True, check=False)
    return done.stdout.decode().split("\0")[0] if done.returncode == 0 else None


@given(st.lists(PIECES | st.sampled_from(["up", "abs"]), max_size=8), st.booleans())
@example(["loop", "srv", "srv", "..", "..", "..", "link"], True)
@example(["loop", "..", "out"], True)
@example(["new", "..", "loop", "..", "..", "out"], True)
@settings(max_examples=300, deadline=None)
def test_canonicalise_and_decide_never_allows_what_lies_outside(
    tree: Path, project_root: Path, pieces: list[str], inside: bool
) -> None:
    policy = PathPolicy(
        allow=(f"{tree}/srv",),
        restricted=(f"{tree}/srv/private",),
        restricted_globs=("**/*.secret",),
        default_dir=str(tree),
    )
    try:
        argument = normalise_argument("/".join([*(["srv"] if inside else []), *pieces]) or ".", policy)
        if (found := canonical(argument, project_root)) is None:
            return
        verdict = decide(found, policy, purpose=Purpose.READ_RAW)
    except Refusal:
        return
    real = Path(os.path.realpath(verdict))
    assert str(real) == verdict
    assert real.is_relative_to(tree / "srv")
    assert not real.is_relative_to(tree / "srv/private")
    assert real.suffix != ".secret"


@given(st.text(max_size=60), st.sampled_from([POLICY, PathPolicy(allow=("C:/x",), windows=True, default_dir="C:/x")]))
@settings(max_examples=600, deadline=None)
def test_any_text_is_allowed_or_refused_by_name(text: str, policy: PathPolicy) -> None:
    for subject in (text, f"/srv/{text}", f"C:/x/{text}"):
        try:
            path = normalise_argument(subject, policy)
            verdict = decide(path, policy, purpose=Purpose.READ_RAW)
        except Refusal:
            continue
        inside = verdict.lower().startswith("/c:/x") if policy.windows else verdict.startswith(("/srv", "/var/log"))
        assert inside
        assert ".." not in verdict.split("/")
