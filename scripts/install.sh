#!/usr/bin/env bash
# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
#
# install.sh [PACKAGE...]: installs the Debian packages that are missing: those of the build, and those named.
source "$(dirname "$0")/common.sh"

command -v swift >/dev/null || fail "no swift on the PATH; install Swift 6.3 from https://swift.org/install/linux"

missing=()
for package in libsqlite3-dev libzstd-dev zlib1g-dev python3 python3-venv "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

say "installing ${missing[*]}"
[ "$(id -u)" = 0 ] || fail "run this as root once: apt-get install ${missing[*]}"

# No package may start a service of its own here: the policy of a machine that has none is to start none.
if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
    chmod +x /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
fi

export DEBIAN_FRONTEND=noninteractive
install() {
    apt-get update -qq </dev/null >&2 && apt-get install -qq -y --no-install-recommends "${missing[@]}" </dev/null >&2
}
install || { say "apt-get failed, trying once more"; sleep 5; install; }
