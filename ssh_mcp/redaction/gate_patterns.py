"""The gate's patterns, in the syntax of Rust's ``regex``: no look-around, and that is what makes it linear.

``WIDE`` sees every character. Each of its groups is an automaton of its own whose alternatives all begin with literals,
a few dozen at most: then Rust looks for the literals with SIMD and runs the automaton only behind a hit, 0.05 to 0.2 ms
a MiB each. Which patterns share one was found by measuring every pair over logs, listings, sources and JSON: literals
that are short or many cost the others their SIMD, so that a bad neighbour can make a group ten times slower. (One
automaton for all of them needs 2 ms a MiB, or 100 where its states do not fit into its cache.) ``NARROW`` sees only the
lines that ``WIDE`` lets through and says what they may hold.
Every pattern must be wider than the detectors that it stands for: ``redaction_support.py`` of the tests checks that.
"""

from __future__ import annotations

import re
from enum import IntFlag

from ssh_mcp.redaction.commands import HINTS
from ssh_mcp.redaction.providers import INFIXES, gate_of
from ssh_mcp.redaction.providers import SHAPES as SHAPES_OF_PROVIDERS


class Look(IntFlag):
    """Which detectors a line is worth."""

    KEY_VALUE = 1
    PAIRS = 2
    PHRASES = 4
    SHAPES = 8
    COMMANDS = 16
    TABLES = 32
    CODE = 64


_NAME = r"[a-z0-9_.\-]*"
_INDEX = r"(?:\[[ -Z\\^-~]{0,60}\]){0,3}"
_CLOSED = (
    r"(?:[\"'`\\\]}]*|&quot;|\\u0022)"
    + _INDEX
    + r"[ \t]*(?:[?+.~|&^/!:]{0,3}=|:|<{1,2}-)[ \t>=:\"'`\\\[&@]*(?:[brufl]{1,2}[\"'])?"
)
_FIRST = (
    r"(?:[^\s\"'`\\,;)(}{\]\[/<$]|/[a-z0-9+]{10}|[($][a-z0-9+!@#%^&*]{3}|<(?:[a-rt-z0-9+!@#%^&*]|s[^h])|[|>]"
    r"|\[[ \t]*\r?(?:\n|$)|[{(]+[ \t]*[\"'\[]|[\"'`]+\\?[ \t]*\r?(?:\n|$))"
)
_LISTED = r"[\w.:!\[\] ]{0,60}@?[({\[][ \t]*[\"']"
_INIT = r"[)\]]?[ \t]*[({][ \t]*[brul@]*[\"']"
_C = r"[!#-&(-+\-./0-9:<-@^_a-z~]"
_DIGIT_OR_LONG = (
    rf"(?:{_C}{{0,5}}[0-9!@#$%^&*+]{_C}{{5}}|{_C}{{5}}[\w\-./=]*[0-9!@#$%^&*+]|[a-z]{{11}}|[|>] *[+-]?\r?(?:\n|$))"
)
_TYPED = r"(?:[ \t]+(?:string|\[\]byte|as[ \t]+[\w.]+)|[ \t]*:[ \t]*(?:&(?:'static )?)?[\w\[\]|.?<>]+)[ \t]*="
_ATTRIBUTE = (
    r"(?:[ \t]*/?>|<|[\"'][ \t]*(?:,[ \t]*[\"']|\{|[a-z]+=|/?>)"
    r"|,[ \t]*[\"']?(?:val|default|content|data))"
)
_DIRECTIVE = r"[ \t]+(?:ascii )?(?:[0-9] |ascii-text )?[\"']?(?:[a-z_\-.]+[0-9@!#$%^&*+]|[0-9@!#$%^&*+][^\s]{3})"
_STEMS = "pass|pwd|secret|token|cred|psk|auth|bearer|cookie|sess|jwt|dsn|salt|signature|private|key"
_KEY_KINDS = "pi|ss|nt|on|pt|ng|er|ed|te|pp|se|ge|ie|th|to|ac|al|ry|in|es|oy|ok|wt|re"
"""How the words end that make a key a secret one: api_key, access-key, encryptionKey …"""
_DASH = r"(?: -|\t-|\"-|'-|\[-)"

