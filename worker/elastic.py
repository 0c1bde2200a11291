"""One machine's part of a run that several machines train: torchrun's agent, its rendezvous, and how it ended in our words.

    python -m worker.elastic MACHINES EACH first|other ENDPOINT NAME PROGRAM [ARGUMENT …]

`nodes.py` says when and by whom it is started. It is what `torchrun --nnodes MACHINES --nproc-per-node EACH --rdzv-backend c10d
--rdzv-endpoint ENDPOINT --rdzv-id NAME --max-restarts 0` does, called from here for what the command does not give: how each
trainer ended, where the command always ends with 1; and trainers that die with it (`tied.py`). It restarts nothing: a run that lost a
process goes back to the queue, as with one machine, and its next attempt meets under another name.

The first machine hosts the rendezvous. Which machine torchrun counts as the first of its ranks is chance, so who speaks for the run
is said apart (`processes.is_first`).
"""

import os
import signal
import sys
from collections.abc import Sequence

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.elastic.rendezvous import RendezvousError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from app.tied import tied
from worker import exits
from worker.launch import FIRST, MACHINES, end_as

JOIN_S = 600
"""For all machines to come. After that the run goes back to the queue, and has failed after some attempts of that kind."""
MONITOR_S = 0.2


def main(machines: int, each: int, place: str, endpoint: str, name: str, command: Sequence[str]) -> int:
    """The exit status of the trainer here that did not end well, or 0."""
    is_first = place == "first"
    os.environ |= {MACHINES: str(machines), FIRST: str(int(is_first))}
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // each)))
    config = LaunchConfig(
        min_nodes=machines,
        max_nodes=machines,
        nproc_per_node=each,
        run_id=name,
        rdzv_backend="c10d",
        rdzv_endpoint=endpoint,
        rdzv_configs={"is_host": is_first, "timeout": JOIN_S, "join_timeout": JOIN_S},
        max_restarts=0,
        monitor_interval=MONITOR_S,
        signals_to_handle="SIGTERM,SIGINT",
    )
    program, *arguments = [*tied(), *command]
    try:
        elastic_launch(config, program)(*arguments)
    except ChildFailedError as ended:
        worst = min(ended.failures.values(), key=lambda failure: failure.exitcode)
        return end_as(worst.exitcode, f"process {worst.local_rank + 1} of {each} on this machine")
    except SignalException:
        return exits.STOPPED
    except (RendezvousError, ConnectionError) as problem:
        print(f"the machines of this run did not meet at {endpoint}: {problem}", flush=True)  # noqa: T201 -- the run's log
        return exits.PARTED
    return exits.FINISHED


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4], sys.argv[5], sys.argv[6:]))
