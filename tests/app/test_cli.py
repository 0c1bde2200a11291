"""The `tiebreak` command, started as a module too: the demo and the installed command must find the same."""

import subprocess
import sys

from app.settings import ROOT

COMMANDS = "up web worker migrate user token starter import export train demo doctor"


def test_it_has_all_its_commands_however_it_is_started():
    ran = subprocess.run([sys.executable, "-m", "app.cli", "-h"], cwd=ROOT, capture_output=True, text=True, check=True)
    listed = ran.stdout.partition("Commands:")[2].splitlines()
    assert {line.split()[0] for line in listed if line.strip()} == set(COMMANDS.split())
