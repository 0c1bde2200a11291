from sqlalchemy.orm import Mapped, mapped_column

from app.models.table import CreatedAt, Table


class KeptAnswer(Table):
    """What was answered to a request with an Idempotency-Key, for whoever sends it again; stored with what it made.

    `key_hash` is of who asked, what for and with which key, `request_hash` of all that was sent. The answer is sealed with
    the credential it was given to, since some hold a secret that is shown once: the database alone tells nobody.
    """

    __tablename__ = "kept_answer"

    key_hash: Mapped[bytes] = mapped_column(primary_key=True)
    request_hash: Mapped[bytes]
    answer: Mapped[bytes | None]  # none while the request is at work, which nobody but its own transaction sees
    created_at: Mapped[CreatedAt] = mapped_column(index=True)
