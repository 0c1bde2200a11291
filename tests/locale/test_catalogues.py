"""The catalogues hold every word of today's pages, whole and sound. `make words` mends what is out of step."""

import importlib.util
import re
from collections import Counter
from types import ModuleType

import pytest
from babel.messages import Catalog, Message

from app.language import LANGUAGES, SOURCE
from app.settings import ROOT

PLACEHOLDER = re.compile(r"%(?:\((\w+)\))?([sd%])")
TAG = re.compile(r"</?[a-z][^>]*>|&[a-z]+;")
COMMAND = re.compile(r"`[^`]+`")


def loaded() -> ModuleType:
    """The script behind `make words`."""
    spec = importlib.util.spec_from_file_location("words", ROOT / ".ci" / "words.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


words = loaded()
CATALOGUES = {language: words.read(path, language) for language, path in words.catalogues().items()}


def messages(catalogue: Catalog) -> list[Message]:
    return [one for one in catalogue if one.id]


def keys(catalogue: Catalog) -> set[tuple[object, object]]:
    return {(one.context, one.id) for one in messages(catalogue)}


def placeholders(text: str) -> Counter[tuple[str, ...]]:
    return Counter(PLACEHOLDER.findall(text))


def test_every_language_of_the_menu_has_its_catalogue() -> None:
    assert set(LANGUAGES) == {SOURCE, *CATALOGUES} >= {"en", "de", "es", "fr"}


def test_the_list_of_words_is_that_of_the_code() -> None:
    assert keys(words.extracted()) == keys(words.read(words.TEMPLATE)), "run `make words`"


@pytest.mark.parametrize("language", CATALOGUES)
def test_a_catalogue_has_every_word_and_no_other(language: str) -> None:
    catalogue = CATALOGUES[language]
    assert keys(catalogue) == keys(words.read(words.TEMPLATE)), "run `make words`"
    assert [one.id for one in words.untranslated(catalogue)] == []
    assert [one.id for one in messages(catalogue) if one.fuzzy] == []


@pytest.mark.parametrize("language", CATALOGUES)
def test_a_translation_fills_in_what_its_source_does(language: str) -> None:
    wrong = []
    for one in messages(CATALOGUES[language]):
        wanted = placeholders(words.forms(one.id)[-1])
        wrong += [form for form in words.forms(one.string) if form and placeholders(form) != wanted]
    assert wrong == []


@pytest.mark.parametrize("language", CATALOGUES)
def test_a_translation_has_the_plurals_of_its_language(language: str) -> None:
    catalogue = CATALOGUES[language]
    counted = [one for one in messages(catalogue) if isinstance(one.id, tuple | list)]
    assert counted
    assert {len(words.forms(one.string)) for one in counted} == {catalogue.num_plurals}


def skeleton(text: str) -> tuple[object, ...]:
    """What stays the same in every language: markup, commands, and whether there is space at the ends."""
    return sorted(TAG.findall(text)), sorted(COMMAND.findall(text)), text[:1].isspace(), text[-1:].isspace()


@pytest.mark.parametrize("language", CATALOGUES)
def test_a_translation_keeps_markup_commands_and_spaces_at_its_ends(language: str) -> None:
    wrong = []
    for one in messages(CATALOGUES[language]):
        wanted = skeleton(words.forms(one.id)[-1])
        wrong += [form for form in words.forms(one.string) if form and skeleton(form) != wanted]
    assert wrong == []


def test_no_template_holds_words_outside_of_the_catalogues() -> None:
    found = []
    for path in sorted((ROOT / "templates").rglob("*.html")):
        said = re.sub(r"{#.*?#}|{% block page_class %}.*?{% endblock %}", "", path.read_text(), flags=re.DOTALL)
        said = re.sub(r"{%-?\s*trans.*?endtrans\s*-?%}|<(pre|code|kbd)\b.*?</\1>", "", said, flags=re.DOTALL)
        said = re.sub(r"{{.*?}}|{%.*?%}", "", said, flags=re.DOTALL)
        attributes = re.findall(r'\b(?:aria-label|title|placeholder|alt)="([^"]*)"', said)
        texts = re.sub(r"<[^>]*>|&[a-z]+;", "\n", said, flags=re.DOTALL).replace("Tiebreak", "")
        found += [f"{path.name}: {one}" for one in [*attributes, texts] if re.search(r"[A-Za-z]{2,}", one)]
    assert found == []


def test_the_listing_names_what_nobody_has_translated() -> None:
    catalogue = Catalog(locale="de")
    catalogue.add("done", "erledigt")
    catalogue.add("left", "")
    catalogue.add(("one", "many"), ("eins", ""))
    assert [one.id for one in words.untranslated(catalogue)] == ["left", ("one", "many")]
