"""A download that is cut off goes on where it was, with the Hub's own client."""

from pathlib import Path

import pytest
from huggingface_hub import HfApi

from app import db
from app.models import User
from app.storage import store_file
from tests import trained
from tests.app.hub.conftest import Shelf, token_of
from tests.line import bad_line

SIZE = 24_000_000
CUT_AFTER = 15_000_000  # the client keeps what it has in portions of 10 MB


@pytest.fixture
def weights(tmp_path: Path, shelf: Shelf) -> bytes:
    content = bytes(range(256)) * (SIZE // 256)
    (tmp_path / "file").write_bytes(content)
    with db.work_unit() as session:
        run = trained.make_run(session, state="finished")
        checkpoint = trained.make_checkpoint(session, run, name="large")
        checkpoint.files = [store_file(checkpoint.prefix, "model.safetensors", tmp_path / "file").as_json()]
    return content


def test_it_goes_on_where_the_line_was_cut(shelf: Shelf, ada: User, weights: bytes, cache: Path):
    with bad_line(shelf.address, breaks=(CUT_AFTER,) * 2) as line:
        path = HfApi(endpoint=line.address, token=token_of(ada)).hf_hub_download(
            "tiebreak/large", "model.safetensors", cache_dir=cache
        )
    assert Path(path).read_bytes() == weights
    assert line.n_cut == 1
    (resumed,) = (head for head in line.asked if "\r\nrange: bytes=" in head.lower() and head.startswith("GET"))
    start = int(resumed.lower().partition("range: bytes=")[2].partition("-")[0])
    assert start > 0
