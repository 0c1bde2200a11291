"""One machine without set-up: embedded Postgres and Redis, and the supervisor of all processes behind `tiebreak up`."""

from app.embedded.commands import has_torch, run
from app.embedded.migrations import migrate
from app.embedded.places import open_home
from app.embedded.postgres import postgres
from app.embedded.redis import redis
from app.embedded.servers import connected, join
from app.embedded.up import NO_TORCH, up

__all__ = ["NO_TORCH", "connected", "has_torch", "join", "migrate", "open_home", "postgres", "redis", "run", "up"]
