"""Where a version is published to, and what opens that place: a repository of a hub, or a prefix of a bucket.

Somebody's own words may not choose which servers ours talks to: a hub or an S3 server is one of those that the settings
`PUBLISH_HUBS` and `PUBLISH_S3` list, and names are checked so far that they can lead nowhere else.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from app.errors import BadInput, NotAllowed
from app.language import gettext as _
from app.settings import AMAZON, get_settings

Kind = Literal["hub", "s3"]
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9][\w.-]{0,99}", re.ASCII)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_REGION = re.compile(r"[a-z0-9-]{1,40}", re.ASCII)
_PREFIX = re.compile(r"[\w.@=+-]+(/[\w.@=+-]+)*", re.ASCII)
_LONGEST_PREFIX = 500
_Secret = Annotated[SecretStr, Field(min_length=1, max_length=4000)]
_Words = Annotated[str, Field(max_length=1000)]


class HubSecret(BaseModel):
    """What opens a hub: a token of somebody's own that may write."""

    model_config = ConfigDict(extra="forbid")

    token: _Secret


class S3Secret(BaseModel):
    """What opens a bucket. `session_token` comes with keys that last for hours only."""

    model_config = ConfigDict(extra="forbid")

    access_key_id: Annotated[str, Field(min_length=1, max_length=200)]
    secret_access_key: _Secret
    session_token: SecretStr | None = None


Secret = HubSecret | S3Secret


class HubPlace(HubSecret):
    """A repository of a hub. It is made, and made private, where there is none; a repository that is public already is used
    only with `private` false. `tag` names this version there (v1, v2 … otherwise); `hub` is one of those allowed.
    """

    kind: ClassVar[Kind] = "hub"
    repository: _Words
    hub: _Words = ""
    private: bool = True
    tag: _Words = ""

    @property
    def server(self) -> str:
        return self.hub

    @property
    def name(self) -> str:
        return self.repository

    @property
    def options(self) -> Mapping[str, Any]:
        return {"private": self.private, "tag": self.tag}

    @property
    def secret(self) -> Secret:
        return HubSecret(token=self.token)

    def check(self, usual_prefix: str) -> None:
        """What was left out becomes what is usual. Raises BadInput or NotAllowed, with the field."""
        self.hub = check_server("hub", self.hub.strip().rstrip("/"))
        self.repository, self.tag = self.repository.strip(), self.tag.strip() or usual_prefix.rpartition("/")[2]
        check_secret(self.secret)
        fits = _REPOSITORY.fullmatch(self.repository) and not re.search(r"--|\.\.|\.git$|[.-](/|$)", self.repository)
        if not fits:
            raise BadInput(
                _("write the repository as owner/name, with letters, digits, “-”, “_” and “.” alone"),
                field="repository",
            )
        if not _TAG.fullmatch(self.tag) or ".." in self.tag or self.tag.endswith((".", ".lock")):
            raise BadInput(_("a tag has letters, digits, “-”, “_” and “.” alone"), field="tag")


class S3Place(S3Secret):
    """A prefix of a bucket: files go to `bucket/prefix/path`. `server` is one of those allowed; without one, the first."""

    kind: ClassVar[Kind] = "s3"
    bucket: _Words
    prefix: _Words = ""
    region: _Words = "us-east-1"
    endpoint: _Words = ""

    @property
    def server(self) -> str:
        return self.endpoint

    @property
    def name(self) -> str:
        return f"{self.bucket}/{self.prefix}"

    @property
    def options(self) -> Mapping[str, Any]:
        return {"region": self.region}

    @property
    def secret(self) -> Secret:
        return S3Secret(
            access_key_id=self.access_key_id,
            secret_access_key=self.secret_access_key,
            session_token=self.session_token,
        )

    def check(self, usual_prefix: str) -> None:
        """As with a hub."""
        self.endpoint = check_server("s3", self.endpoint.strip().rstrip("/"))
        self.bucket, self.region = self.bucket.strip(), self.region.strip() or "us-east-1"
        self.prefix = self.prefix.strip().strip("/") or usual_prefix
        check_secret(self.secret)
        if not _BUCKET.fullmatch(self.bucket) or ".." in self.bucket or re.fullmatch(r"[0-9.]+", self.bucket):
            raise BadInput(_("a bucket’s name has small letters, digits, “-” and “.” alone"), field="bucket")
        if not _REGION.fullmatch(self.region):
            raise BadInput(_("write the region as Amazon does: eu-central-1"), field="region")
        parts = self.prefix.split("/")
        if not _PREFIX.fullmatch(self.prefix) or {".", ".."} & set(parts) or len(self.prefix) > _LONGEST_PREFIX:
            raise BadInput(_("write the prefix as folder/folder, with letters, digits and - _ . alone"), field="prefix")


Place = HubPlace | S3Place
"""`server`, `name` and `options` are what the row keeps; whatever is secret is in none of them."""


def check_server(kind: str, given: str) -> str:
    """The server that is meant, the first one allowed where none is. Raises NotAllowed for one that no setting lists."""
    field = "hub" if kind == "hub" else "endpoint"
    servers = get_settings().hubs if kind == "hub" else get_settings().s3_servers
    if not servers:
        raise NotAllowed(_("whoever runs this place has allowed no such server to publish to"), field=field)
    if given and given not in servers:
        words = _(
            "%(server)s is not one of the servers to publish to: %(allowed)s", server=given, allowed=", ".join(servers)
        )
        raise NotAllowed(words, field=field)
    return given or servers[0]


def check_secret(secret: Secret) -> None:
    """It travels in headers: a line break that came along when it was copied would break the request."""
    for name in type(secret).model_fields:
        value = getattr(secret, name)
        words = value.get_secret_value() if isinstance(value, SecretStr) else value
        if words is not None and not re.fullmatch(r"[\x21-\x7e]+", words):
            raise BadInput(_("this holds a space, a line break or another character that no such key has"), field=name)


def as_words(secret: Secret) -> bytes:
    """What is sealed."""
    found = {name: getattr(secret, name) for name in type(secret).model_fields}
    return orjson.dumps({name: v.get_secret_value() if isinstance(v, SecretStr) else v for name, v in found.items()})


def secret_of(kind: str, words: bytes) -> Secret:
    """What `as_words` made."""
    return (HubSecret if kind == "hub" else S3Secret).model_validate_json(words)


def hidden(secret: Secret) -> list[str]:
    """What may stand in no word that is written down."""
    values = [getattr(secret, name) for name in type(secret).model_fields]
    return [value.get_secret_value() for value in values if isinstance(value, SecretStr)]


def address_of_s3(endpoint: str, region: str) -> str:
    return f"https://s3.{region}.amazonaws.com" if endpoint == AMAZON else endpoint
