"""Collect the pages of the documentation site and build it: python scripts/lib/site.py [OUT]. Run by scripts/docs.

README is the first page. The other pages are docs/, the changelog, each tool's skill, the runbooks, and the command
line's own help. Links between them become relative; links to other files of the repository lead to it on the web.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
WEB = "https://github.com/openssh-mcp/openssh-mcp/blob/main/"
WORK = ROOT / ".docs"
PAGES = WORK / "pages"
_LINK = re.compile(r"(?<=\]\()(?P<target>[^)\s#]+)(?P<anchor>#[^)\s]*)?(?=\))")
"""The target of a Markdown link or picture: ``](docs/security.md#approval)``."""
_OURS = re.compile(r"https://github\.com/openssh-mcp/openssh-mcp/(?:blob|tree)/main/")

STYLE = """.md-grid { max-width: 80rem; }
.md-typeset td a code { white-space: nowrap; }
"""

GUIDE = ("configuration", "deployment", "operator", "operations", "faq")
BACKGROUND = ("architecture", "security", "performance", "reliability", "dependencies")


def places() -> dict[Path, Path]:
    """File of the repository → page of the site, both relative."""
    found = {Path("README.md"): Path("index.md"), Path("CHANGELOG.md"): Path("changelog.md")}
    found[Path("SECURITY.md")] = Path("reporting.md")
    for path in sorted((ROOT / "docs").rglob("*")):
        if path.suffix in (".md", ".svg", ".png"):
            found[path.relative_to(ROOT)] = path.relative_to(ROOT / "docs")
    for kind in ("skills", "runbooks"):
        for path in sorted((ROOT / "ssh_mcp" / kind).glob("*/SKILL.md")):
            found[path.relative_to(ROOT)] = Path(kind, f"{path.parent.name}.md")
    return found


def relinked(text: str, source: Path, known: dict[Path, Path]) -> str:
    """``text`` of ``source`` with its links as the site needs them."""

    def site_link(match: re.Match[str]) -> str:
        target, anchor = match["target"], match["anchor"] or ""
        ours = _OURS.match(target)
        if "://" in target and not ours:
            return match[0]
        plain = target[ours.end() :] if ours else os.path.normpath(source.parent / target)
        page = known.get(Path(plain.removesuffix("?raw=true"))) or known.get(Path(plain, "index.md"))
        if page is None:  # what is missing stays as it is, and fails the build
            return f"{WEB}{plain}{anchor}" if (ROOT / plain).exists() else match[0]
        return os.path.relpath(page, known[source].parent) + anchor

    return _LINK.sub(site_link, text)


def collect() -> list[object]:
    """Write the pages; returns the navigation."""
    known = places()
    known[Path("docs/adr/index.md")] = Path("adr/index.md")
    for source, page in known.items():
        target = PAGES / page
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix != ".md":
            shutil.copyfile(ROOT / source, target)
        elif (ROOT / source).exists():
            target.write_text(relinked((ROOT / source).read_text(encoding="utf-8"), source, known), encoding="utf-8")
    tools = PAGES / "tools.md"
    tools.write_text(re.sub(r"^\| `(ssh_\w+)`", r"| [`\1`](skills/\1.md)", tools.read_text(), flags=re.MULTILINE))
    (PAGES / "site.css").write_text(STYLE, encoding="utf-8")
    (PAGES / "commands.md").write_text(commands(), encoding="utf-8")
    lists = {kind: listing(kind) for kind in ("adr", "skills", "runbooks")}
    return [
        {"Home": "index.md"},
        {"Guide": [f"{name}.md" for name in GUIDE]},
        {"Reference": ["tools.md", "commands.md", {"Skills": lists["skills"]}]},
        {"Runbooks": lists["runbooks"]},
        {"Background": [*(f"{name}.md" for name in BACKGROUND), {"Decisions": lists["adr"]}]},
        {"Changes": ["changelog.md", "reporting.md"]},
    ]


def listing(kind: str) -> list[str]:
    """An index page of a directory's pages; returns all of them, the index first."""
    title = {"adr": "Decisions", "skills": "Skills", "runbooks": "Runbooks"}[kind]
    pages = sorted(path for path in (PAGES / kind).glob("*.md") if path.name != "index.md")
    lines = [f"# {title}", ""]
    for path in pages:
        text = path.read_text(encoding="utf-8")
        heading = re.search(r"^# (.+)$", text, re.MULTILINE)
        said = re.search(r'^description: "(.*)"$', text, re.MULTILINE)
        lines.append(f"- [{heading[1] if heading else path.stem}]({path.name}){': ' + said[1] if said else ''}")
    (PAGES / kind / "index.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [f"{kind}/index.md", *(f"{kind}/{path.name}" for path in pages)]


def commands() -> str:
    """The command line's help as a page."""
    from ssh_mcp.cli.commands import app

    return re.sub(r"\A# .*", "# Commands", app.generate_docs("markdown"))


def main() -> int:
    import yaml

    shutil.rmtree(PAGES, ignore_errors=True)
    navigation = collect()
    out = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else WORK / "site"
    settings = {"INHERIT": "../mkdocs.yml", "docs_dir": "pages", "site_dir": str(out), "nav": navigation}
    (WORK / "mkdocs.yml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    # --quiet would drop the warnings before --strict counts them
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", WORK / "mkdocs.yml"]
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(done.stdout + done.stderr, file=sys.stderr)
        return done.returncode
    print(f"{sum(1 for _ in out.rglob('*.html'))} pages in {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
