"""Each format: what is masked, under which path, and that everything else stays byte for byte."""

from __future__ import annotations

import pytest

from ssh_mcp.redaction.detect import detect
from ssh_mcp.redaction.engine import Format, redact_file
from tests.unit.redaction.redaction_support import RULES, file, plain, shown, wanted

PEM = (
    "-----BEGIN RSA PRIVATE KEY-----\n"
    + "MIIEpAIBAAKCAQEAabcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKL\n" * 3
    + "-----END RSA PRIVATE KEY-----"
)

LAYOUT = {
    "app.env": [
        "PASSWORD=«hunter2»",
        "PASSWORD='«hunter 2»'  # comment",
        'export PASSWORD="«hun\\"ter2»"',
        "PASSWORD=«hunter2» # comment",
        "PASSWORD=«a#b;c&d»",
        "PASSWORD = «spaced»",
        "PASSWORD=«correct horse battery»",
        'A=1\nSECRET="«line one\nline two»"\nB=2',
        "SECRET=«abc\\\ndef»\nB=2",
        "PASSWORD=«wïth-ünïcode-🔑»",
        "PASSWORD=«$ecret!»",
        "\tPASSWORD=«tabbed»\t",
    ],
    "app.ini": [
        "[db]\npassword = «hunter2»",
        "[db]\npassword=«hunter2» ; comment",
        '[db]\npassword = "«a;b»"',
        "[db]\npassword: «colon»",
        "; password = example\n[db]\nx = 1",
        "[db]\n  password   =   «aligned»   ",
        "[db]\nsecret = «line one\n    line two»\nport = 1",
    ],
    "app.properties": [
        "db.password=«hunter2»",
        "db.password: «hunter2»",
        "db.password=«a\\\n  b»\nx=1",
        "# password=example word",
    ],
    "app.yaml": [
        "password: «hunter2»",
        "password:   «hunter2»   # comment",
        "password: '«it''s»'",
        'password: "«tab\\t»"',
        "a: {user: x, password: «flow», port: 1}",
        "a:\n  - password: «one»\n  - password: «two»",
        "password: &pw «anchored»\nother: *pw",
        "password: !!str «tagged»",
        "password: |\n  «line one\n  line two»\nnext: 1",
        "password: >-\n    «folded\n    text»\n\nnext: 1",
        "passwords:\n  - «first»\n  - '«second»'",
        "password:\n  «below»",
        "env:\n  - name: DB_PASSWORD\n    value: «v»\n  - value: «w»\n    name: API_TOKEN",
        "password: «12345»",
        "---\npassword: «a»\n---\npassword: «b»\n...",
        "? password\n: «complex»",
        '"first name": x\n"db password": «quoted key»',
        "token: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6231336539666234",
        "list: [--password, «next»]",
        "üser: 🔑\npassword: «after-wide-characters»",
    ],
    "app.json": [
        '{"password": "«hunter2»"}',
        '{\n\t"password" : "«hunter2»" ,\n\t"x": 1\n}',
        '{"password": "«a\\"b\\\\c\\u00e9»"}',
        '{"tokens": ["«aB3dE5fG7hI9jK1lM3nO»"], "secrets": ["name-only"]}',
        '{"passwords": ["«a1»", "«b2»"]}',
        '{"a": [{"b": {"password": "«deep»"}}]}',
        '{"password": null, "secret": true, "token": ""}',
        '// comment\n{"password": "«jsonc»", /* token: x */ "x": 1,}',
        "{password: '«json5»'}",
        '{"password": "«one»"}\n{"password": "«two»"}',
        '{"value": "«v»", "name": "DB_PASSWORD"}',
        '{"env": ["DB_PASSWORD=«with blank»", "LEVEL=info"]}',
        '{"cmd": ["redis-server", "--requirepass", "«arg»", "--port", "1"]}',
        '{"db_password": {"value": "«wrapped»", "sensitive": true}}',
        '{"kind": "Secret", "data": {"a": "«YQ==»", "b": "«Yg==»"}}',
    ],
    "app.toml": [
        'password = "«hunter2»"  # comment',
        "password = '«lit\\eral»'",
        '[a.b]\npassword = "«x»"\n[[c]]\npassword = "«y»"',
        'password = """\n«multi\nline»\n"""\nx = 1',
        'a = {user = "x", password = "«inline»"}',
        'passwords = [\n  "«a1»",\n  "«b2»",\n]',
        'db.password = "«dotted»"',
        "password = «unquoted1»",
    ],
    "app.xml": [
        "<password>«hunter2»</password>",
        "<a password='«x1»' user=\"bob\"/>",
        "<password>\n  «x y»\n</password>",
        "<password><![CDATA[«a&b»]]></password>",
        '<add key="ApiSecret" value="«x»"/>',
        '<property name="db.password">«x»</property>',
        '<property name="db.password" value="«x»"/>',
        "<dict><key>Password</key>\n<string>«x»</string></dict>",
        "<!-- <password></password> --><token/>",
    ],
    "app.php": [
        "define('DB_PASSWORD', '«x»');",
        'define( "DB_PASSWORD", "«x y»" );',
        "$cfg['db']['password'] = '«x»';",
        "'password' => '«x»',",
        "$password = $_POST['password'];",
        "$token = bin2hex(random_bytes(16));",
    ],
    "app.py": [
        'PASSWORD = "«x»"',
        "PASSWORD: str = '«x»'",
        'connect(host="h", password="«x»", timeout=3)',
        "password = os.environ['PASSWORD']",
        "def f(password, token=None): return password",
        'token = os.getenv("TOKEN", "«fallback»")',
        "KEY = b'«a9F3kL0pQz7XwV2b»'",
    ],
    ".netrc": [
        "machine h login u password «x»",
        "machine h\n  login u\n  password «x y»".replace(" y", ""),
        "default login u password «x»",
    ],
    ".pgpass": ["h:5432:d:u:«x»", "*:*:*:u:«a\\:b:c»", "# h:p:d:u:x"],
    "shadow": ["root:«$6$salt$abcdefghijklmnopqrstuvwxyz»:19000:0:99999:7:::", "bin:*:1:::::\nx:!:1:::::"],
    "Dockerfile": ["ENV DB_PASSWORD=«x1» A=b", "ARG API_TOKEN=«y2»", "ENV DB_PASSWORD «x1y»"],
    "main.tf": ['variable "db_password" {\n  default = "«x»"\n}', 'password = "«x»"', "password = var.password"],
    "id_rsa": [f"«{PEM}»", f"x\n«{PEM}»\ny"],
    "/run/secrets/db": ["«anything at all 1»".replace(" at all ", "-")],
}
CASES = [(path, marked, end) for path, texts in LAYOUT.items() for marked in texts for end in ("\n", "\r\n")]


