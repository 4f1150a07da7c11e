"""The command line: names, arguments and help; each command's work is in a module of its own."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

from cyclopts import App, Group, Parameter, validators
from cyclopts.exceptions import CycloptsError
from rich.console import Console

from ssh_mcp.cli import EXIT_USAGE
from ssh_mcp.cli.audit_app import audit_app
from ssh_mcp.cli.output import console, say
from ssh_mcp.cli.parameters import CONNECTIONS, FIRST, SERVER, Json
from ssh_mcp.distribution import Example, example, version
from ssh_mcp.errors import ConfigError, Refusal, public_text
from transports.errors import TransportError

HELP = """SSH for language models through the OpenSSH you already have, under your policy.

Without a command it serves MCP on stdin and stdout: that is what a client's configuration calls. Settings come from the
environment and `settings.env`, hosts from `hosts.toml`, both in your configuration directory; `--env-file FILE` names
another settings file for any command. Nothing is read from the working directory.
"""
EPILOGUE = """New here? `ssh-mcp demo` shows it. Then `ssh-mcp init`, `ssh-mcp doctor`, `ssh-mcp client NAME`.

Exit status: 0 success, 1 a problem was found, 2 a setting or hosts.toml forbids the start, 64 wrong command line,
130 interrupted.
"""

EXIT_FAILED = 1
EXIT_CONFIG = 2
EXIT_BUG = 70
"""Exit status where something failed that nobody thought of (sysexits.h EX_SOFTWARE)."""
EXIT_INTERRUPTED = 130


app = App(
    name="ssh-mcp",
    help=HELP,
    help_epilogue=EPILOGUE,
    help_format="markdown",
    version=version,
    version_flags=["--version", "-V"],
    usage="Usage: ssh-mcp [COMMAND]",
    group_commands=Group("Options", sort_key=9),
    suppress_keyboard_interrupt=False,
)
app.command(audit_app)
job_app = App(
    name="job",
    help="Look at jobs on your hosts, and end them.",
    help_epilogue="",
    usage="Usage: ssh-mcp job COMMAND",
    group=CONNECTIONS,
    group_commands="Commands",
)
app.command(job_app)
policy_app = App(
    name="policy",
    help="Ask and test what policy decides, without connecting anywhere.",
    help_epilogue="",
    usage="Usage: ssh-mcp policy COMMAND",
    group=SERVER,
    group_commands="Commands",
)
app.command(policy_app)

Host = Annotated[str, Parameter(help="An alias of hosts.toml, or a name of SSH_HOSTS_ALLOWLIST.")]


@app.command(group=FIRST, sort_key=1, help_epilogue="")
def demo() -> int:
    """Show the main tools on a throwaway sshd on loopback; nothing is left behind."""
    from ssh_mcp.cli.demo import demo as run_demo

    return run_demo()


@app.command(group=FIRST, sort_key=2, help_epilogue="")
def init(
    *,
    config: Annotated[Path | None, Parameter(help="The ssh_config to read; ~/.ssh/config by default.")] = None,
    output: Annotated[
        Path | None, Parameter(help="The file to write; hosts.toml in your configuration directory by default.")
    ] = None,
    all_hosts: Annotated[
        bool, Parameter(name="--all", negative="", show_default=False, help="Take every host without asking.")
    ] = False,
) -> int:
    """Write hosts.toml, or add to it: asks which hosts of your ~/.ssh/config, and what to open on them."""
    from ssh_mcp.cli.init import write_inventory

    return write_inventory(config, output, take_all=all_hosts)


@app.command(group=FIRST, sort_key=3, help_epilogue="")
def doctor(
    host: Annotated[str | None, Parameter(help="Look at this host only; else at all of them.")] = None,
    /,
    *,
    as_json: Json = False,
) -> int:
    """Say what would fail, and how to fix it.

    Looks at OpenSSH, the environment, the agent, permissions, sockets, the audit and the allowlists, and at each host:
    its key, login, SFTP, shell, sessions and sudo. It changes nothing. Exit status 1 where something would fail.
    """
    from ssh_mcp.cli.doctor import examine

    return examine(host, as_json=as_json)


@app.command(group=FIRST, sort_key=4, help_epilogue="")
def client(
    name: Annotated[
        str,
        Parameter(
            help="claude-desktop, claude-code, cursor, vscode, devin-desktop (windsurf), kilo-code, continue, zed, "
            "codex, gemini-cli, opencode or copilot-cli."
        ),
    ],
    /,
    *,
    http: Annotated[
        bool,
        Parameter(negative="", show_default=False, help="For a server that runs over HTTP, instead of starting one."),
    ] = False,
    write: Annotated[
        bool,
        Parameter(negative="", show_default=False, help="Write it into the client's file, keeping what is there."),
    ] = False,
    uvx: Annotated[
        bool, Parameter(negative="", show_default=False, help="Launch with uvx instead of the installed script.")
    ] = False,
    source: Annotated[
        str | None,
        Parameter(
            name="--from", help="What uvx installs from: a directory, a wheel, or git+https://... (implies --uvx)."
        ),
    ] = None,
    permissions: Annotated[
        bool,
        Parameter(
            negative="",
            show_default=False,
            help="Print rules for the client's own questions instead: the read tier runs, the rest is asked about.",
        ),
    ] = False,
) -> int:
    """Print the configuration snippet for an MCP client, and say where it goes. Settings that are set here are part
    of it.
    """
    if permissions:
        from ssh_mcp.cli.client_rows import SERVER_NAME
        from ssh_mcp.cli.permissions import show as show_permissions

        return show_permissions(name, SERVER_NAME)
    from ssh_mcp.cli.clients import show

    return show(name, uvx=uvx or source is not None, source=source, http=http, write=write)


@app.command(name="example", group=FIRST, sort_key=5, help_epilogue="")
def show_example(which: Annotated[Example, Parameter(help="hosts.toml, settings.env, or policy cases.")], /) -> int:
    """Print a complete, commented example file."""
    sys.stdout.write(example(which))
    return 0


_REGISTERED: Final = {
    "bash": "complete -F _ssh_mcp openssh-mcp",
    "fish": "complete -c openssh-mcp -w ssh-mcp",
    # read from a directory of $fpath, or sourced in .zshrc
    "zsh": """if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _cyclopts_ssh-mcp "$@"
