"""Programs that do more than their name says when they get certain arguments: start programs, or write files.

Who allowed ``find`` did not allow ``find -exec rm``; who allowed ``sort`` did not allow ``sort --compress-program``.
Programs whose very job is writing (tee, cp, dd) or running code (python, perl, make, docker) are not in here: their
own permission says it. Sources: the manual pages, GTFOBins' list of shell escapes.
"""

from __future__ import annotations

import re
from typing import Final

from ssh_mcp.shell import awkscript, gitargs, sedscript
from ssh_mcp.shell.inner import Check, Inner, forbidding, rows
from ssh_mcp.shell.options import Denied, Forbidden, Options, WritesFile, is_option, leading, scan, take
from ssh_mcp.shell.tree import names
from ssh_mcp.shell.values import UNKNOWN, Arg

_WRITES = "use ssh_upload, ssh_edit or ssh_deploy to change files"

_NC = "exec sh-exec lua-exec output hex-dump"
_FORBIDDEN: dict[str, Forbidden] = {
    "sort": Forbidden("o", "output compress-program files0-from", "kStT"),
    "shuf": Forbidden("o", "output", "in"),
    "split": Forbidden("", "filter", "abCln"),
    "rg": Forbidden("", "pre hostname-bin", "ABCefgmMtTr"),
    "fd": Forbidden("xX", "exec exec-batch", "dtEec"),
    "fdfind": Forbidden("xX", "exec exec-batch", "dtEec"),
    "ag": Forbidden("", "pager", ""),
    "ack": Forbidden("", "pager ackrc", ""),
    "bat": Forbidden("", "pager diff", ""),
    "batcat": Forbidden("", "pager diff", ""),
    "man": Forbidden("PHXTCl", "pager html gxditview preprocessor config-file troff-device local-file", "smMLReEr"),
    "tcpdump": Forbidden("zw", "", "BcCDeEFGijmMrsTVy"),
    "zip": Forbidden("T", "unzip-command test", ""),
    "cpio": Forbidden("", "rsh-command to-stdout", ""),
    "wget": Forbidden("e", "execute use-askpass config", "aioBtTOPUQwlARDIX"),
    "nc": Forbidden("eco", _NC, "pswqiIPTVXxGW"),
    "ncat": Forbidden("ecox", _NC, "pswgGim"),
    "netcat": Forbidden("eco", _NC, "pswqiIPTVXxGW"),
    "iconv": Forbidden("o", "output", "ft"),
    "yq": Forbidden("is", "inplace split-exp", ""),
    "scp": Forbidden("SoFD", "", "cilPJ"),
    "sftp": Forbidden("SoFDb", "", "cilPJBRs"),
    "diff": Forbidden("l", "paginate", "CFILUWx"),
    "tree": Forbidden("oR", "output", "LPIH"),
    "file": Forbidden("C", "compile", "efFmP"),
    "lsof": Forbidden("D", "", "cdgipsuF"),
    "journalctl": Forbidden(
        "",
        "vacuum-size vacuum-time vacuum-files rotate flush relinquish-var cursor-file setup-keys",
        "nuoptSUcDMg",
        "since until unit identifier grep lines priority output",
    ),
}


# --- find -----------------------------------------------------------------------------------------------------------

_FIND_TESTS = names(
    """
    amin anewer atime cmin cnewer ctime fstype gid group ilname iname inum ipath iregex iwholename links lname
    maxdepth mindepth mmin mtime name newer path perm printf regex regextype samefile size type uid used user
    wholename xtype context
    """
)
_FIND_FLAGS = names(
    """
    daystart depth d empty executable false follow ignore_readdir_race ls mount noignore_readdir_race noleaf
    nogroup nouser nowarn version -version help -help print print0 prune quit readable true warn writable xdev x
    a and o or not
    """
)
_FIND_EXEC = frozenset({"-exec", "-execdir", "-ok", "-okdir"})
_FIND_OPERATORS = frozenset({"(", ")", "!", ","})


