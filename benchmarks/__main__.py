"""`python -m benchmarks [tick] [ingest] [burst] [publish] [provision] [analytics] [backfill] [drill]`: all without a
name.

Writes docs/benchmarks.md."""

import importlib
import sys

from benchmarks.server import write_page

NAMES = ("tick", "ingest", "burst", "publish", "provision", "analytics", "backfill", "drill")


def main(arguments: list[str]) -> None:
    chosen = arguments or list(NAMES)
    for name in chosen:
        if name not in NAMES:
            raise SystemExit(f"no benchmark {name!r}; there are {', '.join(NAMES)}")
        importlib.import_module(f"benchmarks.{name}").main([])
    write_page()


main(sys.argv[1:])
