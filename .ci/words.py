"""Brings the catalogues of `locale/` up to date with the code, and says what is left to translate: `make words`.

Words are found in the templates, in the web application (whatever is given to `gettext`, `ngettext` or `marked`), and in
the trainer, which announces its methods and the stages of a run in English: those are translated where they are shown.
Places are files without line numbers, and nothing is guessed from similar words, so a change of code changes few lines.

Translate: write the words into `locale/<language>/LC_MESSAGES/tiebreak.po` and restart. A new language: copy
`locale/tiebreak.pot` to such a folder and run this once.
"""

import ast
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from babel.messages import Catalog, Message
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "locale"
TEMPLATE = FOLDER / "tiebreak.pot"
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "marked": None}
JINJA = {"extensions": "jinja2.ext.do", "trim_blocks": "true", "lstrip_blocks": "true", "silent": "false"}
COMMANDS = {"backup.py", "cli.py", "demo.py", "doctor.py", "welcome.py"}
MISTAKES = ROOT / "app" / "errors.py"


def catalogues() -> dict[str, Path]:
    return {path.parts[-3]: path for path in sorted(FOLDER.glob("*/LC_MESSAGES/tiebreak.po"))}


def extracted() -> Catalog:
    """Every word of today's code."""
    found = Catalog(fuzzy=False, header_comment="# Tiebreak's words, in English, as `make words` found them.")
    for path in sorted((ROOT / "app").rglob("*.py")):
        _add(found, path, extract_from_file("python", path, KEYWORDS))
    for path in sorted((ROOT / "templates").rglob("*.html")):
        _add(found, path, extract_from_file("jinja2", path, KEYWORDS, options=JINJA))
    for path in sorted((ROOT / "worker").rglob("*.py")):
        for words in announced(ast.parse(path.read_text())):
            found.add(words, locations=[(_name(path), 1)])
    return found


def _add(
    catalogue: Catalog, path: Path, messages: Iterable[tuple[int, str | tuple[str, ...], list[str], str | None]]
) -> None:
    for _, words, _, context in messages:
        catalogue.add(words, locations=[(_name(path), 1)], context=context)


def announced(tree: ast.Module) -> Iterator[str]:
    """What a trainer says of itself: the title of a method, the help of its settings, its presets, and the stages of a run."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and "TITLE" in ast.unparse(node.targets[0]):
            yield dict(zip(_names(node.targets[0]), _values(node.value), strict=True))["TITLE"]
        if isinstance(node, ast.Call):
            said = {"help", "name"} if getattr(node.func, "id", "") == "Preset" else {"help"}
            yield from (ast.literal_eval(one.value) for one in node.keywords if one.arg in said and _is_text(one.value))
            if getattr(node.func, "attr", "") == "stage" and _is_text(node.args[0]):
                yield ast.literal_eval(node.args[0])


def _names(target: ast.expr) -> list[str]:
    return ast.unparse(target).strip("()").split(", ")


def _values(node: ast.expr) -> list[str]:
    value = ast.literal_eval(node)
    return [value] if isinstance(value, str) else list(value)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def untranslated(catalogue: Catalog) -> list[Message]:
    """Messages with a form that is empty."""
    return [one for one in catalogue if one.id and not all(forms(one.string))]


def forms(words: object) -> "list[str]":
    """The forms of a message or of its translation: one, or one for each plural."""
    return (
        [words] if isinstance(words, str) else [str(one) for one in words] if isinstance(words, list | tuple) else [""]
    )


def unmarked() -> Iterator[str]:
    """Mistakes raised with words that no catalogue can hold: places, and how the words begin. Commands speak English."""
    mistakes = {node.name for node in ast.parse(MISTAKES.read_text()).body if isinstance(node, ast.ClassDef)}
    for path in sorted((ROOT / "app").rglob("*.py")):
        if path.parts[-2] == "embedded" or path.name in COMMANDS:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in mistakes and node.args:
                words = node.args[0]
                if isinstance(words, ast.JoinedStr) or (_is_text(words) and ast.literal_eval(words)):
                    yield f"{_name(path)}:{node.lineno}: {ast.unparse(words)[:90]}"


def write(path: Path, catalogue: Catalog) -> None:
    """Its head says what a program has to know; who translated it when is told by the history of the file."""
    catalogue.project, catalogue.version = "Tiebreak", "1"
    catalogue.msgid_bugs_address = catalogue.last_translator = catalogue.language_team = ""
    catalogue.revision_date = catalogue.creation_date
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(file, catalogue, width=120, sort_by_file=True, include_lineno=False, ignore_obsolete=True)


def update() -> None:
    """The list of words, then each catalogue: new words come in empty, words that are gone go."""
    words = extracted()
    before = read(TEMPLATE) if TEMPLATE.exists() else Catalog()
    if {_key(one) for one in words} == {_key(one) for one in before}:
        words.creation_date = before.creation_date
    write(TEMPLATE, words)
    for language, path in catalogues().items():
        catalogue = read(path, language)
        catalogue.update(words, no_fuzzy_matching=True)
        catalogue.creation_date = words.creation_date
        write(path, catalogue)


def read(path: Path, language: str | None = None) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


def _key(message: Message) -> tuple[object, object]:
    return message.context, message.id


def main() -> int:
    """What is left is listed; the exit status says whether anything is left to translate."""
    update()
    left: dict[str, list[str]] = {}
    for language, path in catalogues().items():
        for one in untranslated(read(path, language)):
            left.setdefault(forms(one.id)[0], []).append(language)
    for words, languages in left.items():
        print(f"{' '.join(languages)}: {words}")
    loose = list(unmarked())
    print(*(f"not marked: {one}" for one in loose), sep="\n")
    print(
        f"{len(list(extracted())) - 1} messages; to translate: {len(left)}; mistakes with words that are not marked: {len(loose)}"
    )
    return int(bool(left))


if __name__ == "__main__":
    sys.exit(main())
