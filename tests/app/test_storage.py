"""Files by name, the same on local disk and in S3 (moto's server, which speaks its protocol on this machine)."""

import hashlib
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from moto.server import ThreadedMotoServer

from app import storage as storage_module
from app.errors import NotFound
from app.settings import Settings
from app.storage import Corrupt, LocalDisk, Storage, Stored, fetch, open_storage, sha256_of, store_file

MIB = 1 << 20


@pytest.fixture(scope="module")
def s3_address() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    urllib.request.urlopen(urllib.request.Request(f"{address}/shelf", method="PUT")).close()
    yield address
    server.stop()


@pytest.fixture(params=["disk", "s3", "s3 with a prefix"])
def storage(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    if request.param == "disk":
        opened = open_storage(Settings(storage_url=str(tmp_path / "storage")))
    else:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "test")
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        prefix = "/some/where" if "prefix" in request.param else ""
        address = request.getfixturevalue("s3_address")
        opened = open_storage(Settings(storage_url=f"s3://shelf{prefix}", s3_endpoint=address))
    monkeypatch.setattr(storage_module, "storage", lambda: opened)
    yield opened
    for folder in ("a", "ab", "deep"):
        opened.delete_all(folder)


def file(folder: Path, data: bytes) -> Path:
    path = folder / "source"
    path.write_bytes(data)
    return path


def whole(storage: Storage, name: str, *between: int) -> bytes:
    return b"".join(storage.read(name, *between))


@pytest.mark.parametrize("size", [0, 1, MIB, 19 * MIB + 3])
def test_what_was_put_can_be_read(storage: Storage, tmp_path: Path, size: int):
    data = (hashlib.sha256(str(size).encode()).digest() * (size // 32 + 1))[:size]
    storage.put("deep/er/one.bin", file(tmp_path, data))
    assert storage.size("deep/er/one.bin") == size
    assert whole(storage, "deep/er/one.bin") == data


def test_a_name_may_be_put_again(storage: Storage, tmp_path: Path):
    storage.put("a/one", file(tmp_path, b"first"))
    storage.put("a/one", file(tmp_path, b"second, longer"))
    assert whole(storage, "a/one") == b"second, longer"


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(0, 4, b"0123"), (3, 7, b"3456"), (7, None, b"789"), (7, 99, b"789"), (5, 5, b""), (10, None, b""), (12, 15, b"")],
)
def test_it_reads_a_part(storage: Storage, tmp_path: Path, start: int, end: Any, expected: bytes):
    storage.put("a/digits", file(tmp_path, b"0123456789"))
    assert whole(storage, "a/digits", start, end) == expected


def test_it_reads_a_part_across_chunks(storage: Storage, tmp_path: Path):
    data = bytes(range(256)) * 4096 * 10
    storage.put("a/long", file(tmp_path, data))
    assert whole(storage, "a/long", MIB - 5, 9 * MIB + 7) == data[MIB - 5 : 9 * MIB + 7]


@pytest.mark.parametrize("name", ["nothing", "a/nothing", "a", "a/", "a/one/two", "x" * 2000, "é漢 🍋?#%"])
def test_a_name_without_a_file_is_not_found_before_the_first_chunk(storage: Storage, tmp_path: Path, name: str):
    storage.put("a/one", file(tmp_path, b"data"))
    with pytest.raises(NotFound, match="restore it from a backup"):
        storage.read(name)
    with pytest.raises(NotFound):
        storage.size(name)


@pytest.mark.parametrize("name", ["", ".", "/", "..", "../a", "a/../../b", "/etc/passwd", "a\\b", "a\0b"])
def test_no_name_leads_out_of_the_storage(storage: Storage, tmp_path: Path, name: str):
    source = file(tmp_path, b"data")
    for attempt in (storage.read, storage.size, storage.delete_all):
        with pytest.raises(NotFound):
            attempt(name)
    with pytest.raises(NotFound):
        storage.put(name, source)


