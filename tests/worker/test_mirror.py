"""What a tracking server is told of a run, whenever it answers. The server is a list here; how the real ones are told stands in
`test_trackers.py`.
"""

from collections.abc import Callable, Mapping, Sequence

import pytest

from app import db
from app.models import RunMetric, RunMirror, User
from app.settings import Mirror
from tests.ordered import change_run
from tests.trained import make_run
from worker import mirror, trackers
from worker.mirror import Stream
from worker.trackers import Mirrored, Step

HERE = Mirror("mlflow", "http://tracking:5000")


class Server:
    """Keeps what it is told, as MLflow does, and can be down."""

    def __init__(self) -> None:
        self.is_down = False
        self.begun: list[Mirrored] = []
        self.told: list[tuple[int, dict[str, float]]] = []
        self.ended: list[str] = []

    def start(self, run: Mirrored) -> int:
        self._answer()
        self.begun.append(run)
        return self.told[-1][0] if self.told else -1

    def write(self, steps: Sequence[Step], whole: int) -> None:
        del whole
        self._answer()
        self.told += [(step.number, dict(step.values)) for step in steps]

    def end(self, state: str, results: Mapping[str, float]) -> None:
        del results
        self._answer()
        self.ended.append(state)

    def _answer(self) -> None:
        if self.is_down:
            raise ConnectionError("connection refused\nand pages of where that was")

    def steps(self) -> list[int]:
        return [number for number, _ in self.told]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    one = Server()
    monkeypatch.setitem(trackers.KINDS, "mlflow", lambda _: one)
    monkeypatch.setattr(mirror, "EVERY_S", 0.0)
    return one


@pytest.fixture
def run_id(ada: User) -> int:
    with db.work_unit() as session:
        return make_run(session, state="running", fence=3, settings={"beta": 0.1, "layers": [1, 2]}).id


def measure(run_id: int, first: int, last: int) -> None:
    with db.work_unit() as session:
        session.add_all(RunMetric(run_id=run_id, step=step, values={"loss": 1.0}) for step in range(first, last + 1))


def follow(run_id: int, *happenings: Callable[[], object]) -> bool:
    """One look after each of them; after the last one the attempt is over."""
    coming = iter(happenings)
    left = len(happenings)

    def is_over(_seconds: float) -> bool:
        nonlocal left
        left -= 1
        next(coming, lambda: None)()
        return left <= 0

    return Stream(run_id, HERE, is_over).follow()


def test_it_tells_each_step_once_and_in_order(run_id: int, server: Server):
    def begin() -> None:
        measure(run_id, 0, 2)
        change_run(run_id, "step = 3")

    def go_on() -> None:
        measure(run_id, 3, 4)
        change_run(run_id, "step = 5")

    def finish() -> None:
        change_run(run_id, "state = 'finished'")

    assert follow(run_id, begin, go_on, finish)
    assert server.steps() == [0, 1, 2, 3, 4]
    assert server.ended == ["finished"]
    (begun,) = server.begun
    assert (begun.run_id, begun.settings["beta"], begun.settings["layers"]) == (run_id, 0.1, "[1, 2]")
    assert begun.settings["method"]
    assert begun.address.endswith(f"/runs/{run_id}")


