"""`tiebreak publish`."""

import pytest
from click.testing import CliRunner

from app.cli import main
from app.models import Checkpoint, Dataset
from tests.app.publications.conftest import row_of

KEYS = {"HF_TOKEN": "hf_from_the_environment", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}


def run(*words: str, **told: str) -> tuple[int, str]:
    done = CliRunner(env=KEYS | told).invoke(main, ["publish", *words])
    return done.exit_code, done.output


@pytest.mark.parametrize("name", ["pairs-dpo", "pairs-dpo@v1", "1"])
def test_it_orders_a_publication_with_the_token_of_the_environment(checkpoint: Checkpoint, name: str):
    status, said = run("checkpoint", name, "hub:ada/mine", "--tag", "best", "--detach")
    assert (status, "/publications/1" in said, "hf_from" in said) == (0, True, False)
    row = row_of(1)
    assert (row.place, row.options, row.checkpoint_id) == ("ada/mine", {"private": True, "tag": "best"}, 1)


def test_it_sends_a_dataset_to_a_bucket(dataset: Dataset):
    assert run("dataset", "pairs", "s3://shelf/some/where", "--region", "eu-central-1", "--detach")[0] == 0
    assert (row_of(1).place, row_of(1).options) == ("shelf/some/where", {"region": "eu-central-1"})


def test_it_says_what_is_no_place_and_what_is_not_there(checkpoint: Checkpoint):
    assert run("checkpoint", "pairs-dpo", "ada/mine") == (
        1,
        "Error: 'ada/mine' is no place to publish to: write hub:owner/name or s3://bucket/folder\n",
    )
    for name in ("nothing", "nothing@v3", "99"):
        assert run("checkpoint", name, "hub:ada/mine", "--detach")[0] == 1
