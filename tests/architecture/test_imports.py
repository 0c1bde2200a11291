"""The import contracts of pyproject.toml hold."""

import subprocess
import sys

from app.settings import ROOT

LINT = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"


def test_every_import_contract_is_kept():
    """A process of its own: the linter sets up logging for itself, which the stories of logs would miss."""
    done = subprocess.run([sys.executable, "-c", LINT], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
