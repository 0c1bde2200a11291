"""A train worker whose trainers are small programs: `celery -A tests.worker.stand_in worker -Q train`."""

import os
import sys
from functools import partial

from worker import main
from worker.supervise import supervise

celery = main.celery
main.presence.start = lambda _: None  # torch is not what these stories are about
main.supervise = partial(  # type: ignore[assignment] -- the same, with one argument given
    supervise, command=lambda run_id, fence: [sys.executable, "-c", os.environ["TRAINER"], str(run_id), str(fence)]
)
