"""What a probe of `draggonnb doctor` says, and how a probe is kept within its time.

Does not live here: the probes (`*_probes.py`).
"""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from enum import StrEnum

from draggonnb_pipelines.errors import OperatorError

PROBE_SECONDS = 5.0


class Verdict(StrEnum):
    """FAULT makes the exit code 1; NOTE is worth knowing; SKIPPED was not looked at."""

    OK = "ok"
    NOTE = "note"
    SKIPPED = "skipped"
    FAULT = "FAULT"


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's table; a fault always has a remedy."""

    check: str
    verdict: Verdict
    what: str
    remedy: str = ""


def ok(check: str, what: str) -> Finding:
    return Finding(check, Verdict.OK, what)


def note(check: str, what: str, remedy: str = "") -> Finding:
    return Finding(check, Verdict.NOTE, what, remedy)


def skipped(check: str, what: str) -> Finding:
    return Finding(check, Verdict.SKIPPED, what)


def fault(check: str, what: str, remedy: str) -> Finding:
    return Finding(check, Verdict.FAULT, what, remedy)


async def timed(check: str, probe: Awaitable[Finding], remedy: str) -> Finding:
    """The probe's finding; a fault when it takes too long or breaks, so that one probe never stops the others."""
    try:
        return await asyncio.wait_for(probe, PROBE_SECONDS)
    except OperatorError as error:
        return fault(check, error.message, error.remedy)
    except TimeoutError:
        return fault(check, f"no answer within {PROBE_SECONDS:.0f} s", remedy)
    except Exception as error:
        # Recorded, not swallowed: a fault is what the table is for.
        return fault(check, f"{type(error).__name__}: {' '.join(str(error).split())[:300]}", remedy)
