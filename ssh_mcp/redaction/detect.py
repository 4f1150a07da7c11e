"""Which format a text has: by the file's name, then by its content."""

from __future__ import annotations

import re

from ssh_mcp.redaction.model import Format

_BY_EXTENSION = {
    Format.YAML: "yml yaml eyaml sls kubeconfig",
    Format.JSON: "json jsonc json5 jsonl ndjson tfstate ipynb har geojson webmanifest code-workspace",
    Format.TOML: "toml",
    Format.XML: "xml plist csproj vbproj xsd wsdl pom xhtml svg resx nuspec jelly config xmlconf",
    Format.INI: "ini cnf cfg inf reg properties props service timer socket mount path target slice network netdev link "
    "desktop pypirc ovpn",
    Format.CODE: "php py js ts jsx tsx mjs cjs rb go java kt scala c cc cpp h hpp cs rs swift lua pl pm r ex exs erl "
    "groovy gradle tf hcl tfvars nix dart vue",
    Format.ENV: "env envrc",
}
_EXTENSION = {e: f for f, es in _BY_EXTENSION.items() for e in es.split()}
_BY_NAME = {
    ".netrc": Format.NETRC,
    "_netrc": Format.NETRC,
    "netrc": Format.NETRC,
    ".authinfo": Format.NETRC,
    ".pgpass": Format.PGPASS,
    "pgpass": Format.PGPASS,
    "pgpass.conf": Format.PGPASS,
    "shadow": Format.SHADOW,
    "shadow-": Format.SHADOW,
    "gshadow": Format.SHADOW,
    "gshadow-": Format.SHADOW,
    ".htpasswd": Format.SHADOW,
    "htpasswd": Format.SHADOW,
    "master.passwd": Format.SHADOW,
    ".env": Format.ENV,
    ".envrc": Format.ENV,
    "environment": Format.ENV,
    ".npmrc": Format.INI,
    ".pypirc": Format.INI,
    ".my.cnf": Format.INI,
    "credentials": Format.INI,
    ".s3cfg": Format.INI,
    ".boto": Format.INI,
    ".gitconfig": Format.INI,
    "rclone.conf": Format.INI,
    ".editorconfig": Format.INI,
    "pipfile": Format.TOML,
    "cargo.lock": Format.TOML,
    "poetry.lock": Format.TOML,
    ".dockercfg": Format.JSON,
    ".babelrc": Format.JSON,
    ".eslintrc": Format.JSON,
    "composer.lock": Format.JSON,
    ".clang-format": Format.YAML,
}
_KEY_EQUALS = re.compile(r"^[ \t]*(?:export[ \t]+)?[A-Za-z_][\w.\-]*[ \t]*=", re.MULTILINE)
_ENV_LINE = re.compile(r"^(?:export[ \t]+)?[A-Z_][A-Z0-9_]*=", re.MULTILINE)
_SECTION = re.compile(r"^[ \t]*\[[^\]\n]+\][ \t]*(?:[#;].*)?\r?$", re.MULTILINE)
_TOML = re.compile(
    r"^[ \t]*\[\[[^\]\n]+\]\]|^[ \t]*[\w\-.\"]+[ \t]*=[ \t]*(?:\"|'|\[|\{|true\b|false\b|-?\d)", re.MULTILINE
)
_NOT_TOML = re.compile(r"^[ \t]*[\w\-.]+[ \t]*=[ \t]*(?![\"'\[{]|true\b|false\b|[-+]?\d|#|\r?$)\S", re.MULTILINE)
_YAML_LINE = re.compile(r"^[ \t]*(?:- )?[\w.\-/\"']+:(?:[ \t]+\S|[ \t]*\r?$)|^[ \t]*- \S", re.MULTILINE)
_CODE = re.compile(
    (
        r"^(?:<\?php|#!.*\b(?:python|node|ruby|perl|php)|(?:import|from|package|use|using|require|def|class"
        r"|func|function|const|let|var|public|private|module|resource|variable|provider|terraform|output"
        r"|locals)\b.*[;{:)\"']?\s*$)"
    ),
    re.MULTILINE,
)
_NETRC = re.compile(r"^[ \t]*(?:machine[ \t]+\S+|default)\s+(?:login|user|password)\b", re.MULTILINE)
_PGPASS = re.compile(r"^[\w.\-*]+:(?:\d+|\*):[\w\-*]+:[\w.\-*]+:\S+[ \t]*\r?$", re.MULTILINE)
_SHADOW = re.compile(r"^[a-z_][\w\-]*:(?:[!*]{0,2}|!?\$\w+\$[^:]+):\d*:\d*:", re.MULTILINE)
_HTPASSWD = re.compile(r"^[^:\s]+:(?:\$apr1\$|\$2y\$|\{SHA\}|\$[156]\$)\S+\r?$", re.MULTILINE)
_SAMPLE = 16_384


