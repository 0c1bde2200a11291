"""How a trainer process ends: the one thing it tells its supervisor by anything but its row.

A process that ended by a signal, or with a number that stands here for nothing, died without a word: its row is still
that of a run under way and the supervisor settles it.
"""

from typing import Final

FINISHED: Final = 0
"""The checkpoint is published and the row says "finished"."""
FAILED: Final = 1
"""The row says "failed" and in `error` why. Python itself leaves with 1 on an exception, so the row is looked at."""
FENCED: Final = 3
"""A write met another fence: somebody else has the run. Nothing may be written any more."""
STOPPED: Final = 4
"""SIGTERM was obeyed at the end of a step; whoever sent it says whether the run is cancelled or queued again."""
PARTED: Final = 5
"""Another machine of the run did not come, or its connection broke: the run is to be tried again from its last state."""
AWAY: Final = 6
"""The database did not answer for as long as a lease, or somebody held the rows: the run is to be tried again as well."""
