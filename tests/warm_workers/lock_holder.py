"""A process that holds a run's lock as a warm worker does, until it is killed; says on stdout how that went.

`python -m tests.warm_workers.lock_holder URL RUN_ID`
"""

import signal
import sys
import time

from draggonnb_pipelines.warm_workers.life import sole_execution

signal.signal(signal.SIGINT, signal.default_int_handler)  # who was started in the background ignores it
with sole_execution(sys.argv[1], sys.argv[2]) as is_ours:
    print("held" if is_ours else "refused", flush=True)  # noqa: T201
    try:
        time.sleep(60 if is_ours else 0)
    except KeyboardInterrupt:
        print("interrupted", flush=True)  # noqa: T201
