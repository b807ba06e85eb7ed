"""`python -m faults [NAME ...] [--list] [--write]`: injects faults into a running stack; all of them without a name.

Ends with exit code 1 if one was not told of, something was lost or doubled, or health did not come back. `--write` puts
the table into docs/operations.md.
"""

import sys
import time
from collections.abc import Callable, Sequence

import psycopg
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from draggonnb_pipelines.cli.up import interrupt_on_signals
from faults.catalogue import Fault, Skipped, all_faults, by_environment
from faults.scene import Scene, open_scene
from faults.table import Seen, keep, on_screen, read, write_page
from faults.telling import Untold

WARM_UP_SECONDS = 4  # so that something is under way when it happens
console = Console()


def main(arguments: Sequence[str]) -> int:
    """The exit code."""
    known = all_faults()
    wanted = [name for name in arguments if not name.startswith("-")]
    if unknown := set(wanted) - {one.name for one in known}:
        raise SystemExit(f"no fault {', '.join(sorted(unknown))}; `python -m faults --list` shows them")
    chosen = [one for one in known if not wanted or one.name in wanted]
    if "--list" in arguments:
        for one in chosen:
            console.print(f"{one.name:32} {one.done}", highlight=False, soft_wrap=True)
        return 0
    interrupt_on_signals()  # or a stack would be left behind
    names = [one.name for one in known]
    seen = _inject_all(chosen, lambda one: keep(one, names))
    console.print(on_screen(seen))
    if "--write" in arguments:
        write_page(read())
    bad = [one for one in seen if not one.is_survived]
    for one in bad:
        console.print(f"{one.name}: {one.wrong}", *one.lost, *one.doubled, sep="\n  ", style="red", markup=False)
    return 1 if bad else 0


def _inject_all(chosen: Sequence[Fault], keep_seen: Callable[[Seen], None]) -> list[Seen]:
    seen = []
    columns = (SpinnerColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("starting the stack", total=len(chosen))
        for group in by_environment(list(chosen)):
            progress.update(task, description="starting the stack")
            with open_scene(**group[0].environment) as scene:
                for one in group:
                    progress.update(task, description=f"{one.name}: {one.done}")
                    seen.append(inject(scene, one))
                    keep_seen(seen[-1])
                    progress.advance(task)
                    console.print(_line(seen[-1]), highlight=False, markup=False)
    return seen


def inject(scene: Scene, fault: Fault) -> Seen:
    """Inject one fault while work comes in, wait until all is done and health is as before, and judge."""
    told, wrong = None, []
    scene.sandbox.clear_faults()
    before = scene.work.count()
    with scene.work.coming_in():
        time.sleep(WARM_UP_SECONDS)
        scene.begins()
        try:
            told = fault.inject(scene)
        except Skipped as why:
            return Seen(fault.name, fault.done, fault.operator, skipped=str(why))
        except Exception as error:
            wrong.append(_reason(error))
    scene.sandbox.clear_faults()
    for wait in (scene.work.settle, scene.until_healthy):
        try:
            wait()
        except Exception as error:
            wrong.append(_reason(error))
    lost, doubled = [], []
    try:
        lost, doubled = scene.work.judge()
    except psycopg.Error as error:
        wrong.append(f"nobody can judge: {_reason(error)}")
    came_in = scene.work.count() - before
    return Seen(fault.name, fault.done, fault.operator, told, came_in, lost, doubled, "; ".join(wrong))


def _reason(error: Exception) -> str:
    """What went wrong with the fault or after it; what nobody foresaw has its kind before it."""
    is_foreseen = isinstance(error, Untold | AssertionError) and str(error)
    return " ".join((str(error) if is_foreseen else f"{type(error).__name__}: {error}").split())[:600]


def _line(seen: Seen) -> str:
    name, _, said, after, _, counts = seen.cells
    return f"{'ok ' if seen.is_survived else 'BAD'} {name}: {said} ({after}); lost, doubled: {counts}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
