"""Passwords on the command lines of known programs: ``mysql -psecret``, ``curl -u user:pass``, ``sshpass -p`` …

Taken from the programs' own manuals. A rule applies only after the program's name on the same line.
"""

from __future__ import annotations

import re

from ssh_mcp.redaction.detectors.base import LineDetector, Wide
from ssh_mcp.redaction.detectors.vocabulary import DASH
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.values import is_code, is_reference

_W = r"(?:\"([^\"\r\n]{1,512})\"|'([^'\r\n]{1,512})'|([^\s\"'`|&;<>]{1,512}))"
_GAP = r"(?:[^\n|;]{0,400}?[ \t,])"
_RULES: tuple[tuple[str, str], ...] = (
    (
        r"mysql\w*|mariadb[\w-]*|mysqldump|mysqladmin|mytop|xtrabackup|innobackupex",
        rf"{_GAP}(?:a\d{{1,3}}=)?[\"']?-p(?=[^\s\-]){_W}",
    ),
    # Its own options only: what follows is a program with options of its own (ssh -p 2222).
    (r"sshpass", rf"[ \t,\"']{{1,40}}(?:-[vV][ \t,\"']{{1,40}}){{0,2}}-p[ \t,]*{_W}"),
    (
        r"curl|lftp|hey|httperf",
        (
            rf"{_GAP}[\"']?(?:-\w{{0,12}}u|--user|-U|--proxy-user)(?:[ =]|[\"'],\s?)?[\"']?[^\s:,\"']{{1,128}}[\"']?"
            rf"[:,][\"']?([^\s\"']{{1,512}})"
        ),
    ),
    (r"ab", rf"{_GAP}-[AP][ ]?[\"']?[^\s:\"']{{1,128}}:([^\s\"']{{1,512}})"),
    (r"http|https|xh", rf"{_GAP}-a[ =]?[\"']?[^\s:\"']{{1,128}}:([^\s\"']{{1,512}})"),
    (r"redis-cli|redis-benchmark|valkey-cli", rf"{_GAP}(?:-a|AUTH|auth|requirepass|masterauth)[ \t]+{_W}"),
    (r"mongo|mongosh|mongodump|mongorestore|mongoexport|mongoimport|cqlsh", rf"{_GAP}-p[ \t]+{_W}"),
    (r"az|docker|podman|nerdctl|helm|oc|buildah|skopeo|crane", rf"[^\n|;]{{0,60}}?[ \t]login{_GAP}-p[ \t]+{_W}"),
    (r"ldap(?:search|add|modify|delete|whoami|passwd|compare|modrdn)", rf"{_GAP}-w[ \t]*{_W}"),
    (
        r"smbclient|rpcclient|smbmap|smbget|wmic|winexe|net|nmblookup|crackmapexec",
        rf"{_GAP}-U[ \t]*[\"']?[^\s%\"']{{1,128}}%([^\s\"']{{1,512}})",
    ),
    (
        r"htpasswd",
        (
            r"[ \t](?:-\w{1,20}[ \t]{1,9}){0,3}-\w{0,19}b\w{0,19}[ \t]{1,9}(?:-\w{1,20}[ \t]{1,9}){0,3}"
            r"(?!-)(?:\S{1,256}[ \t]+){1,2}(?!-)"
            r"([^\s\"'|&;<>]{1,512})[ \t]*(?=$|[\"'|&;>])"
        ),
    ),
    (r"openssl", rf"{_GAP}(?:-pass(?:in|out)?[ \t]+)?[\"']?pass:([^\s\"']{{1,512}})"),
    (r"read", rf"[^\n<]{{0,60}}?(?i:pass|secret|token|pwd)\w{{0,20}}[ \t]*<<<[ \t]*{_W}"),
    (r"openssl[ \t]+enc", rf"{_GAP}-(?:k|K|iv)[ \t]+{_W}"),
    (
        r"sqlcmd|bcp|osql|isql|ipmitool|mosquitto_pub|mosquitto_sub|unzip|zip|zipcloak|snmpwalk|snmpget|isqlw",
        rf"{_GAP}-P[ \t]*(?=[^\s\-]){_W}",
    ),
    (r"snmp(?:walk|get|set|bulkwalk)", rf"{_GAP}-(?:A|X)[ \t]+{_W}"),
    (r"7za?|7zr|rar|unrar", rf"{_GAP}-h?p(?=[^\s\-]){_W}"),
    (r"useradd|usermod|adduser", rf"{_GAP}-p[ \t]+{_W}"),
    (r"ssh-keygen", rf"{_GAP}-N[ \t]+{_W}"),
    (r"ssh-keygen", rf"{_GAP}-P[ \t]+{_W}"),
    (r"cryptsetup|chpasswd|passwd|gpg|sudo|login|gh", rf"[^\n]{{0,200}}?<<<[ \t]*{_W}"),
    (
        r"\w+[ \t]+config[ \t]+(?:set|create|add|update)",
        rf"{_GAP}[\w.\-:/]{{0,60}}(?i:password|passwd|secret|token|api_?key|access_key|pass)\w{{0,20}}[ \t]+(?!-){_W}",
    ),
    (r"(?:composer|poetry)[ \t]+config", rf"{_GAP}http-basic\.\S{{1,60}}[ \t]+\S{{1,60}}[ \t]+{_W}"),
    (r"createUser", rf"{_GAP}(?:SHA|MD5)[\w-]*[ \t]+{_W}"),
    (r"createUser", rf"{_GAP}(?:AES|DES)[\w-]*[ \t]+{_W}"),
    (r"rabbitmqctl", rf"{_GAP}(?:add_user|change_password|authenticate_user)[ \t]+\S{{1,128}}[ \t]+{_W}"),
    (r"xfreerdp3?|rdesktop|wfreerdp", rf"{_GAP}(?:-p[ \t]+|/p:){_W}"),
    (r"net[ \t]+user", r"[ \t]+[^\s/]{1,64}[ \t]+([^\s/*]\S{1,127})"),
    (r"nmcli|wpa_cli", rf"{_GAP}(?:password|psk|wifi-sec\.psk|802-11-wireless-security\.psk)[ \t]+{_W}"),
    (r"aws[ \t]+configure[ \t]+set", rf"{_GAP}?\w*(?:secret|token)\w*[ \t]+{_W}"),
    (r"sqlplus|rman|expdp|impdp|sqlldr", rf"{_GAP}[\"']?\w{{1,64}}/([^\s@/\"']{{1,128}})@"),
    (
        r"mc[ \t]+(?:alias[ \t]+set|config[ \t]+host[ \t]+add)",
        r"[ \t]+\S{1,64}[ \t]+\S{1,256}[ \t]+\S{1,128}[ \t]+([^\s\"'|&;<>]{1,256})",
    ),
    (r"vault[ \t]+login", r"[ \t]+(?!-|\S*=)([^\s\"'|&;<>]{8,256})"),
    (r"cmdkey|psexec\w*|schtasks", rf"{_GAP}[-/](?:pass:|p[ :]|rp[ \t]+){_W}"),
    (
        r"keytool|jarsigner",
        rf"{_GAP}-(?:storepass|keypass|srcstorepass|deststorepass|srckeypass|destkeypass|new)[ \t]+{_W}",
    ),
)
_COMPILED = tuple(
    (re.compile(rf"(?<![\w.\-])(?:{p})(?:\.exe)?(?=[ \t\"',])(?:{a})", re.MULTILINE), re.compile(a, re.MULTILINE))
    for p, a in _RULES
)
_CHPASSWD = re.compile(
    r"(?:echo|printf)[ \t]+(?:-\w+[ \t]+|'%s\\n'[ \t]+)?[\"']?([^\s:\"'|]{1,64}):([^\"'\n|]{1,256}?)"
    r"(?:\\n)?[\"']?[ \t]*\|[ \t]*(?:sudo[ \t]+)?(?:/usr/sbin/)?chpasswd"
)
_PIPED = re.compile(
    r"(?:echo|printf)[ \t]+(?:-\w+[ \t]+|[\"']%s(?:\\n)?[\"'][ \t]+)?"
    r"(?:'([^'\n]{1,256})'|\"([^\"\n]{1,256})\"|([^\s\"'|]{1,256}))[ \t]*\|[ \t]*"
    r"(?=(?:sudo[ \t]+-S|(?:\S+[ \t]+){0,6}?--(?:password-stdin|stdin|with-token|passphrase-fd|batch))|su\b"
    r"|passwd\b|cryptsetup\b|gpg\b)"
)
_TYPED_LOGIN = re.compile(
    r"^[ \t>]*(?:AUTH|PASS)[ \t]+(?=\w*\d)(?=\d*[A-Za-z])([^\s\"'/.:()]{6,512})[ \t]*$", re.MULTILINE
)
HINTS = (
    "sshpass|mysql|mariadb|mytop|xtrabackup|innobackupex|curl|wget|lftp|redis-cli|redis-benchmark"
    "|valkey-cli|mongo|influx|cqlsh"
    "|ldap[a-z]+|smb|rpcclient|winexe|wmic|crackmap|htpasswd|openssl|sqlcmd|bcp|osql|isql|ipmitool"
    "|mosquitto|unzip|zip|snmp|7z|rar"
    "|ssh-keygen|createUser|composer|poetry|cryptsetup|useradd|usermod|rabbitmqctl|freerdp|rdesktop|nmcli|wpa_cli|sqlplus|rman|expdp|impdp|keytool"
    "|jarsigner|cmdkey|psexec"
)
"""Program names for the gate: a line with one of these and a flag is looked at."""


