"""Building blocks of the gate's patterns: how names of secrets begin, and what makes one of them an assignment.

In the syntax of Rust's ``regex``. Those of the first part are matched against lower-cased text (``Wide``), those of the
second against lines as they are, through ``insensitive``.
"""

from __future__ import annotations

NAME = r"[a-z0-9_.\-]*"
INDEX = r"(?:(?:\[[ -Z\\^-~]{0,60}\]){0,3}| ?\{ ?get;[ -z]{0,30}\}|[!?])"
CLOSED = (
    r"(?:%?[\"'`\\\]}]*|&quot;|\\u0022)"
    + INDEX
    + r"[ \t]*(?:[?+.~|&^/!:]{0,3}=|:|<{1,2}-|<>)[ \t>=:\"'`\\\[&@]*(?:[brufl]{1,2}[\"'])?"
)
FIRST = (
    r"(?:[^\s\"'`\\,;)(}{\]\[/<$]|/[a-z0-9+]{10}|[($][a-z0-9+!@#%^&*]{3}|<(?:[a-rt-z0-9+!@#%^&*]|s[^h])|[|>]"
    r"|\[[ \t]*\r?(?:\n|$)|[{(]+[ \t]*[\"'\[]|[\"'`]+\\?[ \t]*\r?(?:\n|$))"
)
LISTED = r"[\w.:!\[\] ]{0,60}@?[({\[][ \t]*[\"']"
INIT = r"[)\]]?[ \t]*[({][ \t]*(?:_t\(|text\()?[brul@]*[\"']"
_C = r"[!#-&(-+\-./0-9:<-@^_a-z~]"
DIGIT_OR_LONG = (
    rf"(?:{_C}{{0,5}}[0-9!@#$%^&*+]{_C}{{5}}|{_C}{{5}}[\w\-./=]*[0-9!@#$%^&*+]|[a-z]{{11}}|[|>] *[+-]?\r?(?:\n|$)"
    r"|\[[ \t]*\r?(?:\n|$))"
)
TYPED = r"(?:[ \t]+(?:string|\[\]byte|as[ \t]+[\w.]+)|[ \t]*:[ \t]*(?:&(?:'static )?)?[\w\[\]|.?<>]+)[ \t]*="
ATTRIBUTE = (
    r"(?:[ \t]*/?>|<|[\"'][ \t]*(?:,[ \t]*[\"']|\{|[a-z]+=|/?>)"
    r"|,[ \t]*[\"']?(?:val|default|content|data))"
)
DIRECTIVE = r"[ \t]+(?:ascii )?(?:[0-9] |ascii-text )?[\"']?(?:[a-z_\-.]+[0-9@!#$%^&*+]|[0-9@!#$%^&*+][^\s]{3})"
NAMES = (
    rf"(?:(?:pass|pwd|secret|cred|psk|masterauth|kennwort|senha|wachtwoord){NAME}"
    rf"|token(?:[a-hj-rt-z0-9_.\-]{NAME})?|pw)"
)
"""Names that are secret whatever their value looks like."""
SOFT_NAMES = rf"(?:auth|bearer|cookie|sess|jwt|dsn|salt|signature|private|tokens|key){NAME}"
"""Names that are secret if their value looks like one."""
BELOW = r"[\"']?[ \t]*(?:=>|[:=])[ \t]*(?:[{(]|#|\r?(?:\n|$))"
"""A separator whose value is below, or in braces."""
STEMS = "pass|pwd|secret|token|cred|psk|auth|bearer|cookie|sess|jwt|dsn|salt|signature|private|key"
KEY_KINDS = "pi|ss|nt|on|pt|ng|er|ed|te|pp|se|ge|ie|th|to|ac|al|ry|in|es|oy|ok|wt|re|ep"
"""How the words end that make a key a secret one: api_key, access-key, encryptionKey …"""
DASH = r"(?: -|\t-|\"-|'-|\[-)"
IN_HEAD = r"[\"'`]?(?:[,;]|[ \t]*(?:[|\t]|\r?(?:\n|$))|[ \t]+\?|  )"
"""A name that is a column's: a separator behind it, which may be a character beyond ASCII, or the line's end."""
HARD = (
    r"(?:(?:passw|passp|passc|passe|kennwort|senha|wachtwoord|[a-z_\-]pass|pwd|secret|cred|psk|masterauth"
    r"|token[a-hj-rt-z0-9_.\-]|pass[0-9_.\-]|(?:api|access|account|encrypt[a-z]*|sign[a-z]*|master|shared|private|app|license|storage"
    r"|session|cookie|auth|crypt[a-z]*|cipher|hmac|unseal|recovery|admin|aes|wep|deploy|webhook"
    r"|jwt)[\w.\-]{0,3}key)[A-Za-z0-9_.\-]*"
    r"|pass|token|[a-z_\-]?pw|unseal key [0-9])"
)
SOFT = r"(?:(?:auth|bearer|cookie|sess|jwt|dsn|salt|signature|private|key|tokens)[A-Za-z0-9_.\-]*|sig|sid)"
STEM = rf"(?:{HARD}|{SOFT})"
EQUALS = (
    rf"(?:%?(?:\\*[\"'`]|&quot;|\\u0022)?[\]}}]{{0,2}}{INDEX}[ \t]*(?:[?+.~|&^/!:]{{0,3}}=|:|<{{1,2}}-|<>)"
    rf"|{INDEX}(?:[ \t]+(?:string|\[\]byte|char|as[ \t]+[\w.]+)"
    r"|[ \t]*:[ \t]*(?:&(?:'static )?)?[\w\[\]|.?<>]+)[ \t]*=)"
    r"[ \t>=:\"'`\\\[&@]*(?:[brufl]{1,2}[\"'])?"
)
V = r"[^\s\"'`\\,;)}\]\[]"
HARD_VALUE = rf"(?:[^\s\"'`\\,;)(}}\]\[/<${{]|/[A-Za-z0-9+]{{10}}|[($]{V}|<(?:[^s]|s[^h])|[|>]|\[[ \t]*\r?(?:\n|$)"
HARD_VALUE += r"|[{(]+[ \t]*[\"'\[]|[\"'`]+\\?[ \t]*\r?(?:\n|$))"
MIXED = (
    rf"(?:{V}{{0,5}}[0-9!@#$%^&*+]{V}{{5}}|{V}{{5}}[\w\-./=]*[0-9!@#$%^&*+]|[A-Za-z]{{11}}|[|>] *[+-]?\r?(?:\n|$)"
    r"|\[[ \t]*\r?(?:\n|$))"
)


def insensitive(pattern: str) -> str:
    """``pattern`` for a line, in any case."""
    return f"(?i-u:{pattern})"
