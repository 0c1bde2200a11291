"""One machine without set-up: embedded Postgres and Redis, and the supervisor of all processes behind `tiebreak up`."""

from app.embedded.commands import run
from app.embedded.migrations import migrate
from app.embedded.postgres import postgres
from app.embedded.redis import redis
from app.embedded.servers import connected, join
from app.embedded.up import up

__all__ = ["connected", "join", "migrate", "postgres", "redis", "run", "up"]
