#!/bin/sh
# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
#
# Installs what the image needs beside rollcall and the agent: the libraries that rollcall links, and the agent's packages.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -qq --yes --no-install-recommends ca-certificates libsqlite3-0 libzstd1 python3 python3-venv util-linux zlib1g
rm -rf /var/lib/apt/lists/*
python3 -m venv /app/venv
/app/venv/bin/pip install --quiet --no-cache-dir --disable-pip-version-check --requirement /app/requirements.txt
