"""``ssh_options`` of hosts.toml: which ssh_config keywords an operator may set for one host. Pure.

They exist for legacy gear: ciphers, MACs, key exchanges, host key algorithms and what else it takes to talk to it.
A keyword that would undo what this program sets, or run something, is refused by name with the reason; one that we do
not know is refused too, and may be given in the operator's ssh_config, which ssh itself checks.
"""

from __future__ import annotations

import re
from typing import Final

ALLOWED_OPTIONS: Final = frozenset(
    {
        "addressfamily", "bindaddress", "bindinterface", "casignaturealgorithms", "checkhostip", "ciphers",
        "compression", "connectionattempts", "gssapiauthentication", "gssapikeyexchange",
        "gssapikexalgorithms", "hashknownhosts", "hostbasedacceptedalgorithms", "hostbasedkeytypes",
        "hostkeyalgorithms", "hostkeyalias", "ipqos", "kexalgorithms", "macs", "preferredauthentications",
        "pubkeyacceptedalgorithms", "pubkeyacceptedkeytypes", "rekeylimit", "requiredrsasize", "serveralivecountmax",
        "serveraliveinterval", "tcpkeepalive", "warnweakcrypto",
    }
)  # fmt: skip

TWO_WORDS: Final = frozenset({"ipqos", "rekeylimit"})
"""Keywords that take two values with a blank between them, and so must not be quoted."""

_STRICT = "host keys are always checked strictly, by ssh's own files or SSH_KNOWN_HOSTS"
_FORWARD = "nothing is forwarded over these connections"
_RUNS = "it runs a program on this machine; where it is really wanted, put it into your ssh_config"
_MASTER = "this program runs the connections itself"
_SESSION = "it would change what a session runs or how it reads its input"
_FIELD = "hosts.toml has a field of its own for it"
_CREDENTIALS = "credentials are said in the [hosts.<alias>.auth] table"
_LOG = "this program reads ssh's log"

_REASONS: Final = {
    _STRICT: "stricthostkeychecking userknownhostsfile globalknownhostsfile knownhostscommand updatehostkeys "
    "nohostauthenticationforlocalhost verifyhostkeydns revokedhostkeys",
    _FORWARD: "forwardagent forwardx11 forwardx11trusted forwardx11timeout localforward remoteforward dynamicforward "
    "clearallforwardings exitonforwardfailure gatewayports permitremoteopen streamlocalbindmask streamlocalbindunlink "
    "tunnel tunneldevice gssapidelegatecredentials xauthlocation",
    _RUNS: "proxycommand proxyusefdpass localcommand permitlocalcommand pkcs11provider securitykeyprovider match "
    "include",
    _MASTER: "controlmaster controlpath controlpersist connecttimeout forkafterauthentication refuseconnection host "
    "ignoreunknown canonicalizehostname canonicaldomains canonicalizefallbacklocal canonicalizemaxdots "
    "canonicalizepermittedcnames tag versionaddendum",
    _SESSION: "remotecommand requesttty sessiontype stdinnull escapechar enableescapecommandline sendenv setenv "
    "channeltimeout obscurekeystroketiming",
    _FIELD: "hostname user port proxyjump",
    _CREDENTIALS: "identityfile identityagent identitiesonly certificatefile addkeystoagent batchmode "
    "numberofpasswordprompts passwordauthentication kbdinteractiveauthentication kbdinteractivedevices "
    "challengeresponseauthentication pubkeyauthentication hostbasedauthentication enablesshkeysign usekeychain",
    _LOG: "fingerprinthash loglevel logverbose syslogfacility visualhostkey",
}
REFUSED_OPTIONS: Final = frozenset(word for words in _REASONS.values() for word in words.split())
"""Keywords (lower case) that are refused by name."""

_REASON_OF: Final = {word: reason for reason, words in _REASONS.items() for word in words.split()}
_VALUE = re.compile(r"[A-Za-z0-9+^.,:/@_*!?= \[\]-]+")


def check_option(keyword: str, value: str) -> None:
    """Vet one ``ssh_options`` entry; keywords compare case-blind.

    Raises ValueError with a sentence that says why it is refused. Values are the plain words that algorithm lists,
    addresses, names and numbers are made of; quotes, ``%``, ``$``, ``#``, backslashes and line ends are not.
    """
    known = keyword.lower()
    if known in _REASON_OF:
        raise ValueError(f"ssh_options.{keyword} is refused: {_REASON_OF[known]}")
    if known not in ALLOWED_OPTIONS:
        raise ValueError(
            f"ssh_options.{keyword[:40]!r} is not a keyword that may be set here; your own ssh_config may set any"
        )
    if not _VALUE.fullmatch(value) or value != value.strip() or (" " in value and known not in TWO_WORDS):
        raise ValueError(f"ssh_options.{keyword} has a value that is not plain words: {value[:60]!r}")
    if value.startswith("-") and known not in {"ciphers", "macs", "kexalgorithms"} | _ALGORITHM_LISTS:
        raise ValueError(f"ssh_options.{keyword} has a value that begins with '-'")


_ALGORITHM_LISTS: Final = frozenset(w for w in ALLOWED_OPTIONS if w.endswith(("algorithms", "keytypes")))