else
  compdef _cyclopts_ssh-mcp ssh-mcp openssh-mcp
fi""",
}
"""Ends a completion script: what makes it serve both commands."""


@app.command(group=FIRST, sort_key=6, help_epilogue="")
def completion(shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(help="The shell that reads it.")], /) -> int:
    """Print a completion script; for bash: eval "$(ssh-mcp completion bash)"."""
    script = app.generate_completion(shell=shell)
    if shell == "zsh":
        script = script.replace("#compdef ssh-mcp", "#compdef ssh-mcp openssh-mcp", 1)
    sys.stdout.write(f"{script.rstrip()}\n{_REGISTERED[shell]}\n")
    return 0


@app.command(group=SERVER, sort_key=1, help_epilogue="")
def serve() -> int:
    """Serve MCP (stdio, or HTTP as MCP_TRANSPORT says). The same as no command at all."""
    from ssh_mcp.server.serve import serve as run_server

    return run_server()


@app.command(group=SERVER, sort_key=2, help_epilogue="")
def hosts(*, as_json: Json = False) -> int:
    """List the hosts that the server may reach, with what ssh would use and what is allowed there."""
    from ssh_mcp.cli.listings import show_hosts

    return show_hosts(as_json=as_json)


@app.command(group=SERVER, sort_key=2, help_epilogue="")
def tools(*, as_json: Json = False) -> int:
    """List the tools by group and tier; for a closed one, what opens it."""
    from ssh_mcp.cli.listings import show_tools

    return show_tools(as_json=as_json)


@app.command(group=SERVER, sort_key=2, help_epilogue="")
def status(*, as_json: Json = False) -> int:
    """Show what your running servers do: calls, connections, shells, questions that wait for you."""
    from ssh_mcp.cli.operator import show_status

    return show_status(as_json=as_json)


@app.command(name="console", group=SERVER, sort_key=2, help_epilogue="")
def show_console(
    *,
    web: Annotated[
        bool, Parameter(negative="", show_default=False, help="Serve it on loopback, to be opened in a browser once.")
    ] = False,
    port: Annotated[
        int,
        Parameter(validator=validators.Number(gte=0, lte=65535), show_default=False, help="For --web; any otherwise."),
    ] = 0,
) -> int:
    """Watch your running servers full screen, and decide what waits for you."""
    from ssh_mcp.cli.console import run as run_console

    return run_console(web=web, port=port)


@app.command(group=SERVER, sort_key=3, help_epilogue="")
def approve(
    question: Annotated[str | None, Parameter(help="The id that the question and the pending call name.")] = None,
    /,
    *,
    minutes: Annotated[
        int | None,
        Parameter(validator=validators.Number(gte=1, lte=1440), help="Also equal calls for so long; else this one."),
    ] = None,
    list_all: Annotated[
        bool, Parameter(name="--list", negative="", show_default=False, help="Show what waits, and the grants.")
    ] = False,
    revoke: Annotated[str | None, Parameter(help="Withdraw the grant with this id.")] = None,
    as_json: Json = False,
) -> int:
    """Let a call run that waits for a person (`ask` in hosts.toml, SSH_ASK)."""
    from ssh_mcp.cli import operator

    if revoke is not None:
        return operator.revoke(revoke)
    if list_all or question is None:
        return operator.show_approvals(as_json=as_json)
    return operator.decide(question, yes=True, minutes=minutes)


@app.command(group=SERVER, sort_key=4, help_epilogue="")
def deny(question: Annotated[str, Parameter(help="The id that the question and the pending call name.")], /) -> int:
    """Refuse a call that waits for a person."""
    from ssh_mcp.cli.operator import decide

    return decide(question, yes=False)


@app.command(group=CONNECTIONS, sort_key=1, help_epilogue="")
def connect(
    host: Host,
    /,
    *,
    hours: Annotated[float, Parameter(help="How long the connection stays without use.")] = 8.0,
) -> int:
    """Log in by hand (an OTP, a touch, a passphrase) and leave the connection for the server to use."""
    from ssh_mcp.cli.connection import connect as open_by_hand

    return open_by_hand(host, hours)


@app.command(group=CONNECTIONS, sort_key=2, help_epilogue="")
def disconnect(host: Host, /) -> int:
    """Close a host's connections, also those opened with `connect`."""
    from ssh_mcp.cli.connection import disconnect as close_by_hand

    return close_by_hand(host)


