"""One machine without set-up: embedded Postgres and Redis, and the supervisor of all processes behind `tiebreak up`."""

from app.embedded.postgres import postgres
from app.embedded.redis import redis

__all__ = ["postgres", "redis"]
