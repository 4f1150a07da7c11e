"""A summary as one HTML page: self-contained, readable without scripts, light and dark.

The page allows itself nothing but its own style (Content-Security-Policy): whatever a host's or client's name holds,
nothing is loaded and nothing runs.
"""

from __future__ import annotations

import html
import time
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from typing import Final

from ssh_mcp.errors import Refusal
from transports.errors import TransportError

from .reader import began, failed
from .record import AuditRecord
from .rows import ending
from .summary import Summary, Tally, Timeline

_MOST: Final = 40
"""Rows of a table."""

_WIDTH, _HEIGHT, _FOOT, _TOP = 1040, 168, 22, 12  # of the timeline, in SVG units
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_FOOTER: Final = (
    "<footer>From <code>{source}</code>, made {made} by ssh-mcp. Times are local. "
    "Commands and paths are shown only where SSH_AUDIT_DETAIL=masked kept them, secrets masked.</footer>"
)
_OUTCOMES: Final = {"granted": "good", "denied": "bad", "pending": "warn", "unavailable": "warn"}


def page(total: Summary, latest: Sequence[AuditRecord], *, source: str, broken: str | None, made: float) -> str:
    """The page. ``latest`` are the calls listed at its end, ``broken`` a sentence about the chain, ``made`` when."""
    style = resources.files("ssh_mcp.audit").joinpath("report.css").read_text(encoding="utf-8")
    return "\n".join(
        (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">',
            f"<title>SSH audit report</title><style>\n{style}</style></head><body><main>",
            "<h1>What was done over SSH</h1>",
            f'<p class="range">{_range(total)}</p>',
            _chain(broken),
            _tiles(total),
            _timeline(total.timeline) if total.calls else "",
            '<div class="pair">',
            _tallies("Hosts", "host", total.hosts),
            _tallies("Tools", "tool", total.tools),
            "</div>",
            _refusals(total),
            _approvals(total),
            _calls("Slowest calls", total.slowest),
            _latest(latest),
            _FOOTER.format(source=_text(source), made=_time(made)),
            "</main></body></html>\n",
        )
    )


def meaning(error: str) -> str:
    """The first sentence about an error's class, or nothing for one that is none of ours."""
    known: list[type[Exception]] = [Refusal, TransportError]
    for kind in known:
        known += kind.__subclasses__()
        if error in (getattr(kind, "public_name", ""), kind.__name__):
            return (kind.__doc__ or "").strip().split("\n")[0].replace("``", "")
    return ""


def _range(total: Summary) -> str:
    if total.first is None or total.last is None:
        return "No call matches."
    return f"{_time(total.first)} to {_time(total.last)}"


def _chain(broken: str | None) -> str:
    if broken is not None:
        return f'<p class="note bad">{_text(broken)}</p>'
    return '<p class="note good">The hash chain is whole: no line was changed, removed or moved.</p>'


def _tiles(total: Summary) -> str:
    asked = total.asked.total()
    tiles = [
        (total.calls, "calls", ""),
        (total.errors, "failed or refused", "bad" if total.errors else ""),
        (len(total.hosts), "hosts", ""),
        (len(total.clients), "clients", ""),
        (sum(count for tier, count in total.tiers.items() if tier != "read"), "calls that may change something", ""),
        (asked, "asked a person", ""),
    ]
    return (
        '<div class="tiles">'
        + "".join(f'<div class="tile {kind}"><b>{count:,}</b><span>{name}</span></div>' for count, name, kind in tiles)
        + "</div>"
    )


def _timeline(line: Timeline) -> str:
    first, last = min(line.calls), max(line.calls)
    most = max(line.calls.values())
    step = _WIDTH / (last - first + 1)
    bars = []
    for bucket, calls in sorted(line.calls.items()):
        x, width = (bucket - first) * step, max(1.0, min(step * 0.82, 26.0))
        height, wrong = calls / most * _HEIGHT, line.errors[bucket] / most * _HEIGHT
        title = f"{_time(bucket * line.width)}: {calls} calls, {line.errors[bucket]} failed or refused"
        bars.append(
            f"<g><title>{title}</title>{_bar('calls', x, width, height - wrong, wrong)}"
            f"{_bar('errors', x, width, wrong, 0)}</g>"
        )
    bottom = _HEIGHT + _TOP
    grid = "".join(
        f'<line class="grid" x1="0" x2="{_WIDTH}" y1="{y:.0f}" y2="{y:.0f}"/>'
        for y in (_TOP, _TOP + _HEIGHT / 2, bottom)
    )
    marks = "".join(
        f'<text x="{share * _WIDTH:.0f}" y="{bottom + 16}" text-anchor="{anchor}">'
        f"{_time((first + share * (last - first + 1)) * line.width)}</text>"
        for share, anchor in ((0, "start"), (0.5, "middle"), (1, "end"))
    )
    return (
        f'<section><h2>When</h2><svg viewBox="0 0 {_WIDTH} {bottom + _FOOT}" role="img" '
        f'aria-label="Calls over time"><text x="0" y="{_TOP - 3}">{most:,}</text>{grid}{"".join(bars)}{marks}</svg>'
        f'<p class="legend"><i></i>calls<i class="errors"></i>failed or refused, per {_span(line.width)}</p></section>'
    )


