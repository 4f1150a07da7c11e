"""The rules of docs/architecture.md, read off the syntax trees."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from ssh_mcp.policy.permitted import PermittedCommand
from ssh_mcp.policy.permitted_path import PermittedPath
from ssh_mcp.remote.fleet import Fleet
from ssh_mcp.remote.host import RemoteHost

ROOT = Path(__file__).resolve().parents[2]

IMPURE = {"asyncio", "anyio", "socket", "os", "subprocess", "time", "threading"}

PURE = [
    "transports/names.py",
    "transports/refusals.py",
    "transports/openssh/login/key_files.py",
    "transports/wire.py",
    "transports/mux/messages.py",
    "transports/mux/codec.py",
    "transports/sftp/messages.py",
    "transports/sftp/attrs.py",
    "transports/sftp/codec.py",
    "transports/openssh/login/argv.py",
    "transports/openssh/login/log.py",
    "transports/openssh/shell/frame.py",
    "ssh_mcp/tokens.py",
    "ssh_mcp/approval/question.py",
    "ssh_mcp/approval/channels.py",
    "ssh_mcp/server/operator/messages.py",
    "ssh_mcp/remote/exec/hints.py",
    *sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("ssh_mcp/policy/**/*.py")),
    *sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("ssh_mcp/shell/**/*.py")),
    *sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("ssh_mcp/redaction/**/*.py")),
    *sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("ssh_mcp/facts/**/*.py")),
]

ROOMS_THAT_MAY_NOT_SEE_OPENSSH = [
    "ssh_mcp/tools",
    "ssh_mcp/remote",
    "ssh_mcp/policy",
    "ssh_mcp/facts",
    "ssh_mcp/results",
]

SEEN_OF_TRANSPORTS = {"transports.api", "transports.errors", "transports.names", "transports.programs"}


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Modules that a file imports, with whether that is only for type checking."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            for inner in node.body:
                typing_only.update(ast.walk(inner))
    package = ".".join(path.relative_to(ROOT).with_suffix("").parts[:-1])
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield name.name, node in typing_only
        elif isinstance(node, ast.ImportFrom):
            base = package.rsplit(".", node.level - 1)[0] if node.level > 1 else package
            module = node.module or ""
            yield (f"{base}.{module}" if node.level else module), node in typing_only


def files(*rooms: str) -> list[Path]:
    return [p for room in rooms for p in sorted((ROOT / room).glob("**/*.py"))]


LAYERS: tuple[set[str], ...] = (
    {"transports/api", "transports/errors", "transports/names", "transports/refusals", "transports/pipes"},
    {"transports/wire", "transports/channel", "transports/programs"},
    {"transports/mux", "transports/sftp", "transports/openssh/local", "transports/openssh/shell"},
    {"transports/openssh/login"},
    {"transports/openssh/masters"},
    {"transports/openssh/sessions"},
    {"transports/openssh/connection"},
    {"transports/openssh/transport"},
    {"ssh_mcp/distribution", "ssh_mcp/errors", "ssh_mcp/tokens"},
    {"ssh_mcp/runtime", "ssh_mcp/shell"},
    {"ssh_mcp/settings", "ssh_mcp/inventory", "ssh_mcp/policy", "ssh_mcp/redaction"},
    {"ssh_mcp/results"},
    {"ssh_mcp/facts", "ssh_mcp/guard", "ssh_mcp/audit", "ssh_mcp/skills", "ssh_mcp/runbooks"},
    {"ssh_mcp/approval", "ssh_mcp/recording"},
    {"ssh_mcp/remote"},
    {"ssh_mcp/tools"},
    {"ssh_mcp/server"},
    {"ssh_mcp/console"},
    {"ssh_mcp/cli"},
    {"ssh_mcp/__main__"},
)
"""Lowest first: a room imports lower ones only. Those on one line import each other only where TOGETHER says so."""
TOGETHER = {"ssh_mcp/settings", "ssh_mcp/inventory", "ssh_mcp/policy", "ssh_mcp/redaction"}
"""Values that describe hosts, and the decisions about them: they use each other's."""
WITHIN = {
    "transports/mux": ("messages", "codec", "client"),
    "transports/sftp": ("messages", "attrs", "codec", "engine", "client"),
}
"""Files of the protocol rooms, lowest first; those that are not named are parts of ``client``."""


def room(module: str) -> str:
    parts = module.split(".")
    return "/".join(parts[:3] if parts[:2] == ["transports", "openssh"] else parts[:2])


def test_every_room_imports_only_what_is_below_it() -> None:
    level = {name: number for number, layer in enumerate(LAYERS) for name in layer}
    for path in files("ssh_mcp", "transports"):
        own = room(".".join(path.relative_to(ROOT).with_suffix("").parts))
        if path.name == "__init__.py" and own in {
            "ssh_mcp/__init__",
            "transports/__init__",
            "transports/openssh/__init__",
        }:
            continue
        assert own in level, f"{own} has no place in LAYERS"
        for module, typing_only in imports(path):
            other = room(module)
            if typing_only or other == own or module.split(".")[0] not in {"ssh_mcp", "transports"} or "/" not in other:
                continue
            allowed = level[other] < level[own] or {own, other} <= TOGETHER
            assert allowed, f"{path.relative_to(ROOT)} imports {module}"


@pytest.mark.parametrize("where", WITHIN)
def test_messages_know_no_codec_and_codecs_no_client(where: str) -> None:
    order = {f"{where.replace('/', '.')}.{name}": number for number, name in enumerate(WITHIN[where])}
    for name, number in order.items():
        for module, _ in imports(ROOT / f"{name.replace('.', '/')}.py"):
            assert order.get(module, -1) < number, (name, module)


