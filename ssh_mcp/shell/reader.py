"""Reads a parsed command and finds every program that it could start; a permission decides about each.

The walk knows where in the text it is: which variables were certainly bound before (``bound``), which functions were
certainly defined. Everything that cannot be decided from the text alone ends in ``Denied``.
"""

from __future__ import annotations

import re

from ssh_mcp.shell import builtins, table, values
from ssh_mcp.shell.environment import protected
from ssh_mcp.shell.fed import NOTHING, UNKNOWN, Fed, from_redirects, through_pipe
from ssh_mcp.shell.invocation import Invocation, Permission
from ssh_mcp.shell.options import Denied, WritesFile
from ssh_mcp.shell.parse import BASH_ONLY, RESERVED, ShellSyntaxError, parse
from ssh_mcp.shell.refused import REFUSED
from ssh_mcp.shell.tree import (
    Arithmetic,
    Case,
    Command,
    For,
    Function,
    Group,
    If,
    Loop,
    Param,
    Pipeline,
    Redirect,
    Sequence,
    Simple,
    Substitution,
    Word,
)
from ssh_mcp.shell.values import Arg, Variables

MAX_TEXTS = 4
"""How deep texts may hold further texts: sh -c 'sh -c …'."""

_PROGRAM = re.compile(r"[A-Za-z0-9_./+:@,\[\]-]+\Z")
_HARMLESS_TARGETS = frozenset({"/dev/null", "/dev/stdout", "/dev/stderr"})
_FD = re.compile(r"\d\Z|-\Z")
_READABLE = frozenset({"/etc/os-release", "/usr/lib/os-release"})
"""Files that only assign, made to be read by shells: os-release(5)."""
_SESSION_FDS = frozenset({"7", "8", "9"})
"""A session reads its commands from 7 and reports on 8 and 9 (remote/shell_text.py)."""
_REMEDY_WRITE = "use ssh_upload, ssh_edit or ssh_deploy to write files"


