from app.prompts.groups import GivenResponse, Group, item_hash


def hash_of(*messages: tuple[str, str]) -> bytes:
    return Group([{"role": role, "content": content} for role, content in messages], ()).prompt_hash()


def test_the_same_messages_have_the_same_hash_in_whatever_order_their_keys_stand():
    turned = Group([{"content": "p", "role": "user"}], ()).prompt_hash()
    assert hash_of(("user", "p")) == turned
    assert len(turned) == 32


def test_other_messages_have_another_hash():
    different = [
        hash_of(("user", "p")),
        hash_of(("system", "p")),
        hash_of(("user", "p ")),
        hash_of(("user", "p"), ("assistant", "")),
        hash_of(("user", "p"), ("user", "p")),
        hash_of(),
    ]
    assert len(set(different)) == len(different)


def test_a_response_is_its_text_and_its_model():
    same = GivenResponse("a", "m", 1.0).content_hash()
    assert GivenResponse("a", "m", 2.0, {"k": 1}).content_hash() == same
    others = {GivenResponse("a").content_hash(), GivenResponse("m", "a").content_hash(), same}
    assert len(others) == 3


def test_an_item_is_its_prompt_and_its_set_of_responses():
    assert item_hash(b"p", [b"a", b"b"]) == item_hash(b"p", [b"b", b"a"])
    assert item_hash(b"p", [b"a", b"b"]) != item_hash(b"p", [b"a", b"a"])
