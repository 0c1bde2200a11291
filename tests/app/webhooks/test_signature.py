import base64

from app.webhooks import signature


def test_it_signs_as_the_example_of_the_specification_is_signed():
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = signature.signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_it_shows_a_secret_as_libraries_want_it():
    assert (
        signature.shown(base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
        == "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    )


def test_new_secrets_are_long_and_never_the_same():
    assert len(signature.new_secret()) == 32
    assert signature.new_secret() != signature.new_secret()


def test_two_secrets_give_two_signatures_of_the_same_message():
    old, new = b"o" * 32, b"n" * 32
    told = signature.headers([new, old], "msg_1", 1614265330, b"{}")
    assert told["webhook-id"] == "msg_1"
    assert told["webhook-timestamp"] == "1614265330"
    one, other = told["webhook-signature"].split(" ")
    assert one == signature.signature(new, "msg_1", 1614265330, b"{}")
    assert other == signature.signature(old, "msg_1", 1614265330, b"{}")


def test_another_time_body_or_id_is_another_signature():
    usual = ("msg_1", 1, b"{}")
    others = [("msg_2", 1, b"{}"), ("msg_1", 2, b"{}"), ("msg_1", 1, b"[]")]
    key = b"k" * 32
    assert all(signature.signature(key, *usual) != signature.signature(key, *other) for other in others)
