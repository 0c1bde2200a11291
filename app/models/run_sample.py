from sqlalchemy import ForeignKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.table import CreatedAt, Json, Table


class RunSample(Table):
    """What a run's model said to one of its questions after `step` steps; 0 is the model that it started from.

    `said` is {text, tokens, ended, right?} of a policy, and {scores} of a reward model, one for each response of the question.
    A resumed run goes on from the state that it kept, and what was said after later steps is said again.
    """

    __tablename__ = "run_sample"
    __table_args__ = (ForeignKeyConstraint(["run_id", "place"], ["run_question.run_id", "run_question.place"]),)

    run_id: Mapped[int] = mapped_column(primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True)
    said: Mapped[Json]
    created_at: Mapped[CreatedAt]
