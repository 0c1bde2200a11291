from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.models.table import Table


class TokenWindow(Table):
    """How many requests of a token the web processes have taken in its current window, which began at `began_at`.

    They take them a block at a time, some of which they may never use. One row a token, used again for its next window.
    """

    __tablename__ = "token_window"

    token_id: Mapped[int] = mapped_column(ForeignKey("api_token.id", ondelete="CASCADE"), primary_key=True)
    began_at: Mapped[datetime]
    taken: Mapped[int]
