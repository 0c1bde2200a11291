"""The `tiebreak` command, started as a module too: the demo and the installed command must find the same."""

import subprocess
import sys

from click.testing import CliRunner

from app.cli import main
from app.models import User
from app.settings import ROOT
from tests.conftest import client
from tests.queued import queued, value

COMMANDS = (
    "up web worker migrate user token starter import export train demo doctor verify backup restore webhook publish"
)


def test_it_has_all_its_commands_however_it_is_started():
    ran = subprocess.run([sys.executable, "-m", "app.cli", "-h"], cwd=ROOT, capture_output=True, text=True, check=True)
    listed = ran.stdout.partition("Commands:")[2].splitlines()
    assert {line.split()[0] for line in listed if line.strip()} == set(COMMANDS.split())


def said(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, words)
    return done.exit_code, done.output.strip()


def test_a_link_from_the_command_lets_somebody_in(ada: User):
    queued(items=0)
    code, link = said("user", "invite", "--project", "words", "--role", "manager", "--for", "Dan")
    assert code == 0
    form = {"way": "new", "email": "dan@example.org", "name": "Dan", "password": "dan-password"}
    assert client().post(link.partition("8000")[2], data=form).headers["location"] == "/projects/words"
    assert value("SELECT role FROM membership") == "manager"


def test_a_link_that_makes_no_sense_is_refused_in_words(ada: User):
    code, words = said("user", "invite", "--role", "manager")
    assert code == 1
    assert "annotator or manager of a project" in words
    assert said("user", "invite", "--project", "nowhere")[0] == 1


def test_accounts_are_added_shut_out_and_let_in_again(ada: User):
    queued(items=0)
    code, password = said("user", "add", "eve@example.org", "--project", "words", "--manager")
    assert code == 0
    form = {"email": "eve@example.org", "password": password}
    assert client().post("/sign-in", data=form).status_code == 303
    assert said("user", "disable", "eve@example.org") == (0, "eve@example.org is shut out")
    assert client().post("/sign-in", data=form).status_code == 422
    assert said("user", "disable", "eve@example.org", "--undo")[0] == 0
    assert client().post("/sign-in", data=form).status_code == 303
    assert value("SELECT role FROM membership") == "manager"
    code, words = said("user", "disable", "ada@example.org")
    assert code == 1
    assert "the only admin" in words


def test_a_token_is_made_listed_and_revoked(ben: User):
    queued(ben, items=0)
    code, secret = said("token", "create", "--user", "ben@example.org", "--scopes", "read,judge", "--projects", "words")
    assert (code, secret.startswith("tbk_"), "\n" in secret) == (0, True, False)
    program = client()
    program.headers["Authorization"] = f"Bearer {secret}"
    assert program.get("/api/v1/projects/words").status_code == 200
    number, name, scopes, projects, ends, used = (
        said("token", "list", "--user", "ben@example.org")[1].splitlines()[1].split("\t")
    )
    assert (name, scopes, projects, ends) == ("-", "judge,read", "words", "never")
    assert used != "never"
    assert said("token", "revoke", "--user", "ben@example.org", number) == (0, f"token {number} (no name) is revoked")
    assert program.get("/api/v1/projects/words").status_code == 401
    assert said("token", "revoke", "--user", "ben@example.org", "999")[0] == 1


def test_a_token_is_not_bound_to_what_its_owner_does_not_see(ben: User):
    queued(items=0)
    code, words = said("token", "create", "--user", "ben@example.org", "--scopes", "read", "--projects", "words")
    assert (code, "no project of yours named words" in words) == (1, True)
