"""A small typed client for programs and notebooks: `docs/client.md` shows it cell by cell.

It needs Python 3.11 and httpx, and nothing else: neither torch, nor the server's packages, nor a database. So that a notebook
need not install a server to talk to one, this folder is a project of its own, with a `pyproject.toml` that publishes it as
the module `tiebreak_client` (`pip install ./app/client`). It lives here, and not at the top of the repository, because it
speaks the API of the application beside it and changes in the same commit; it imports nothing from there, which a contract
on imports holds it to. Copied as a folder, under any name, it works as well.

There is no asynchronous twin: notebooks wait for one thing at a time, and it would be the same again with `await`.
"""

from .checkpoints import Checkpoint
from .client import Client
from .connection import __version__
from .datasets import Dataset
from .errors import (
    ApiError,
    BadInputError,
    ChecksumError,
    ConflictError,
    ConnectionLostError,
    CutStreamError,
    Finding,
    NotAllowedError,
    NotFoundError,
    NotSignedInError,
    RunCancelledError,
    RunFailedError,
    ServerError,
    StillRunningError,
    TiebreakError,
    TooLargeError,
    TooManyRequestsError,
    UnexpectedAnswerError,
)
from .files import File
from .items import BadItem, Pushed
from .judging import Response, Turn
from .preferences import Group, Preference
from .projects import Counts, Project
from .reading import Message
from .runs import Run

__all__ = [
    "ApiError",
    "BadInputError",
    "BadItem",
    "Checkpoint",
    "ChecksumError",
    "Client",
    "ConflictError",
    "ConnectionLostError",
    "Counts",
    "CutStreamError",
    "Dataset",
    "File",
    "Finding",
    "Group",
    "Message",
    "NotAllowedError",
    "NotFoundError",
    "NotSignedInError",
    "Preference",
    "Project",
    "Pushed",
    "Response",
    "Run",
    "RunCancelledError",
    "RunFailedError",
    "ServerError",
    "StillRunningError",
    "TiebreakError",
    "TooLargeError",
    "TooManyRequestsError",
    "Turn",
    "UnexpectedAnswerError",
    "__version__",
]
