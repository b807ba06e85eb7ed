"""Which faults there are: each one's name, what is done, what the operator does.

Lives here: the decorator, the register, which of them can share a running stack. Not here: the faults themselves.

    @fault("api-killed", done="SIGKILL to the API while webhooks come in", operator="nothing: it is started again")
    def api_killed(scene: Scene) -> Told:
        scene.begins()
        scene.process("api").kill()
        return listen(scene, up(scene, "api ended"), seconds=10)

A fault is a function that injects, listens until the system tells of it, and ends the fault, in that order and also
where nobody told (`try`/`finally`). The frame sees to the rest: work comes in before and during it; afterwards all that
was owed must be done, once, and health must be as before.
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faults.scene import Scene
    from faults.telling import Told

MODULES = ("machine", "database", "vendors", "stacks", "certificates", "settings")
Injection = Callable[["Scene"], "Told"]


class Skipped(Exception):
    """This machine cannot have the fault; the text says what it would need, such as `needs root`."""


@dataclass(frozen=True)
class Fault:
    """One fault.

    Args:
        done: what is done, in the table's words.
        operator: what the operator does; agrees with the runbook in docs/operations.md.
        inject: does it, listens, ends it.
        environment: settings by their full names that the stack needs for it; faults with the same ones share a stack.
    """

    name: str
    done: str
    operator: str
    inject: Injection
    environment: Mapping[str, str] = field(default_factory=dict)


FAULTS: dict[str, Fault] = {}


def fault(
    name: str, *, done: str, operator: str, environment: Mapping[str, str] | None = None
) -> Callable[[Injection], Injection]:
    """Register a function as a fault.

    Raises:
        ValueError: there is a fault of this name already.
    """

    def register(inject: Injection) -> Injection:
        if name in FAULTS:
            raise ValueError(f"two faults are called {name}")
        FAULTS[name] = Fault(name, done, operator, inject, dict(environment or {}))
        return inject

    return register


def all_faults() -> list[Fault]:
    """Every fault of every module, in the order in which they are written."""
    for module in MODULES:
        importlib.import_module(f"faults.{module}")
    return list(FAULTS.values())


def by_environment(chosen: list[Fault]) -> list[list[Fault]]:
    """The faults in groups that can share one stack; those that need no settings of their own first."""
    groups: dict[tuple[tuple[str, str], ...], list[Fault]] = {(): []}
    for one in chosen:
        groups.setdefault(tuple(sorted(one.environment.items())), []).append(one)
    return [group for group in groups.values() if group]
