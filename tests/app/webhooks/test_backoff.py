import pytest

from app.webhooks.backoff import LONGEST_S, MOST_TRIES, wait_s

MIDDLE = 0.5


def waits(chance: float) -> list[float]:
    return [wait for tries in range(1, MOST_TRIES) if (wait := wait_s(tries, chance)) is not None]


def test_each_wait_is_four_times_the_one_before_up_to_six_hours():
    assert waits(MIDDLE) == [5, 20, 80, 320, 1280, 5120, 20480, 21600, 21600, 21600, 21600]


def test_it_gives_up_after_the_twelfth_try_some_32_hours_after_the_first():
    assert wait_s(MOST_TRIES - 1, MIDDLE) is not None
    assert wait_s(MOST_TRIES, MIDDLE) is None
    assert 31 < sum(waits(MIDDLE)) / 3600 < 32


@pytest.mark.parametrize("tries", range(1, MOST_TRIES))
def test_chance_moves_a_wait_by_a_fifth_at_most(tries: int):
    shortest, middle, longest = (wait_s(tries, chance) or 0 for chance in (0.0, 0.5, 1.0))
    assert shortest == pytest.approx(0.8 * middle)
    assert longest == pytest.approx(1.2 * middle)


def test_a_receiver_that_says_how_long_to_wait_is_not_asked_sooner():
    assert wait_s(1, MIDDLE, retry_after_s=60) == 60
    assert wait_s(3, MIDDLE, retry_after_s=60) == 80


def test_nobody_is_waited_for_longer_than_the_longest_wait():
    assert wait_s(1, MIDDLE, retry_after_s=10**9) == LONGEST_S
