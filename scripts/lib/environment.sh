# shellcheck shell=bash
# Makes .venv (or another directory) with the project and the given extras. Sourced by the scripts; sets PY to the environment's python.
# Needs: a Python 3.11 or newer with venv. uv is used where it is, and fetched from PyPI where it is not.

find_python() {
  for candidate in "${PYTHON:-}" python3.11 python3.12 python3.13 python3; do
    [ -n "$candidate" ] || continue
    if command -v "$candidate" >/dev/null 2>&1 &&
      "$candidate" -c 'import sys; sys.exit(not ((3, 11) <= sys.version_info[:2]))' 2>/dev/null; then
      command -v "$candidate"
      return 0
    fi
  done
  echo "ssh-mcp needs Python 3.11 or newer; set PYTHON to one." >&2
  return 1
}

make_environment() { # make_environment EXTRAS [DIRECTORY]; without extras: what the server itself needs
  extras=$1
  venv=${2:-.venv}
  base=$(find_python) || return 1
  if ! "$venv"/bin/python -c 'import sys; sys.exit(not ((3, 11) <= sys.version_info[:2]))' 2>/dev/null; then
    rm -rf "$venv"
    if ! "$base" -m venv "$venv" 2>/dev/null; then
      install_packages python3-venv
      "$base" -m venv "$venv"
    fi
  fi
  PY=$PWD/$venv/bin/python
  stamp=$venv/.ssh-mcp-$(echo "$extras" | tr ',' '-')
  if [ ! -f "$stamp" ] || [ pyproject.toml -nt "$stamp" ] || ! "$PY" -c 'import ssh_mcp, fastmcp' 2>/dev/null; then
    echo "-- installing ssh-mcp${extras:+[$extras]} into $venv" >&2
    install_project "$extras" || return 1
    touch "$stamp"
  fi
}

install_project() { # install_project EXTRAS: says what it does where VERBOSE is set; with uv from PATH or PyPI; with pip where uv cannot be had
  if command -v uv >/dev/null 2>&1; then
    uv=uv
  else
    "$PY" -m pip --version >/dev/null 2>&1 || "$PY" -m ensurepip >/dev/null 2>&1
    "$PY" -m uv --version >/dev/null 2>&1 || "$PY" -m pip install --quiet --disable-pip-version-check uv
    uv="$PY -m uv"
  fi
  quiet=--quiet
  [ -z "${VERBOSE:-}" ] || quiet=
  $uv pip install $quiet --compile-bytecode --python "$PY" -e ".${1:+[$1]}" ||
    "$PY" -m pip install $quiet --disable-pip-version-check -e ".${1:+[$1]}"
}

install_packages() { # install_packages NAME...: Debian packages, where we are root on Debian; says so where not
  missing=""
  for name in "$@"; do
    dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null | grep -qx installed || missing="$missing $name"
  done
  [ -n "$missing" ] || return 0
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "-- not installed here (needs root and apt):$missing" >&2
    return 0
  fi
  echo "-- apt-get install$missing" >&2
  apt-get update -qq >/dev/null 2>&1 || true
  # policy-rc.d: the packages' own services must not start; tests start what they need by themselves.
  restore=""
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
    restore=1
  fi
  for name in $missing; do
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$name" >/dev/null 2>&1 ||
      echo "-- $name cannot be installed here" >&2
  done
  [ -z "$restore" ] || rm -f /usr/sbin/policy-rc.d
}
