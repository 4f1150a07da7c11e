"""The documentation site as scripts/docs builds it, read and searched in a browser."""

from __future__ import annotations

import functools
import http.server
import importlib.util
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ssh_mcp.tools.catalogue import read
from tests.lab.browser import browser
from tests.peers import need

pytestmark = pytest.mark.xdist_group("site")  # built once


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, project_root: Path) -> Path:
    need(importlib.util.find_spec("material"), "mkdocs-material is not installed (extra docs)")
    out = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "scripts/lib/site.py", out], cwd=project_root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return out


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address(site: Path) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(site)))
    with server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_every_page_links_to_something_that_exists(site: Path) -> None:
    """The build is strict: it fails at a link or an anchor that leads nowhere."""
    skills = {path.parent.name for path in site.glob("skills/*/index.html")}
    assert {entry.name for entry in read()} <= skills
    assert (site / "runbooks" / "disk-full" / "index.html").exists()
    assert "skills/ssh_exec_run/" in (site / "tools" / "index.html").read_text()


def test_a_reader_finds_a_setting_by_searching_and_nothing_is_fetched_from_elsewhere(
    address: str, tmp_path: Path
) -> None:
    program = shutil.which("chromium")
    need(program, "chromium is not installed")
    with browser(str(program), tmp_path) as page:
        page.open(f"{address}?q=SSH_RESTRICTED_GLOBS")
        found = "document.querySelectorAll('.md-search-result__link[href*=configuration]').length"
        page.wait_for(f"{found} > 0")
        assert [url for url in page.requests if not url.startswith((address, "data:", "blob:"))] == []
        assert page.errors == []
