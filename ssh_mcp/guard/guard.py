"""The one guard for every piece of text that a host produced: sanitise, then redact (the cap is the transport's).

Sanitising comes first, or an escape sequence inside of a token would hide it from the redaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel

from ssh_mcp.guard import sanitise
from ssh_mcp.guard.decode import clean_surrogates, decode_output, incremental
from ssh_mcp.guard.plan import Kind, Plan, plan_of
from ssh_mcp.inventory.model import RedactionPolicy
from ssh_mcp.redaction.engine import OutputStream, looks_secret, mask_key_value, redact_output, rules_from

__all__ = ["Guard", "GuardStream", "GuardedText", "decode_output"]

M = TypeVar("M", bound=BaseModel)

RAW_WARNING = (
    "This text looks as if it held secrets and is shown raw. Use ssh_read_redacted (ssh_sudo_read_redacted as root) "
    "unless an edit needs the exact bytes."
)


@dataclass(frozen=True, slots=True)
class GuardedText:
    """Text that may go to the client, and remarks about it."""

    text: str
    warnings: tuple[str, ...] = ()


class Guard:
    """Enforces one redaction policy. Stateless but for compiled rules; share it."""

    def __init__(self, policy: RedactionPolicy) -> None:
        self._rules = rules_from(policy)
        self._redacts = policy.output

    def text(self, data: bytes | str, *, truncated: bool = False) -> GuardedText:
        """One text. ``truncated`` says that ``data`` was cut at a cap."""
        if isinstance(data, bytes):
            text, warnings = decode_output(data, truncated=truncated)
        else:
            text, warnings = clean_surrogates(data), ()
        text = sanitise.strip(text)
        found = sanitise.remarks(text)
        return GuardedText(self._redacted(text), (*warnings, *found))

    def raw(self, text: str) -> tuple[str, ...]:
        """Warnings for text that is delivered as it is."""
        return (RAW_WARNING,) if looks_secret(text, self._rules) else ()

    def result(self, model: M) -> M:
        """The same result with host text guarded; remarks go to ``output_warnings`` where the model has that field."""
        remarks: list[str] = []
        guarded = self._model(model, plan_of(type(model)), remarks)
        if remarks and "output_warnings" in type(model).model_fields:
            known: list[str] = guarded.output_warnings  # type: ignore[attr-defined]
            known.extend(r for r in dict.fromkeys(remarks) if r not in known)
        return guarded

    def stream(self) -> GuardStream:
        """For output that comes in pieces."""
        return GuardStream(OutputStream(self._rules) if self._redacts else None)

    def _redacted(self, text: str) -> str:
        return redact_output(text, self._rules).text if self._redacts and text else text

    def _model(self, model: M, plan: Plan, remarks: list[str]) -> M:
        changed: dict[str, Any] = {}
        for name, kind in plan.fields.items():
            value = getattr(model, name)
            if value is None or value == "":
                continue
            new = self._value(name, value, kind, remarks)
            if new is not value:
                changed[name] = new
        return model.model_copy(update=changed) if changed else model

    def _value(self, name: str, value: Any, kind: Kind, remarks: list[str]) -> Any:
        if kind is Kind.RAW:
            if isinstance(value, str):
                remarks.extend(f"{name}: {w}" for w in (*self.raw(value), *sanitise.remarks(value)))
            return value
        return self._walk(name, value, remarks)

    def _walk(self, key: str, value: Any, remarks: list[str], named: str | None = None) -> Any:
        """Guard a value of unknown depth. ``named`` is the key whose secrecy a nested string has to be judged by."""
        if isinstance(value, str):
            if named is None:
                guarded = self.text(value)
                remarks.extend(f"{key}: {w}" for w in guarded.warnings)
                return guarded.text
            text = sanitise.strip(clean_surrogates(value))
            remarks.extend(f"{key}: {w}" for w in sanitise.remarks(text))
            return mask_key_value(named, text, self._rules) if self._redacts else text
        if isinstance(value, BaseModel):
            return self._model(value, plan_of(type(value)), remarks)
        if isinstance(value, list | tuple):
            return type(value)(self._walk(key, item, remarks, named) for item in value)
        if isinstance(value, dict):
            label = value.get("Name", value.get("name"))
            return {self._key(k): self._walk(key, v, remarks, _name_for(k, label)) for k, v in value.items()}
        return value

    def _key(self, key: Any) -> Any:
        return self.text(key).text if isinstance(key, str) and not key.isidentifier() else key


def _name_for(key: Any, label: Any) -> str:
    """The name that a dict's value is judged by: its key, or the sibling ``name`` in ``{"name": …, "value": …}``."""
    if isinstance(key, str) and key.lower() == "value" and isinstance(label, str):
        return label
    return str(key)


class GuardStream:
    """Guarded text of a byte stream; what could be the beginning of something longer is held back, boundedly."""

    def __init__(self, redactor: OutputStream | None) -> None:
        self._decoder = incremental()
        self._held = ""
        self._redactor = redactor

    def feed(self, data: bytes) -> str:
        """Take some bytes; answer what may be shown now."""
        return self._take(self._decoder.decode(data), final=False)

    def close(self) -> str:
        """Answer the rest."""
        shown = self._take(self._decoder.decode(b"", True), final=True)
        return shown + (self._redactor.close() if self._redactor else "")

    def _take(self, text: str, *, final: bool) -> str:
        text = self._held + text
        cut = len(text) if final else sanitise.unfinished(text)
        self._held = text[cut:]
        clean = sanitise.strip(text[:cut])
        return self._redactor.feed(clean) if self._redactor else clean
