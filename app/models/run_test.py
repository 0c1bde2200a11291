from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.models.table import CreatedAt, Json, Table


class RunTest(Table):
    """How a run's model did on each held-out prompt, so that two runs can be compared on the same ones.

    `prompts` is {measure: {prompt: [sum, count]}}, such as how many of its ordered pairs are right; a prompt is named by the
    beginning of a hash of its messages, which is the same in every run and every version of a dataset.
    """

    __tablename__ = "run_test"

    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), primary_key=True)
    prompts: Mapped[Json]
    created_at: Mapped[CreatedAt]
