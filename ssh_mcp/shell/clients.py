"""Clients of the network, the bus and the mail: their addresses, options and commands (``languages.py``)."""

from __future__ import annotations

import re
from typing import Final

from ssh_mcp.shell import languages
from ssh_mcp.shell.databases import Client, client
from ssh_mcp.shell.inner import Inner, forbidding, rows
from ssh_mcp.shell.options import Denied, Forbidden, Options, Style, leading, scan
from ssh_mcp.shell.tree import names
from ssh_mcp.shell.values import Arg

# --- D-Bus ----------------------------------------------------------------------------------------------------------

_BUS = Forbidden("HM", "host machine address", "")
_BUS_READS = names("list status tree introspect get-property monitor capture help")


def _busctl(args: list[Arg], _inner: Inner) -> None:
    """Its calls reach systemd's manager, which starts units; an address may be ``unixexec:``."""
    operands = scan("busctl", args, _BUS)
    if operands and operands[0].value not in _BUS_READS:
        raise Denied("a call over the bus can start programs", operands[0].excerpt)


# --- scanners and relays --------------------------------------------------------------------------------------------

_NMAP = Forbidden("", "script* datadir interactive resume stylesheet servicedb versiondb", "", style=Style.ONE_DASH)


def _nmap(args: list[Arg], _inner: Inner) -> None:
    """Its scripts are programs; long options begin with one dash or two."""
    scan("nmap", args, _NMAP)
    for arg in args:
        if re.match(r"--?(?:s[A-Za-z]*C|o[NXSGAM])", arg.value or arg.head):
            raise Denied("this option makes nmap run scripts or write a file", arg.excerpt)


_SOCAT_OPTIONS = Options("uUvxdDhV46s", "tTb", "l", "", "", "")
_SOCAT_KINDS = re.compile(
    r"(?i)(?:-|std(?:io|in|out)|tcp[46]?(?:-(?:connect|listen|l))?|udp[46]?(?:-(?:connect|listen|l|send|sendto|recv|recvfrom))?"
    r"|unix(?:-(?:connect|client))?|abstract(?:-(?:connect|client))?|openssl(?:-connect)?|ssl|proxy(?:-connect)?|socks4a?|vsock-connect"
    r"|file|open)\Z"
)
"""Kinds of addresses that neither start a program nor make a file; a file must be opened for reading."""
_SOCAT_SETTING = re.compile(
    r"(?i)(?:crlf|crnl|fork|reuseaddr|reuseport|nodelay|keepalive|ignoreeof|rdonly|nonblock|forever|shut-(?:none|down|null|close)|end-close"
    r"|null-eof|cool-write|binary|verify=[01]|(?:connect-timeout|retry|interval|max-children|range|bind|sourceport|sp|rcvbuf|sndbuf|readbytes"
    r"|ip-?ttl|tos|pf|cert|key|cafile|capath|commonname|snihost|cn|nosni|escape|method|ciphers|openssl-[a-z-]+|backlog|so-[a-z]+|linger"
    r"|socksport|proxyport|proxyauth|resolve)(?:=[^,!|]*)?)\Z"
)


def _socat(args: list[Arg], _inner: Inner) -> None:
    """Each address is read: what starts a program, makes a file or listens on a path is none of the known ones."""
    options, addresses = leading("socat", args, _SOCAT_OPTIONS)
    for option, value in options:
        if option == "-l" and (value is None or not re.fullmatch(r"[yuhms]\w*", value.value or "")):
            raise Denied("this option makes `socat` write a file", option)
    for address in addresses:
        if address.value is None:
            raise Denied("an address of `socat` must be written in the text", address.excerpt)
        _socat_address(address.value, address)


def _socat_address(text: str, arg: Arg) -> None:
    main, *settings = text.split(",")
    kind = main.partition(":")[0]
    reads = kind.lower() not in ("file", "open") or "rdonly" in settings
    if not (_SOCAT_KINDS.match(kind) and reads and all(_SOCAT_SETTING.match(s) for s in settings)) or "!!" in text:
        raise Denied("this address makes `socat` start a program or write a file, or is not known", arg.excerpt)


# --- transfers ------------------------------------------------------------------------------------------------------


_LFTP_ADDRESS = re.compile(r"(?:(?:ftp|ftps|http|https)://)?[\w.@%+~,=/-]+(?::\d+)?[\w.@%+~,=/-]*\Z")
"""One word: lftp puts its address into an ``open`` command, and reads further commands behind a line break."""


def _lftp(args: list[Arg], inner: Inner) -> None:
    """``-c`` and ``-e`` hold commands, ``-f`` a file of them; an address may start ssh."""
    options, addresses = leading("lftp", args, Options("dv", "ceupQ", "", "norc version help", "user port"))
    quiet = False
    for option, value in options:
        if option in ("-c", "-e"):
            quiet = quiet or option == "-c"
            _texts("lftp", value, languages.lftp)
        elif option == "-Q":
            raise Denied("this option of `lftp` cannot be decided", option)
    for address in addresses:
        if not address.texts or not all(_LFTP_ADDRESS.match(text) for text in address.texts):
            raise Denied("this address makes lftp start a program, or reaches files of the host", address.excerpt)
    if not quiet:
        _read("lftp", inner, languages.lftp)


