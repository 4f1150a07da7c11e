"""The HTML report in a real browser: readable, at rest, and harmless whatever the lines hold."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from ssh_mcp.audit.record import ApprovalNote, AuditRecord
from ssh_mcp.audit.sinks import Audit
from ssh_mcp.cli.commands import run
from tests.integration.operator.needs import chromium
from tests.lab.browser import browser

HOSTILE = "<img src=http://127.0.0.1:9/x onerror=alert(1)><script>document.title='owned'</script>\x1b[2J\u202e"


def line(second: int, **fields: object) -> AuditRecord:
    record = AuditRecord(
        f"2026-11-27T21:{second // 60:02}:{second % 60:02}.000Z", f"{second:016x}", "ssh_exec_run", "sudo"
    )
    record.host, record.alias, record.client, record.duration_ms = "web01.example", "web01", "a client", second
    for name, value in fields.items():
        setattr(record, name, value)
    return record


@pytest.fixture
def report(tmp_path: Path) -> Path:
    sink = Audit(tmp_path / "audit.jsonl")
    for second in range(200):
        sink.write(line(second, exit_code=second % 9 or None))
    sink.write(line(201, error="CommandNotAllowed", result="error"))
    sink.write(line(202, approval=ApprovalNote("granted", "operator", "q", who="anna", waited_ms=4000)))
    sink.write(line(203, alias=HOSTILE, client=HOSTILE, tool=HOSTILE, error=HOSTILE, result="error", command=HOSTILE))
    sink.close()
    output = tmp_path / "report.html"
    assert run(["audit", "report", str(output), "--file", str(tmp_path / "audit.jsonl")]) == 0
    return output


def test_the_report_is_one_private_file_without_anything_from_elsewhere(report: Path) -> None:
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    text = report.read_text()
    assert "<script" not in text
    assert '<link rel="icon" href="data:,">' in text
    assert text.count("http://") == text.count("&lt;img src=http://")
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_a_browser_shows_the_report_and_asks_nobody_for_anything(report: Path, tmp_path: Path) -> None:
    with browser(chromium(), tmp_path) as page:
        page.open(report.as_uri())
        assert page.value("document.title") == "SSH audit report"
        text = page.value("document.body.innerText")
        for shown in ("203", "CommandNotAllowed", "A program in the command is not allowed", "anna", "granted"):
            assert shown in text, shown
        assert page.value("document.querySelectorAll('svg rect').length") > 3
        light = page.value("getComputedStyle(document.body).backgroundColor")
        page.dark(on=True)
        assert page.value("getComputedStyle(document.body).backgroundColor") != light
        assert page.screenshot().startswith(b"\x89PNG")
        assert page.value("document.documentElement.scrollWidth <= innerWidth")
        assert page.errors == []
        assert [url for url in page.requests if not url.startswith(("file:", "data:"))] == []


def test_a_broken_chain_is_the_first_thing_on_the_page(report: Path) -> None:
    file = report.with_name("audit.jsonl")
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([*lines[:90], *lines[91:]]))
    assert run(["audit", "report", str(report), "--file", str(file)]) == 0
    text = report.read_text()
    assert "is broken at line 91" in text
    assert text.index("is broken at line 91") < text.index('class="tiles"')