_TOLD = (
    r"[ \t]+(?:(?:is|was|set to|changed to|generated)[ \t:=]|for [a-hj-z'\"]|-?[a-z]{2,5}[ \t]+\(?[\"'])"
    rf"|{_INIT}|:?-[!-|]"
)

_IN_HEAD = r"[\"'`]?(?:[,;]|[ \t]*(?:[|\t]|\r?(?:\n|$))|[ \t]+\?|  )"
"""A name that is a column's: a separator behind it, which may be a character beyond ASCII, or the line's end."""

WIDE_LOWER = (
    (
        # A name, and what makes it one: a separator and a value, a closing tag, a directive's value, a sentence.
        (
            rf"(?:(?:pass|pwd|secret|cred|psk|masterauth|kennwort|senha|wachtwoord){_NAME}|token(?:[a-hj-rt-z0-9_.\-]{_NAME})?|pw)"
            rf"(?:{_CLOSED}{_FIRST}|{_TYPED}|[ \t]+[\"']|{_DIRECTIVE}|{_ATTRIBUTE}|{_TOLD}|(?:%22)?%3[ad][^\s])"
        ),
        # A column's name at the head of a table.
        rf"(?:pass|pwd|secret|cred|psk|kennwort|senha|wachtwoord|token|pw)[a-z0-9_]*{_IN_HEAD}",
        # A name whose value stands below, or in braces.
        rf"(?:pass|pwd|secret|token|cred|psk|key){_NAME}[\"']?[ \t]*(?:=>|[:=])[ \t]*(?:[{{(]|#|\r?(?:\n|$))",
    ),
    (
        rf"(?:{_KEY_KINDS})[_\-]key(?:{_NAME}(?:{_CLOSED}{_FIRST}|{_INIT})|{_IN_HEAD})",
        r"proxy\w*[\"']?[ \t]*[=:][!-~ ]*@|identified[ \t]+(?:by|as|with)|kind[\"']?:[ \t]*[\"']?secret",
        r"chpasswd|add_user|change_password|net user|alias set|vault login|configure set|sqlplus|-stdin|sudo -s",
    ),
    (
        # A literal before the name that it is compared with; fish's set.
        (
            rf"(?:==|!=|\" = |' = | eq \"| eq '| ne \"| ne '|\" eq |' eq |-eq |-ne )[ \t]*"
            rf"[\"'$@&*(\[\\{{\w.\->]{{0,60}}(?:{_STEMS})"
        ),
        rf"(?:cmp|equal|compare|_digest|ignorecase|coll|expect)[a-z_]*[!?]?\([^\n]{{0,200}}(?:{_STEMS})",
        (
            r"set -{1,2}[a-z][a-z\-]*(?:[ \t]+-{1,2}[a-z][a-z\-]*)*[ \t]+[a-z0-9_]*"
            r"(?:pass|pwd|secret|token|cred|psk|key|auth|cookie|jwt|dsn)"
        ),
    ),
    (
        rf"(?:pi|ss|te|er|nt|on|ng|ed|th|se|pp)[ .]?key(?:{_NAME}(?:{_CLOSED}{_FIRST}|{_INIT})|{_IN_HEAD})",
        r"bearer[ \t]+[a-z+/=._~\-]*[0-9]|basic[ \t]+[a-z0-9+/]{11}|(?:authorization|cookie2?)[ \t\"'\\]*[:=,]",
    ),
    (
        (
            rf"(?:auth|bearer|cookie|sess|jwt|dsn|salt|signature|private|tokens|key){_NAME}"
            rf"(?:{_CLOSED}(?:{_DIGIT_OR_LONG}|{_LISTED})|{_TYPED}|{_ATTRIBUTE}|[ \t]+[0-9][ \t]+[^\s]{{4}}"
            rf"|(?:%22)?%3[ad][^\s])"
        ),
        (
            r"reg_(?:sz|expand_sz|multi_sz)[ \t]+[^\s]|community[ \t]+[^\s]|com2sec6?[ \t]|stats auth [^\s]"
            r"|values[ \t]*(?:\(|\r?(?:\n|$))"
            r"|(?:pdo|mysqli)->|auth=\(|basicauth\(|mysqli?_(?:p|real_)?connect\(|new (?:\\?pdo|mysqli)\("
            r"|: (?:rsa|ecdsa|pkcs8|pkcs12|p12) [^\s]"
            r"|setuser | on >|(?:xauth|eap|ntlm|pin) \"|\.(?:auth|login|authenticate)\("
            r"|set password"
        ),
    ),
    (
        r"(?:sig=|sid=|sig:|sid:|sig\"|sid\"|sig'|sid')[^\s]{4}",
        r"(?:irepass|terauth|rpcpassword|th_pass|ndpw|otpw)[ \t]+\S",
        r"(?:login|username)[ \t]+\S+[ \t]+(?:password|passwd|account|pass|secret)[ \t]+\S",
    ),
    (
        # The value of a pair whose name stands on a line above.
        r"private-lines:|val(?:ue)?[\"']?[ \t]*:[ \t]*[\"']?[^\s\"'{\[]",
        r"(?:unseal|recovery) key [0-9]",
        rf"(?:env |arg |setenv |setenv -[a-z] |setx |header |param |env\t|define |define\t)[ \t]*{_NAME}(?:{_STEMS})",
    ),
    (
        rf"{_DASH}-?[a-z\-.]*(?:{_STEMS}|pw){_NAME}(?:[\"',]*(?:\s|$)|[\"']?,[\"'])|--(?:proxy-)?user[ \t=\"']",
        rf"{_DASH}(?:[puawxkhcn][^\s\-]|[puawxkbcn]+[\"',]*[ \t]+[\"']?[^\s\-])|(?: /p:| pass:|\"pass:|'pass:)",
    ),
    (
        r"create table |from stdin;|-\[ record |\*{9} [0-9]+\. row |key  +value",
        r"(?:tion-key|ey-string|ared-key)[ \t]+[^\s]{4}|<<<|config (?:set|create|add|update) |http-basic\.|createuser ",
        r"(?:account|access|secret)[._]?key[a-z0-9_.\-]*[ \t]+[^\s]{8}",
    ),
)
"""Asked of the lower-cased text."""
_SHORT = 3
"""Letters: a literal this short costs the others of its group their SIMD, so that all of these share one automaton."""
_LONG = [shape for shape in SHAPES_OF_PROVIDERS if len(re.split(r"[\[(\\]", shape.start)[0]) > _SHORT]
_BRIEF_STARTS = [shape for shape in SHAPES_OF_PROVIDERS if shape not in _LONG]
_PER_GROUP = 20
WIDE_PLAIN = (
    (
        r"hooks\.slack\.com/|/webhooks/|webhook\.office",
        r"AUTH[ \t]+[^\s]|PASS[ \t]+[^\s]*[0-9]",
        r"@(?:tcp|unix)\(|:thin:|:\\?/\\?/(?:[!-.0-~]*:)?[!-.0-~]*@|:\\?/\\?/:[!-~]",
        r"LS0tL[A-Za-z0-9_.\-]{6}",
    ),
    (r"pbkdf2[_:.]|scrypt:|bcrypt[_$]|argon2\$|md5[0-9a-f$]{8}|sha1\$|SCRAM-SHA",),
    *(tuple(map(gate_of, _LONG[n : n + _PER_GROUP])) for n in range(0, len(_LONG), _PER_GROUP)),
    (*map(gate_of, _BRIEF_STARTS), *map(gate_of, INFIXES)),
    (r"(?:BEGIN|END) [A-Z0-9 ]*(?:PRIVATE KEY|OpenVPN)",),
    (
        (
            r"=\t(?:[A-Za-z0-9+/]{43}=|\(none\))\t|\]:(?:25|465|587|2525|submissions?|smtps?)[ \t]+[^\s:]+:[^\s]"
            r"|\$\$(?:apr1|[156y]|2[aby])\$\$[\w./]|\$(?:1\$|2[abxy]?\$|5\$|6\$|7\$|y\$|gy\$|apr1\$|P\$|H\$|8\$|9\$|14\$|argon2|scrypt|pbkdf2|bcrypt)[\w./=\-]"
        ),
    ),
    (r"\*[0-9A-F]{16}|\{(?:S?SHA|S?MD5|CRYPT|PBKDF2|BLF|ARGON2|SCRAM)",),
)
"""Asked of the text as it stands."""
FILE_STEMS = (
    "kennwort|senha|wachtwoord"
    "|token|pass|secret|key|auth|cred|pwd|pw|cookie|sess|jwt|bearer|dsn|private|salt|signature|psk|sig|sid|val"
)
"""Enough for a line of a configuration file to be looked at, in lower case."""