def scan(text: str, start: int, end: int) -> list[Span]:
    """Passwords given to known programs in ``text[start:end]``."""
    found = [m for rule in (_CHPASSWD, _PIPED, _TYPED_LOGIN) for m in rule.finditer(text, start, end)]
    for rule, again in _COMPILED:
        at = start
        while m := rule.search(text, at, end):
            at = m.end()
            while m and "&&" not in m[0]:  # behind it another program's arguments begin
                found.append(m)
                at = m.end()
                m = again.match(text, at, end)  # the same rule once more: -storepass x -keypass y
    return [
        Span(*m.span(m.lastindex), "flag") for m in found if m.lastindex is not None and _is_literal(m[m.lastindex])
    ]


def _is_literal(value: str) -> bool:
    """No variable, no marker of ours, no piece of a program."""
    if is_reference(value) or value.startswith("<sha:"):
        return False
    return "(" in value or not is_code(value)


DETECTOR = LineDetector(
    name="commands",
    find=lambda s: scan(s.text, s.start, s.end),
    named=False,
    default_words=True,
    wide=(
        Wide(
            "keys",
            r"chpasswd|add_user|change_password|net user|alias set|vault login|configure set|sqlplus|-stdin|sudo -s",
        ),
        Wide("dashes", r"--(?:proxy-)?user[ \t=\"']"),
        Wide(
            "dashes",
            rf"{DASH}(?:[puawxkhcn][^\s\-]|[puawxkbcn]+[\"',]*[ \t]+[\"']?[^\s\-])|(?: /p:| pass:|\"pass:|'pass:)",
        ),
        Wide("tables", r"<<<|config (?:set|create|add|update) |http-basic\.|createuser "),
    ),
    line=(
        (
            rf"(?-u:(?:{HINTS})[^\n]*[ \t\"',](?:-?[-/][A-Za-z]|AUTH|auth|requirepass|pass:|password|psk|add_user"
            rf"|change_password|\w+/))"
        ),
        (
            r"(?-u:(?:docker|podman|nerdctl|helm|oc|az|buildah|skopeo|crane)[^\n]* login|net[ \t]+user|mc[ \t]+"
            r"(?:alias|config)|vault[ \t]+login)"
        ),
        r"(?-u:configure[ \t]+set|https?[ \t][^\n]*-a|\bab[ \t])",
        r"(?-u:(?:echo|printf)[^\n]*\|[^\n]*(?:chpasswd|sudo|stdin|token|passwd|passphrase|cryptsetup|gpg|su\b|batch))",
        r"(?m-u:^[ \t>]*(?:AUTH|PASS)[ \t]+\S*\d)",
        r"(?i-u:<<<|config[ \t]+(?:set|create|add|update)|http-basic\.|createuser)",
    ),
    hit="mysql -u app -p«hunter2x9» db",
    miss="docker run -p 8080:80 nginx",
)