def _texts(name: str, value: Arg | None, grammar: languages.Grammar) -> None:
    if value is None or not value.texts:
        raise Denied(
            f"an expansion could hold commands of `{name}`; write its value in the text",
            value.excerpt if value else name,
        )
    for text in value.texts:
        grammar(text)


def _read(name: str, inner: Inner, grammar: languages.Grammar) -> None:
    if inner.fed.texts is None:
        raise Denied(
            f"what `{name}` reads from its input cannot be decided", name,
            "give its commands in a here-document with a quoted delimiter",
        )  # fmt: skip
    for text in inner.fed.texts:
        grammar(text)


def _ftp(args: list[Arg], inner: Inner) -> None:
    for operand in scan("ftp", args, Forbidden("os", "", "PTxrquN")):
        if operand.value is None or re.search(r"[|!`]", operand.value):
            raise Denied("this argument makes ftp start a program", operand.excerpt)
    _read("ftp", inner, languages.ftp)


def _sftp(args: list[Arg], inner: Inner) -> None:
    scan("sftp", args, Forbidden("SoFDb", "", "cilPJBRs"))
    _read("sftp", inner, languages.sftp)


def _smbclient(args: list[Arg], inner: Inner) -> None:
    """``-c`` holds commands; ``--option`` and ``-s`` set what samba starts."""
    operands = scan("smbclient", args, Forbidden("sEl", "configfile option log-basename", "ckmnpRIOTtUWDbB"))
    texts = [args[i + 1] for i, a in enumerate(args[:-1]) if re.fullmatch(r"-[A-Za-z]*c|--command", a.value or "")]
    joined = [a for a in args if re.match(r"-[A-Zabd-z]*c.|--command=", a.value or a.head)]
    for value in texts:
        _texts("smbclient", value, languages.smb)
    for arg in joined:
        text = arg.value or ""
        _texts("smbclient", Arg(text.partition("=")[2] or text[2:], excerpt=arg.excerpt), languages.smb)
    listing = any(re.match(r"-[A-Za-z]*L|--list", a.value or "") for a in args)
    if not texts and not joined and not listing and operands:
        _read("smbclient", inner, languages.smb)


def _telnet(args: list[Arg], inner: Inner) -> None:
    """A line behind the escape character is a command of telnet's own."""
    scan("telnet", args, Forbidden("enS", "", "lXb"))
    _read("telnet", inner, _no_escape)


def _no_escape(text: str) -> None:
    if "\x1d" in text:
        raise Denied("telnet reads what follows its escape character as a command")


# --- mail -----------------------------------------------------------------------------------------------------------

_MAIL = Forbidden("ESXY~:fLq", "exec file set config-file program-name mailer ~", "scbarutTgAMQ")


def _mail(args: list[Arg], inner: Inner) -> None:
    """Sending only: a mailbox is read by commands, options set hooks, and a body may hold ``~!command``."""
    for before, arg in zip(["", *(a.value for a in args)], args, strict=False):
        if re.match(r"-[:~#]|-r.*-[A-Za-z]", arg.value or arg.head) or (before == "-r" and not arg.anchored):
            raise Denied("this option makes mail read commands", arg.excerpt)
    operands = scan("mail", args, _MAIL)
    for operand in operands:
        if re.match(r"[|/-]", operand.value or operand.head):  # bsd-mailx hands what follows -- to sendmail
            raise Denied("mail to a program or a file, or with an option for sendmail", operand.excerpt)
    _read("mail", inner, languages.letter)


# --- tables ---------------------------------------------------------------------------------------------------------

_RPC = Client("rpcclient", languages.smb, languages.smb, Forbidden("sl", "configfile option log-basename", "cUWIp"))
ROWS: Final = rows(
    ("busctl", _busctl),
    (
        "dbus-monitor dbus-daemon dbus-test-tool dbus-update-activation-environment qdbus",
        forbidding("dbus-monitor", Forbidden("", "address config-file", "", style=Style.ONE_DASH)),
    ),
    ("nmap zenmap", _nmap),
    ("socat", _socat),
    ("lftp", _lftp),
    ("ftp tnftp netkit-ftp pftp inetutils-ftp ncftp", _ftp),
    ("sftp psftp", _sftp),
    ("smbclient", _smbclient),
    ("telnet inetutils-telnet telnet-ssl", _telnet),
    ("mail mailx s-nail nail bsd-mailx heirloom-mailx", _mail),
    ("rpcclient", client(_RPC)),
)  # fmt: skip
