"""Hooks observe, never hinder."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from ssh_mcp.audit.hooks import Event, HookContext, HookRegistry, Hooks, load_hooks
from ssh_mcp.audit.sinks import Audit
from ssh_mcp.errors import PathNotAllowed


def before(tool: str = "ssh_host_ping") -> HookContext:
    return HookContext.before(tool, "read", "web01", "0123456789abcdef")


async def test_lifecycle_hooks_are_awaited_around_the_servers_life_in_order() -> None:
    registry = HookRegistry()
    seen: list[Any] = []

    @registry.on(Event.STARTUP)
    async def first(context: HookContext) -> None:
        await anyio.lowlevel.checkpoint()
        seen.append(f"first {context.event}")

    @registry.on("startup")
    def second(context: HookContext) -> None:
        seen.append("second")

    registry.register(Event.SHUTDOWN, lambda context: seen.append(context.event.value))
    async with Hooks(registry).running():
        seen.append("body")
    assert seen == ["first startup", "second", "body", "shutdown"]


async def test_shutdown_hooks_run_after_a_failure_which_comes_out_unchanged() -> None:
    registry = HookRegistry()
    seen: list[Any] = []
    registry.register(Event.SHUTDOWN, lambda context: seen.append("shutdown"))
    with pytest.raises(LookupError):
        async with Hooks(registry).running():
            raise LookupError
    assert seen == ["shutdown"]


async def test_shutdown_hooks_run_when_the_server_is_cancelled() -> None:
    registry = HookRegistry()
    seen: list[Any] = []
    registry.register(Event.SHUTDOWN, lambda context: seen.append("shutdown"))
    with anyio.CancelScope() as scope:
        async with Hooks(registry).running():
            scope.cancel()
            await anyio.sleep_forever()
    assert seen == ["shutdown"]


async def test_call_hooks_learn_what_the_audit_learns_and_are_drained_at_the_end() -> None:
    registry = HookRegistry()
    seen: list[Any] = []
    registry.register(Event.PRE_TOOL_CALL, seen.append)
    registry.register(Event.POST_TOOL_CALL, seen.append)
    call = Audit().begin("ssh_mv", "low-access")
    async with Hooks(registry).running() as hooks:
        hooks.notify(HookContext.before("ssh_mv", "low-access", "web01", call.correlation_id))
        call.host("web01.example")
        hooks.notify(HookContext.after(call.finish(PathNotAllowed("No."))))
        assert seen == [], "the call does not wait for its hooks"
    assert [context.event for context in seen] == [Event.PRE_TOOL_CALL, Event.POST_TOOL_CALL]
    assert seen[0].correlation_id == seen[1].correlation_id == call.correlation_id
    assert (seen[1].host, seen[1].result, seen[1].error) == ("web01.example", "error", "PathNotAllowed")


async def test_a_failing_hook_is_logged_and_the_next_one_runs(caplog: pytest.LogCaptureFixture) -> None:
    registry = HookRegistry()
    seen: list[Any] = []

    @registry.on(Event.PRE_TOOL_CALL)
    def broken(context: HookContext) -> None:
        raise ZeroDivisionError("in the hook")

    registry.register(Event.PRE_TOOL_CALL, seen.append)
    async with Hooks(registry).running() as hooks:
        hooks.notify(before())
        hooks.notify(before())
    assert len(seen) == 2
    assert "broken failed for pre_tool_call" in caplog.text
    assert "ZeroDivisionError" in caplog.text


async def test_a_hook_that_takes_too_long_is_left(caplog: pytest.LogCaptureFixture) -> None:
    registry = HookRegistry()
    seen: list[Any] = []
    release = threading.Event()

    @registry.on(Event.PRE_TOOL_CALL)
    async def asleep(context: HookContext) -> None:
        await anyio.sleep_forever()

    @registry.on(Event.PRE_TOOL_CALL)
    def blocked(context: HookContext) -> None:
        release.wait()

    registry.register(Event.PRE_TOOL_CALL, seen.append)
    async with Hooks(registry, call_limit=0.01).running() as hooks:
        hooks.notify(before())
    release.set()
    assert len(seen) == 1
    assert "asleep took longer than 0.01 s" in caplog.text
    assert "blocked took longer than 0.01 s" in caplog.text


async def test_a_plain_hook_does_not_block_the_event_loop() -> None:
    registry = HookRegistry()
    entered, release = anyio.Event(), threading.Event()

    @registry.on(Event.PRE_TOOL_CALL)
    def waits(context: HookContext) -> None:
        anyio.from_thread.run_sync(entered.set)
        release.wait()

    async with Hooks(registry).running() as hooks:
        hooks.notify(before())
        await entered.wait()
        release.set()


async def test_a_full_backlog_drops_with_one_warning_and_tells_when_it_is_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    registry = HookRegistry()
    seen: list[Any] = []
    gate, entered = anyio.Event(), anyio.Event()

    @registry.on(Event.PRE_TOOL_CALL)
    async def slow(context: HookContext) -> None:
        entered.set()
        await gate.wait()
        seen.append(context)

    async with Hooks(registry, backlog=4).running() as hooks:
        hooks.notify(before())
        await entered.wait()
        for _ in range(10):
            hooks.notify(before())
        gate.set()
    assert len(seen) == 5
    assert caplog.text.count("hooks are too slow") == 1
    assert "6 notifications were dropped" in caplog.text


async def test_without_hooks_nothing_runs_and_notifying_is_free() -> None:
    async with Hooks(HookRegistry()).running() as hooks:
        hooks.notify(before())


# -- loading ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "operator_hooks", raising=False)
    yield tmp_path / "operator_hooks.py"
    sys.modules.pop("operator_hooks", None)


async def test_a_module_registers_its_hooks(module: Path) -> None:
    module.write_text("def register_hooks(registry):\n    registry.register('startup', print)\n")
    registry = HookRegistry()
    assert load_hooks("operator_hooks", registry)
    assert registry.callbacks(Event.STARTUP) == (print,)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("import no_such_module_anywhere", "ModuleNotFoundError"),
        ("def (", "SyntaxError"),
        ("raise SystemExit(3)", "SystemExit"),
        ("x = 1", "register_hooks"),
        ("def register_hooks(registry):\n    registry.register('startup', print)\n    1 / 0", "ZeroDivisionError"),
        ("def register_hooks(registry):\n    registry.register('on_fire', print)", "on_fire"),
        ("def register_hooks(registry):\n    registry.register('startup', 3)", "TypeError"),
        ("async def register_hooks(registry): ...", "plain function"),
    ],
)
async def test_a_broken_module_warns_and_leaves_nothing_behind(
    module: Path, text: str, complaint: str, caplog: pytest.LogCaptureFixture
) -> None:
    module.write_text(text + "\n")
    registry = HookRegistry()
    with caplog.at_level(logging.WARNING):
        assert not load_hooks("operator_hooks", registry)
    assert not registry
    assert "SSH_HOOKS_MODULE operator_hooks" in caplog.text
    assert complaint in caplog.text
