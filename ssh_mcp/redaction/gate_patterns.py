"""The gate's patterns, in the syntax of Rust's ``regex``: no look-around, and that is what makes it linear.

``WIDE`` sees every character, so it is one automaton with few states: names are factored into tries, and what follows
a name stands behind one common loop. ``NARROW`` sees only the lines that ``WIDE`` lets through and says what they may
hold.
Every pattern must be wider than the detectors that it stands for; ``test_redaction_gate`` holds that.
"""

from __future__ import annotations

import re
from enum import IntFlag

from ssh_mcp.redaction.commands import HINTS


class Look(IntFlag):
    """Which detectors a line is worth."""

    KEY_VALUE = 1
    PHRASES = 2
    SHAPES = 4
    COMMANDS = 8


_Node = dict[str, "_Node"]


def _trie(words: str) -> str:
    """One pattern for many literals, common beginnings shared."""
    root: _Node = {}
    for word in words.split():
        node = root
        for char in word:
            node = node.setdefault(char, {})
        node[""] = {}
    return _render(root)


def _render(node: _Node) -> str:
    parts = [re.escape(char) + _render(below) for char, below in node.items() if char]
    if not parts:
        return ""
    return f"(?:{'|'.join(parts)}){'?' if '' in node else ''}"


_HARD_WORDS = "pass pwd secret cred psk masterauth"
_SOFT_WORDS = "auth bearer cookie sess jwt dsn salt signature private key"
_KEY_ENDS = _trie(
    " ".join(
        f"{e}{s}key"
        for e in [
            "pi",
            "ss",
            "nt",
            "on",
            "pt",
            "ng",
            "er",
            "ed",
            "te",
            "pp",
            "se",
            "ge",
            "ie",
            "th",
            "to",
            "ac",
            "al",
            "ry",
            "in",
            "es",
            "oy",
            "ok",
            "wt",
            "ce",
            "ot",
            "re",
            "ta",
        ]
        for s in ("", "_", "-", ".")
    )
)
_NAME = r"[A-Za-z0-9_.\-]*"
_CLOSED = r"[\"'`\\\]}]*[ \t]*(?:=|:|<-)[ \t>=:\"'`\\\[&]*"
_FIRST = r"(?:[^\s\"'`\\,;)(}{\]\[/<$]|/[A-Za-z0-9+]{10}|[<($][A-Za-z0-9+!@#%^&*]{3}|[|>]|\[[ \t]*\r?\n)"
_DIGIT_OR_LONG = r"(?:[!#-&(-+\-./0-9:<-Z^_a-z~]*[0-9!@#$%^&*+]|[A-Za-z]{11}|[|>] *[+-]?\r?\n)"
_TYPED = r"(?:[ \t]+(?:string|\[\]byte)|[ \t]*:[ \t]*[\w\[\]|.?<>]+)[ \t]*="
_ATTRIBUTE = (
    r"(?:[ \t]*/?>|<|[\"'][ \t]*(?:,[ \t]*[\"']|\{|value|type|default|data|/?>)|,[ \t]*[\"']?(?:val|default"
    r"|content|data))"
)
_DIRECTIVE = r"[ \t]+(?:[0-9] |ascii-text )?[\"']?(?:[a-z_\-.]+[0-9@!#$%^&*+]|[0-9@!#$%^&*+][^\s]{3})"

