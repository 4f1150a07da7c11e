# shellcheck shell=sh disable=SC2094  # the file is only read
# The size of the file $1 and its checksums by the algorithm $2, one per line: of its first $3 bytes, of its last $3, of
# all of it. Coreutils and BusyBox, Perl's shasum, the BSDs' own programs, OpenSSL.
# Exit 64: this shell does not see the file under that path. 72: the host has no program for it. 73: not readable.
f=$1 a=$2 n=$3
[ -f "$f" ] && [ "$(readlink -f -- "$f" 2>/dev/null || realpath -- "$f")" = "$f" ] || exit 64
if command -v "${a}sum" >/dev/null 2>&1; then sum() { "${a}sum"; }
elif command -v shasum >/dev/null 2>&1 && [ "$a" != md5 ]; then sum() { shasum -a "${a#sha}"; }
elif command -v "$a" >/dev/null 2>&1; then sum() { "$a" -q; }
elif command -v openssl >/dev/null 2>&1; then sum() { openssl dgst -r "-$a"; }
else exit 72; fi
wc -c <"$f" || exit 73
head -c "$n" <"$f" | sum
tail -c "$n" <"$f" | sum
sum <"$f"