def _find(args: list[Arg], inner: Inner) -> None:
    rest = list(args)
    while rest and rest[0].value is not None and re.fullmatch(r"-[HLPEXdsx]+|-O\d", rest[0].value):
        rest.pop(0)
    while rest:
        word = rest.pop(0)
        if word.value is None and not word.anchored:
            raise Denied("an expansion could become an action of `find`; begin it with a path such as ./", word.excerpt)
        if word.value is None or word.value in _FIND_OPERATORS or not word.value.startswith("-"):
            continue
        _find_primary(word, rest, inner)


def _find_primary(word: Arg, rest: list[Arg], inner: Inner) -> None:
    value = word.value or ""
    if value in _FIND_EXEC:
        inner.run(_find_command(word, rest))
    elif value == "-delete":
        inner.run([Arg("rm", "rm", excerpt="-delete"), UNKNOWN])
    elif value[1:] in _FIND_TESTS or re.fullmatch(r"-newer[aBcm][aBcmt]", value):
        if not rest or rest[0].multi:
            raise Denied("the value of a test of `find` may become several arguments", word.excerpt)
        rest.pop(0)
    elif value[1:] not in _FIND_FLAGS:
        raise Denied("this part of a `find` expression starts a program, writes a file or is unknown", word.excerpt)


def _find_command(word: Arg, rest: list[Arg]) -> list[Arg]:
    """The words up to ``;`` or ``{} +``; what could be that end, to one find or another, is refused.

    BusyBox takes any ``+`` for it behind a word that holds ``{}``; GNU's ``-ok`` takes none.
    """
    command: list[Arg] = []
    previous: str | None = None
    while rest:
        part = rest.pop(0)
        if part.value == "+" and (previous != "{}" or word.value not in {"-exec", "-execdir"}):
            raise Denied("not every `find` reads this `+` alike; write {} + or end with ;", part.excerpt)
        if part.value in {";", "+"}:
            if not command:
                break
            return command
        if part.value is None and (part.multi or not part.anchored):
            raise Denied("an expansion could move the end of what `find` starts", part.excerpt)
        previous = part.value
        command.append(_filled(part))
    raise Denied("it cannot be decided what `find` starts", word.excerpt)


def _filled(part: Arg) -> Arg:
    """``{}`` becomes found paths; those begin with a starting point, which cannot look like an option."""
    if part.value is None or "{}" not in part.value:
        return part
    if part.value == "{}":
        return Arg(None, "./", multi=True, excerpt="{}")
    return Arg(None, part.value[: part.value.index("{}")], excerpt=part.excerpt)


# --- sed and awk ----------------------------------------------------------------------------------------------------

_SED = Options(
    "nErsuz",
    "e",
    "",
    "quiet silent regexp-extended posix separate unbuffered null-data sandbox version help",
    "expression",
)


def _sed(args: list[Arg], _inner: Inner) -> None:
    """GNU sed takes options behind its operands too, BSD's does not: a first operand before -e is read as both."""
    scripts: list[Arg] = []
    operands: list[Arg] = []
    rest = list(args)
    while rest:
        if not is_option("sed", rest[0]):
            operands.append(rest.pop(0))
        elif rest[0].value == "--":
            operands += rest[1:]
            break
        elif re.match(r"-[nErsuz]*[iI]|--i", rest[0].value or ""):
            raise WritesFile("sed -i writes into a file", rest[0].excerpt, _WRITES)
        else:
            if operands and not scripts:
                scripts.append(operands[0])
            scripts += [v for o, v in take("sed", rest, _SED) if v is not None and o in ("-e", "--expression")]
    for script in scripts or operands[:1]:
        if script.value is None:
            raise Denied("the script of sed holds an expansion and cannot be decided", script.excerpt)
    sedscript.check("\n".join(s.value or "" for s in scripts or operands[:1]))


_AWK = Options("", "Fv", "", "posix traditional re-interval characters-as-bytes version", "field-separator assign")


def _awk(args: list[Arg], inner: Inner) -> None:
    _, rest = leading("awk", args, _AWK)
    if not rest:
        return
    if rest[0].value is None:
        raise Denied("the awk program holds an expansion; hand values over with -v", rest[0].excerpt)
    for text in awkscript.check(rest[0].value):
        inner.run_text(Arg(text, text, excerpt=text), "awk")


# --- archives and copies --------------------------------------------------------------------------------------------

