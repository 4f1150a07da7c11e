"""The output guard: everything that a host produced passes here once.

The transport has capped the bytes. The guard decodes, sanitises, then redacts: in this order, because an escape
sequence inside a token would hide it from the redaction.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from ssh_mcp.guard.long_stream import long_streams
from ssh_mcp.guard.sanitise import remarks, split_pending, strip_controls
from ssh_mcp.guard.walk import Walker, warned
from ssh_mcp.inventory.model import RedactionPolicy
from ssh_mcp.redaction.engine import (
    OutputStream,
    Repeats,
    mask_arguments,
    mask_key_value,
    mask_repeats,
    redact_output,
    rules_from,
)
from ssh_mcp.redaction.stream import HOLD
from ssh_mcp.results.base import Result

_SURROGATES = re.compile("[\ud800-\udfff]+")
KNOWN_MASK = "<sudo password>"
"""In the place of a secret that the server itself holds: no digest, from which a short password could be guessed."""
ResultT = TypeVar("ResultT", bound=Result)


@dataclass(frozen=True, slots=True)
class GuardedText:
    """Text fit to be shown, and remarks about it."""

    text: str
    warnings: tuple[str, ...] = ()


def decode(data: bytes, *, truncated: bool = False) -> tuple[str, tuple[str, ...]]:
    """UTF-8; a character cut by the cap is dropped, other undecodable bytes become U+FFFD and are reported."""
    try:
        return data.decode(), ()
    except UnicodeDecodeError:
        pass
    if truncated:
        data = _without_cut_character(data)
    text = data.decode("utf-8", "replace")
    bad = text.count("\ufffd") - data.count(b"\xef\xbf\xbd")
    if bad <= 0:
        return text, ()
    noun = "sequence is" if bad == 1 else "sequences are"
    return text, (f"{bad} byte {noun} not UTF-8 and shown as U+FFFD.",)


def _without_cut_character(data: bytes) -> bytes:
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 == 0x80:
            continue
        size = 2 if byte & 0xE0 == 0xC0 else 3 if byte & 0xF0 == 0xE0 else 4 if byte & 0xF8 == 0xF0 else 1
        return data[:-back] if size > back else data
    return data


def without_surrogates(text: str) -> str:
    """Text that JSON can carry: bytes that came in as lone surrogates (surrogateescape) become U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return _SURROGATES.sub("\ufffd", text)
    return text