@pytest.mark.parametrize(("path", "marked", "end"), CASES)
def test_only_the_secret_changes(path: str, marked: str, end: str) -> None:
    text = (plain(marked) + "\n").replace("\n", end)
    expected = (wanted(marked) + "\n").replace("\n", end)
    result = shown(file(text, path))
    assert result.replace('"§"', "§") == expected.replace('"§"', "§")


@pytest.mark.parametrize(("path", "marked", "end"), CASES)
def test_a_second_pass_finds_nothing_more(path: str, marked: str, end: str) -> None:
    once = file((plain(marked) + "\n").replace("\n", end), path)
    assert file(once, path) == once


def test_a_number_stays_valid_json_and_toml() -> None:
    assert shown(file('{"password": 123456}\n', "a.json")) == '{"password": "§"}\n'
    assert shown(file("password = 123456\n", "a.toml")) == 'password = "§"\n'


@pytest.mark.parametrize("path", ["a.yaml", "a.json", "a.toml", "a.ini", "a.env", "a.xml", "a.php", ".netrc", "x"])
def test_a_file_cut_anywhere_does_not_leak(path: str) -> None:
    whole = {
        "a.yaml": "db:\n  password: hunter2-long\n  x: [1, {token: tok-1234567}]\n",
        "a.json": '{"db": {"password": "hunter2-long", "x": [1, {"token": "tok-1234567"}]}}\n',
        "a.toml": '[db]\npassword = "hunter2-long"\nx = [{token = "tok-1234567"}]\n',
        "a.ini": "[db]\npassword = hunter2-long\ntoken = tok-1234567\n",
        "a.env": "PASSWORD=hunter2-long\nTOKEN='tok-1234567'\n",
        "a.xml": "<a><password>hunter2-long</password><x token='tok-1234567'/></a>\n",
        "a.php": "<?php\n$password = 'hunter2-long';\n$token = 'tok-1234567';\n",
        ".netrc": "machine h login u password hunter2-long\n",
        "x": "password: hunter2-long\nsecret=tok-1234567\n",
    }[path]
    for cut in range(len(whole)):
        for part in (whole[:cut], whole[cut:]):
            # A part that shows a whole secret with the name in front of it.
            result = file(part, path)
            for name, secret in (("assword", "hunter2-long"), ("oken", "tok-1234567"), ("ecret", "tok-1234567")):
                at = part.find(secret)
                if at >= 0 and name in part[:at].lower() and "password" in whole[: whole.find(secret)].lower():
                    named = part[:at].lower()
                    if any(f"{w}" in named for w in ("password", "token", "secret")):
                        assert secret not in result, part


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/srv/.env", Format.ENV),
        ("/srv/.env.production", Format.ENV),
        ("a.env", Format.ENV),
        ("x.yml", Format.YAML),
        ("values.yaml.j2", Format.YAML),
        ("a.json", Format.JSON),
        ("terraform.tfstate", Format.JSON),
        ("a.toml", Format.TOML),
        ("pom.xml", Format.XML),
        ("web.config", Format.XML),
        ("php.ini", Format.INI),
        ("app.service", Format.INI),
        ("app.properties", Format.INI),
        (".npmrc", Format.INI),
        ("/root/.aws/credentials", Format.INI),
        ("x.php", Format.CODE),
        ("main.tf", Format.CODE),
        (".netrc", Format.NETRC),
        (".pgpass", Format.PGPASS),
        ("/etc/shadow", Format.SHADOW),
        (".htpasswd", Format.SHADOW),
        ("settings.ini.bak-20240101T000000Z", Format.INI),
        ("C:\\app\\web.xml", Format.XML),
    ],
)
def test_a_format_is_known_by_the_files_name(path: str, expected: Format) -> None:
    text = "<configuration><a/></configuration>" if path == "web.config" else "x"
    assert detect(text, path) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A=1\nB=2\nC=3\n", Format.ENV),
        ("[s]\na = b c\nd = e\n", Format.INI),
        ("a: b\nc:\n  - d\n", Format.YAML),
        ('{"a": 1}', Format.JSON),
        ('[{"a": 1}]', Format.JSON),
        ('[t]\na = "b"\nc = 1\n', Format.TOML),
        ("<?xml version='1.0'?><a/>", Format.XML),
        ("<?php $a = 1;", Format.CODE),
        ("machine h login u password p\n", Format.NETRC),
        ("h:1:d:u:p\nh:2:d:u:q\n", Format.PGPASS),
        ("root:$6$a$b:19000:0:99999:7:::\n", Format.SHADOW),
        ("just some text\nover lines\n", Format.GENERIC),
        ("", Format.GENERIC),
    ],
)
def test_a_format_is_known_by_its_content(text: str, expected: Format) -> None:
    assert detect(text) is expected