_TAR_LONG = names(
    """
    create extract get list update append diff compare delete concatenate catenate test-label file directory
    verbose gzip gunzip ungzip bzip2 xz zstd lzma lzip auto-compress no-auto-compress exclude exclude-vcs
    exclude-from exclude-backups exclude-caches strip-components same-permissions preserve-permissions
    same-owner no-same-owner no-same-permissions numeric-owner totals keep-old-files skip-old-files overwrite
    to-stdout wildcards no-wildcards anchored no-recursion one-file-system absolute-names dereference sparse
    force-local owner group mode mtime newer transform xform utc full-time block-number verify touch
    no-overwrite-dir unlink-first recursive-unlink keep-newer-files acls xattrs selinux format posix sort
    warning version help use-compress-program null ignore-failed-read recursion
    """
)
_TAR_LETTERS = frozenset("AcdrtuxfCvzjJZahpkmOPSUlonwbBKNVXi")
_TAR_VALUED = frozenset("fCbKNVX")


def _tar(args: list[Arg], inner: Inner) -> None:
    """Options may be anywhere; the archive ``host:file`` would start rsh."""
    rest = list(args)
    if rest and rest[0].value and re.fullmatch(r"[A-Za-z]+", rest[0].value):
        word = rest.pop(0)
        _tar_letters(word, rest, old_style=True)
    force_local = any(a.value == "--force-local" for a in args)
    while rest:
        word = rest.pop(0)
        value = word.value
        if value is None and not word.anchored:
            raise Denied("an expansion could become an option of `tar`; put ./ before it", word.excerpt)
        if value is not None and value.startswith("--"):
            _tar_long(word, rest, inner, force_local=force_local)
        elif value is not None and value.startswith("-") and value != "-":
            _tar_letters(word, rest, old_style=False)


def _tar_long(word: Arg, rest: list[Arg], inner: Inner, *, force_local: bool) -> None:
    option, equals, value = (word.value or "")[2:].partition("=")
    if option and option not in _TAR_LONG:
        raise Denied("this option of `tar` starts a program or is unknown", word.excerpt)
    if option == "file":
        _archive(
            Arg(value, value, excerpt=word.excerpt) if equals else (rest.pop(0) if rest else word), local=force_local
        )
    if option == "use-compress-program":
        parts = value.split() if equals else []
        if not parts or not re.fullmatch(r"[A-Za-z0-9_./ =-]+", value):
            raise Denied("this option of `tar` starts a program that cannot be decided", word.excerpt)
        inner.run([Arg(p, p, excerpt=p) for p in parts])


def _tar_letters(word: Arg, rest: list[Arg], *, old_style: bool) -> None:
    """``tar xzf a`` takes the values of its letters from the next arguments, ``-xzf a`` behind the last letter."""
    letters = (word.value or "").lstrip("-")
    for index, letter in enumerate(letters):
        if letter not in _TAR_LETTERS:
            raise Denied("this option of `tar` starts a program or is unknown", word.excerpt)
        if letter not in _TAR_VALUED:
            continue
        tail = letters[index + 1 :]
        if tail and not old_style:
            value = Arg(tail, tail, excerpt=word.excerpt)
        elif rest:
            value = rest.pop(0)
        else:
            raise Denied("an option of `tar` lacks its value", word.excerpt)
        if value.multi or re.match(r"-.", value.value or value.head):
            raise Denied("the value of an option of `tar` may become several arguments or an option", value.excerpt)
        if letter == "f":
            _archive(value, local=False)
        if tail and not old_style:
            return


def _archive(value: Arg, *, local: bool) -> None:
    text = value.value if value.value is not None else value.head
    if value.multi or (not local and ":" in text) or (value.value is None and not text.startswith(("/", "./"))):
        raise Denied("an archive on another host makes `tar` start a program", value.excerpt)


_RSYNC = Forbidden(
    "eM",
    "rsh rsync-path remote-option daemon config log-file write-batch only-write-batch read-batch early-input"
    " password-file dparam server sender",
    "fBTt",
)


def _rsync(args: list[Arg], _inner: Inner) -> None:
    operands = scan("rsync", args, _RSYNC)
    for operand in operands:
        if operand.value is None and ":" not in operand.head and not operand.head.startswith(("/", "./", "~")):
            raise Denied("it cannot be decided whether `rsync` starts ssh", operand.excerpt)
        if ":" in (operand.value if operand.value is not None else operand.head):
            raise Denied("rsync to another host starts ssh", operand.excerpt, "use ssh_transfer")


