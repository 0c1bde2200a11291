import pytest

from app.errors import BadRecord
from app.imports.transcripts import messages, prompt_of_text, transcript


def user(content: str) -> dict[str, str]:
    return {"role": "user", "content": content}


def assistant(content: str) -> dict[str, str]:
    return {"role": "assistant", "content": content}


def test_it_takes_a_transcript_apart():
    words = "\n\nHuman: One?\n\nWith a second paragraph.\n\nAssistant: Two.\n\nHuman: Three?\n\nAssistant: Four."
    assert transcript(words) == [
        user("One?\n\nWith a second paragraph."),
        assistant("Two."),
        user("Three?"),
        assistant("Four."),
    ]


def test_it_takes_one_apart_that_has_lost_every_second_line_break():
    assert transcript("Human: One?\nA line.\nAssistant: Two.\nHuman: Three?\nAssistant:") == [
        user("One?\nA line."),
        assistant("Two."),
        user("Three?"),
        assistant(""),
    ]
    assert prompt_of_text("Human: One?\nAssistant: Two.\nHuman: Three?\nAssistant:")[-1] == user("Three?")


def test_names_on_lines_begin_turns_only_where_they_take_turns():
    for words in (
        "Human: Write a play.\nHuman: hello\nAssistant: hi",
        "Human: Go on:\n\nAssistant: He said\nHuman: no",
    ):
        assert transcript(words) != transcript(words.replace("\n", "\n\n"))


@pytest.mark.parametrize(
    "words",
    [
        "",
        "Just a question?",
        "Look at this: Human: hello",
        "Before.\n\nHuman: hello",
        "\n\nAssistant: nobody asked",
        "Humans: are many",
    ],
)
def test_it_leaves_other_texts_alone(words: str):
    assert transcript(words) is None


def test_a_name_inside_a_paragraph_begins_no_turn():
    assert transcript("Human: He said Assistant: no") == [user("He said Assistant: no")]


@pytest.mark.parametrize("end", ["\n\nAssistant:", "\n\nAssistant: ", ""])
def test_a_prompt_may_end_with_the_turn_that_is_awaited(end: str):
    assert prompt_of_text("Human: One?\n\nAssistant: Two.\n\nHuman: Three?" + end) == [
        user("One?"),
        assistant("Two."),
        user("Three?"),
    ]


@pytest.mark.parametrize(
    "words",
    [
        "Human: One?\n\nAssistant: Two, and the next question has lost its name",
        "Human: \n\nAssistant:",
        "Human: One?\n\nAssistant:\n\nHuman: Three?\n\nAssistant:",
        "  What is 2 + 2?\n",
    ],
)
def test_a_prompt_that_is_no_clear_transcript_is_one_message_as_it_stands(words: str):
    assert prompt_of_text(words) == [user(words)]


def test_it_reads_messages_and_drops_an_empty_system_message():
    given = [{"role": "system", "content": " "}, {"role": "user", "content": "Hi", "name": "x"}]
    assert messages(given, "prompt") == [user("Hi")]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "empty list"),
        ([user("a")] * 501, "501 messages"),
        (["Hi"], "prompt[0] must be a message"),
        ([{"role": "user"}], "prompt[0] must be a message"),
        ([{"role": "robot", "content": "Hi"}], "unknown role “robot”"),
        ([{"role": ["user"], "content": "Hi"}], "unknown role"),
        ([{"role": "user", "content": [{"type": "text"}]}], "prompt[0].content must be text"),
        ([{"role": "user", "content": "a\0b"}], "NUL character at position 2"),
    ],
)
def test_it_says_what_is_wrong_with_messages(given: list[object], words: str):
    with pytest.raises(BadRecord) as problem:
        messages(given, "prompt")
    assert words in problem.value.message
