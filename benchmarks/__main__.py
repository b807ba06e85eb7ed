"""`python -m benchmarks [ingest] [tick] [burst]`: all of them without a name. Ratios in one run, no promises."""

import importlib
import sys

NAMES = ("tick", "ingest", "burst")


def main(arguments: list[str]) -> None:
    chosen = arguments or list(NAMES)
    for name in chosen:
        if name not in NAMES:
            raise SystemExit(f"no benchmark {name!r}; there are {', '.join(NAMES)}")
        importlib.import_module(f"benchmarks.{name}").main([])


main(sys.argv[1:])
