"""Somebody who judges through the real pages: signs in, reads the form, sends it, until nothing is left.

A page is read as a person reads it, by what things are and what they are called, wherever they stand: a response is the
section under the heading “Response A”, the answer for it is the button that says “A …” or the numbers in its section,
and everything that is sent comes out of the form, with the button that was pressed. So what ends up in the database is
what was under the letter that was chosen, or the page is wrong.

An annotator decides by the texts, as `text_key` sees them: rendered, and without white space.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Self
from urllib.parse import urlsplit

import httpx

from app.reading.markdown import rendered

# Tiers by text, 1 is the best; or an outcome without an order.
Answer = Mapping[str, int] | str
Decide = Callable[["Turn"], Answer]
_NO_PROSE = {"fieldset", "legend", "label", "button", "summary", "select", "textarea", "script", "style"}
_VOID = {"input", "br", "hr", "img", "meta", "link", "rect", "path"}


@dataclass
class Control:
    """Something in a form with a name; `words` is what a button says, `section` where it stands."""

    tag: str
    name: str
    value: str
    kind: str
    words: str = ""
    keys: str = ""
    section: int | None = None


@dataclass
class Form:
    action: str
    controls: list[Control] = field(default_factory=list)

    def button(self, value: str) -> Control:
        found = [one for one in self.controls if one.tag == "button" and one.name == "choice"]
        return next(one for one in found if one.value == value)

    def sent(self, pressed: Control | None = None, **told: str) -> dict[str, str]:
        """What a browser would send: what is filled in, `told` on top, and the button that was pressed."""
        kept = {one.name: one.value for one in self.controls if one.tag == "textarea" or one.kind in {"hidden", "text"}}
        return kept | told | ({pressed.name: pressed.value} if pressed else {})


@dataclass
class Section:
    """`heading` is what it is called, `prose` what stands in it besides its heading and its controls."""

    labelled_by: str
    heading: str = ""
    prose: str = ""


class Reader(HTMLParser):
    """The forms and sections of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.sections: list[Section] = []
        self._open: list[tuple[str, dict[str, str]]] = []
        self._sections: list[int] = []
        self._form: Form | None = None
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = Form(told.get("action", ""))
            self.forms.append(self._form)
        elif tag == "section":
            self.sections.append(Section(told.get("aria-labelledby", "")))
            self._sections.append(len(self.sections) - 1)
        elif self._form is not None and "name" in told and tag in {"input", "button", "textarea", "select"}:
            kind = told.get("type", "text" if tag == "input" else tag)
            section = self._sections[-1] if self._sections else None
            one = Control(
                tag, told["name"], told.get("value", ""), kind, keys=told.get("data-key", ""), section=section
            )
            self._form.controls.append(one)
        if tag not in _VOID:
            self._open.append((tag, told))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass
        if tag == "form":
            self._form = None
        elif tag == "section":
            self._sections.pop()

    def handle_data(self, data: str) -> None:
        tags = {tag for tag, _ in self._open}
        if self._form is not None and self._form.controls and tags & {"button", "textarea"}:
            last = self._form.controls[-1]
            if last.tag == "button" and "button" in tags:
                last.words += data
            elif last.tag == "textarea" and "textarea" in tags:
                last.value += data
        if self._sections:
            section = self.sections[self._sections[-1]]
            if any(told.get("id") == section.labelled_by for _, told in self._open if section.labelled_by):
                section.heading += data
            elif not tags & _NO_PROSE:
                section.prose += data