@app.command(group=CONNECTIONS, sort_key=3, help_epilogue="")
def agent(*, as_json: Json = False) -> int:
    """List the agents' keys with the fingerprints that `identity_fingerprint` takes."""
    from ssh_mcp.cli.connection import show_agent

    return show_agent(as_json=as_json)


JobId = Annotated[str, Parameter(help="The job's id, as `ssh-mcp job list` shows it.")]


@job_app.command(name="list", help_epilogue="")
def job_list(
    host: Annotated[str | None, Parameter(help="One host; else all of hosts.toml.")] = None, /, *, as_json: Json = False
) -> int:
    """List jobs, newest first."""
    from ssh_mcp.cli.job import list_jobs

    return list_jobs(host, as_json=as_json)


@job_app.command(name="output", help_epilogue="")
def job_output(
    host: Host,
    job_id: JobId,
    /,
    *,
    stream: Annotated[Literal["stdout", "stderr"], Parameter(help="Which of its streams.")] = "stdout",
    follow: Annotated[bool, Parameter(negative="", show_default=False, help="Go on until the job ends.")] = False,
    grep: Annotated[str | None, Parameter(help="Only lines that match (RE2 syntax).")] = None,
) -> int:
    """Print a job's output, with secrets masked."""
    from ssh_mcp.cli.job import show_output

    return show_output(host, job_id, stream, follow=follow, grep=grep)


