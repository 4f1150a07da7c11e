# ruff: noqa: E501 - tables
"""Shapes of arguments: what is honest passes, what means something else to a program is never sent."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssh_mcp.errors import InvalidArgument
from ssh_mcp.policy import arguments as a

OK: list[tuple[Callable[[str], object], list[str]]] = [
    (a.user, ["root", "www-data", "alice@example.org", r"EXAMPLE\alice", r"CORP\john doe", "svc$", "a.b+c"]),
    (a.unit, ["nginx", "nginx.service", "getty@tty1.service", r"dev-disk-by\x2duuid.device", "a:b.mount", "-.mount"[1:]]),
    (a.unit_pattern, ["nginx*", "*.timer", "lab-?.service", "[a-c]*", "ssh.service"]),
    (a.unit_property, ["ActiveState", "MainPID"]),
    (a.unit_state, ["failed", "running,exited", "not-found"]),
    (a.unit_type, ["service", "timer"]),
    (a.journal_time, [
        "now", "today", "yesterday", "tomorrow", "@1700000000", "2025-01-31", "2025-01-31 06:00", "2025-01-31 06:00:01.5",
        "2025-01-31T06:00:00Z", "2025-01-31 06:00 UTC", "2025-01-31 06:00:00 Europe/Berlin", "06:00", "1 hour ago", "2h",
        "-2h", "1h 30min ago", "3 days ago", "5min left", "+1week", "Fri 2025-01-31 06:00",
    ]),
    (a.journal_grep, ["error|warn", "a b", "-x", "ä"]),
    (a.package, ["nginx", "libc6:amd64", "g++", "libstdc++6", "0ad", "python3.11", "libsigc++"]),
    (a.package_with_version, ["nginx", "nginx=1.22.1-9+deb12u1", "libc6:amd64=1:2.3~rc1-4"]),
    (a.package_pattern, ["lib*", "nginx", "python3.1?", "*"]),
    (a.package_search, ["web server", "^nginx$", "a|b"]),
    (a.container, ["web", "web_1.a-b", "0123456789ab"]),
    (a.image, [
        "nginx", "nginx:1.27", "library/nginx", "registry.example.org:5000/team/app:v1", "localhost/lab/busybox:1",
        "nginx@sha256:" + "a" * 64, "sha256:" + "0" * 64, "a__b/c-d.e", "[::1]:5000/x",
    ]),
    (a.image_pattern, ["nginx", "nginx:1.*", "*/busybox:*"]),
    (a.label, ["role", "com.example.role=web", "k=", "k=a b,c=d"]),
    (a.engine_time, ["now", "10m", "1h30m", "1.5h", "1700000000", "1700000000.5", "2025-01-31", "2025-01-31T06:00:00Z"]),
    (a.event_filter, ["type=container", "event=die", "label=a=b", "container=web", "image=nginx:1.27"]),
    (a.ps_options, ["aux", "-eo pid,comm", "-o pid,user", "pid user"]),
    (a.container_path, ["/", "/a b/c", "/x:y"]),
    (a.service, ["web", "web-1"]),
]  # fmt: skip

COMMON = [
    "", " ", "-x", "--help", "a b; id", "a\nb", "a\0b", "$(id)", "`id`", "a|b", "a>b", "a&b", "a'b", 'a"b', "\x1b[0m",
    "a" * 5000, "\u202eabc",
]  # fmt: skip
NOT: list[tuple[Callable[[str], object], list[str]]] = [
    (a.user, [*COMMON, "a/b", "a -b", " a", "a  b", "../x", "*", "a:b"]),
    (a.unit, [*COMMON, "*", "a*", "a/b", "nginx service", "[a]", "a;b"]),
    (a.unit_pattern, [*COMMON, "a/b", "{a,b}"]),
    (a.unit_property, [*COMMON, "Main PID", "a,b", "9x", "A=B"]),
    (a.unit_state, [*COMMON, "a,,b", "FAILED", "a, b"]),
    (a.unit_type, [*COMMON, "services", "service,timer", "help"]),
    (a.journal_time, [*COMMON, "1 hour ago; id", "--until=now", "2025-13", "last tuesday", "1 fortnight ago", "1h ago ago"]),
    (a.journal_grep, ["", "a\nb", "a\0b", "x" * 501]),
    (a.package, [
        *COMMON, "nginx-", "nginx+", "g+++", "n", "nginx/bookworm", "nginx=1", "task^", "?installed", "~i", "*", "a*",
        "NGINX", "./x.deb", "/tmp/x.deb", "a b", "nginx_1", "nginx:amd64:x",
    ]),
    (a.package_with_version, [*COMMON, "nginx=", "nginx=1*", "nginx=1 2", "nginx-=1", "nginx=1;id", "nginx/sid=1"]),
    (a.package_pattern, [*COMMON, "~i", "^a", "./a.deb", "a,b"]),
    (a.package_search, ["", "a\nb", "x" * 201]),
    (a.container, [*COMMON, "a/b", "a:b", "a b", ".hidden", "*", "web,db", "{{.}}"]),
    (a.image, [*COMMON, "NGINX", "a//b", "a:", "a:b:c", "a@sha256:xyz", "../a", "a b", "http://x/y", "oci-archive:/x", "*"]),
    (a.image_pattern, [*COMMON, "a,b", "a b"]),
    (a.label, [*(c for c in COMMON if c != "a" * 5000), "=x", "a b", "k=a\nb"]),
    (a.engine_time, [*COMMON, "1 hour", "-1h", "2025/01/31", "1h; id", "yesterday", "1d"]),
    (a.event_filter, [*COMMON, "type", "foo=bar", "type=", "type=a;b", "type=-x", "until=now"]),
    (a.ps_options, ["a;b", "$(id)", "a|b", "a>b", "`x`", "a'b", " ".join("a" * 21), "/etc/x"]),
    (a.container_path, ["", "a", "./a", "-", "/a\nb", "/a\0b", "/" + "a" * 5000]),
    (a.service, [*COMMON, "a/b", "a b"]),
]  # fmt: skip


@pytest.mark.parametrize(("check", "text"), [(c, t) for c, texts in OK for t in texts])
def test_an_honest_argument_passes_as_it_is(check: Callable[[str], object], text: str) -> None:
    answer = check(text)
    assert answer in (text, tuple(text.split()), tuple(text.split("=", 1)))


@pytest.mark.parametrize(("check", "text"), [(c, t) for c, texts in NOT for t in texts])
def test_a_misshapen_argument_is_refused_in_two_sentences(check: Callable[[str], object], text: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        check(text)
    assert refusal.value.what.endswith(".")
    assert refusal.value.remedy.endswith(".")
    assert len(str(refusal.value)) < 500
    assert "\n" not in str(refusal.value)


@given(st.text(max_size=40))
def test_no_accepted_name_is_an_option_or_holds_shell_syntax(text: str) -> None:
    for check in (a.user, a.unit, a.package, a.container, a.image, a.service, a.unit_type, a.engine_time):
        try:
            check(text)
        except InvalidArgument:
            continue
        assert not text.startswith("-")
        text = text.replace(" ", "") if check is a.user else text
        assert not set(text) & set(" \t\n\r\0;|&<>()`'\"*?{}#!")
