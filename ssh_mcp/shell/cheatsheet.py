"""The cheatsheet: commands that are just one dedicated tool's job, and commands that name a file which holds secrets.

Both refusals name the tool and its arguments, so that a model's next call is the right one.
Composite commands, appends, /dev/null and pipes that transform are left alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container
from dataclasses import dataclass, replace

from ssh_mcp.errors import CommandIsCheatsheetMatch, RedactBypassBlocked
from ssh_mcp.shell.parse import ShellSyntaxError, parse
from ssh_mcp.shell.recipes import FILES, SYSTEM, Maker, Recipe, Value, under_sudo, write
from ssh_mcp.shell.recipes_docker import compose, docker
from ssh_mcp.shell.redacted import Finder
from ssh_mcp.shell.tree import Redirect, Sequence, Simple, Word

REDACT_PATH = "redact-path"
"""Pattern id of a command that names a redact-listed path."""

_SUDO_FLAGS = frozenset({"-n", "-S", "-E", "-H", "--non-interactive", "--stdin", "--"})


def _login_only(maker: Maker) -> Maker:
    """The container tools have the rights of the login: the same under sudo is left alone."""

    def make(args: list[str]) -> Recipe | None:
        found = maker(args)
        return None if found is None else replace(found, sudo_tool=None)

    return make


_MAKERS = {
    **FILES,
    **SYSTEM,
    "docker": _login_only(docker),
    "podman": _login_only(docker),
    "docker-compose": _login_only(compose),
    "podman-compose": _login_only(compose),
}
_SHELLS = frozenset({"sh", "bash", "dash", "ash"})
_LONG = 200


@dataclass(frozen=True, slots=True)
class Context:
    """Where the command would run. ``matches`` says whether an exact path is redact-listed, ``globs`` are the list;
    ``delivers`` that a command which names one may run all the same; ``container`` that it runs inside of one, whose
    files, units and packages no dedicated tool reaches. ``elevated``: the unit, package and journal tools use sudo by
    themselves; ``closed`` are the tools that a caller cannot use.
    """

    globs: tuple[str, ...] = ()
    matches: Callable[[str], bool] = lambda _path: False
    default_dir: str | None = None
    sudo: bool = False
    host: str = ""
    patterns: bool = True
    delivers: bool = False
    container: bool = False
    elevated: bool = False
    closed: Container[str] = frozenset()

    def opens(self, tool: str) -> bool:
        """Whether a caller could use the tool: one that is closed must not be named."""
        return tool not in self.closed


def check(command: str, context: Context) -> str | None:
    """The redact-listed path that the command names and may name.

    Raises CommandIsCheatsheetMatch; for a redact-listed path RedactBypassBlocked where the patterns are off.
    """
    path = check_paths(command, context)
    if context.patterns and not context.container:
        found = match(command, sudo=context.sudo, elevated=context.elevated)
        if found is not None and context.opens(found.tool):
            call = render(found, context.host)
            exact = f"; {found.exact} gives the exact bytes" if found.exact and context.opens(found.exact) else ""
            raise CommandIsCheatsheetMatch(
                f"This command is just the job of {found.tool}.",
                f"Call {call} instead{exact}.",
                pattern_id=found.pattern_id,
            )
    return path


def check_paths(command: str, context: Context) -> str | None:
    """Only the redact-listed paths: for a script too, which no tool could do the whole job of. Raises as ``check``."""
    if not context.globs:
        return None
    path = Finder(context.globs, context.matches, context.default_dir).find(command)
    if path is not None and not context.delivers:
        raise _redact_listed(path, command, context)
    return path


def _redact_listed(path: str, command: str, context: Context) -> CommandIsCheatsheetMatch | RedactBypassBlocked:
    first = _first_program(command)
    tool = "ssh_sudo_read_redacted" if context.sudo or first in ("sudo", "doas") else "ssh_read_redacted"
    what = f"The command names {_shown(path)}, which is on the list of files that hold secrets."
    call = render(Recipe(REDACT_PATH, tool, (("path", path[:_LONG]),)), context.host)
    if context.container:
        remedy = "Copy it to the host under the same name with ssh_docker_cp and read it there with ssh_read_redacted."
    else:
        remedy = (
            f"Call {call} instead." if context.opens(tool) else "The operator can open the tools that mask secrets."
        )
    if context.patterns:
        return CommandIsCheatsheetMatch(what, remedy, pattern_id=REDACT_PATH)
    return RedactBypassBlocked(what, remedy)


def _shown(path: str) -> str:
    return json.dumps(path[:_LONG])


def render(found: Recipe, host: str) -> str:
    """``ssh_sftp_download(host="web01", path="/etc/hosts", last_lines=20)``."""
    params = ", ".join(f"{k}={_value(v)}" for k, v in found.params)
    return f"{found.tool}(host={json.dumps(host) if host else '…'}{', ' if params else ''}{params})"


def _value(value: Value) -> str:
    if value is None:
        return "…"
    text = json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
    return text if len(text) <= _LONG else "…"


# --- matching -------------------------------------------------------------------------------------------------------


def match(command: str, *, sudo: bool = False, elevated: bool = False, depth: int = 0) -> Recipe | None:
    """The recipe whose job ``command`` is, wholly and nothing else."""
    try:
        body = parse(command).body
    except ShellSyntaxError:
        return None
    simple = _single(body)
    if simple is None:
        return None
    if not isinstance(simple, Simple):
        return _piped(*simple, sudo=sudo)
    return _of(simple, sudo=sudo, elevated=elevated, depth=depth)


def _single(body: Sequence) -> Simple | tuple[Simple, Simple] | None:
    """The one simple command, or two joined by a pipe, that the text consists of."""
    if len(body.items) != 1 or body.items[0].background or len(body.items[0].pipelines) != 1:
        return None
    pipeline = body.items[0].pipelines[0]
    commands = [c for c in pipeline.commands if isinstance(c, Simple) and not c.assignments]
    if pipeline.negated or len(commands) != len(pipeline.commands) or len(commands) > 2:
        return None
    return commands[0] if len(commands) == 1 else (commands[0], commands[1])


def _words(words: tuple[Word, ...]) -> list[str] | None:
    """Their exact values; a leading ``~/`` means itself. None where a word depends on anything."""
    out = []
    for word in words:
        value = word.static
        if value is None and word.bare and word.bare.startswith("~/") and not set(word.bare) & set("*?[{"):
            value = word.bare
        if value is None:
            return None
        out.append(value)
    return out


def _of(command: Simple, *, sudo: bool, elevated: bool, depth: int) -> Recipe | None:
    words = _words(command.words)
    if words is None or not words:
        return None
    words, as_root = _without_sudo(words)
    sudo = sudo or as_root
    if not words:
        return None
    program = words[0].rpartition("/")[2]
    if program in _SHELLS and len(words) == 3 and words[1] in ("-c", "-lc") and depth < 2:
        return match(words[2], sudo=sudo, elevated=elevated, depth=depth + 1)
    if program == "tee":
        return _fit(_tee(words, command.redirects), sudo=sudo, elevated=elevated)
    written = _written(command.redirects)
    if written is not None:
        return _fit(_writing(program, words, written, command.redirects), sudo=sudo, elevated=elevated)
    if not _quiet(command.redirects):
        return None
    maker = _MAKERS.get(program)
    return _fit(_of_files(maker(words[1:])), sudo=sudo, elevated=elevated) if maker else None


def _of_files(found: Recipe | None) -> Recipe | None:
    """The file tools read no devices and kernel links: ``head -c 16 /dev/urandom`` is left alone."""
    paths = [v for k, v in found.params if k in ("path", "src", "dst")] if found else []
    return None if any(isinstance(p, str) and p.startswith("/dev/") for p in paths) else found


def _fit(found: Recipe | None, *, sudo: bool, elevated: bool) -> Recipe | None:
    return under_sudo(found, elevated=elevated) if found is not None and sudo else found


def _without_sudo(words: list[str]) -> tuple[list[str], bool]:
    if words[0] not in ("sudo", "/usr/bin/sudo", "doas"):
        return words, False
    rest = words[1:]
    while rest and rest[0] in _SUDO_FLAGS:
        rest.pop(0)
    if rest[:2] in (["-u", "root"], ["--user", "root"]) or rest[:1] in (["-uroot"], ["--user=root"]):
        rest = rest[1 if "root" in rest[0] else 2 :]
    return ([] if rest and rest[0].startswith("-") else rest), True


def _quiet(redirects: tuple[Redirect, ...]) -> bool:
    """Whether nothing but the error stream is redirected."""
    return all(r.fd == "2" and r.op in (">", ">>", ">&") for r in redirects)


def _written(redirects: tuple[Redirect, ...]) -> str | None:
    """The one file that stdout replaces."""
    outputs = [r for r in redirects if r.op in (">", ">|") and r.fd in ("", "1")]
    others = [r for r in redirects if r not in outputs and r.op not in ("<<", "<<-", "<<<") and r.fd != "2"]
    if len(outputs) != 1 or others:
        return None
    path = (_words((outputs[0].target,)) or [""])[0]
    return path if path and not path.startswith("/dev/") else None


def _writing(program: str, words: list[str], path: str, redirects: tuple[Redirect, ...]) -> Recipe | None:
    fed = any(r.op in ("<<", "<<-", "<<<") for r in redirects)
    if program == "cat" and len(words) == 1 and fed:
        return write("write-heredoc", path)
    if program in ("echo", "printf") and not fed:
        return write("write-echo", path)
    return None


def _tee(words: list[str], redirects: tuple[Redirect, ...]) -> Recipe | None:
    """``tee file <<EOF``."""
    rest = tuple(r for r in redirects if r.op not in ("<<", "<<-", "<<<"))
    if len(rest) == len(redirects) or not _tee_output(rest) or len(words) != 2 or words[1].startswith(("-", "/dev/")):
        return None
    return write("write-tee", words[1])


def _piped(first: Simple, second: Simple, *, sudo: bool) -> Recipe | None:
    """``echo text | tee file`` and ``cat <<EOF | sudo tee file``."""
    source, target = _words(first.words), _words(second.words)
    if not source or not target or not _tee_output(second.redirects):
        return None
    fed = source == ["cat"] and any(r.op in ("<<", "<<-", "<<<") for r in first.redirects)
    if not fed and (source[0] not in ("echo", "printf") or first.redirects):
        return None
    target, as_root = _without_sudo(target)
    if len(target) == 2 and target[0].rpartition("/")[2] == "tee" and not target[1].startswith(("-", "/dev/")):
        return _fit(write("write-tee", target[1]), sudo=sudo or as_root, elevated=False)
    return None


def _tee_output(redirects: tuple[Redirect, ...]) -> bool:
    return all(r.op in (">", ">&") and (r.fd == "2" or r.target.static == "/dev/null") for r in redirects)


def _first_program(command: str) -> str:
    return next(iter(command.split(maxsplit=1)), "").rpartition("/")[2]