def _bar(kind: str, x: float, width: float, height: float, above: float) -> str:
    if height <= 0:
        return ""
    y = _TOP + _HEIGHT - above - height
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{max(height, 0.8):.1f}" rx="1"/>'


def _tallies(title: str, column: str, tallies: Mapping[str, Tally]) -> str:
    ordered = sorted(tallies.items(), key=lambda item: (-item[1].calls, item[0]))
    most = ordered[0][1].calls if ordered else 1
    rows = [
        f'<tr><td>{_text(name)}<span class="share"><i style="width:{t.calls / most * 100:.0f}%"></i></span></td>'
        f'<td class="n">{t.calls:,}</td><td class="n {"bad-n" if t.errors else ""}">{t.errors:,}</td>'
        f'<td class="n">{_took(t.total_ms / t.calls)}</td><td class="n">{_took(t.longest_ms)}</td></tr>'
        for name, t in ordered[:_MOST]
    ]
    return _table(title, (column, "n:calls", "n:failed", "n:mean", "n:longest"), rows, len(ordered))


def _refusals(total: Summary) -> str:
    rows = [
        f'<tr><td><span class="chip bad">{_text(error)}</span></td><td>{_text(tool)}</td><td>{_text(host)}</td>'
        f'<td class="n">{times:,}</td><td class="why">{_text(meaning(error))}</td></tr>'
        for (error, tool, host), times in total.refusals.most_common(_MOST)
    ]
    return _table("Refused and failed, and why", ("what", "tool", "host", "n:times", "why"), rows, len(total.refusals))


def _approvals(total: Summary) -> str:
    rows = []
    for record in reversed(total.approvals[-_MOST:]):
        note = record.approval
        if note is not None:
            rows.append(
                f'<tr><td class="t">{_time(began(record))}</td><td>{_host(record)}</td><td>{_text(record.tool)}</td>'
                f'<td><span class="chip {_OUTCOMES.get(note.outcome, "warn")}">{_text(note.outcome)}</span></td>'
                f"<td>{_text(note.who or '')}</td><td>{_text(note.channel)}</td>"
                f'<td class="n">{_took(note.waited_ms)}</td></tr>'
            )
    columns = ("time", "host", "tool", "outcome", "who", "channel", "n:waited")
    return _table("Approvals, latest first", columns, rows, total.asked.total())


def _calls(title: str, records: Iterable[AuditRecord]) -> str:
    rows = [_call(record) for record in records]
    return _table(title, _CALL_COLUMNS, rows, len(rows))


_CALL_COLUMNS: Final = ("time", "host", "tool", "n:took", "result", "detail")


def _call(record: AuditRecord) -> str:
    result = ending(record)
    detail = record.command or " ".join(record.paths) or (f"job {record.job}" if record.job else record.client or "")
    return (
        f'<tr><td class="t">{_time(began(record))}</td><td>{_host(record)}</td><td>{_text(record.tool)}</td>'
        f'<td class="n">{_took(record.duration_ms)}</td>'
        f'<td><span class="chip {"bad" if failed(record) else "good"}">{_text(result)}</span></td>'
        f"<td>{f'<code>{_text(detail)}</code>' if record.command or record.paths else _text(detail)}</td></tr>"
    )


def _latest(records: Sequence[AuditRecord]) -> str:
    if not records:
        return ""
    rows = "".join(_call(record) for record in reversed(records))
    return (
        f"<section><details><summary>The last {len(records):,} calls</summary>"
        f"<table>{_head(_CALL_COLUMNS)}<tbody>{rows}</tbody></table></details></section>"
    )


def _table(title: str, columns: Sequence[str], rows: Sequence[str], number: int) -> str:
    """A section, or nothing where there are no rows. Columns that begin with ``n:`` hold numbers."""
    if not rows:
        return ""
    rest = f'<p class="legend">{number - len(rows):,} more are not shown.</p>' if number > len(rows) else ""
    return f"<section><h2>{title}</h2><table>{_head(columns)}<tbody>{''.join(rows)}</tbody></table>{rest}</section>"


def _head(columns: Sequence[str]) -> str:
    cells = "".join(
        f'<th class="n">{column[2:]}</th>' if column.startswith("n:") else f"<th>{column}</th>" for column in columns
    )
    return f"<thead><tr>{cells}</tr></thead>"


def _host(record: AuditRecord) -> str:
    return _text(f"{len(record.hosts)} hosts" if record.hosts else record.alias or record.host or "-")


def _took(milliseconds: float) -> str:
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    return f"{milliseconds / 1000:.1f} s" if milliseconds < 60_000 else _span(milliseconds / 1000)


def _span(seconds: float) -> str:
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            count = round(seconds / size, 1)
            return f"{count:g} {unit}{'' if count == 1 else 's'}"
    return f"{seconds:g} seconds"


def _time(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def _text(text: str) -> str:
    """Escaped, without characters that change the order of others."""
    return html.escape("".join(c if c.isprintable() else "�" for c in text))
