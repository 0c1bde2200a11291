"""To a hub: the files of one version become one commit of a repository, and a tag on it.

`huggingface_hub` does the talking, by the part of it that is made for streams: each large file goes up by itself (Git LFS, in
parts where the hub wants them), which changes nothing that anybody sees, and at the end one commit names all of them. A file
that the hub has already, from an attempt that was cut or from another version, is not sent again: the hub tells by its
SHA-256. What arrived is checked by the hub against the same sum. Files of an earlier version that we published there and
that this one no longer has are taken out by the same commit; files of anybody else's are left alone.

The chunked transfer that the library prefers (Xet) is switched off in `push.py`: it takes paths alone, shows no bytes on their
way and cannot be stopped in the middle, and hubs other than the Hugging Face Hub rarely speak it.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

import httpx2
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, RepositoryNotFoundError

from app.publications.content import Content
from app.publications.outcome import Arrived, Failure, Passing
from app.publications.places import HubSecret
from app.publications.progress import Progress, Stopped
from app.publications.reading import StoredFile
from app.storage import Corrupt, Storage, Stored

_PASSING = frozenset({408, 409, 412, 425, 429, 500, 502, 503, 504})
_NO_TOKEN = (
    "The hub does not accept this token: it is mistyped, revoked or expired. Make one that may write, and try again."  # noqa: S105 -- words
)
_NO_RIGHT = (
    "The hub lets this token not write to {place}: it only reads, or the owner of the repository is somebody else."
)
_NONE = "The hub says that there is no {place}, and that this token may not make it."


class ToHub:
    """One repository, `kind` being "model" or "dataset". `former` are the paths that earlier versions of ours left there."""

    def __init__(
        self, server: str, place: str, kind: str, secret: HubSecret, *, private: bool, tag: str, former: Collection[str]
    ) -> None:
        self._api = HfApi(endpoint=server, token=secret.token.get_secret_value(), library_name="tiebreak")
        self._server, self._place, self._kind = server, place, kind
        self._private, self._tag, self._former = private, tag, former
        self._repository: dict[str, Any] = {"repo_id": place, "repo_type": kind}

    def send(self, content: Content, store: Storage, progress: Progress, message: str) -> Arrived:
        """Raises Failure, Passing, Stopped."""
        with in_words(self._place):
            self._make()
            additions = [self._made(path, data, progress) for path, data in content.made.items()]
            additions += [self._sent(content.prefix, file, store, progress) for file in content.stored]
            progress.take_up("commit")
            old = set(self._api.list_repo_files(**self._repository)) & set(self._former) - set(content.paths)
            deletions = [CommitOperationDelete(path, is_folder=False) for path in sorted(old)]
            commit = self._api.create_commit(
                **self._repository,
                operations=[*additions, *deletions],
                commit_message=message,
                revision="main",
                num_threads=1,
            )
            self._name(commit.oid)
        folder = "datasets/" if self._kind == "dataset" else ""
        return Arrived(f"{self._server}/{folder}{self._place}/tree/{self._tag}", commit.oid)

    def _make(self) -> None:
        self._api.create_repo(**self._repository, private=self._private, exist_ok=True)
        if self._private and not self._api.repo_info(**self._repository).private:
            raise Failure(
                f"{self._place} is there already, and public. Publish it as public, or to another repository."
            )

    def _made(self, path: str, data: bytes, progress: Progress) -> CommitOperationAdd:
        progress.take_up(path)
        addition = CommitOperationAdd(path, data)
        self._upload(addition)
        progress.done(len(data))
        return addition

    def _sent(self, prefix: str, file: Stored, store: Storage, progress: Progress) -> CommitOperationAdd:
        """Read once for its checksum, and once more where the hub does not have it."""
        progress.take_up(file.path)
        data = StoredFile(store, prefix, file, progress)
        addition = CommitOperationAdd(file.path, cast("BinaryIO", data))
        if addition.upload_info.sha256.hex() != file.sha256:
            raise Corrupt(
                f"{prefix}/{file.path} does not have the SHA-256 it was stored with; restore it from a backup"
            )
        data.counting = True
        self._upload(addition)
        data.counting = False  # a small file is read again for the commit
        progress.done(file.size)
        return addition

    def _upload(self, addition: CommitOperationAdd) -> None:
        self._api.preupload_lfs_files(self._place, [addition], repo_type=self._kind, num_threads=1, revision="main")

    def _name(self, commit: str) -> None:
        """Tag the commit. A tag that stands for another one already is somebody's word; it is not moved."""
        tags = {tag.name: tag.target_commit for tag in self._api.list_repo_refs(**self._repository).tags}
        if self._tag not in tags:
            self._api.create_tag(**self._repository, tag=self._tag, revision=commit, exist_ok=True)
        elif tags[self._tag] != commit:
            raise Failure(
                f"The files are in {self._place} now, as commit {commit[:12]}, but “{self._tag}” is the name of another "
                "commit there. Publish with another tag, or take that one away."
            )


@contextmanager
def in_words(place: str) -> Iterator[None]:
    """What the library raises, as an outcome."""
    try:
        yield
    except (Failure, Stopped, Corrupt):
        raise
    except Exception as problem:
        raise _outcome(_chain(problem), place) from problem


def _chain(problem: BaseException) -> Sequence[BaseException]:
    """The problem with all that it came from: the library wraps what happens while it uploads."""
    found: list[BaseException] = []
    one: BaseException | None = problem
    while one is not None and one not in found:
        found.append(one)
        one = one.__cause__ or one.__context__
    return found


def _outcome(chain: Sequence[BaseException], place: str) -> BaseException:
    for one in chain:
        if isinstance(one, Stopped | Failure | Corrupt):
            return one
        if isinstance(one, HfHubHTTPError) and one.response is not None:
            return _answered(one, place)
        if isinstance(one, httpx2.TransportError):
            return Passing(f"The hub cannot be reached, or the line was cut: {str(one) or type(one).__name__}")
        if isinstance(one, HFValidationError):
            return Failure(f"The hub’s library refuses this name: {one}")
    return Failure(f"The hub’s library failed: {type(chain[-1]).__name__}: {chain[-1]}")


def _answered(problem: HfHubHTTPError, place: str) -> Failure:
    status = problem.response.status_code
    said = problem.server_message or f"status {status}"
    if status == 401:
        return Failure(_NO_TOKEN)
    if status == 403:
        return Failure(f"{_NO_RIGHT.format(place=place)} It says: {said}")
    if isinstance(problem, RepositoryNotFoundError) or status == 404:
        return Failure(_NONE.format(place=place))
    if status in _PASSING:
        return Passing(f"The hub is busy or away ({status}): {said}")
    return Failure(f"The hub refused ({status}): {said}")