def test_odd_but_harmless_names_are_names(storage: Storage, tmp_path: Path):
    for name in ("a/é漢 🍋?#%25&+.json", "a/.hidden", "a/two  spaces"):
        storage.put(name, file(tmp_path, name.encode()))
        assert whole(storage, name) == name.encode()


def test_it_deletes_everything_below_a_prefix_and_nothing_beside_it(storage: Storage, tmp_path: Path):
    source = file(tmp_path, b"data")
    for name in ("a/one", "a/deep/two", "ab/three"):
        storage.put(name, source)
    storage.delete_all("a")
    storage.delete_all("a")
    for name in ("a/one", "a/deep/two"):
        with pytest.raises(NotFound):
            storage.size(name)
    assert whole(storage, "ab/three") == b"data"


def test_it_names_the_folders_directly_below(storage: Storage, tmp_path: Path):
    for name in ("a/run-2/3-4/x", "a/run-10/1-2/x", "a/run-2/5-6/x", "a/x", "ab/run-3/x"):
        storage.put(name, file(tmp_path, b"x"))
    assert storage.folders("a") == ["a/run-10", "a/run-2"]
    assert storage.folders("a/run-2") == ["a/run-2/3-4", "a/run-2/5-6"]
    assert storage.folders("a/run-3") == storage.folders("a/x") == []


def test_a_put_that_fails_leaves_the_old_file_and_no_litter(storage: Storage, tmp_path: Path):
    storage.put("a/one", file(tmp_path, b"old"))
    with pytest.raises(OSError, match=r"."):
        storage.put("a/one", tmp_path / "missing")
    assert whole(storage, "a/one") == b"old"
    if isinstance(storage, LocalDisk):
        assert [path.name for path in (storage.root / "a").iterdir()] == ["one"]


def test_a_stored_file_is_fetched_whole(storage: Storage, tmp_path: Path):
    source = file(tmp_path, b"data" * 1000)
    stored = store_file("a/7", "deep/one.bin", source)
    assert stored == Stored("deep/one.bin", 4000, sha256_of(source))
    target = tmp_path / "here" / "one.bin"
    fetch("a/7", stored, target)
    assert target.read_bytes() == source.read_bytes()
    assert [path.name for path in target.parent.iterdir()] == ["one.bin"]


def test_a_file_whose_bytes_changed_is_not_handed_out(storage: Storage, tmp_path: Path):
    stored = store_file("a", "one", file(tmp_path, b"data"))
    storage.put("a/one", file(tmp_path, b"rot!"))
    target = tmp_path / "here" / "one"
    with pytest.raises(Corrupt, match="backup"):
        fetch("a", stored, target)
    assert list(target.parent.iterdir()) == []


def test_a_file_that_is_gone_leaves_nothing_half_fetched(storage: Storage, tmp_path: Path):
    target = tmp_path / "here" / "one"
    with pytest.raises(NotFound):
        fetch("a", Stored("one", 4, "0" * 64), target)
    assert not target.parent.exists() or list(target.parent.iterdir()) == []


def test_a_file_that_was_there_stays_until_the_new_one_is_whole(storage: Storage, tmp_path: Path):
    stored = store_file("a", "one", file(tmp_path, b"data"))
    storage.put("a/one", file(tmp_path, b"rot!"))
    target = file(tmp_path, b"what was there")
    with pytest.raises(Corrupt):
        fetch("a", stored, target)
    assert target.read_bytes() == b"what was there"


def test_two_writers_of_a_name_leave_one_whole_file(storage: Storage, tmp_path: Path):
    sources = []
    for number in range(4):
        path = tmp_path / str(number)
        path.write_bytes(bytes([number]) * 2 * MIB)
        sources.append(path)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda path: storage.put("a/one", path), sources * 3))
    data = whole(storage, "a/one")
    assert len(data) == 2 * MIB
    assert len(set(data)) == 1
