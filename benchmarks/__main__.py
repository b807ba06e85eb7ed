"""`python -m benchmarks [tick] [ingest] [burst] [publish] [provision] [analytics] [backfill] [drill] [tenants [N]]
[fairness [N...]] [growth [CLIENTSxDAYS...]]
[celery [CLIENTS [RUNS]]]`: all without a name. Numbers after a name are that benchmark's sizes.

Writes docs/benchmarks.md."""

import importlib
import sys

from benchmarks.server import write_page

NAMES = (
    "tick",
    "ingest",
    "burst",
    "publish",
    "provision",
    "analytics",
    "backfill",
    "drill",
    "tenants",
    "fairness",
    "growth",
    "celery",
    "model",
)


def main(arguments: list[str]) -> None:
    chosen: list[tuple[str, list[str]]] = [] if arguments else [(name, []) for name in NAMES]
    for argument in arguments:
        if argument in NAMES:
            chosen.append((argument, []))
        elif chosen and argument[0].isdigit():
            chosen[-1][1].append(argument)
        else:
            raise SystemExit(f"no benchmark {argument!r}; there are {', '.join(NAMES)}")
    try:
        for name, sizes in chosen:
            importlib.import_module(f"benchmarks.{name}").main(sizes)
    finally:
        write_page()


main(sys.argv[1:])
