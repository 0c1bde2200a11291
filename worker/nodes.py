"""Several machines train one run: when that is so, and what the machines do that are not the first.

A trainer with NODES machines (`tiebreak worker train` with NODES=2 and RDZV_ENDPOINT on the first one) spreads a run over all of
them where its `processes` are more than the first one's GPUs and the machines can share them evenly; other runs stay on the first.
The first machine's supervisor claims the run, holds its lease and settles it, as with one machine; its trainer's first process
alone writes rows and checkpoints. The other machines run

    NODES=2 RDZV_ENDPOINT=gpu-1:29400 NODE_OF=train@gpu-1 tiebreak worker node

which looks at the rows for a run that this trainer holds and takes part in it, under the run's number and fence: the machines meet
by torchrun's rendezvous (`elastic.py`), and those of an earlier attempt never meet those of a later one. They leave when the
attempt is over, whoever ended it. A machine that is told to shut down lets the run end its step everywhere, with its state kept.

Nothing here loads torch.
"""

import logging
import os
import signal
import subprocess
import sys
import time
from types import FrameType

from sqlalchemy.exc import SQLAlchemyError

from app.logs import about_run
from app.settings import get_settings
from worker import lease
from worker.launch import machines
from worker.lease import Claim
from worker.supervise import end, launched, start_trainer, trainer_command

LOOK_EVERY_S = 1.0
PATIENCE_S = 30.0
"""For the trainers here to end their step once the attempt is over."""
PAUSE_S = 3.0
"""Before the first machine is looked for again where it was not met."""

_log = logging.getLogger(__name__)


class Node:
    """A machine that takes part in the runs of another one's trainer, until SIGTERM."""

    def __init__(self, trainer: str) -> None:
        self.trainer = trainer
        self.is_leaving = False
        signal.signal(signal.SIGTERM, self._leave)
        signal.signal(signal.SIGINT, self._leave)

    def _leave(self, _: int, __: FrameType | None) -> None:
        self.is_leaving = True

    def follow(self) -> None:
        _log.info("this machine takes part in the runs of %s", self.trainer)
        while not self.is_leaving:
            if (held := self._under_way()) is not None and machines(held.processes, os.environ) > 1:
                with about_run(held.run_id):
                    self.take_part(held)
                self._rest(PAUSE_S)
            self._rest(LOOK_EVERY_S)

    def take_part(self, held: Claim) -> None:
        """In one attempt, until it is over here or everywhere."""
        folder = get_settings().home / "runs" / str(held.run_id)
        command = [*launched(held, {}, is_first=False), *trainer_command(held.run_id, held.fence)]
        log = folder / f"attempt-{held.attempt}" / "log.txt"
        trainer = start_trainer(command, log, folder / "scratch", {})
        _log.info("attempt %s: process %s, log in %s", held.attempt, trainer.pid, log)
        try:
            while trainer.poll() is None and not self.is_leaving and self._is_on(held):
                self._rest(LOOK_EVERY_S)
            if trainer.poll() is None:
                trainer.send_signal(signal.SIGTERM)
                trainer.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            _log.warning("its trainers did not end their step in %s s", PATIENCE_S)
        finally:
            status = end(trainer, folder / "scratch", log)
        _log.info("attempt %s: ended with status %s", held.attempt, status)

    def _under_way(self) -> Claim | None:
        try:
            return lease.held_by(self.trainer)
        except SQLAlchemyError as problem:
            _log.warning("the runs of %s cannot be looked at: %s", self.trainer, problem)
            return None

    def _is_on(self, held: Claim) -> bool:
        """Also while the database is away: then the first machine decides."""
        try:
            return lease.held_by(self.trainer) == held
        except SQLAlchemyError:
            return True

    def _rest(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self.is_leaving and time.monotonic() < until:
            time.sleep(0.1)


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    settings = get_settings()
    if settings.nodes == 1 or not settings.node_of:
        sys.exit(
            "Say with NODES how many machines train one run, with RDZV_ENDPOINT where they meet, and with NODE_OF by its "
            "name the trainer of the first one, such as train@gpu-1; its row on the page of trainers says it."
        )
    Node(settings.node_of).follow()


if __name__ == "__main__":
    main()
