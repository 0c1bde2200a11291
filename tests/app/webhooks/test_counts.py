from app.webhooks.counts import IN_FLIGHT, following, may_be_passed, passed


def test_a_count_is_passed_once_when_it_is_reached():
    assert passed(99, 100, [100, 500], None) == [100]
    assert passed(100, 499, [100, 500], None) == []
    assert passed(499, 500, [100, 500], None) == [500]


def test_several_counts_may_be_passed_at_once():
    assert passed(0, 700, [500, 100, 900], None) == [100, 500]


def test_of_the_multiples_that_an_import_passes_the_highest_is_news():
    assert passed(90, 1_000_050, [], 100) == [1_000_000]
    assert passed(1_000_050, 1_000_099, [], 100) == []


def test_counts_and_multiples_go_together_and_each_number_is_told_once():
    assert passed(0, 250, [200, 210], 100) == [200, 210]


def test_fewer_judgments_than_before_are_no_news():
    assert passed(500, 400, [450], 100) == []


def test_it_knows_which_number_comes_next():
    assert following(100, [100, 500], None) == 500
    assert following(500, [100, 500], None) is None
    assert following(100, [500], 150) == 150
    assert following(0, [], 1000) == 1000


def test_it_is_not_worth_counting_before_enough_has_come_in_anywhere():
    assert not may_be_passed(1000, 200, newer=0)
    assert not may_be_passed(1000, 200, newer=800 - IN_FLIGHT - 1)
    assert may_be_passed(1000, 200, newer=800 - IN_FLIGHT)


def test_it_is_not_worth_counting_when_nothing_has_come_in_at_all():
    assert not may_be_passed(201, 200, newer=0)
