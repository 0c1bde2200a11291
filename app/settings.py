"""Every environment variable, typed, once.

`make run` needs none of them. The table in the README is checked against the fields of this class.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent.parent
AMAZON = "amazon"
SHORTEST_KEY = 32
MIRRORS = {
    "tensorboard": (r"/.+", "tensorboard:/a/folder"),
    "mlflow": (
        r"[a-z]+:/+[^@]+",
        "mlflow:http://host:5000, with no password in it: that is for MLflow's own variables",
    ),
    "wandb": (r"[\w.-]+(/[\w.-]+)?", "wandb:project or wandb:team/project"),
}
"""Kinds of tracking servers, what is given after the colon, and how that is said to a person."""


@dataclass(frozen=True, slots=True)
class Mirror:
    """A tracking server that runs are told to; `target` is where, in the words of its kind."""

    kind: str
    target: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.target}"


def read_mirrors(words: str) -> tuple[Mirror, ...]:
    """Raises ValueError, saying what was meant, for a kind that is not known or a target that cannot be one."""
    found = []
    for one in comma_separated(words):
        kind, _, target = one.partition(":")
        if kind not in MIRRORS:
            raise ValueError(f"MIRRORS knows no {kind!r}: it takes {', '.join(MIRRORS)}, as in mlflow:http://host:5000")
        pattern, example = MIRRORS[kind]
        if not re.fullmatch(pattern, target):
            raise ValueError(f"MIRRORS does not say where {kind} is: write {example}")
        found.append(Mirror(kind, target))
    if len({mirror.kind for mirror in found}) < len(found):
        raise ValueError("MIRRORS names one kind twice: a trainer mirrors to one server of each")
    return tuple(found)


class Settings(BaseSettings):
    """Read from the environment; each field's alias is its variable's name, and the only one: HOME is not TIEBREAK_HOME."""

    model_config = SettingsConfigDict(populate_by_name=False, extra="ignore", frozen=True, hide_input_in_errors=True)

    home: Path = Field(
        default=ROOT / ".tiebreak",
        alias="TIEBREAK_HOME",
        description="The data folder of one machine: embedded database, files, logs.",
    )
    host: str = Field(default="127.0.0.1", alias="HOST", description="The address the web server listens on.")
    port: int = Field(default=8000, alias="PORT", ge=1, le=65535, description="The port the web server listens on.")
    public_url: str = Field(
        default="", alias="PUBLIC_URL", description="The address people type, when a proxy stands in front."
    )
    web_processes: int = Field(default=2, alias="WEB_PROCESSES", ge=1, le=64, description="Web server processes.")
    database_url: str = Field(
        default="", alias="DATABASE_URL", description="PostgreSQL to use instead of the embedded one."
    )
    redis_url: str = Field(
        default="", alias="REDIS_URL", description="Redis, or any Celery broker, instead of the embedded one."
    )
    storage_url: str = Field(
        default="", alias="STORAGE_URL", description="Where files live: a folder or s3://bucket/prefix."
    )
    s3_endpoint: str = Field(
        default="", alias="S3_ENDPOINT", description="The address of an S3-speaking server other than Amazon's."
    )
    send_files: Literal["self", "nginx", "s3"] = Field(
        default="self",
        alias="SEND_FILES",
        description="Who sends files: self, nginx in front of it, or s3 by signed links (docs/hub.md).",
    )
    session_days: int = Field(
        default=14, alias="SESSION_DAYS", ge=1, le=365, description="How long a browser stays signed in."
    )
    secure_cookies: bool = Field(
        default=False, alias="SECURE_COOKIES", description="Set to true behind HTTPS: cookies travel over it alone."
    )
    upload_limit_mb: int = Field(
        default=256, alias="UPLOAD_LIMIT_MB", ge=1, description="The largest request body, in MiB, unpacked or not."
    )
    rate_limit: int = Field(
        default=6000,
        alias="RATE_LIMIT",
        ge=0,
        le=1_000_000_000,
        description="Requests a minute for each token that has no limit of its own; 0 for no limit.",
    )
    webhook_targets: str = Field(
        default="public",
        alias="WEBHOOK_TARGETS",
        description="Where webhooks may go: public addresses, networks besides such as 10.0.0.0/8,fd00::/8, or any (docs/webhooks.md).",
    )
    model_folders: str = Field(
        default="",
        alias="MODEL_FOLDERS",
        description="Local folders that base models may be loaded from, separated by ':'.",
    )
    train_slots: int = Field(
        default=1,
        alias="TRAIN_SLOTS",
        ge=1,
        le=64,
        description="Runs that one trainer trains at once; its GPUs are dealt out among them.",
    )
    nodes: int = Field(
        default=1,
        alias="NODES",
        ge=1,
        le=64,
        description="Machines that train one run together (docs/operations.md).",
    )
    rdzv_endpoint: str = Field(
        default="",
        alias="RDZV_ENDPOINT",
        description="With NODES: host:port on the first of these machines, where the others meet it.",
    )
    node_of: str = Field(
        default="",
        alias="NODE_OF",
        description="On the other machines: the name of the first one's trainer, such as train@gpu-1.",
    )
    trainer_lease_s: int = Field(
        default=60, alias="TRAINER_LEASE_S", ge=3, description="Seconds without a heartbeat until a run is taken over."
    )
    resume_every_s: int = Field(
        default=300,
        alias="RESUME_EVERY_S",
        ge=1,
        description="Seconds between the states that a run keeps to go on from.",
    )
    resume_states: int = Field(
        default=2, alias="RESUME_STATES", ge=1, le=100, description="How many of its last states a run keeps."
    )
    resume_days: int = Field(
        default=30,
        alias="RESUME_DAYS",
        ge=1,
        description="Days for which a run that is over can be resumed or extended from its last state.",
    )
    publish_hubs: str = Field(
        default="https://huggingface.co",
        alias="PUBLISH_HUBS",
        description="Hubs that admins may publish to, separated by commas; empty: none.",
    )
    publish_s3: str = Field(
        default="amazon",
        alias="PUBLISH_S3",
        description="S3 that admins may publish to, separated by commas: amazon, or addresses of other servers; empty: none.",
    )
    secret_key: SecretStr = Field(
        default=SecretStr(""),
        alias="SECRET_KEY",
        description="Long and random: seals tokens that people give for publishing. Without it a file in TIEBREAK_HOME does.",
    )
    mirror_to: str = Field(
        default="",
        alias="MIRRORS",
        description="Where a trainer mirrors its runs: tensorboard:/a/folder, mlflow:http://host:5000, wandb:project, separated by commas.",
    )
    pool_size: int = Field(
        default=20,
        alias="POOL_SIZE",
        ge=1,
        description="Database connections that one process keeps; under load it opens as many again.",
    )

    log_format: Literal["text", "json"] = Field(
        default="text", alias="LOG_FORMAT", description="text for people, json for programs: one object a line."
    )

    @model_validator(mode="after")
    def _sends_what_it_has(self) -> "Settings":
        if self.send_files == "s3" and not self.storage_url.startswith("s3://"):
            raise ValueError("SEND_FILES=s3 needs STORAGE_URL=s3://…: only S3 can sign links to its files")
        if self.send_files == "nginx" and self.storage_url.startswith("s3://"):
            raise ValueError("SEND_FILES=nginx needs a folder as STORAGE_URL: nginx sends files, and S3 has them")
        return self

    @model_validator(mode="after")
    def _meets_somewhere(self) -> "Settings":
        if self.nodes > 1 and not re.fullmatch(r".+:\d{1,5}", self.rdzv_endpoint):
            raise ValueError("NODES needs RDZV_ENDPOINT, such as gpu-1:29400: where the machines meet to train a run")
        if self.nodes > 1 and self.train_slots > 1:
            raise ValueError("NODES needs TRAIN_SLOTS=1: runs that share their machines would meet in one place")
        return self

    @model_validator(mode="after")
    def _knows_its_networks(self) -> "Settings":
        try:
            _ = self.webhook_networks
        except ValueError as problem:
            words = "WEBHOOK_TARGETS is public, any, or networks separated by commas such as 10.0.0.0/8,fd00::/8"
            raise ValueError(f"{words}: {problem}") from problem
        return self

    @property
    def webhook_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """Those that webhooks may go to besides public addresses."""
        if self.webhook_targets == "any":
            return ip_network("0.0.0.0/0"), ip_network("::/0")
        return tuple(ip_network(part) for part in comma_separated(self.webhook_targets) if part != "public")

    @model_validator(mode="after")
    def _cannot_be_guessed(self) -> "Settings":
        if 0 < len(self.secret_key.get_secret_value()) < SHORTEST_KEY:
            raise ValueError(f"SECRET_KEY needs at least {SHORTEST_KEY} characters: `openssl rand -hex 32` makes one")
        return self

    @model_validator(mode="after")
    def _publishes_to_addresses(self) -> "Settings":
        for name, given in (("PUBLISH_HUBS", self.hubs), ("PUBLISH_S3", self.s3_servers)):
            for one in given:
                parts = urlsplit(one)
                if one != AMAZON and not (parts.scheme in {"http", "https"} and parts.netloc and "@" not in one):
                    raise ValueError(f"{name} holds {one!r}, which is no address: write https://…, separated by commas")
        return self

    @model_validator(mode="after")
    def _mirrors_to_what_there_is(self) -> "Settings":
        _ = self.mirrors
        return self

    @property
    def mirrors(self) -> tuple[Mirror, ...]:
        """The tracking servers that a trainer tells its runs to."""
        return read_mirrors(self.mirror_to)

    @property
    def hubs(self) -> tuple[str, ...]:
        """Where a hub may be that is published to, without a slash at the end."""
        return tuple(hub.rstrip("/") for hub in comma_separated(self.publish_hubs))

    @property
    def s3_servers(self) -> tuple[str, ...]:
        """Where S3 may be that is published to: addresses, and `amazon` for Amazon's own."""
        return tuple(server.rstrip("/") for server in comma_separated(self.publish_s3))

    @property
    def storage(self) -> str:
        """The storage address in force: the one given, or a folder in the data folder."""
        return self.storage_url or str(self.home / "storage")

    @property
    def address(self) -> str:
        """Where a person on this machine opens the app."""
        return self.public_url.rstrip("/") or f"http://{self.host}:{self.port}"

    @property
    def allowed_model_folders(self) -> tuple[Path, ...]:
        return tuple(Path(part).resolve() for part in self.model_folders.split(":") if part)


def comma_separated(words: str) -> list[str]:
    """The parts of a list that stands in one variable, or in one field of a form."""
    return [part.strip() for part in words.split(",") if part.strip()]


@lru_cache
def get_settings() -> Settings:
    """Read the environment once. Tests and the embedded start-up clear the cache after changing it."""
    return Settings()