def test_a_format_can_be_asked_for() -> None:
    assert redact_file("password hunter2", RULES, path="x.json", format=Format.GENERIC).format is Format.GENERIC
    assert redact_file("a: 1", RULES, format=Format("yaml")).format is Format.YAML


@pytest.mark.parametrize(
    "path", ["x.yaml", "x.json", "x.toml", "x.xml", "x.ini", "x.env", "x.php", ".netrc", ".pgpass", "shadow", "x"]
)
@pytest.mark.parametrize(
    "text", ["", "\n", "\x00", "\ufeff", "\ud800", "{", "[", "<", "'", '"', "password:", "password=", "\r", "a\rb"]
)
def test_next_to_nothing_is_no_trouble(path: str, text: str) -> None:
    assert file(text, path) == text


def test_what_is_no_yaml_falls_back_without_leaking() -> None:
    text = "{{- if .Values.x }}\npassword: hunter2\n\tbad: [\n  token: 'tok-12345'\n{{- end }}\n"
    assert shown(file(text, "x.yaml")) == text.replace("hunter2", "§").replace("tok-12345", "§")


def test_a_byte_order_mark_shifts_nothing() -> None:
    for path, text in (
        ("x.yaml", "\ufeffa: 1\npassword: hunter2\n"),
        ("x.json", '\ufeff{"password": "hunter2"}'),
        ("x.env", "\ufeffA=1\nPASSWORD=hunter2\n"),
    ):
        assert shown(file(text, path)) == text.replace("hunter2", "§")