def test_more_steps_than_go_at_once_are_told_all(run_id: int, server: Server, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(mirror, "STEPS_AT_ONCE", 3)
    measure(run_id, 0, 9)
    assert follow(run_id, lambda: change_run(run_id, "state = 'failed'"))
    assert server.steps() == list(range(10))
    assert server.ended == ["failed"]


def test_a_step_that_is_told_in_two_parts_waits_for_the_second(run_id: int, server: Server):
    measure(run_id, 0, 1)
    change_run(run_id, "step = 1")
    seen: list[list[int]] = []
    assert follow(run_id, lambda: None, lambda: seen.append(server.steps()), lambda: None)
    assert seen == [[0]]
    assert server.steps() == [0, 1]  # once nobody goes on with it


def test_a_server_that_was_away_is_told_what_it_missed(run_id: int, server: Server, capsys: pytest.CaptureFixture[str]):
    def dies() -> None:
        server.is_down = True
        measure(run_id, 2, 3)
        change_run(run_id, "step = 4")

    def answers() -> None:
        server.is_down = False

    measure(run_id, 0, 1)
    change_run(run_id, "step = 2")
    assert follow(run_id, lambda: None, dies, lambda: None, answers, lambda: None)
    assert server.steps() == [0, 1, 2, 3]
    said = capsys.readouterr().out
    assert said.count("cannot be told about this run now, which goes on; it is tried again: connection refused\n") == 1
    assert "mirror mlflow:http://tracking:5000: answers again" in said


def test_a_server_that_comes_up_after_the_end_is_told_all_the_same(run_id: int, server: Server):
    server.is_down = True
    measure(run_id, 0, 1)

    def finish() -> None:
        change_run(run_id, "state = 'finished'")

    def answers() -> None:
        server.is_down = False

    assert follow(run_id, lambda: None, finish, answers)
    assert (server.steps(), server.ended) == ([0, 1], ["finished"])


def test_a_server_that_never_answers_is_given_up_after_the_end(
    run_id: int, server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(mirror, "PATIENCE_S", -1.0)
    server.is_down = True
    assert not follow(run_id, lambda: None, lambda: None)
    assert "is given up, and has not got all of this run: connection refused" in capsys.readouterr().out


def test_the_next_attempt_goes_on_where_the_server_is(run_id: int, server: Server):
    measure(run_id, 0, 2)
    assert follow(run_id, lambda: change_run(run_id, "state = 'queued'"))
    assert server.ended == ["queued"]
    change_run(run_id, "state = 'claimed', fence = 4, step = 3")
    change_run(run_id, "state = 'running'")
    measure(run_id, 3, 4)
    assert follow(run_id, lambda: change_run(run_id, "state = 'finished', step = 5"))
    assert server.steps() == [0, 1, 2, 3, 4]
    assert server.ended == ["queued", "finished"]


def test_an_attempt_that_was_taken_over_tells_nothing_more(run_id: int, server: Server):
    def taken() -> None:
        change_run(run_id, "fence = 4, step = 2")
        measure(run_id, 0, 1)

    assert follow(run_id, lambda: None, taken, lambda: None)
    assert (server.told, server.ended) == ([], [])


def test_only_numbers_are_told(run_id: int, server: Server):
    with db.work_unit() as session:
        values = {"loss": 1, "rate": 0.5, "word": "NaN", "is": True, "none": None}
        session.add(RunMetric(run_id=run_id, step=0, values=values))
    assert follow(run_id, lambda: None)
    assert server.told == [(0, {"loss": 1.0, "rate": 0.5})]


def noted(run_id: int) -> tuple[str, int, str | None]:
    with db.work_unit() as session:
        row = session.get_one(RunMirror, (run_id, str(HERE)))
        return row.state, row.step, row.problem


def test_the_page_of_the_run_is_told_how_far_it_is(run_id: int, server: Server, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(mirror, "NOTED_EVERY_S", 0.0)
    monkeypatch.setattr(mirror, "PATIENCE_S", 0.0)
    seen = []

    def begin() -> None:
        measure(run_id, 0, 2)
        change_run(run_id, "step = 3")

    def falls_silent() -> None:
        seen.append(noted(run_id))
        server.is_down = True
        measure(run_id, 3, 4)
        change_run(run_id, "step = 5")

    assert not follow(run_id, begin, falls_silent, lambda: seen.append(noted(run_id)))
    assert seen == [("telling", 3, None), ("lost", 3, "connection refused")]
    assert noted(run_id) == ("given up", 3, "connection refused")
    server.is_down = False
    assert follow(run_id)
    assert noted(run_id) == ("told", 5, None)


def test_an_attempt_that_was_overtaken_notes_nothing(run_id: int):
    mirror.note(run_id, 2, HERE, "told", 9, None)
    with db.work_unit() as session:
        assert session.get(RunMirror, (run_id, str(HERE))) is None
