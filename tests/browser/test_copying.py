"""What is shown once is copied with one click."""

from app.models import User
from tests.browser.conftest import Open


def test_a_token_is_copied_as_it_is_shown(visit: Open, ben: User) -> None:
    page = visit(ben, "/tokens", permissions=["clipboard-read", "clipboard-write"])
    assert page.get_by_role("button", name="Copy").count() == 0
    page.get_by_label("judge – ").check()
    page.get_by_role("button", name="Make the token").click()
    page.get_by_role("button", name="Copy").click()
    page.get_by_role("button", name="Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("tbk_")
    assert copied == page.get_by_label("Your new token").input_value()
