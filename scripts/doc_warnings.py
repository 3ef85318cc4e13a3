# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""doc_warnings.py FOLDER MODULE...: prints what docc complained of, and fails if there is any.

Two complaints are none here: a parameter that its name explains need not be documented, and a link from one module to
a symbol of another, which docc cannot follow, counts as right if that symbol exists.
"""

import json
import re
import sys
from pathlib import Path


def symbols(folder: Path, module: str) -> set[str]:
    graph = json.loads((folder / module / f"{module}.symbols.json").read_text())
    return {"/".join(symbol["pathComponents"]) for symbol in graph["symbols"]}


def main() -> None:
    folder, modules = Path(sys.argv[1]), sys.argv[2:]
    known = set(modules).union(*(symbols(folder, module) for module in modules))
    count = 0
    for module in modules:
        for one in json.loads((folder / f"{module}.json").read_text())["diagnostics"]:
            summary = one["summary"]
            link = re.match(r"'(.*)' doesn't exist at", summary)
            if summary.endswith("is missing documentation") or (link and link[1] in known):
                continue
            line = one.get("range", {}).get("start", {}).get("line", 0)
            print(f"{one.get('source', module).removeprefix('file://')}:{line}: {summary}", file=sys.stderr)
            count += 1
    sys.exit(1 if count else 0)


if __name__ == "__main__":
    main()
