import io
import sys

import pytest

from app.client.progress import Line, shown


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_in_a_terminal_a_line_is_written_over():
    out = Terminal()
    with Line("run 7", unit="step", out=out) as line:
        line.show(0, None, "waiting for a trainer")
        for _ in range(3):
            line.show(20, 40, "training")
    first, second, end = out.getvalue().removeprefix("\r").replace("\n", "\r").split("\r")
    assert first == "run 7  waiting for a trainer"
    assert second == "run 7  ▕████████████············▏   50% of 40 steps  training"
    assert end == ""


def test_in_a_file_there_is_a_line_for_each_tenth():
    out = io.StringIO()
    with Line("weights", unit="B", out=out) as line:
        for done in range(0, 2_000_001, 1000):
            line.show(done, 2_000_000)
    lines = out.getvalue().splitlines()
    assert len(lines) == 11
    assert lines[-1] == "weights  100% of 2 MB"


def test_without_tqdm_there_is_the_line(monkeypatch: pytest.MonkeyPatch):
    with shown("run 7", unit="step", is_wanted=True) as bar:
        assert not isinstance(bar, Line)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with shown("run 7", unit="step", is_wanted=True) as bar:
        assert isinstance(bar, Line)
