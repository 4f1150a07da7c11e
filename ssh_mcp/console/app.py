"""The console itself: views of what the servers do, the audit as it grows, and questions to decide."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar, Final

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import DataTable, Footer, Input, Static

from ssh_mcp.audit import reader
from ssh_mcp.audit.record import AuditRecord
from ssh_mcp.console.rows import AUDIT_COLUMNS, FILTERS, VIEWS, Row, audit_cells, audit_detail
from ssh_mcp.console.servers import Servers

KEPT: Final = 5_000
"""Audit lines that can be searched."""

SHOWN: Final = 1_000
"""Audit lines in the table."""

MINUTES: Final = 10
"""How long equal calls run after ``t``."""

_NARROW: Final = 74
"""Columns below which names are short."""

_SHORT: Final = ("Now", "Conn", "Jobs", "Fwd", "Ask")

HELP: Final = """\
1 to 5       now, connections, jobs, forwards, approvals
tab          between the view above and the audit below
↑ ↓ PgUp PgDn Home End    move
enter, d     details of the marked line
/            search the audit; empty shows everything
f            filter it: all, failed, changes, asked
a            the audit alone, and back
space        stop at a line, or follow new ones again

In approvals (5), about the question whose text is shown:
y            yes, this once
n            no
t            yes, and equal calls for ten minutes
x            withdraw the marked grant

escape       close details, search, this page
q            leave; servers go on, questions wait"""


class Help(ModalScreen[None]):
    """The keys."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape,question_mark,q,enter", "dismiss", "Close")]

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help"):
            yield Static(HELP, markup=False)


