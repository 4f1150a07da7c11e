"""What the rest of the program calls: masking of files and of output."""

from __future__ import annotations

from dataclasses import replace

from ssh_mcp.redaction import entropy, lines, values
from ssh_mcp.redaction.cursor import Lines
from ssh_mcp.redaction.detect import detect
from ssh_mcp.redaction.detectors import assigned, commands, elements, pairs
from ssh_mcp.redaction.detectors.key_blocks import open_block
from ssh_mcp.redaction.detectors.tokens import is_token
from ssh_mcp.redaction.formats import assign, json, records, toml, yaml
from ssh_mcp.redaction.markers import apply, report, resolve
from ssh_mcp.redaction.model import Finding, Format, Redacted, Redaction, Span
from ssh_mcp.redaction.output import ROUNDS, masked, one_pass, redact_output
from ssh_mcp.redaction.repeats import Repeats
from ssh_mcp.redaction.rules import Rules, rules_from
from ssh_mcp.redaction.stream import OutputStream
from ssh_mcp.redaction.stretch import Stretch
from ssh_mcp.redaction.talk import Reading

__all__ = [
    "Finding",
    "Format",
    "OutputStream",
    "Redacted",
    "Redaction",
    "Repeats",
    "Rules",
    "first_secret",
    "mask_arguments",
    "mask_key_value",
    "mask_repeats",
    "redact_file",
    "redact_output",
    "redact_part",
    "rules_from",
]

MAX_ARGUMENTS = 32_768
"""Characters of one list of arguments."""
_RECORDS = frozenset({Format.NETRC, Format.PGPASS, Format.SHADOW})
"""Formats whose secrets are in a field without a name, which no gate can see."""
_STRUCTURED = frozenset({Format.YAML, Format.JSON, Format.TOML, Format.XML, Format.CODE})


def redact_file(text: str, rules: Rules, *, path: str = "", format: Format | None = None) -> Redacted:  # noqa: A002
    """Mask secrets in a file's text: by its format (from ``path``, then content), by lines, by shape and by entropy.

    ``path`` is only looked at, never opened. ``text`` may be any part of a file.
    """
    kind = format or detect(text, path)
    text, done = masked(text, rules, Repeats(), lambda now: _file_spans(now, rules, kind, path))
    return Redacted(text, done, kind)


def redact_part(
    text: str,
    start: int,
    end: int,
    rules: Rules,
    *,
    path: str = "",
    format: Format | None = None,  # noqa: A002
) -> Redacted:
    """``text[start:end]`` masked in the light of all of ``text``.

    So a value whose name comes before the part, or a key that begins before it, is masked too. A secret that one end of
    the part cuts is in it as a whole marker. Lines are counted from the part's start.
    """
    kind = format or detect(text, path)
    first_line = 1 + text.count("\n", 0, start)
    done: tuple[Redaction, ...] = ()
    known = Repeats()
    for _ in range(ROUNDS):
        final = one_pass(text, known, lambda now: _file_spans(now, rules, kind, path))
        if not final:
            break
        inside = [span for span in final if span.start < end and span.end > start]
        done += report(text, inside, rules.marker)
        pieces = [
            apply(text[a:b], [s._replace(start=s.start - a, end=s.end - a) for s in spans], rules.marker)
            for a, b, spans in _three(final, start, end, len(text))
        ]
        text, start, end = "".join(pieces), len(pieces[0]), len(pieces[0]) + len(pieces[1])
    lines_from = tuple(replace(r, line=max(r.line - first_line + 1, 1)) for r in done)
    return Redacted(text[start:end], lines_from, kind)


def _three(spans: list[Span], start: int, end: int, length: int) -> list[tuple[int, int, list[Span]]]:
    """The text before, in and behind ``start:end``, moved outwards where a span crosses, with the spans of each."""
    begin = min([s.start for s in spans if s.start < start < s.end], default=start)
    stop = max([s.end for s in spans if s.start < end < s.end], default=end)
    return [(a, b, [s for s in spans if a <= s.start < b]) for a, b in ((0, begin), (begin, stop), (stop, length))]


