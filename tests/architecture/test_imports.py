"""The import contracts of pyproject.toml hold."""

from importlinter.cli import lint_imports


def test_every_import_contract_is_kept():
    assert lint_imports(cache_dir=None, no_cache=True) == 0
