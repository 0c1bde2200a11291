"""Requests to one server: with the token, tried again where that is safe, and refusals as exceptions.

Safe to repeat is what changes nothing (GET), and what carries an `Idempotency-Key`: every POST gets one, the same for each
try, so that the server does the work once however often it hears of it. What is tried again is a lost connection and the
answers 429, 502, 503 and 504 (and 409 with `Retry-After`, while the first try is still at work), later and later, or after as long as `Retry-After` says.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from random import uniform
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import httpx

from .errors import ApiError, ConnectionLostError, TiebreakError, UnexpectedAnswerError, refusal

__version__ = "0.1.0"
TRY_AGAIN = frozenset({429, 502, 503, 504})
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
LONGEST_RETRY_AFTER_S = 120.0
# An address where nobody has ever listened is more likely to be the wrong address than to be back in a moment.
RETRIES_BEFORE_FIRST_ANSWER = 1


class Connection:
    def __init__(self, url: str, token: str, *, timeout_s: float, retries: int) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise TiebreakError(f"“{url}” is no address of a server; it looks like https://tiebreak.example.org")
        self.url = url.rstrip("/").removesuffix("/api/v1")
        self.timeout_s = timeout_s
        self.retries = retries
        self._was_reached = False
        self._http = httpx.Client(
            base_url=f"{self.url}/api/v1/",
            headers={"Authorization": f"Bearer {token}", "User-Agent": f"tiebreak-client/{__version__}"},
            timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, 10.0)),
        )

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        return self._json(self._answer("GET", path, params=params))

    def post(
        self,
        path: str,
        json: Mapping[str, Any] | None = None,
        *,
        content: bytes | None = None,
        media_type: str | None = None,
        timeout_s: float | None = None,
    ) -> Any:
        """The answer's JSON, None for 204. `timeout_s` is for work that takes the server longer than a request does."""
        headers = {"Idempotency-Key": str(uuid4())} | ({"Content-Type": media_type} if media_type else {})
        more = {} if timeout_s is None else {"timeout": httpx.Timeout(timeout_s, connect=10.0)}
        return self._json(self._answer("POST", path, json=json, content=content, headers=headers, **more))

    def pages(self, path: str, params: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """The rows of a list, page after page, each page asked for when it is needed.

        Of the link to the next page only the query is taken: behind a proxy, servers know themselves by other names.
        """
        query: Mapping[str, Any] | None = params
        while True:
            answer = self._answer("GET", path, params=query)
            yield from self._json(answer)
            following = answer.links.get("next", {}).get("url")
            if following is None:
                return
            query = dict(parse_qsl(urlsplit(following).query, keep_blank_values=True))

    @contextmanager
    def stream(self, path: str, headers: Mapping[str, str] | None = None) -> Iterator[httpx.Response]:
        """An answer whose body is yet to be read. Sent on to where a file is kept, it follows, without the token."""
        request = self._http.build_request("GET", path, headers=headers)
        answer = self._send(request, is_streamed=True)
        try:
            yield answer
        finally:
            answer.close()

    def pause(self, n_tried: int, problem: TiebreakError) -> None:
        """Wait before the next try, or raise the problem when there have been enough."""
        told = problem.retry_after_s if isinstance(problem, ApiError) else None
        retries = self.retries if self._was_reached else min(self.retries, RETRIES_BEFORE_FIRST_ANSWER)
        if n_tried > retries or (told or 0) > LONGEST_RETRY_AFTER_S:
            raise problem
        longest = min(FIRST_PAUSE_S * 2 ** (n_tried - 1), LONGEST_PAUSE_S)
        time.sleep(uniform(longest / 2, longest) + (told or 0))  # noqa: S311 -- so that a crowd does not come back at once

    def lost(self, problem: Exception) -> ConnectionLostError:
        what = str(problem) or type(problem).__name__
        advice = "" if self._was_reached else " Is this its address, and is it running?"
        return ConnectionLostError(f"{self.url} does not answer: {what}.{advice}")

    def _answer(self, method: str, path: str, **given: Any) -> httpx.Response:
        return self._send(self._http.build_request(method, path, **given))

    def _send(self, request: httpx.Request, *, is_streamed: bool = False) -> httpx.Response:
        n_tried = 0
        while True:
            n_tried += 1
            problem: TiebreakError
            try:
                answer = self._http.send(request, stream=is_streamed, follow_redirects=is_streamed)
                if answer.is_success:
                    self._was_reached = True
                    return answer
                answer.read()
            except httpx.TransportError as lost:
                self._was_reached |= not isinstance(lost, httpx.ConnectError | httpx.ConnectTimeout)
                problem = self.lost(lost)
                problem.__cause__ = lost
            else:
                self._was_reached = True
                answer.close()
                if answer.is_redirect:
                    raise UnexpectedAnswerError(f"the server is at {answer.headers.get('location')}; use that address")
                problem = refusal(answer)
                is_at_work = problem.status == 409 and problem.retry_after_s is not None  # the first try of ours
                if problem.status not in TRY_AGAIN and not is_at_work:
                    raise problem
            self.pause(n_tried, problem)

    def _json(self, answer: httpx.Response) -> Any:
        if answer.status_code == 204:
            return None
        try:
            return answer.json()
        except ValueError:
            kind = answer.headers.get("content-type", "nothing")
            raise UnexpectedAnswerError(
                f"{answer.request.url} answered with {kind}, not with JSON; is this the address of a Tiebreak server?"
            ) from None