def _file_spans(text: str, rules: Rules, kind: Format, path: str) -> list[Span]:
    out, sure = _format_spans(text, rules, kind)
    reading = Reading.OUTPUT if sure and kind in _STRUCTURED else Reading.FILE
    out += lines.find(text, rules, reading)
    out += records.bare(text, path) + records.tables(text, path)
    if rules.entropy:
        entropy.find(text, out)
    return out


def _format_spans(text: str, rules: Rules, kind: Format) -> tuple[list[Span], bool]:
    """What the reader of the format says, and whether it could read all of it."""
    if kind is Format.YAML:
        return yaml.spans(text, rules)
    if kind is Format.JSON:
        return json.spans(text, rules), True
    if kind is Format.TOML:
        return toml.spans(text, rules), True
    if kind is Format.XML:
        whole = Stretch(text, 0, len(text), rules.keys, Reading.OUTPUT, Lines(text))
        attributes = assigned.DETECTOR.find(whole)
        return elements.DETECTOR.find(whole) + pairs.DETECTOR.find(whole) + attributes, True
    if kind is Format.ENV:
        return assign.env(text, rules), True
    if kind is Format.INI:
        return assign.ini(text, rules), True
    if kind is Format.NETRC:
        return records.netrc(text), True
    if kind is Format.PGPASS:
        return records.pgpass(text), True
    if kind is Format.SHADOW:
        return records.shadow(text), True
    return [], kind is Format.CODE


def first_secret(text: str, rules: Rules, *, path: str = "", start: int = 0, end: int | None = None) -> Finding | None:
    """The first secret of a file's text by name or shape, or None; what the raw readers decide by.

    Precise rather than eager: read as output is, and by the format that ``path`` or the content shows. Strings that
    only look generated (entropy) do not count. Ordinary text costs one pass of the gate. With ``start`` and ``end``
    only a secret counts that reaches into that part of the text.
    """
    kind = detect(text, path)
    spans = records.bare(text, path) + records.tables(text, path)
    by_name = detect("", path) is kind  # content alone says too little of a file of records
    if by_name if kind in _RECORDS else rules.gate.named(text):
        spans += _format_spans(text, rules, kind)[0]
    final = resolve(text, spans + lines.find(text, rules))
    opened = open_block(text)
    if opened is not None:  # a private key that does not end in this text
        final = [*(span for span in final if span.end <= opened), Span(opened, len(text), "pem")]
    stop = len(text) if end is None else end
    for span in final:
        if span.start < stop and span.end > start:
            return Finding(span.kind, span.key, text.count("\n", 0, span.start) + 1)
    return None


def mask_key_value(key: str, value: str, rules: Rules, repeats: Repeats | None = None) -> str:
    """``value`` of a structured field ``key``: a marker where the name is secret, else redacted as output."""
    if not value:
        return value
    known = Repeats() if repeats is None else repeats
    strength = rules.keys.strength(key)
    if strength and values.is_secret(strength, value, own=rules.keys.is_own(key)) and not values.is_status(value):
        known.add(value, key)
        return rules.marker.render(value)
    if is_token(value) and not values.is_marker(value):
        return rules.marker.render(value)
    return redact_output(value, rules, known).text


def mask_repeats(text: str, rules: Rules, repeats: Repeats) -> str:
    """``text`` with the values that ``repeats`` remembers masked, and nothing else."""
    return apply(text, resolve(text, repeats.first(text)), rules.marker)


def mask_arguments(items: tuple[str, ...], rules: Rules, repeats: Repeats | None = None) -> tuple[str, ...]:
    """A program's arguments with the passwords masked that only its name and flags reveal (``mysql -pX``).

    The same objects where nothing changed; arguments longer than ``MAX_ARGUMENTS`` in all come back as they are.
    """
    line = " ".join(items)
    if len(line) > MAX_ARGUMENTS or not rules.keys.default_words:
        return items
    spans = resolve(line, commands.scan(line, 0, len(line)))
    if repeats is not None:
        repeats.learn(line, spans)
    masked, at = list(items), 0
    for i, item in enumerate(items):
        inside = [
            s._replace(start=s.start - at, end=s.end - at) for s in spans if at <= s.start and s.end <= at + len(item)
        ]
        masked[i] = apply(item, inside, rules.marker)
        at += len(item) + 1
    return tuple(masked)
