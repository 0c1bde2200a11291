"""Memory that was freed stays with the process, for the next tensor.

On a CPU torch asks the C library for each tensor. glibc asks the system for each large one and gives it back when it is freed, so a
step's tables, made and freed again and again, come as pages that the system has to clear first: with 11 million weights and 32,000
entries a tenth of a step. The most that is held does not grow by it, only what is held between.
"""

import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
MOST, MOST_BEFORE_2_35 = 2**31 - 1, 2**25
"""Bytes, as many as the C library takes here: up to glibc 2.34 it refuses more than half of what a heap of a thread may have."""


def keep_what_is_freed() -> None:
    """From here on, where the C library is glibc; others are left as they are."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        _ = mallopt(M_MMAP_THRESHOLD, MOST) or mallopt(M_MMAP_THRESHOLD, MOST_BEFORE_2_35)
        mallopt(M_TRIM_THRESHOLD, MOST)
