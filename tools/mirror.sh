#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Sourced by what fetches more than this machine's own packages: which mirror to ask. Only sources
# that this machine itself is configured with are ever named.

# own_suite: the name of this machine's Debian release.
own_suite() {
  # shellcheck source=/dev/null
  (. /etc/os-release && [ "${ID:-}" = debian ] && echo "${VERSION_CODENAME:-}") || true
}

# mirror_of SUITE: the URI under which apt finds SUITE. apt itself says so, whatever format its sources
# have. A machine whose sources do not name SUITE gets the mirror of its own release, which may or may
# not serve it. Nothing where there is no mirror of Debian at all.
mirror_of() {
  apt-get --print-uris update 2>/dev/null | sed -n "s|^'\(.*\)/dists/\([^/]*\)/InRelease'.*|\2 \1|p" |
    awk -v suite="$1" -v own="$(own_suite)" '
      $1 == suite && !exact { exact = $2 }
      ($1 == own || $1 ~ /^((old)*stable|testing)$/) && !base { base = $2 }
      END { if (exact) print exact; else if (base) print base }'
}

# debian_keyring: the keys of Debian's archive, or nothing.
debian_keyring() {
  local file
  for file in /usr/share/keyrings/debian-archive-keyring.{pgp,gpg}; do
    [ ! -e "$file" ] || { echo "$file"; return; }
  done
}