class CommandReader:
    """Reads one text. ``found`` collects what the command starts, in reading order.

    ``targets`` None: a redirection into a file is denied; a list: it collects the files (None where an expansion
    decides which).
    """

    def __init__(
        self,
        text: str,
        permission: Permission,
        found: list[Invocation],
        level: int = 0,
        *,
        targets: list[str | None] | None = None,
        fed: Fed = NOTHING,
    ) -> None:
        self.text = text
        self.permission = permission
        self.found = found
        self.level = level
        self.targets = targets
        self.fed = fed
        self.variables = Variables()
        self.functions: set[str] = set()

    def run_script(self, *, binds: bool = True) -> None:
        """Parse and decide the whole text. Raises Denied. ``binds`` False: it must not set variables."""
        try:
            body = parse(self.text).body
        except ShellSyntaxError as error:
            raise Denied(error.reason, error.part) from None
        self.variables = values.collect(body)
        if not binds and self.variables.bindings:
            raise Denied("a trap must not set variables", self.text)
        self.sequence(body, frozenset(), top=True)

    # --- structure --------------------------------------------------------------------------------------------------

    def sequence(self, body: Sequence, bound: frozenset[str], *, top: bool = False) -> None:
        for item in body.items:
            for pipeline in item.pipelines:
                self.pipeline(pipeline, bound)
            first = item.pipelines[0]
            if item.background or first.negated or len(first.commands) != 1:
                continue
            match first.commands[0]:  # what certainly happened before the next item
                case Simple(assignments, (), (), _):
                    bound |= {a.name for a in assignments}
                case Function(name, _, _) if top:
                    self.functions.add(name)
                case _:
                    pass

    def pipeline(self, pipeline: Pipeline, bound: frozenset[str]) -> None:
        outer = self.fed
        for index, command in enumerate(pipeline.commands):
            self.fed = outer if index == 0 else through_pipe(pipeline.commands[index - 1])
            self.command(command, bound)
        self.fed = outer

    def command(self, command: Command, bound: frozenset[str]) -> None:
        """Several commands that share one input each find a part of it, so that it is unknown to them."""
        mine = from_redirects(values.redirects(command), self.fed)
        self.fed = self.fed if self.fed == NOTHING else UNKNOWN
        self.expansions(command, bound)
        for redirect in values.redirects(command):
            self.redirect(redirect)
        self.fed = mine if isinstance(command, Simple) or mine == NOTHING else UNKNOWN
        match command:
            case Simple():
                self.simple(command, bound)
            case Group(_, body, _):
                self.sequence(body, bound)
            case If(conditions, branches, _):
                for part in (*conditions, *branches):
                    self.sequence(part, bound)
            case Loop(condition, body, _):
                self.sequence(condition, bound)
                self.sequence(body, bound)
            case For(name, _, body, _):
                self.variable(name, None)
                self.sequence(body, bound | {name})
            case Case(_, arms, _):
                for _, body in arms:
                    self.sequence(body, bound)
            case Function():
                self.function(command)

    def function(self, function: Function) -> None:
        """A function may carry no name that means something else where its definition did not happen."""
        name = function.name
        known = name in builtins.FREE | RESERVED | BASH_ONLY | REFUSED | builtins.OTHERS
        if known or self.permission.names(name) or table.row(name) is not None or protected(name):
            raise Denied("a function must not carry the name of a program", name)
        self.fed = UNKNOWN  # where it is called decides
        self.command(function.body, frozenset())

    def expansions(self, command: Command, bound: frozenset[str]) -> None:
        for part in values.own_parts(command):
            match part:
                case Substitution(_, body, _):
                    self.sequence(body, bound)
                case Arithmetic():
                    self.arithmetic(part, bound)
                case Param(name, _, op, _) if op in ("=", ":="):
                    self.variable(name, None)
                case _:
                    pass

    def arithmetic(self, part: Arithmetic, bound: frozenset[str]) -> None:
        """Bash runs a command substitution that the *value* of an operand holds, as in ``x='a[$(touch y)]'``."""
        for name in part.names:
            if not self.variables.computes(name, bound):
                raise Denied("arithmetic runs what its variable holds; assign it a plain number first", f"$(({name}")
        if not all(self.variables.counts(c) for c in part.commands):
            raise Denied("arithmetic runs what a command in it prints", "$(( $(")

    def redirect(self, redirect: Redirect) -> None:
        target = redirect.target.static
        excerpt = self.excerpt(redirect.target)
        if redirect.fd in _SESSION_FDS or (redirect.op in (">&", "<&") and target in _SESSION_FDS):
            raise Denied(
                "the descriptors 7, 8 and 9 belong to the shell session", f"{redirect.fd}{redirect.op}{excerpt}"
            )
        if redirect.op in ("<<", "<<-", "<<<"):
            return
        if redirect.op in (">&", "<&") and target is not None and _FD.match(target):
            return
        if redirect.op == "<":
            if target is not None and target.startswith(("/dev/tcp/", "/dev/udp/")):
                raise Denied("bash opens a network connection for this name", excerpt)
            return
        if redirect.op == "<&" or target not in _HARMLESS_TARGETS:
            if self.targets is not None and redirect.op != "<&":
                self.targets.append(target)
                return
            raise Denied("the command redirects into a file", f"{redirect.op}{excerpt}", _REMEDY_WRITE)

    def variable(self, name: str, value: str | None) -> None:
        if protected(name, value):
            raise Denied(f"setting {name} can change which program runs", f"{name}=")

    def excerpt(self, word: Word) -> str:
        return self.text[word.start : word.end]

    # --- programs ---------------------------------------------------------------------------------------------------

    def simple(self, command: Simple, bound: frozenset[str]) -> None:
        reads = bool(command.words) and command.words[0].bare == "read"
        for assignment in command.assignments:
            if not (assignment.name == "IFS" and reads):  # the idiom IFS= read -r line, which lasts for this command
                self.variable(assignment.name, assignment.value.static)
        if not command.words:
            return
        args = [self.variables.arg(w, bound, self.excerpt(w)) for w in command.words]
        name = args[0].value
        if name is not None and name in self.functions:
            return
        if name == "." and len(args) == 2 and args[1].value in _READABLE:
            return
        if name in builtins.FREE:
            self.builtin(name, args[1:], bound)
            return
        if name == "exec" and len(args) == 1:
            self.exec_alone(command.redirects)
        self.program(args)

    def exec_alone(self, redirects: tuple[Redirect, ...]) -> None:
        """``exec`` may move the outputs only: a shell session whose input is a file runs what is in it."""
        for redirect in redirects:
            quiet = redirect.op == "<" and redirect.target.static == "/dev/null"
            if redirect.fd == "0" or (redirect.op.startswith("<") and not quiet):
                raise Denied("`exec` would change where the shell reads its commands", self.excerpt(redirect.target))

    def builtin(self, name: str, args: list[Arg], bound: frozenset[str]) -> None:
        if name == "trap":
            self.trap(args)
            return
        builtins.check(name, args, builtins.Scope(self.variables, bound, frozenset(self.functions)))

    def trap(self, args: list[Arg]) -> None:
        if args and args[0].value == "--":
            args = args[1:]
        if not args or args[0].value in ("", "-", "-p", "-l"):
            return
        self.run_text(args[0], "trap", binds=False)

    def program(self, args: list[Arg]) -> None:
        """A program by its name or absolute path, with its arguments where they matter."""
        name = args[0].value
        if not name:
            raise Denied("the name of a program must be written in the text and not be an expansion", args[0].excerpt)
        base = name.rpartition("/")[2]
        if "/" in name and not name.startswith("/"):
            raise Denied("a program may be named by its name or absolute path only", name)
        if not _PROGRAM.match(name) or base in ("", ".."):
            raise Denied("this is not the name of a program", name)
        if not REFUSED.isdisjoint(table.other_names(base)) or name in RESERVED or name in BASH_ONLY - {"time"}:
            raise Denied(f"what `{base}` does cannot be decided from the text", name)
        if not self.permission.permits(name, args[1:]):
            raise Denied(self._missing(name), name)
        self.found.append(Invocation(name, tuple(a.value for a in args[1:])))
        row = table.row(base)
        if row is None:
            return
        try:
            row(args[1:], self)
        except WritesFile:
            if self.targets is None:
                raise

    def _missing(self, name: str) -> str:
        if self.permission.names(name):
            return f"`{name}` is on the command allowlist only with other first words"
        return f"`{name}` is not on the command allowlist"

    # --- what wrappers call -----------------------------------------------------------------------------------------

    def run(self, args: list[Arg]) -> None:
        """A command that a wrapper starts: functions are not seen there, and builtins are programs like others."""
        if args[0].value in builtins.STATEFUL:
            raise Denied("this builtin must be a command of its own", args[0].excerpt)
        if args[0].value in builtins.TESTS and self.permission.names(args[0].value or ""):
            builtins.check(args[0].value or "", args[1:], builtins.Scope(self.variables, frozenset(), frozenset()))
        self.program(args)

    def run_text(self, arg: Arg, starter: str, *, binds: bool = True) -> None:
        """A text that a shell reads."""
        if arg.value is None:
            raise Denied(f"the commands that `{starter}` runs hold an expansion", arg.excerpt)
        if self.level >= MAX_TEXTS:
            raise Denied("shells are nested too deep", arg.excerpt)
        inner = CommandReader(
            arg.value, self.permission, self.found, self.level + 1, targets=self.targets, fed=self.fed
        )
        inner.run_script(binds=binds)
