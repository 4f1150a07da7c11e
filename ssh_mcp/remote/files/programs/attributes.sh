# shellcheck shell=sh
# What a new file takes over from the one that it replaces. Read in front of keep.sh and write.sh.

# row FILE: sets perms (as ls writes them, with the mark of an access list) and links (how many names it has)
row() {
  # shellcheck disable=SC2046,SC2012  # one name, and only the fields before it are read
  set -f && set -- $(LC_ALL=C ls -ld -- "$1" 2>/dev/null) && set +f
  # shellcheck disable=SC2034  # read by those who call
  perms=$1 links=$2
}

# keep OLD NEW: access list and extended attributes, with the host's own tools; 1 where an access list cannot be kept.
# Sets copied where the mode was copied along. Prints "lost" where extended attributes could not be kept.
keep() {
  copied=
  row "$1"
  if cp --attributes-only --preserve=mode,xattr -- "$1" "$2" 2>/dev/null; then # GNU cp: one process for all
    copied=1
  elif cp --attributes-only --preserve=mode -- "$1" "$2" 2>/dev/null; then
    copied=1
    case $(LC_ALL=C cp --attributes-only --preserve=xattr -- "$1" "$2" 2>&1) in
      *without*) ;; # cp was built without them
      *) echo lost ;;
    esac
  elif list=$(getfacl -- "$1" 2>/dev/null); then
    case $list in
      *mask::*) printf '%s\n' "$list" | setfacl --set-file=- -- "$2" 2>/dev/null || return 1 ;;
    esac
  else
    case $perms in *+) return 1 ;; esac
  fi
  case $perms in # the mark of an SELinux context
    *.) [ -z "$copied" ] || cp --attributes-only --preserve=context -- "$1" "$2" 2>/dev/null ;;
  esac
  return 0
}