_N = r"[A-Za-z0-9_.\-]*"
SHAPES = (
    *(rf"(?-u:(?:^|[^A-Za-z0-9]){gate_of(shape)})" for shape in SHAPES_OF_PROVIDERS),
    *(rf"(?-u:{gate_of(infix)})" for infix in INFIXES),
    r"(?-u:hooks\.slack\.com/|/webhooks/|webhook\.office|LS0tL[A-Za-z0-9_.\-]{6})",
    r"(?-u:=\t(?:[A-Za-z0-9+/]{43}=|\(none\))\t|\]:\w+[ \t]+[^\s:]+:[^\s])",
    r"(?-u:-----? ?(?:BEGIN|END) [A-Z0-9 ]*(?:PRIVATE KEY|OpenVPN))",
    r"(?-u:@(?:tcp|unix)\(|:thin:|:\\?/\\?/(?:[!-.0-~]*:)?[!-.0-~]*@|:\\?/\\?/:[!-~])",
    r"(?i-u:proxy\w*[\"']?[ \t]*[=:][!-~ ]*@)",
    r"(?-u:\$\$(?:apr1|[156y]|2[aby])\$\$[\w./])",
    r"(?-u:\$(?:1\$|2[abxy]?\$|5\$|6\$|7\$|y\$|gy\$|apr1\$|P\$|H\$|8\$|9\$|14\$|argon2|scrypt|pbkdf2|bcrypt)[\w./=\-])",
    r"(?-u:pbkdf2[_:.]|scrypt:|bcrypt[_$]|argon2\$|md5[0-9a-f$]{8}|sha1\$|SCRAM-SHA|\*[0-9A-F]{16})",
    r"(?-u:\{(?:S?SHA|S?MD5|CRYPT|PBKDF2|BLF|ARGON2|SCRAM))",
    r"(?i-u:bearer[ \t]+[A-Za-z+/=._~\-]*[0-9]|basic[ \t]+[A-Za-z0-9+/]{11})",
    r"(?i-u:(?:authorization|cookie2?)[ \t\"'\\]*[:=,])",
)
_SENTENCES = (
    r"(?i-u:(?:login|user|account|username)[ \t]+\S+[ \t]+(?:password|passwd|account|pass|secret)[ \t]+\S)",
    r"(?i-u:identified[ \t]+(?:by|as|with)|password[ \t]*\(?[ \t]*'[^' ]|kind[\"']?:[ \t]*[\"']?Secret)",
    r"(?i-u:(?:xauth|eap|ntlm|pin) \"|\.(?:auth|login|authenticate)\(|set[ \t]+password|setuser|user[ \t][^\n]* >)",
    (
        r"(?i-u:(?:with|using|enable|set|has|config)[ \t]+(?:the[ \t]+)?"
        r"\w*(?:password|passphrase|secret|token|passwd|psk)\w*[ \t])"
    ),
    r"(?i-u:(?:authentication-key|key-string|pre-shared-key|requirepass|masterauth|rpcpassword)[ \t]+\S)",
    r"(?i-u:reg_(?:sz|expand_sz|multi_sz)[ \t]|community|com2sec|insecure-password[ \t]|stats[ \t]+auth[ \t])",
    r"(?i-u:auth[ \t]+(?:plain|login)[ \t]|(?:pdo|mysqli)->|auth=\(|basicauth\()",
    r"(?i-u:mysqli?_(?:p|real_)?connect\(|new[ \t]+\\?(?:pdo|mysqli)\()",
    r"(?i-u:\([^()]*(?:pass|pwd|secret|token|key|cred|salt)[^()]*\)[ \t]*values[ \t]*\()",
    r"(?i-u:psk[ \t]+0[sx]|(?:rsa|ecdsa|pkcs8|pkcs12|p12)[ \t]+[^\s]+[ \t]+\")",
    r"(?i-u:private-(?:lines|mac):|(?:unseal|recovery) key [0-9])",
    r"(?i-u:(?:pass(?:word|phrase|wd)|secret|token|pin code)[ \t]+(?:is|was|set to|changed to|generated)[ \t:=])",
    r"(?i-u:(?:temporary|initial|generated|default|root|admin)[ \t]+password[ \t]*(?:is|was|for|set|:|=))",
    (
        r"(?i-u:(?:secret|access|private|api|account|encryption|master|signing|license|shared)[ \t]"
        r"(?:access[ \t])?key[ \t]*[:=][ \t]*\S{6})"
    ),
)

