"""Freed memory stays with the process."""

import ctypes
import subprocess
import sys
from types import SimpleNamespace

import pytest

from worker import heap

PROGRAM = """
import resource, sys
from worker.heap import keep_what_is_freed
if sys.argv[1] == "kept":
    keep_what_is_freed()
bytearray(2**26)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    bytearray(2**26)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library is not glibc")
def test_what_was_freed_is_had_again_without_new_pages():
    pages = {
        how: int(subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, check=True).stdout)
        for how in ("kept", "given back")
    }
    assert 10 * pages["kept"] < pages["given back"]


def test_a_c_library_that_takes_less_is_given_as_much_as_it_takes(monkeypatch: pytest.MonkeyPatch):
    """Any threshold that is set stops glibc from raising the other by itself: with one alone, older ones would give back more than before."""
    in_force: dict[int, int] = {}

    def mallopt(what: int, value: int) -> int:
        """As up to glibc 2.34."""
        if what == heap.M_MMAP_THRESHOLD and value > 2**25:
            return 0
        in_force[what] = value
        return 1

    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace(mallopt=mallopt))
    heap.keep_what_is_freed()
    assert in_force == {heap.M_MMAP_THRESHOLD: 2**25, heap.M_TRIM_THRESHOLD: heap.MOST}