def detect(text: str, path: str = "") -> Format:
    """The format by which ``text`` is read. ``path`` may be empty; ``conf`` and no extension say nothing."""
    name = re.split(r"[/\\]", path)[-1].lower()
    for _ in range(2):
        name = re.sub(
            (
                r"(?:\.(?:bak|old|orig|save|tmp|dist|example|sample|template|j2|erb|tpl|swp|rpmsave|rpmnew"
                r"|dpkg-\w+|\d+)|~|\.bak-[\dtz]+)$"
            ),
            "",
            name,
        )
    if name in _BY_NAME:
        return _BY_NAME[name]
    if name.startswith(".env") or re.search(r"\.env\.[\w.\-]+$", name):
        return Format.ENV
    extension = name.rpartition(".")[2] if "." in name else ""
    found = _EXTENSION.get(extension)
    if found is None:
        return by_content(text)
    if extension in {"config", "cfg"}:
        seen = by_content(text)
        return seen if seen is not Format.GENERIC else (Format.INI if extension == "cfg" else Format.GENERIC)
    return found


def by_content(text: str) -> Format:
    """A guess from the first 16 KiB."""
    sample = text[:_SAMPLE].lstrip("\ufeff \t\r\n")
    if not sample:
        return Format.GENERIC
    if sample.startswith("<?php"):
        return Format.CODE
    if sample[0] == "<" and re.match(r"<(?:\?xml|!DOCTYPE|!--|[A-Za-z][\w:.\-]*[\s>/])", sample) and ">" in sample:
        return Format.XML
    if sample[0] == "{" and re.match(r"\{\s*(?:\"|'|//|/\*|\}|[A-Za-z_$][\w$]*\s*:|\Z)", sample):
        return Format.JSON
    if (
        sample[0] == "["
        and re.match(r"\[\s*(?:[{\[\"\d]|\]|true|false|null|-\d)", sample)
        and (sample[1:2] in {"{", "[", '"'} or not _SECTION.match(sample))
    ):
        return Format.JSON
    for pattern, kind in ((_NETRC, Format.NETRC), (_SHADOW, Format.SHADOW), (_HTPASSWD, Format.SHADOW)):
        if pattern.search(sample):
            return kind
    return _by_lines(sample)


def _by_lines(sample: str) -> Format:
    lines = [line for line in sample.splitlines() if line.strip() and line.lstrip()[0] not in "#;"]
    count = max(1, len(lines))
    if len(_PGPASS.findall(sample)) * 2 > count:
        return Format.PGPASS
    if len(_CODE.findall(sample)) * 12 > count and not sample.startswith("---"):
        return Format.CODE
    equals = len(_KEY_EQUALS.findall(sample))
    if _SECTION.search(sample) and equals:
        return Format.TOML if _TOML.search(sample) and not _NOT_TOML.search(sample) else Format.INI
    if len(_ENV_LINE.findall(sample)) * 3 >= count * 2:
        return Format.ENV
    yaml = len(_YAML_LINE.findall(sample))
    if sample.startswith(("---", "%YAML")) or yaml * 3 >= count * 2:
        return Format.YAML
    if equals * 3 >= count * 2:
        return Format.TOML if _TOML.search(sample) and not _NOT_TOML.search(sample) else Format.INI
    return Format.GENERIC
