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


def test_transports_know_nothing_of_ssh_mcp() -> None:
    for path in files("transports"):
        assert not [m for m, _ in imports(path) if m.split(".")[0] == "ssh_mcp"], path


def test_the_foundations_of_transports_import_nothing_local() -> None:
    for name in ("api.py", "errors.py", "names.py", "refusals.py"):
        local = [m for m, _ in imports(ROOT / "transports" / name) if m.startswith("transports")]
        assert local == [], name


@pytest.mark.parametrize(("room", "above"), [("mux", ("sftp", "openssh")), ("sftp", ("mux", "openssh"))])
def test_protocol_rooms_import_no_room_above_or_beside_them(room: str, above: tuple[str, ...]) -> None:
    for path in files(f"transports/{room}"):
        for module, _ in imports(path):
            assert not any(module.startswith(f"transports.{other}") for other in above), (path, module)


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


def test_policy_and_its_pure_neighbours_do_not_import_remote_or_tools() -> None:
    for path in files("ssh_mcp/policy", "ssh_mcp/shell", "ssh_mcp/redaction", "ssh_mcp/facts", "ssh_mcp/results"):
        for module, _ in imports(path):
            assert not module.startswith(("ssh_mcp.remote", "ssh_mcp.tools", "ssh_mcp.server.app")), (path, module)


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
    """``ssh_mcp/remote``, ``transports/sftp`` and so on: the first two folders."""
    return "/".join(path.relative_to(ROOT).parts[:2])


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
                target = "/".join(module.split(".")[:2])
                assert room_of(path) == target or module in {"ssh_mcp", "transports"}, (path, module, name)
