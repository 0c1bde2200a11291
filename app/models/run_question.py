from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.models.table import Json, Table


class RunQuestion(Table):
    """What a run's model is asked again and again while it learns: a held-out prompt.

    `asked` is {prompt, answer?} for a policy, with the right answer where code can tell, and {prompt, responses, tiers} for a
    reward model. `place` counts a run's questions from 0.
    """

    __tablename__ = "run_question"

    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True)
    asked: Mapped[Json]
