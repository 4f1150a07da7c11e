# shellcheck shell=sh
# Access lists and extended attributes of the tree $1 for its copy $2, where the host has GNU cp; links have none.
cd -P -- "$1" || exit 64
[ -d "$2" ] || exit 64
find . ! -type l -exec sh -c '
  for f do cp --attributes-only --preserve=mode,xattr -- "$f" "$0/$f" || exit 1; done' "$2" {} +