class Console(App[None]):
    """Full screen, over all servers of this user. ``audit``: the file whose last lines are shown at the start."""

    CSS_PATH = Path(__file__).with_name("console.tcss")
    TITLE = "ssh-mcp console"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(n), f"view({n - 1})", view.title, show=False) for n, view in enumerate(VIEWS, 1)),
        Binding("y", "decide(True)", "Yes"),
        Binding("n", "decide(False)", "No"),
        Binding("t", "decide(True, True)", "10 min"),
        Binding("x", "revoke", "Withdraw", show=False),
        Binding("enter,d", "details", "Details", key_display="⏎", priority=False),
        Binding("slash", "search", "Search", key_display="/"),
        Binding("f", "filter", "Filter"),
        Binding("a", "alone", "Audit"),
        Binding("space", "follow", "Follow", show=False),
        Binding("escape", "close", "Close", show=False),
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("q", "quit", "Quit"),
    ]

    def __init__(self, audit: Path | None = None) -> None:
        super().__init__()
        self.servers = Servers(self._changed, self._line)
        self._audit = audit
        self._records: deque[AuditRecord] = deque(maxlen=KEPT)
        self._shown: list[AuditRecord] = []
        self._view = 0
        self._rows: list[Row] = []
        self._asked: Row | None = None
        """The question whose text is on the screen: the only one that a key decides."""
        self._cursor: str | None = None
        """The key of the row that the upper table's cursor was on when somebody last moved it, or after a refill."""
        self._known: set[str] = set()
        self._filter = "all"
        self._search = ""
        self._follow = True

    def clock(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def compose(self) -> ComposeResult:
        yield Static(id="top", markup=False)
        yield Static(id="views")
        yield DataTable(id="table", cursor_type="row", zebra_stripes=True)
        yield Static(id="audit-title", markup=False)
        yield Input(placeholder="search: host, tool, error, command …", id="search")
        yield DataTable(id="audit", cursor_type="row", zebra_stripes=True)
        with VerticalScroll(id="pane", can_focus=False):
            yield Static(id="detail", markup=False)
        yield Footer(compact=True)

    def on_mount(self) -> None:
        self._lines_table.add_columns(*AUDIT_COLUMNS)
        if self._audit is not None and self._audit.exists():
            self._records.extend(reader.last(self._audit, SHOWN, reader.Query()))
        self._refill_audit()
        self._table.focus()
        self.action_view(0)
        self.run_worker(self.servers.watch(), exclusive=True, name="servers")

    # --- what the servers say -----------------------------------------------------------------------------------------

    @property
    def _table(self) -> DataTable[Text]:
        return self.query_one("#table", DataTable)

    @property
    def _lines_table(self) -> DataTable[Text]:
        return self.query_one("#audit", DataTable)

    def _changed(self) -> None:
        questions = {a.id for seen in self.servers.seen.values() for a in seen.status.approvals}
        if questions - self._known:
            self.bell()
        self._known = questions
        self._refill()
        self._headings()

    def _line(self, record: AuditRecord) -> None:
        self._records.append(record)
        if self._wanted(record):
            self._shown.append(record)
            if len(self._shown) > SHOWN + 200:
                self._refill_audit()
            else:
                self._lines_table.add_row(*self._cells(record))
                if self._follow:
                    self._lines_table.move_cursor(row=len(self._shown) - 1, animate=False)
        self._headings()

    def _rows_of(self, number: int) -> list[Row]:
        return [
            row
            for each in self.servers.seen.values()
            for row in VIEWS[number].rows(each.path, each.status, each.grants)
        ]

    def _refill(self) -> None:
        """Redraw the upper table, with the cursor on the same thing as before, where it is still there."""
        table, before = self._table, self._marked()
        self._rows = self._rows_of(self._view)
        table.clear()
        for row in self._rows:
            table.add_row(*(Text(cell, no_wrap=True, overflow="ellipsis") for cell in row.cells))
        keys = [row.key for row in self._rows]
        if before is not None and before.key in keys:
            table.move_cursor(row=keys.index(before.key), animate=False)
        marked = self._marked()
        self._cursor = marked.key if marked is not None else None
        if self._asked is not None and self._asked.key not in keys:
            self._asked = None
            self._detail("That question is settled.")

    def _marked(self) -> Row | None:
        at = self._table.cursor_row
        return self._rows[at] if 0 <= at < len(self._rows) else None

    def _headings(self) -> None:
        seen = self.servers.seen.values()
        waiting = sum(len(each.status.approvals) for each in seen)
        top = self.query_one("#top", Static)
        count = len(self.servers.seen)
        narrow = self.size.width < _NARROW
        text = f"{count} server{'' if count == 1 else 's'}" if count else "No server of yours runs now"
        text = text if narrow else f"ssh-mcp console   {text}"
        if waiting:
            text += f"   {waiting} call{' waits' if waiting == 1 else 's wait'} for you: press 5"
        top.set_class(bool(waiting), "waiting")
        top.update(f"{text}   {time.strftime('%H:%M:%S', time.localtime(self.clock()))}")
        bar = Text()
        for number, view in enumerate(VIEWS):
            rows = len(self._rows_of(number))
            name = _SHORT[number] if narrow else view.title
            style = "reverse bold" if number == self._view else "bold yellow" if number == 4 and waiting else ""
            bar.append(f" {number + 1} {name}{f' {rows}' if rows else ''} ", style)
        self.query_one("#views", Static).update(bar)
        parts = ["Audit", f"{len(self._shown)} lines", self._filter]
        parts += [f"search {self._search!r}"] if self._search else []
        parts += [] if self._follow else ["stopped"]
        parts += [f"{self.servers.lost} missed"] if self.servers.lost else []
        title = self.query_one("#audit-title", Static)
        title.update(" · ".join(parts))
        title.set_class(self._lines_table.has_focus, "focused")

    # --- the audit ----------------------------------------------------------------------------------------------------

    def _wanted(self, record: AuditRecord) -> bool:
        return FILTERS[self._filter](record) and (not self._search or self._search in audit_detail(record).lower())

    def _cells(self, record: AuditRecord) -> Iterable[Text]:
        style = "red" if reader.failed(record) else ""
        return (Text(c, style, no_wrap=True) for c in audit_cells(record, reader.began(record)))

    def _refill_audit(self) -> None:
        self._shown = [record for record in self._records if self._wanted(record)][-SHOWN:]
        self._lines_table.clear()
        for record in self._shown:
            self._lines_table.add_row(*self._cells(record))
        if self._shown:
            self._lines_table.move_cursor(row=len(self._shown) - 1, animate=False)

    # --- keys ---------------------------------------------------------------------------------------------------------

    def action_view(self, number: int) -> None:
        self._view, self._asked = number, None
        self.remove_class("alone")
        self._table.clear(columns=True)
        self._table.add_columns(*VIEWS[number].columns)
        self._rows = []
        self._refill()
        self._table.focus()
        self._headings()
        self._show_marked(open_pane=VIEWS[number].name == "approvals")

    def action_details(self) -> None:
        pane = self.query_one("#pane")
        if pane.has_class("open") and not (self._view == 4 and self._asked is None):
            self.action_close()
        else:
            self._show_marked(open_pane=True)

    def on_data_table_row_selected(self) -> None:
        self.action_details()

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        if event.data_table is self._lines_table:
            moved = self._lines_table.has_focus
            if moved:
                self._follow = self._follow and event.cursor_row >= len(self._shown) - 1
        else:  # a refill marks rows too, and must not put another question in front of the operator's key
            row = self._marked()
            moved = row is not None and row.key != self._cursor
            self._cursor = row.key if row is not None else None
        if moved and self.query_one("#pane").has_class("open"):
            self._show_marked(open_pane=False)

    def _show_marked(self, *, open_pane: bool) -> None:
        if open_pane:
            self.query_one("#pane").add_class("open")
            self.call_after_refresh(self._to_end)  # the audit has fewer lines now
        if self._lines_table.has_focus:
            at = self._lines_table.cursor_row
            self._detail(audit_detail(self._shown[at]) if 0 <= at < len(self._shown) else "No line matches.")
            return
        row = self._marked()
        self._asked = row if row is not None and row.question is not None else None
        self._detail(row.detail if row is not None else VIEWS[self._view].empty)

    def _detail(self, text: str) -> None:
        self.query_one("#detail", Static).update(Text(text))

    async def action_decide(self, yes: bool, lasting: bool = False) -> None:
        row = self._asked
        if row is None or row.question is None:
            if self._view != 4:
                self.action_view(4)
            else:
                self._show_marked(open_pane=True)
            self.notify("Read the question, then press the key again." if self._asked else "Nothing waits for you.")
            return
        self._asked = None
        said = await self.servers.decide(row.server, row.question, yes=yes, minutes=MINUTES if lasting else None)
        self.notify(said)
        await self.servers.look()

    async def action_revoke(self) -> None:
        row = self._marked()
        if row is None or row.grant is None:
            self.notify("Mark a grant first (5).")
            return
        self.notify(await self.servers.revoke(row.grant))
        await self.servers.look()

    def action_search(self) -> None:
        box = self.query_one("#search", Input)
        box.add_class("open")
        box.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        self._search = event.value.strip().lower()
        self._refill_audit()
        self._headings()

    def on_input_submitted(self) -> None:
        self.query_one("#search").remove_class("open")
        self._lines_table.focus()
        self._headings()

    def action_filter(self) -> None:
        names = list(FILTERS)
        self._filter = names[(names.index(self._filter) + 1) % len(names)]
        self._refill_audit()
        self._headings()

    def action_alone(self) -> None:
        self.toggle_class("alone")
        (self._lines_table if self.has_class("alone") else self._table).focus()
        self._headings()

    def action_follow(self) -> None:
        self._follow = not self._follow
        self._to_end()
        self._headings()

    def _to_end(self) -> None:
        if self._follow and self._shown:
            self._lines_table.move_cursor(row=len(self._shown) - 1, animate=False)
            self._lines_table.scroll_end(animate=False)

    def action_close(self) -> None:
        box = self.query_one("#search", Input)
        if box.has_class("open"):
            box.value = ""
            box.remove_class("open")
            self._lines_table.focus()
        else:
            self.query_one("#pane").remove_class("open")
            self._asked = None

    def action_help(self) -> None:
        self.push_screen(Help())

    def on_resize(self) -> None:
        self._headings()

    def on_descendant_focus(self) -> None:
        self._headings()
