from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def as_many_threads_as_before() -> Iterator[None]:
    """The reports take one."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
