"""What the README says about the tree and the settings is what is there."""

import re
import subprocess

from app.settings import ROOT, Settings

README = (ROOT / "README.md").read_text()


def block(title: str) -> str:
    found = re.search(rf"## {title}\n.*?```\n(.*?)```", README, re.DOTALL)
    assert found, f"the README has a section “{title}” with a block"
    return found.group(1)


def told_paths() -> set[str]:
    """The files of the tree: two spaces of indentation a level, a name, then what it is for."""
    folders: list[str] = []
    paths = set()
    for line in block("The tree").splitlines():
        found = re.match(r"((?:  )*)(\S+)\s+\S", line)
        assert found, f"a line of the tree is a name and what it is for: {line!r}"
        del folders[len(found.group(1)) // 2 :]
        name = found.group(2)
        if name.endswith("/"):
            folders.append(name)
        else:
            paths.add("".join(folders) + name)
    return paths


def test_the_tree_names_every_module_and_nothing_else():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "app", "worker"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    modules = {path for path in listed if path.endswith(".py") and (ROOT / path).exists()}
    packages = {path for path in modules if path.endswith("__init__.py")}
    told = {path for path in told_paths() if path.startswith(("app/", "worker/"))}
    assert told == modules - packages


def test_every_setting_is_in_the_table():
    told = set(re.findall(r"^\| `([A-Z_0-9]+)` \|", README, re.MULTILINE))
    assert told == {str(field.alias) for field in Settings.model_fields.values()}