# --- the rest -------------------------------------------------------------------------------------------------------


def _outputs(name: str, valued: frozenset[str]) -> Check:
    """Filters whose second operand is a file that they write. xxd takes anything behind its first operand for it."""

    def check_operands(args: list[Arg], _inner: Inner) -> None:
        rest = list(args)
        while rest and is_option(name, rest[0]):
            word = rest.pop(0)
            if word.value == "--":
                break
            if word.value in valued and rest and rest.pop(0).multi:
                raise Denied(f"an option of `{name}` may take several arguments", word.excerpt)
        if len(rest) > 1 or any(o.multi for o in rest):
            raise WritesFile(f"the second operand of `{name}` is a file that it writes", rest[-1].excerpt, _WRITES)

    return check_operands


def _less(args: list[Arg], _inner: Inner) -> None:
    for arg in args:
        if (arg.value is None and not arg.anchored) or (arg.value or "").startswith("+"):
            raise Denied("this argument can make a pager start programs", arg.excerpt)
    scan(
        "less",
        args,
        Forbidden("oOkTtP", "log-file LOG-FILE lesskey-file lesskey-src lesskey-content tag tag-file prompt", ""),
    )


def _ip(args: list[Arg], _inner: Inner) -> None:
    """``ip netns exec`` and ``ip vrf exec`` in any abbreviation, and ``-batch``."""
    for index, word in enumerate(args):
        if word.value is None and not word.anchored:
            raise Denied("an expansion could become a command of `ip`", word.excerpt)
        text = word.value or word.head
        option = text.lstrip("-")
        if text.startswith("-") and option and ("batch".startswith(option) or option.startswith("batch")):
            raise Denied("this option makes `ip` read commands from a file", text)
        following = args[index + 1].value if index + 1 < len(args) else ""
        leads = bool(text) and ("netns".startswith(text) or "vrf".startswith(text))
        if leads and (following is None or (following and "exec".startswith(following))):
            raise Denied("this makes `ip` start a program", text)


def _printf(args: list[Arg], _inner: Inner) -> None:
    """Bash's ``printf -v 'x[$(command)]'`` runs the command."""
    first = args[0] if args else None
    if first is None or first.value == "--":
        return
    text = first.value if first.value is not None else first.head
    if text.startswith("-") or (first.value is None and not text):
        raise Denied("the first argument of `printf` could be an option; put -- before it", first.excerpt)


_RENAMING = re.compile(r"(?:s|y|tr)([/|,#!:])[^$@`(){}\\]*\1[^$@`(){}\\]*\1[gi]*\Z")
"""A substitution without code, variables or groups: s/ /_/g. The script of Perl's rename is Perl."""


def _rename(args: list[Arg], _inner: Inner) -> None:
    """util-linux's takes two strings, Perl's an expression."""
    operands = scan("rename", args, Forbidden("eE", "expr", ""))
    first = operands[0].value if operands else ""
    if first is None or not (_RENAMING.match(first) or re.fullmatch(r"[\w. %+,=@-]*", first)):
        raise Denied("the expression of `rename` may be a program", operands[0].excerpt)


_AWKS = "awk gawk mawk nawk original-awk bwk"
ROWS: Final = {
    **{name: forbidding(name, spec) for name, spec in _FORBIDDEN.items()},
    **rows(
        ("find gfind bfs", _find),
        ("sed gsed", _sed),
        (_AWKS, _awk),
        ("tar gtar bsdtar", _tar),
        ("rsync", _rsync),
        ("uniq", _outputs("uniq", names("-f -s -w --skip-fields --skip-chars --check-chars"))),
        ("xxd", _outputs("xxd", names("-c -cols -g -groupsize -l -len -s -seek -skip -o -n -name -R"))),
        ("less more most pg zless zmore bzless bzmore xzless xzmore lzless lzmore zstdless lv", _less),
        ("ip", _ip),
        ("printf", _printf),
        ("git", lambda args, _inner: gitargs.check(args)),
        ("rename prename file-rename perl-rename", _rename),
    ),
}
