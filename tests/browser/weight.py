"""What a page weighs, as the browser itself counts it."""

from typing import Any

from playwright.sync_api import Page


def weighed(page: Page) -> list[int]:
    """Bytes of every answer from now on, as they came over the wire with their headers."""
    sizes: list[int] = []
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})

    def note(event: dict[str, Any]) -> None:
        sizes.append(round(event["encodedDataLength"]))

    session.on("Network.loadingFinished", note)
    return sizes
