from typing import Any

import pytest

from tests.small import GROUPS, TEXTS
from worker import starter
from worker.batches import EncodedGroup
from worker.tokens import encode


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    return starter.train_tokenizer(TEXTS, vocabulary=300)


@pytest.fixture(scope="session")
def groups(tokenizer: Any) -> list[EncodedGroup]:
    """Prompts and responses of all lengths, two to four responses each, all with an order."""
    return encode(GROUPS, tokenizer, 64)[0]
