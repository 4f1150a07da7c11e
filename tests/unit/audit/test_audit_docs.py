"""What docs/operations.md and docs/security.md show is true."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from ssh_mcp.audit.hooks import Event, HookRegistry, load_hooks
from ssh_mcp.audit.record import AuditRecord, hash_text
from ssh_mcp.inventory.resolve import load_inventory
from ssh_mcp.settings.model import load_settings


def blocks(project_root: Path, page: str, language: str) -> list[str]:
    text = (project_root / "docs" / page).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def test_the_documented_command_finds_a_paths_hash(project_root: Path) -> None:
    (command,) = [block for block in blocks(project_root, "operations.md", "sh") if "sha256sum" in block]
    answer = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout.strip()
    assert "sha256:" + answer == hash_text("/etc/nginx/nginx.conf")


def test_the_documented_hook_module_loads(project_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = blocks(project_root, "operations.md", "python")
    (tmp_path / "documented_hooks.py").write_text(example)
    monkeypatch.syspath_prepend(tmp_path)
    registry = HookRegistry()
    try:
        assert load_hooks("documented_hooks", registry)
    finally:
        sys.modules.pop("documented_hooks", None)
    assert len(registry.callbacks(Event.POST_TOOL_CALL)) == 1


def test_every_field_of_a_line_is_documented(project_root: Path) -> None:
    page = (project_root / "docs" / "operations.md").read_text()
    table = page.split("## Audit")[1].split("### Verifying")[0]
    for name in (*AuditRecord.__dataclass_fields__, "seq", "prev", "hash", "file_start", "mended"):
        assert f"`{name}`" in table, name


def test_the_careful_configuration_loads(project_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = blocks(project_root, "security.md", "toml")
    (tmp_path / "hosts.toml").write_text(example)
    monkeypatch.setenv("SSH_HOSTS_FILE", str(tmp_path / "hosts.toml"))
    settings, _ = load_settings()
    inventory, warnings = load_inventory(settings)
    assert [host.alias for host in inventory.listed()] == ["web01"]
    assert [w for w in warnings if "salt" not in w.lower()] == []
