from app.reading.conversation import conversation


def turns(*told: tuple[str, int]) -> list[dict[str, str]]:
    return [{"role": role, "content": "x" * length} for role, length in told]


def test_a_short_conversation_is_open() -> None:
    said = conversation(turns(("system", 50), ("user", 50), ("assistant", 50), ("user", 50)))
    assert (len(said.earlier), len(said.latest)) == (0, 4)


def test_of_a_long_one_the_last_turn_of_the_user_is_open_and_what_follows_it() -> None:
    said = conversation(turns(("system", 50), ("user", 900), ("assistant", 900), ("user", 50), ("assistant", 10)))
    assert [one.role for one in said.earlier] == ["system", "user", "assistant"]
    assert [one.role for one in said.latest] == ["user", "assistant"]


def test_one_long_turn_before_is_not_worth_a_click() -> None:
    assert conversation(turns(("system", 9000), ("user", 50))).earlier == ()


def test_a_conversation_without_a_user_shows_its_last_turn() -> None:
    said = conversation(turns(("system", 900), ("assistant", 900), ("assistant", 10)))
    assert [len(one.content) for one in said.latest] == [10]
    assert conversation([]).latest == []


def test_a_long_message_is_known_as_one() -> None:
    assert [one.is_long for one in conversation(turns(("user", 9000))).latest] == [True]


def test_turns_that_one_message_tells_stand_apart() -> None:
    def shown(words: str) -> str:
        return conversation([{"role": "user", "content": words}]).latest[0].content

    assert shown("Human: a\n1. b\nAssistant: c\nUser: d") == "Human: a\n1. b\n\nAssistant: c\n\nUser: d"
    for words in ("One\nAssistant: of many", "```\nHuman: a\nAssistant: b\n```", "Human: a\nb"):
        assert shown(words) == words