_HARD = (
    r"(?:(?:passw|passp|passc|passe|kennwort|senha|wachtwoord|[a-z_\-]pass|pwd|secret|cred|psk|masterauth|token[a-hj-rt-z0-9_.\-]|pass[0-9_.\-]"
    r"|(?:api|access|account|encrypt[a-z]*|sign[a-z]*|master|shared|private|app|license|storage"
    r"|session|cookie|auth|crypt[a-z]*|cipher|hmac|unseal|recovery|admin|aes|deploy|webhook"
    r"|jwt)[\w.\-]{0,3}key)[A-Za-z0-9_.\-]*"
    r"|pass|token|[a-z_\-]?pw|unseal key [0-9])"
)
_SOFT = r"(?:(?:auth|bearer|cookie|sess|jwt|dsn|salt|signature|private|key|tokens)[A-Za-z0-9_.\-]*|sig|sid)"
_STEM = rf"(?:{_HARD}|{_SOFT})"
_EQUALS = (
    rf"(?:(?:\\*[\"'`]|&quot;|\\u0022)?[\]}}]{{0,2}}{_INDEX}[ \t]*(?:[?+.~|&^/!:]{{0,3}}=|:|<{{1,2}}-)"
    rf"|{_INDEX}(?:[ \t]+(?:string|\[\]byte|char|as[ \t]+[\w.]+)"
    r"|[ \t]*:[ \t]*(?:&(?:'static )?)?[\w\[\]|.?<>]+)[ \t]*=)"
    r"[ \t>=:\"'`\\\[&@]*(?:[brufl]{1,2}[\"'])?"
)
_V = r"[^\s\"'`\\,;)}\]\[]"
_HARD_VALUE = rf"(?:[^\s\"'`\\,;)(}}\]\[/<${{]|/[A-Za-z0-9+]{{10}}|[($]{_V}|<(?:[^s]|s[^h])|[|>]|\[[ \t]*\r?(?:\n|$)"
_HARD_VALUE += r"|[{(]+[ \t]*[\"'\[]|[\"'`]+\\?[ \t]*\r?(?:\n|$))"
_MIXED = (
    rf"(?:{_V}{{0,5}}[0-9!@#$%^&*+]{_V}{{5}}|{_V}{{5}}[\w\-./=]*[0-9!@#$%^&*+]|[A-Za-z]{{11}}|[|>] *[+-]?\r?(?:\n|$))"
)
_NAME_KEY = r"(?:name|key|id|param[a-z_]*|variable|env_?var|option|property|setting|string|field)"
_ASSIGNED = (
    # A hard word and any value; a soft one, and a value with a digit or a sign in it.
    rf"(?i-u:{_HARD}{_EQUALS}{_HARD_VALUE})",
    rf"(?i-u:{_SOFT}{_EQUALS}(?:{_MIXED}|{_LISTED}|[a-z][a-z0-9+.\-]*://[^\s/:@]+@))",
    rf"(?i-u:{_STEM}(?:%22)?%3[ad][^\s])",
)
_PAIRS = (
    rf"(?i-u:(?:pass|pwd|secret|token|cred|psk|key){_N}[\"']?[ \t]*(?:=>|[:=])[ \t]*(?:[{{(]|#|\r?(?:\n|$)))",
    rf"(?i-u:{_STEM}[\"']?[ \t]*:[ \t][^\n]*[|>][+\-0-9]{{0,2}}[ \t]*(?:#|\r?\n|$))",
    r"(?i-u:(?:^|[^A-Za-z])(?:parameter)?val(?:ue)?[\"']?[ \t]*:[ \t]*[\"']?[^\s\"'{\[])",
    # The name of a pair, on its own line or before its value.
    (
        rf"(?i-u:(?:^|[^\w.\-]){_NAME_KEY}[\"']?[ \t]*(?:=>|[:=>])[ \t]*[\"']?[\w.\-/]*{_STEM}[\"']?[ \t]*(?:,|;"
        rf"|\r?\n|<|$|/?>|[ \t](?:v|d|c|t)|[ \t][^<>\n]*>))"
    ),
    (
        rf"(?i-u:(?:--{_N}|[ \t\"']-[a-z]*)(?:pass|pw|secret|token|key|cred|auth|bearer|cookie|jwt){_N}"
        r"(?:[\"',]*(?:\s|$)|[\"']?,[\"']))"
    ),
    rf"(?i-u:<[\w:.\-]*{_STEM}(?:[ \t>]|\r?(?:\n|$)))",
    rf"(?i-u:\w\([ \t]*[\"'][\w.\-]*{_STEM}[\"'][ \t]*,)",
    rf"(?i-u:(?:variable|output)[ \t]+\"[\w.\-]*{_STEM})",
)
_DIRECTIVES = (
    (
        r"(?m-u:^[ \t#;]*[\w.\-]*(?i:passw|secret|token|psk|pass|key|auth|pw"
        r"|cred)[\w.\-]*[ \t]+[!-:<-~][!-~]*[ \t]*;?\r?$)"
    ),
    (
        rf"(?i-u:(?:env|arg|setenv|setx|header|param|header set|setenv[ \t]+-\w|set(?:[ \t]+-{{1,2}}[\w\-]+)+)"
        rf"[ \t]+{_N}(?:pass|secret|token|key|auth"
        rf"|cookie|cred|pwd){_N}[ \t]+\S)"
    ),
    (
        r"(?i-u:(?:password|secret|key|passphrase|psk|key-string|md5)[ \t]+"
        r"(?:(?:encrypted|ascii|hex)[ \t]+)?[0-9][ \t]+\S{4})"
    ),
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
    r"(?i-u:<<<|config[ \t]+(?:set|create|add|update)|http-basic\.|createuser)",
)
_TABLES = (
    (
        r"(?i-u:(?:passw|passp|passc|passe|pass|pwd|secret|cred|psk|kennwort|senha|wachtwoord|token|pw|key)"
        rf"[A-Za-z0-9_.\- ]{{0,20}}{_IN_HEAD})"
    ),
    r"(?i-u:values[ \t]*\r?(?:\n|$)|create table |from stdin;|-\[ record |\*{9} [0-9]+\. row |key  +value)",
)
_CODE = (
    rf"(?i-u:{_STEM}{_INDEX}[)\]]?[ \t]*[({{][ \t]*[brul@$]*[\"'])",
    rf"(?i-u:(?:[=!]=|[\"'][ \t]*=~?|[ \t]-?(?:c?i?eq|c?i?ne|like|ilike|is|in)|<=>)[ \t]+[^\n]*{_STEM})",
    rf"(?i-u:{_STEM}[^\n]{{0,40}}[ \t]-?(?:c?i?eq|c?i?ne|c?i?like|ilike|is|in)[ \t]+\(?[bru]*[\"'])",
    rf"(?i-u:(?:cmp|coll|equals?|compare|digest|assert|ignorecase|expect)[\w!?]*\([^\n]*{_STEM})",
    rf"(?i-u:{_STEM}[\"'\])]*\.\w+\(:?[ \t]*[\"'])",
    rf"(?i-u:\$\{{\w*{_STEM}:?[-=])",
    rf"(?i-u:define[ \t]+\w*{_STEM}\w*[ \t]+[bru@]*[\"'])",
)
NARROW = (
    (Look.CODE, _CODE),
    (Look.KEY_VALUE, _ASSIGNED),
    (Look.PAIRS, _PAIRS),
    (Look.PHRASES, _DIRECTIVES),
    (Look.SHAPES, SHAPES),
    (Look.COMMANDS, _COMMANDS),
    (Look.TABLES, _TABLES),
)
"""Each group is one automaton, small enough that its states stay cached."""