_PREFIXES = _trie(
    "AKIA ASIA ABIA ACCA ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ glpat- gloas- gldt- glrt- glrtr- glcbt- glptt- "
    "glft- glimt- glagent- glsoat- glffct- glwt- GR1348941 xoxa xoxb xoxe xoxo xoxp xoxr xoxs xapp- sk_live_ "
    "sk_test_ sk_prod_ rk_live_ rk_test_ rk_prod_ pk_sec_ rzp_live_ rzp_test_ whsec_ npm_ pypi- rubygems_ SG. "
    "AIza ya29. GOCSPX- 1//0 sk- hf_ gsk_ r8_ xai- pplx- dop_v1_ doo_v1_ dor_v1_ hvs. hvb. hvr. AGE-SECRET shpat_ "
    "shpca_ shppa_ shpss_ sq0 dapi glsa_ glc_ NRAK- NRJS- NRII- NRAA- NRRA- lin_api_ ntn_ figd_ figo_ figu_ figr_ "
    "dp.pt. dp.st. dp.ct. dp.sa. dp.scim. dp.audit. pul- pscale_ sbp_ sbr_ sb_ tskey- dckr_ ATATT3 ATCTT3 ATBB "
    "sntrys_ sntryu_ nfp_ HRKU- PMAK- SWMTKN- lsv2_ CCIPAT_ CFPAT- vercel_blob FlyV1 fo1_ EZAK EZTK eyJ LS0tL"
)
SHAPES = (
    (
        rf"(?-u:(?:^|[^A-Za-z0-9])(?:{_PREFIXES}[A-Za-z0-9_.\- ]{{6}}|(?:SK|key-|K10|bk[a-z]{{2}}_)[0-9a-f]{{6}}"
        rf"|(?:secret_|pat|cio|EAA)[A-Za-z0-9]{{12}}))"
    ),
    r"(?-u::AA[\w\-]{33}|-us\d|\.atlasv1\.|\dQ~|hooks\.slack\.com/|/webhooks/|webhook\.office)",
    r"(?-u:-----? ?(?:BEGIN|END) [A-Z0-9 ]*(?:PRIVATE KEY|OpenVPN))",
    (
        r"(?-u:@(?:tcp|unix)\(|:thin:|:\\?/\\?/(?:[!-.0-~]*:)?[!-.0-~]*@|:\\?/\\?/:[!-~]|"
        r"(?i:proxy)\w*[\"']?[ \t]*[=:][!-~ ]*@)"
    ),
    r"(?-u:\$(?:1\$|2[abxy]?\$|5\$|6\$|7\$|y\$|gy\$|apr1\$|P\$|H\$|8\$|9\$|14\$|argon2|scrypt|pbkdf2|bcrypt)[\w./=\-])",
    r"(?-u:pbkdf2[_:.]|scrypt:|bcrypt[_$]|argon2\$|md5[0-9a-f$]{8}|sha1\$|SCRAM-SHA|\*[0-9A-F]{16})",
    r"(?-u:\{(?:S?SHA|S?MD5|CRYPT|PBKDF2|BLF|ARGON2|SCRAM))",
    r"(?i-u:(?:bearer|basic)[ \t]+[A-Za-z+/=._~\-]*[0-9]|(?:authorization|cookie2?)[ \t\"'\\]*[:=,])",
)
_SENTENCES = (
    r"(?i-u:(?:login|user|account|username)[ \t]+\S+[ \t]+(?:password|passwd|account|pass)[ \t]+\S)",
    (
        r"(?i-u:identified[ \t]+(?:by|as|with)|password[ \t]*\(?[ \t]*'[^' ]|kind[\"']?:[ \t]*[\"']?Secret"
        r"|private-(?:lines|mac):)"
    ),
    r"(?i-u:(?:pass(?:word|phrase|wd)|secret|token|pin code)[ \t]+(?:is|was|set to|changed to|generated)[ \t:=])",
    (
        r"(?i-u:(?:temporary|initial|generated|default|root|admin)[ \t]+password[ \t]*(?:is|was|for|set|:|=)|"
        r"(?:unseal|recovery) key [0-9])"
    ),
    (
        r"(?i-u:(?:secret|access|private|api|account|encryption|master|signing|license|shared)[ \t]"
        r"(?:access[ \t])?key[ \t]*[:=][ \t]*\S{6})"
    ),
)
_COMMAND_HINTS = (
    r"(?-u:--(?:proxy-)?user[ \t=\"'])",
    r"(?-u:[ \t\"'](?:-[puawUPAXkhcn]|/p:|pass:)[^\s\-])",
    r"(?-u:[ \t\"']-[puawUPAXkbcn]+[\"',]*[ \t]+[\"']?[^\s\-])",
    (
        r"(?-u:chpasswd|add_user|change_password|net user|alias set|vault login|configure set|sqlplus|-stdin"
        r"|sudo -S|AUTH[ \t]|PASS[ \t])"
    ),
)
WIDE = (
    # A name, and what makes it one: a separator and a value, a closing tag, a directive's value.
    (
        rf"(?i-u:(?:{_trie(_HARD_WORDS)}{_NAME}|token(?:[a-hj-rt-z0-9_.\-]{_NAME})?)(?:{_CLOSED}{_FIRST}"
        rf"|{_TYPED}|[ \t]+[\"']|{_DIRECTIVE}|{_ATTRIBUTE}))"
    ),
    rf"(?i-u:{_trie(_SOFT_WORDS)}{_NAME}(?:{_CLOSED}{_DIGIT_OR_LONG}|{_TYPED}|{_ATTRIBUTE}))",
    rf"(?i-u:{_KEY_ENDS}{_NAME}{_CLOSED}{_FIRST}|[^A-Za-z](?:sig|sid|[a-z]*pw){_CLOSED}{_FIRST})",
    rf"(?i-u:[ \t\"']--?[a-z\-.]*{_trie(_HARD_WORDS + ' ' + _SOFT_WORDS + ' token pw')}{_NAME}[\"',]*\s)",
    # The value of a pair whose name stands on a line above.
    r"(?i-u:[^A-Za-z](?:parameter)?val(?:ue)?[\"']?[ \t]*:[ \t]*[\"']?[^\s\"'{\[])",
    r"(?i-u:key(?:-string)?[ \t]+[0-9][ \t]|requirepass|rpcpassword|(?:bind|root)pw[ \t])",
    rf"(?i-u:(?:env|arg|setenv|setx|header|param)[ \t]+{_NAME}{_trie(_HARD_WORDS + ' ' + _SOFT_WORDS + ' token')})",
    *SHAPES,
    *_SENTENCES,
    *_COMMAND_HINTS,
)
FILE = (
    r"(?i-u:token|pass|secret|key|auth|cred|pwd|pw|cookie|sess|jwt|bearer|dsn|private|salt|signature|psk|sig|sid)",
    *SHAPES,
    *_SENTENCES,
    *_COMMAND_HINTS,
)