class Guard:
    """One host's guard. Cheap to make: what is costly is cached by policy and by model class."""

    def __init__(self, policy: RedactionPolicy, known: Collection[str] = ()) -> None:
        self._policy = policy
        self._rules = rules_from(policy)
        self._redacts = policy.output
        self._known = tuple(sorted(known, key=len, reverse=True))

    def knowing(self, secrets: Collection[str]) -> Guard:
        """A guard that also masks these very values wherever they come up, whether it redacts output or not."""
        return Guard(self._policy, secrets) if secrets else self

    def text(self, data: bytes | str, *, truncated: bool = False, repeats: Repeats | None = None) -> GuardedText:
        """Output of a host, whole. ``truncated``: the cap cut it, perhaps inside a character. ``repeats``: what other
        texts of the same result named as secrets, and where this one adds its own.
        """
        if isinstance(data, str):
            return GuardedText(*self._shown(data, repeats))
        text, warnings = decode(data, truncated=truncated)
        shown, more = self._shown(text, repeats)
        return GuardedText(shown, warnings + more)

    def _shown(self, text: str, repeats: Repeats | None = None) -> tuple[str, tuple[str, ...]]:
        text = _without_known(strip_controls(without_surrogates(text)), self._known)
        warnings = remarks(text)
        if self._redacts:
            text = redact_output(text, self._rules, repeats).text
        return text, warnings

    def _plain(self, texts: Sequence[str]) -> bool:
        """Whether each of many short texts would come back as it is, without a remark: asked once of all together.

        What the gate finds in a text it also finds where that is one line of many (its patterns take a line end for
        the end of the text), so that nothing found means nothing in any of them. True is certain, False is not.
        """
        joined = "\n".join(texts)
        if not joined.isascii() or joined.count("\n") != max(len(texts) - 1, 0) or strip_controls(joined) != joined:
            return False
        if remarks(joined) or any(secret in joined for secret in self._known):
            return False
        return not self._redacts or not self._rules.gate.may_find(joined)

    def raw(self, text: str) -> tuple[str, ...]:
        """Warnings only, for text that must arrive byte for byte; whether its secrets may, its reader has decided."""
        warnings = remarks(text)
        if "\x1b" in text:
            warnings += ("The text holds terminal escape sequences, which act on any terminal that it is written to.",)
        return warnings

    def key_value(self, key: str, value: str, repeats: Repeats | None = None) -> tuple[str, tuple[str, ...]]:
        """A value whose name is known from the structure around it."""
        value = _without_known(strip_controls(without_surrogates(value)), self._known)
        warnings = remarks(value)
        return (mask_key_value(key, value, self._rules, repeats) if self._redacts else value), warnings

    def result(self, model: ResultT) -> ResultT:
        """The model with every unmarked text guarded; ``Ours`` untouched, ``Raw`` only warned about."""
        repeats = Repeats()
        shown, named = partial(self._shown, repeats=repeats), partial(self.key_value, repeats=repeats)
        walker = Walker(shown, named, self.raw, self._plain, partial(self._arguments, repeats=repeats))
        guarded = warned(walker.model(model), walker.warnings)
        for stream in long_streams(guarded):
            guarded = warned(guarded, stream.guard(self, repeats))
        return self._repeated(guarded, repeats) if repeats else guarded

    def _repeated(self, model: ResultT, repeats: Repeats) -> ResultT:
        """``model`` with the secrets that one of its texts named masked in the others, too."""

        def shown(text: str) -> tuple[str, tuple[str, ...]]:
            return mask_repeats(text, self._rules, repeats), ()

        def plain(texts: Sequence[str]) -> bool:
            return not any(repeats.first(text) for text in texts)

        walker = Walker(shown, lambda _, text: shown(text), lambda _: (), plain, lambda items: items)
        return walker.model(model)

    def _arguments(self, items: tuple[str, ...], repeats: Repeats) -> tuple[str, ...]:
        items = tuple(_without_known(item, self._known) for item in items)
        return mask_arguments(items, self._rules, repeats) if self._redacts else items

    def stream(self) -> GuardStream:
        """The same for output that comes in pieces."""
        return GuardStream(OutputStream(self._rules) if self._redacts else None, self._known)


def _without_known(text: str, known: Sequence[str]) -> str:
    for secret in known:
        text = text.replace(secret, KNOWN_MASK)
    return text


def _complete(text: str) -> tuple[str, str]:
    """What can be sanitised now, and the rest: a line not ended may yet be rubbed out, an escape sequence go on."""
    cut = text.rfind("\n") + 1
    if len(text) - cut > HOLD:
        return split_pending(text)
    done, pending = split_pending(text[:cut])
    line = _line_before(done) if pending else len(done)  # the rest of the line may overwrite what is before it
    return done[:line], done[line:] + pending + text[cut:]


def _line_before(text: str) -> int:
    """Where the last line of ``text`` begins, by a line end that is not inside an escape sequence's string."""
    at = len(text)
    for _ in range(64):
        at = text.rfind("\n", 0, at)
        if at < 0 or not split_pending(text[: at + 1])[1]:
            return at + 1
    return len(text)


class GuardStream:
    """``feed`` bytes, get text fit to be shown; ``close`` gives the rest. ``warnings`` grow as the output does."""

    def __init__(self, redaction: OutputStream | None, known: Sequence[str] = ()) -> None:
        self._known = known
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._redaction = redaction
        self._pending = ""
        self._seen: dict[str, None] = {}
        self._last_line = ""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Remarks about all that was fed so far, each once."""
        return tuple(self._seen)

    def feed(self, data: bytes) -> str:
        """The next bytes, cut anywhere: inside a character, an escape sequence or a secret."""
        return self._take(self._decoder.decode(data), final=False)

    def close(self) -> str:
        """Everything still held back."""
        return self._take(self._decoder.decode(b"", final=True), final=True)

    def _take(self, text: str, *, final: bool) -> str:
        text = self._pending + text
        self._pending = ""
        if not final:
            text, self._pending = _complete(text)
        if "\ufffd" in text:
            self._seen["Some bytes are not UTF-8 and shown as U+FFFD."] = None
        text = _without_known(strip_controls(text), self._known)
        self._seen.update(dict.fromkeys(remarks(self._last_line + text)))
        self._last_line = (self._last_line + text)[-200:].rpartition("\n")[2]
        if self._redaction is None:
            return text
        shown = self._redaction.feed(text)
        return shown + self._redaction.close() if final else shown