@dataclass(frozen=True)
class Turn:
    """A turn as it stands on a page. `texts` is each response's text (see `text_key`) by the id that the form sends."""

    form: Form
    texts: Mapping[str, str]
    undo: Form | None

    @property
    def assignment(self) -> str:
        return next(one.value for one in self.form.controls if one.name == "assignment")

    def filled(self, answer: Answer) -> dict[str, str]:
        """The form that says this answer, with one of the buttons that are there."""
        if isinstance(answer, str):
            return self.form.sent(self.form.button(answer), duration_ms="1200")
        tiers = {key: answer[words] for key, words in self.texts.items()}
        places = {f"tier.{key}": str(tier) for key, tier in tiers.items()}
        if any(one.name in places for one in self.form.controls):
            return self.form.sent(self.form.button("ranked"), duration_ms="1200", **places)
        best = min(tiers, key=lambda key: tiers[key])
        chosen = "tie" if len(set(tiers.values())) == 1 else best
        return self.form.sent(self.form.button(chosen), duration_ms="1200")


def text_key(words: str) -> str:
    """A source's text as a page shows it."""
    return _squeezed("".join(_Words(str(rendered(words))).found))


class _Words(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)
        self.close()

    def handle_data(self, data: str) -> None:
        self.found.append(data)


def _squeezed(words: str) -> str:
    return re.sub(r"\s+", "", words)


def turn_on(page: str) -> Turn | None:
    """The turn on a page or in a fragment; None when nothing is left."""
    read = Reader(page)
    form = next((one for one in read.forms if urlsplit(one.action).path.endswith("/turn")), None)
    if form is None:
        return None
    undo = next((one for one in read.forms if urlsplit(one.action).path.endswith("/undo")), None)
    return Turn(form, dict(_responses(read, form)), undo)


def _responses(read: Reader, form: Form) -> Iterator[tuple[str, str]]:
    """Each response's id and text. Places stand in its section; otherwise a button begins with its letter."""
    named = {one.heading.split()[-1]: one for one in read.sections if one.heading.startswith("Response")}
    for control in form.controls:
        if control.name.startswith("tier.") and control.section is not None:
            yield control.name.removeprefix("tier."), _squeezed(read.sections[control.section].prose)
        elif control.name == "choice" and (letter := (control.words.split() or [""])[0]) in named:
            yield control.value.partition(" ")[0], _squeezed(named[letter].prose)


class Annotator:
    """One browser of one person. `is_htmx` sends forms as the script does and reads fragments; otherwise as plain forms."""

    def __init__(self, address: str, email: str, password: str, *, is_htmx: bool = True) -> None:
        self.email = email
        self.is_htmx = is_htmx
        self.browser = httpx.Client(base_url=address, timeout=60, headers={"Accept-Language": "en"})
        answer = self.browser.post("/sign-in", data={"email": email, "password": password})
        assert answer.status_code == 303, f"{email} cannot sign in: {answer.status_code} {answer.text[:300]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        self.browser.close()

    def look(self, slug: str) -> Turn | None:
        answer = self.browser.get(f"/projects/{slug}/judge")
        assert answer.status_code == 200, answer.text[:300]
        return turn_on(answer.text)

    def send(self, action: str, form: Mapping[str, str]) -> httpx.Response:
        headers = {"Sec-Fetch-Site": "same-origin"} | ({"HX-Request": "true"} if self.is_htmx else {})
        for last_try in (False, False, True):
            try:
                answer = self.browser.post(action, data=dict(form), headers=headers)
                break
            except httpx.TransportError:  # as the page does: the same form again, with the same key
                if last_try:
                    raise
        if answer.status_code == 303:
            answer = self.browser.get(answer.headers["location"])
        return answer

    def judge(self, turn: Turn, answer: Answer) -> Turn | None:
        """Send an answer; returns the next turn. Anything but a page that says it was stored is a failure."""
        got = self.send(turn.form.action, turn.filled(answer))
        assert got.status_code == 200, f"{got.status_code} {got.text[:500]}"
        return turn_on(got.text)

    def judge_all(self, slug: str, decide: Decide, stored: Callable[[Turn, Answer], None]) -> None:
        """Until nothing is left; `stored` is told after each answer that came back."""
        turn = self.look(slug)
        while turn is not None:
            answer = decide(turn)
            following = self.judge(turn, answer)
            stored(turn, answer)
            turn = following
