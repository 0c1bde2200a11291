"""Freed memory stays with the process."""

import ctypes
import subprocess
import sys

import pytest

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
