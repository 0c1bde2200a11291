"""Becomes another program, tied to the life of the process that started it.

    python -I -S tied.py PARENT SIGNAL UID:GID|- PROGRAM [ARGUMENT …]

When the parent dies, however it dies, Linux sends SIGNAL to this process, and so nothing is left behind by a
supervisor that was killed with SIGKILL. A file of its own, run by its path, instead of `preexec_fn`: that one may
deadlock in a process with threads. The order matters: a change of user makes Linux forget the tie, so the tie comes
last; and the parent may have died before it, so it is looked at once more afterwards. Elsewhere than on Linux there
is no such tie; `leftovers.py` then ends what is found at the next start.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def tied(stop_with: int = signal.SIGKILL, account: str = "-") -> list[str]:
    """What goes before a command whose process must not outlive this one."""
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), str(int(stop_with)), account]


def main(parent: int, signal_number: int, account: str, command: list[str]) -> None:
    if account != "-":
        uid, gid = map(int, account.split(":"))
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal_number)
    if os.getppid() != parent:
        raise SystemExit("the process that started this one is gone")
    os.umask(0o077)
    os.execvp(command[0], command)  # noqa: S606 -- no shell is wanted; the command comes from our own code


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])