_HARD = (
    r"(?:(?:passw|passp|passc|[a-z_\-]pass|pwd|secret|cred|psk|masterauth|token[a-hj-rt-z0-9_.\-]|pass[0-9_.\-]"
    r"|(?:api|access|account|encrypt[a-z]*|sign[a-z]*|master|shared|private|app|license|storage"
    r"|session|cookie|auth|crypt[a-z]*|cipher|hmac|unseal|recovery|admin|aes|deploy|webhook"
    r"|jwt)[\w.\-]{0,3}key)[A-Za-z0-9_.\-]*"
    r"|pass|token|[a-z_\-]?pw|unseal key [0-9])"
)
_SOFT = r"(?:(?:auth|bearer|cookie|sess|jwt|dsn|salt|signature|private|key|tokens)[A-Za-z0-9_.\-]*|sig|sid)"
_STEM = rf"(?:{_HARD}|{_SOFT})"
_EQUALS = (
    r"(?:(?:\\*[\"'`])?[\]}]{0,2}[ \t]*(?:[=:]|<-)|(?:[ \t]+(?:string|\[\]byte|char)"
    r"|[ \t]*:[ \t]*[\w\[\]|.?<>]+)[ \t]*=)"
    r"[ \t>=:\"'`\\\[&]*"
)
_V = r"[^\s\"'`\\,;)}\]\[]"
_HARD_VALUE = rf"(?:[^\s\"'`\\,;)(}}\]\[/<${{]|/[A-Za-z0-9+]{{10}}|[<($]{_V}|[|>]|\[[ \t]*\r?\n)"
_MIXED = rf"(?:{_V}{{0,5}}[0-9!@#$%^&*+]{_V}{{5}}|{_V}{{5}}[\w\-./=]*[0-9!@#$%^&*+]|[A-Za-z]{{11}}|[|>] *[+-]?\r?\n)"
_NAME_KEY = r"(?:name|key|id|param[a-z_]*|variable|env_?var|option|property|setting|string|field)"
_ASSIGNED = (
    # A hard word and any value; a soft one, and a value with a digit or a sign in it.
    rf"(?i-u:{_HARD}{_EQUALS}{_HARD_VALUE})",
    rf"(?i-u:{_SOFT}{_EQUALS}{_MIXED})",
)
_PAIRS = (
    r"(?i-u:(?:^|[^A-Za-z])(?:parameter)?val(?:ue)?[\"']?[ \t]*:[ \t]*[\"']?[^\s\"'{\[])",
    # The name of a pair, on its own line or before its value.
    (
        rf"(?i-u:(?:^|[^\w.\-]){_NAME_KEY}[\"']?[ \t]*(?:=>|[:=>])[ \t]*[\"']?[\w.\-/]*{_STEM}[\"']?[ \t]*(?:,|;"
        rf"|\r?\n|<|$|/?>|[ \t](?:v|d|c|t)))"
    ),
    rf"(?i-u:(?:--{_NAME}|[ \t\"']-[a-z]*)(?:pass|pw|secret|token|key|cred|auth|bearer|cookie|jwt){_NAME}[\"',]*\s)",
    rf"(?i-u:<[\w:.\-]*{_STEM}[ >])",
    rf"(?i-u:\w\([ \t]*[\"'][\w.\-]*{_STEM}[\"'][ \t]*,)",
    rf"(?i-u:(?:variable|output)[ \t]+\"[\w.\-]*{_STEM})",
)
_DIRECTIVES = (
    (
        r"(?m-u:^[ \t#;]*[\w.\-]*(?i:passw|secret|token|psk|pass|key|auth|pw"
        r"|cred)[\w.\-]*[ \t]+[!-:<-~][!-~]*[ \t]*;?\r?$)"
    ),
    (
        rf"(?i-u:(?:env|arg|setenv|setx|header|param|header set)[ \t]+{_NAME}(?:pass|secret|token|key|auth"
        rf"|cookie|cred|pwd){_NAME}[ \t]+\S)"
    ),
    r"(?i-u:(?:password|secret|key|passphrase|psk|key-string|md5)[ \t]+(?:encrypted[ \t]+)?[0-9][ \t]+\S{4})",
    r"(?i-u:(?:passw(?:or)?d|secret|passphrase|psk|ascii-text|pre-shared-key|authentication-key|token)[ \t]+\")",
    *_SENTENCES,
)
_COMMANDS = (
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
)
NARROW = (
    (Look.KEY_VALUE, _ASSIGNED),
    (Look.PHRASES, _PAIRS),
    (Look.PHRASES, _DIRECTIVES),
    (Look.SHAPES, SHAPES),
    (Look.COMMANDS, _COMMANDS),
)
"""Each group is one automaton, small enough that its states stay cached."""
