"""What a trainer says about its run while it goes: each time one short transaction that names its fence.

A write that meets another fence, or a run that is over, matches no row and raises `Fenced`: somebody else has
the run, and nothing may be written any more. A database that is away for a moment costs a moment, not the hours that were
trained: each write is tried again for as long as a lease lasts. Steps are collected and sent every `EVERY_S` seconds, so
that a quick model does not spend its time on the database.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Update, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db import work_unit
from app.models import Audit, Checkpoint, Dataset, Run, RunKeep, RunMetric, RunQuestion, RunSample, RunTest
from app.run_shares import forget_shares, make_shares
from app.run_states import LIVE, move
from app.settings import get_settings
from app.storage import Stored, storage
from worker.away import patiently

EVERY_S = 2.0

Figures = dict[str, float]


class Fenced(Exception):  # noqa: N818 -- says where we stand
    """Somebody else holds the run by now."""


@dataclass
class Report:
    """The run of this process. ``fence`` is the number that its supervisor claimed it with."""

    run_id: int
    fence: int
    _steps: list[dict[str, Any]] = field(default_factory=list)
    _sent_at: float = 0.0

    @patiently
    def read(self) -> tuple[Run, Dataset]:
        """The order as it was placed."""
        with work_unit() as session:
            self._move(session, {"claimed": "running", "running": "running", "cancelling": "cancelling"})
            run = session.get_one(Run, self.run_id)
            return run, session.get_one(Dataset, run.dataset_id)

    @patiently
    def stage(self, words: str, **values: Any) -> None:
        """What is being done now, in words for the run's page, and whatever else is known from here on."""
        print(f"{time.strftime('%H:%M:%S')} {words}", flush=True)  # noqa: T201 -- the run's log
        with work_unit() as session:
            self._write(session, stage=words, **values)

    def step(self, number: int, total: int, seconds_left: float, figures: Figures) -> None:
        """One step done; ``number`` counts from 0."""
        self._steps.append({"run_id": self.run_id, "step": number, "values": figures})
        if time.monotonic() - self._sent_at > EVERY_S or number + 1 == total:
            self._send(number + 1, total, seconds_left)

    @patiently
    def _send(self, done: int, total: int, seconds_left: float) -> None:
        with work_unit() as session:
            self._write(session, step=done, total_steps=total, seconds_left=seconds_left, last_step_at=func.now())
            self._tell(session)
        last = self._steps[-1]
        print(  # noqa: T201 -- the run's log
            f"step {done} of {total}: " + ", ".join(f"{name} {value:.5g}" for name, value in last["values"].items()),
            flush=True,
        )
        self._steps.clear()
        self._sent_at = time.monotonic()

    def _tell(self, session: Session) -> None:
        """Steps may be told twice: what is collected is let go once it is sent."""
        if self._steps:
            _put(session, self._steps)
            make_shares(session, self.run_id, self._steps[0]["step"], self._steps[-1]["step"])

    @patiently
    def asks(self, questions: Sequence[dict[str, Any]]) -> None:
        """What the model will be asked again and again; the same in each attempt."""
        with work_unit() as session:
            self._write(session)
            asked = [{"run_id": self.run_id, "place": place, "asked": each} for place, each in enumerate(questions)]
            session.execute(insert(RunQuestion).values(asked).on_conflict_do_nothing())

    @patiently
    def looked(self, done: int, figures: Figures, said: Sequence[dict[str, Any]]) -> None:
        """What the model was worth after ``done`` steps, before the next one, and what it said to each question, if it was asked."""
        with work_unit() as session:
            self._write(session)
            _put(session, [{"run_id": self.run_id, "step": done, "values": figures}])
            if said:
                told = [
                    {"run_id": self.run_id, "place": place, "step": done, "said": each}
                    for place, each in enumerate(said)
                ]
                rows = insert(RunSample).values(told)
                again = {"said": rows.excluded["said"]}
                session.execute(rows.on_conflict_do_update(index_elements=["run_id", "place", "step"], set_=again))

    @patiently
    def kept(self) -> Sequence[RunKeep]:
        """The states that were kept of this run, the newest first."""
        with work_unit() as session:
            return session.scalars(
                select(RunKeep).where(RunKeep.run_id == self.run_id).order_by(RunKeep.step.desc())
            ).all()

    @patiently
    def go_on_from(self, done: int) -> None:
        """What was told or kept of later steps is forgotten: they are done again."""
        with work_unit() as session:
            self._write(session, step=done)
            for table in (RunMetric, RunSample):
                session.execute(delete(table).where(table.run_id == self.run_id, table.step >= done))
            forget_shares(session, self.run_id, done)
            session.execute(delete(RunKeep).where(RunKeep.run_id == self.run_id, RunKeep.step > done))

    @patiently
    def keep(self, done: int, prefix: str, file: Stored, told: dict[str, Any], measured: float | None) -> Sequence[str]:
        """The row of a state whose file is in storage, with the steps before it; returns the prefixes of those that go.

        The attempt has got further than those before it, so they do not count against it.
        """
        mine = RunKeep.run_id == self.run_id
        with work_unit() as session:
            self._write(session, in_vain=0, step=done)
            self._tell(session)
            best = session.scalar(select(func.max(RunKeep.measured)).where(mine, RunKeep.step != done))
            is_best = measured is not None and (best is None or measured > best)
            if is_best:
                session.execute(update(RunKeep).where(mine).values(is_best=False))
            again = session.scalars(delete(RunKeep).where(mine, RunKeep.step == done).returning(RunKeep.prefix)).all()
            row = {"run_id": self.run_id, "step": done, "prefix": prefix, "files": [file.as_json()], "told": told}
            session.add(RunKeep(**row, measured=measured, is_best=is_best))
            session.flush()  # it is one of the newest
            newest = select(RunKeep.id).where(mine).order_by(RunKeep.step.desc()).limit(get_settings().resume_states)
            gone = delete(RunKeep).where(mine, ~RunKeep.is_best, RunKeep.id.not_in(newest)).returning(RunKeep.prefix)
            return [*(old for old in again if old != prefix), *session.scalars(gone)]

    @patiently
    def proves(self, prefix: str) -> bool:
        """Whether a row names the files below it: that of a state, or of a checkpoint."""
        with work_unit() as session:
            return any(
                session.scalar(select(table.id).where(table.prefix == prefix)) is not None
                for table in (RunKeep, Checkpoint)
            )

    @patiently
    def tested(self, prompts: dict[str, Any]) -> None:
        """How the model did on each held-out prompt; a later attempt overwrites an earlier one."""
        with work_unit() as session:
            self._write(session)
            row = insert(RunTest).values(run_id=self.run_id, prompts=prompts)
            session.execute(
                row.on_conflict_do_update(index_elements=["run_id"], set_={"prompts": row.excluded["prompts"]})
            )

    @patiently
    def fail(self, words: str) -> None:
        with work_unit() as session:
            self._move(session, dict.fromkeys(LIVE, "failed"), error=words)

    @patiently
    def publish(
        self, run: Run, kind: str, prefix: str, files: list[Stored], sha256: str, results: dict[str, Any]
    ) -> None:
        """The checkpoint's row and the run's end, in one transaction: its files are whole in storage by now.

        Of the states, the last one stays, for whoever extends the run.
        """
        with work_unit() as session:
            self._move(session, {"running": "finished", "cancelling": "finished"}, results=results)
            gone = self._forget_all_but_last(session)
            # Two runs that publish under one name at once take their versions one after the other.
            session.execute(
                text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": run.checkpoint_name}
            )
            newest = select(func.coalesce(func.max(Checkpoint.version), 0)).where(
                Checkpoint.name == run.checkpoint_name
            )
            version = (session.scalar(newest) or 0) + 1
            session.add(
                Checkpoint(
                    name=run.checkpoint_name,
                    version=version,
                    run_id=run.id,
                    kind=kind,
                    prefix=prefix,
                    files=[file.as_json() for file in files],
                    sha256=sha256,
                    metrics=results,
                )
            )
            subject = f"{run.checkpoint_name} v{version}"
            session.add(
                Audit(user_id=run.created_by, action="checkpoint.published", subject=subject, detail={"run": run.id})
            )
        for kept in gone:
            storage().delete_all(kept)

    def _forget_all_but_last(self, session: Session) -> Sequence[str]:
        """Of the states; returns the prefixes of those that go."""
        mine = RunKeep.run_id == self.run_id
        last = select(func.max(RunKeep.step)).where(mine).scalar_subquery()
        return session.scalars(delete(RunKeep).where(mine, RunKeep.step < last).returning(RunKeep.prefix)).all()

    def _write(self, session: Session, **values: Any) -> None:
        self._ours(session, update(Run).where(Run.state.in_(LIVE)).values(**(values or {"fence": Run.fence})))

    def _move(self, session: Session, ways: Mapping[str, str], **values: Any) -> None:
        self._ours(session, move(ways).values(**values))

    def _ours(self, session: Session, statement: Update) -> None:
        mine = statement.where(Run.id == self.run_id, Run.fence == self.fence).returning(Run.id)
        if session.execute(mine.execution_options(synchronize_session=False)).one_or_none() is None:
            raise Fenced


def _put(session: Session, steps: Sequence[dict[str, Any]]) -> None:
    """A step may be told in two parts: what its model was worth, and what was measured as it learnt."""
    rows = insert(RunMetric).values(steps)
    both = RunMetric.__table__.c["values"].concat(rows.excluded["values"])
    session.execute(rows.on_conflict_do_update(index_elements=["run_id", "step"], set_={"values": both}))


class Listener(Report):
    """For a process that works on a run whose first process speaks for it: it says nothing, unless it alone must say why it failed."""

    def stage(self, words: str, **values: Any) -> None: ...

    def step(self, number: int, total: int, seconds_left: float, figures: Figures) -> None: ...

    def asks(self, questions: Sequence[dict[str, Any]]) -> None: ...

    def looked(self, done: int, figures: Figures, said: Sequence[dict[str, Any]]) -> None: ...

    def tested(self, prompts: dict[str, Any]) -> None: ...

    def go_on_from(self, done: int) -> None: ...