def test_unit_tests_mirror_the_rooms() -> None:
    rooms = {p.name for p in (ROOT / "ssh_mcp").iterdir() if p.is_dir()} | {"transports", "publishing"}
    folders = {p.name for p in (ROOT / "tests" / "unit").iterdir() if (p / "__init__.py").exists()}
    assert folders <= rooms


def test_only_the_app_and_the_doctor_make_the_transport() -> None:
    makers = {
        str(path.relative_to(ROOT))
        for path in files("ssh_mcp")
        if "transports.openssh.transport" in {module for module, _ in imports(path)}
    }
    assert makers == {"ssh_mcp/server/app.py", "ssh_mcp/cli/doctor.py"}


def test_transports_know_nothing_of_ssh_mcp() -> None:
    for path in files("transports"):
        assert not [m for m, _ in imports(path) if m.split(".")[0] == "ssh_mcp"], path


def test_the_foundations_of_transports_import_nothing_local() -> None:
    for name in ("api.py", "errors.py", "names.py", "refusals.py"):
        local = [m for m, _ in imports(ROOT / "transports" / name) if m.startswith("transports")]
        assert local == [], name


@pytest.mark.parametrize("name", PURE)
def test_pure_modules_touch_neither_clock_nor_system(name: str) -> None:
    for module, typing_only in imports(ROOT / name):
        assert typing_only or module.split(".")[0] not in IMPURE, f"{name} imports {module}"


def test_only_the_app_and_the_command_line_name_a_concrete_transport() -> None:
    for path in files(*ROOMS_THAT_MAY_NOT_SEE_OPENSSH):
        for module, _ in imports(path):
            if module.startswith("transports"):
                assert module in {"transports.api", "transports.errors", "transports.names", "transports.programs"}, (
                    path,
                    module,
                )


def test_tools_reach_hosts_only_through_remote() -> None:
    for path in files("ssh_mcp/tools"):
        for module, typing_only in imports(path):
            assert typing_only or module != "transports.api" or path.name == "server.py", (path, module)


def names_called(path: Path) -> Iterator[str]:
    """The plain names of what a file calls."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def test_only_policy_makes_a_permitted_command() -> None:
    makers = {str(p.relative_to(ROOT)) for p in files("ssh_mcp") if "PermittedCommand" in names_called(p)}
    assert makers == {"ssh_mcp/policy/commands.py"}


def test_only_permitted_commands_and_our_own_tokens_become_text_that_a_host_runs() -> None:
    """A cast would hide a call that forgot to ask from the type checker."""
    makers = {str(p.relative_to(ROOT)) for p in files("ssh_mcp", "transports") if "CommandLine" in names_called(p)}
    assert makers == {"ssh_mcp/policy/permitted.py", "ssh_mcp/tokens.py"}
    for path in files("ssh_mcp"):
        assert "cast" not in names_called(path) or "CommandLine" not in path.read_text(encoding="utf-8"), path


def attributes(path: Path) -> Iterator[ast.Attribute]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            yield node


def imported_names(path: Path) -> Iterator[tuple[str, str]]:
    """Module and name of each ``from module import name``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)


def test_only_policy_makes_permitted_paths_and_commands() -> None:
    """They are made with POLICY, which nothing outside of the room imports; and they cannot be made without it."""
    for path in files("ssh_mcp"):
        if path.is_relative_to(ROOT / "ssh_mcp" / "policy"):
            continue
        made_with = {name for module, name in imported_names(path) if module.startswith("ssh_mcp.policy.permitted")}
        assert not made_with & {"POLICY", "Maker"}, path
        assert not [a for a in attributes(path) if a.attr == "POLICY"], path
    with pytest.raises(TypeError):
        PermittedPath("/etc/shadow", maker=object())  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        PermittedCommand(maker=object(), text="id")  # type: ignore[arg-type]


def test_tools_reach_neither_a_connection_nor_the_transport() -> None:
    assert not hasattr(RemoteHost, "connection")
    assert not hasattr(Fleet, "transport")
    for path in files("ssh_mcp/tools"):
        assert "connection_of" not in {name for _, name in imported_names(path)}, path
        for found in attributes(path):
            assert found.attr not in {"connection", "connection_of"}, (path, found.lineno)


def room_of(path: Path) -> str:
    """``ssh_mcp/remote/files``, ``transports/sftp`` and so on: the first three names of a path."""
    return "/".join(path.relative_to(ROOT).parts[:3])


def test_no_room_touches_private_attributes_of_another() -> None:
    """A private name may be used in the room that gives it; those of named tuples are public in spite of their look."""
    rooms: dict[str, set[str]] = {}
    for path in files("ssh_mcp", "transports"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        own = rooms.setdefault(room_of(path), set())
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                own.add(node.name)
            elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
                own.add(node.id if isinstance(node, ast.Name) else node.attr)
    everybody = set().union(*rooms.values())
    for path in files("ssh_mcp", "transports"):
        own = rooms[room_of(path)]
        for found in attributes(path):
            name = found.attr
            if not name.startswith("_") or name.startswith("__") or name in {"_replace", "_asdict", "_fields", "_make"}:
                continue
            if ast.unparse(found.value) in {"self", "cls", "os", "sys"}:
                continue
            assert name in own or name not in everybody, f"{path.relative_to(ROOT)}:{found.lineno} uses {name}"
        for module, name in imported_names(path):
            if name.startswith("_") and module.startswith(("ssh_mcp", "transports")):
                target = "/".join(module.split(".")[:3])
                assert room_of(path).removesuffix(".py") == target or module in {"ssh_mcp", "transports"}, (
                    path,
                    module,
                    name,
                )