@job_app.command(name="cancel", help_epilogue="")
def job_cancel(
    host: Host,
    job_id: JobId,
    /,
    *,
    remove: Annotated[bool, Parameter(negative="", show_default=False, help="Delete its output too.")] = False,
    as_json: Json = False,
) -> int:
    """End a job with all it has started."""
    from ssh_mcp.cli.job import cancel

    return cancel(host, job_id, remove=remove, as_json=as_json)


@policy_app.command(name="show", help_epilogue="")
def policy_show(host: Host, /, *, as_json: Json = False) -> int:
    """Show the merged policy of a host, each line with where it was written."""
    from ssh_mcp.cli.policy import show

    return show(host, as_json=as_json)


@policy_app.command(name="explain", help_epilogue="")
def policy_explain(
    host: Host,
    /,
    *command: Annotated[str, Parameter(help="The command, behind --.")],
    tool: Annotated[str | None, Parameter(help="A tool instead of a command.")] = None,
    arguments: Annotated[str | None, Parameter(help="The tool's arguments, as a JSON object.")] = None,
    as_json: Json = False,
) -> int:
    """Say whether a call would be allowed, ask a person or be denied, and by which rule."""
    from ssh_mcp.cli.policy import explain

    return explain(host, command, tool, arguments, as_json=as_json)


@policy_app.command(name="test", help_epilogue="")
def policy_test(
    file: Annotated[Path, Parameter(help="A TOML file of cases; see `ssh-mcp example cases`.")],
    /,
    *,
    as_json: Json = False,
) -> int:
    """Run a file of cases: what policy must decide. Exit status 1 where it decides otherwise."""
    from ssh_mcp.cli.policy import test

    return test(file, as_json=as_json)


def run(arguments: Sequence[str]) -> int:
    """Run one command line. Returns the exit status; errors are sentences on stderr, never a traceback."""
    errors = console(stderr=True)
    try:
        return _run(arguments, errors)
    except (KeyboardInterrupt, EOFError):
        say(errors, "interrupted")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; the interpreter must not try to flush to it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except OSError as error:
        say(errors, f"ssh-mcp: {error.strerror or type(error).__name__}: {error.filename or ''}".rstrip(": "))
        return EXIT_FAILED
    except Exception as error:  # noqa: BLE001 - no traceback, ever
        say(errors, f"ssh-mcp: unexpected {type(error).__name__} {_place(error)}. This is a bug: please report it.")
        return EXIT_BUG


def _run(arguments: Sequence[str], errors: Console) -> int:
    try:
        result = app(
            _with_help([_printable(word) for word in arguments]),
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
        )
    except CycloptsError as error:
        say(errors, f"ssh-mcp: {' '.join(str(error).split())}")
        chain = " ".join(error.command_chain or ())
        say(errors, f"See ssh-mcp {chain} --help." if chain else "See ssh-mcp help, or ssh-mcp COMMAND --help.")
        return EXIT_USAGE
    except ConfigError as error:
        say(errors, f"ssh-mcp: {error}")
        return EXIT_CONFIG
    except (Refusal, TransportError) as error:
        say(errors, f"ssh-mcp: {public_text(error)}")
        return EXIT_FAILED
    return result if isinstance(result, int) else 0


def _with_help(words: list[str]) -> list[str]:
    """``help`` and ``help COMMAND`` as people type them."""
    return [*words[1:], "--help"] if words[:1] == ["help"] else words


def _place(error: Exception) -> str:
    """Where it happened: the last line of ours. The error's text stays out, since it may hold anything."""
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "site-packages" not in frame.filename]
    return f"at {Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "outside of it"


def _printable(word: str) -> str:
    """An argument that is not UTF-8 reaches us with lone surrogates, which no terminal takes back."""
    return word.encode("utf-8", "replace").decode()
