from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from app.models.table import Table


class SignInAttempt(Table):
    """How many passwords were tried lately, for one address or one client; `key` is the hash of which.

    `until` is when all of the tries will be forgotten, since each pushes it on by the time that one try is worth. So a row says all
    there is to know, and is litter once its time has passed.
    """

    __tablename__ = "sign_in_attempt"

    key: Mapped[bytes] = mapped_column(primary_key=True)
    until: Mapped[datetime]