PEM_FORMS = {
    "whole": PEM,
    "windows": PEM.replace("\n", "\r\n"),
    "one line": PEM.replace("\n", "\\n"),
    "json": '{"k": "' + PEM.replace("\n", "\\n") + '\\n"}',
    "double escaped": PEM.replace("\n", "\\\\n"),
    "indented": "\n".join("    " + line for line in PEM.split("\n")),
    "quoted lines": "\n".join(f"'{line}\\n' +" for line in PEM.split("\n")),
    "commented": "\n".join("# " + line for line in PEM.split("\n")),
    "journal": "\n".join("Nov 22 12:00:00 web01 app[7]: " + line for line in PEM.split("\n")),
    "encrypted": PEM.replace(
        "KEY-----\n", "KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0A1B2C3D4E5F60718293A4B5C6D7E8F9\n\n", 1
    ),
    "cut off": PEM[: PEM.index("-----END") - 20],
    "headless": PEM[40:],
    "pgp": PEM.replace("RSA PRIVATE KEY", "PGP PRIVATE KEY BLOCK"),
    "openssh": PEM.replace("RSA", "OPENSSH"),
    "openvpn": PEM.replace("RSA PRIVATE KEY", "OpenVPN Static key V1"),
}


@pytest.mark.parametrize("text", PEM_FORMS.values(), ids=PEM_FORMS.keys())
@pytest.mark.parametrize("path", ["", "x.pem", "x.yaml", "x.env"])
def test_a_private_key_is_masked_in_every_form(text: str, path: str) -> None:
    from tests.unit.redaction.redaction_support import output

    for result in (file(f"before\n{text}\nafter\n", path), output(f"before\n{text}\nafter\n")):
        assert "MIIEpAIBAAKCAQEA" not in result
        assert result.startswith("before\n")
        assert result.endswith("\nafter\n")


def test_talk_about_a_private_key_is_left_alone() -> None:
    from tests.unit.redaction.redaction_support import output

    text = 'if line == "-----BEGIN RSA PRIVATE KEY-----":\n    start()\nelif line == "-----END RSA PRIVATE KEY-----":\n    stop()\n'
    assert output(text) == text
    assert file(text, "x.py") == text


def test_a_putty_key_loses_its_private_lines() -> None:
    text = (
        "PuTTY-User-Key-File-3: ssh-ed25519\nPublic-Lines: 1\nAAAAC3Nz\nPrivate-Lines: 1\nAAAAIGx5c2VjcmV0\nPrivate-MAC: "
        + "0a" * 32
        + "\n"
    )
    assert shown(file(text, "k.ppk")) == text.replace("AAAAIGx5c2VjcmV0", "§").replace("0a" * 32, "§")
