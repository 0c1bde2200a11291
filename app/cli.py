"""The `tiebreak` command. What needs torch is started as `python -m worker.…`, so this file never loads it.

Each command loads what it needs and no more: `tiebreak up` has its first page to serve within seconds.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from app import embedded, publish_command, token_commands, upkeep_commands, webhook_commands
from app.errors import Mistake
from app.settings import get_settings

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from app.access import Person


class Commands(click.Group):
    """Turns a mistake into one sentence and exit status 1, whatever command it came from."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except Mistake as mistake:
            raise click.ClickException(mistake.message) from mistake


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def main() -> None:
    """Turn human judgments into trained models."""


@contextmanager
def connected() -> "Iterator[Session]":
    """A session on the database in force: the one given by DATABASE_URL, or the embedded one, started if need be."""
    from app.db import work_unit

    with embedded.connected(get_settings()), work_unit() as session:
        yield session


def first_admin(session: "Session") -> "Person":
    """Whoever owns this machine acts as its first admin."""
    from app.people import queries

    return queries.first_admin(session)


# --- servers


@main.command()
def up() -> None:
    """Start everything on this machine: database, broker, web server, workers."""

    def prepare() -> list[str]:
        from app import welcome

        return welcome.prepare()

    embedded.up(get_settings(), prepare)


@main.command()
def web() -> None:
    """Start the web server alone."""
    embedded.join(get_settings())
    embedded.run("web", get_settings())


@main.command()
@click.argument("queue", type=click.Choice(["train", "quick", "app", "node"]))
def worker(queue: str) -> None:
    """Start one worker alone: `train` (one slot per device), `quick`, `app`, or `node` (docs/operations.md)."""
    embedded.join(get_settings())
    embedded.run(queue, get_settings())


@main.command()
def migrate() -> None:
    """Bring the tables of the database up to this version."""
    with embedded.connected(get_settings()):
        embedded.migrate()


# --- people


@main.group()
def user() -> None:
    """Accounts: add one, invite somebody, set a password, shut one out."""


@user.command("add")
@click.argument("email")
@click.option("--role", type=click.Choice(["admin", "annotator"]), default="annotator", show_default=True)
@click.option("--name", default="", help="What others see; the part before the @ otherwise.")
@click.option("--project", "projects", multiple=True, help="Make them a member of this project; may be repeated.")
@click.option("--manager", is_flag=True, help="Let them manage those projects.")
def user_add(email: str, role: str, name: str, projects: tuple[str, ...], manager: bool) -> None:
    """Add an account and print its password, which is shown this once."""
    from app.people import service as people

    with connected() as session:
        password = people.add_user(session, email, role=role, name=name)
        session.flush()  # the membership looks the account up
        for slug in projects:
            people.add_member(session, email, slug, "manager" if manager else "annotator")
    print(password)


@user.command("invite")
@click.option("--project", default=None, help="The project they come into; none for an admin of this place.")
@click.option("--role", type=click.Choice(["annotator", "manager", "admin"]), default="annotator", show_default=True)
@click.option("--for", "note", default="", help="For whom the link is, for the list of links.")
@click.option("--days", type=click.IntRange(1, 90), default=7, show_default=True, help="Days until it ends.")
def user_invite(project: str | None, role: str, note: str, days: int) -> None:
    """Print a link by which somebody makes an account of their own, once. It is shown this once."""
    from app.people import invitations
    from app.projects.queries import project_for

    with connected() as session:
        person = first_admin(session)
        into = project_for(session, person, project) if project is not None else None
        secret = invitations.invite(session, person, into, role=role, days=days, note=note)
    print(f"{get_settings().address}/join/{secret}")


@user.command("password")
@click.argument("email")
def user_password(email: str) -> None:
    """Set a new password, print it this once, and sign the account out everywhere."""
    from app.people import service as people

    with connected() as session:
        password = people.set_password(session, email)
    print(password)


@user.command("disable")
@click.argument("email")
@click.option("--undo", is_flag=True, help="Let the account in again.")
def user_disable(email: str, undo: bool) -> None:
    """Shut an account out: browsers, tokens and open turns end now; what it did stays."""
    from app.people import service as people

    with connected() as session:
        user = people.enable(session, email) if undo else people.disable(session, email)
    print(f"{user.email} may sign in again" if undo else f"{user.email} is shut out")


# --- the sentence


@main.command("import")
@click.argument("project")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_command(project: str, file: Path) -> None:
    """Import prompts, responses and judgments from FILE (NDJSON, JSON, CSV or Parquet, gzip too) into PROJECT."""
    from app.imports.service import import_file
    from app.projects.queries import project_for

    with connected() as session:
        person = first_admin(session)
        report = import_file(session, project_for(session, person, project), person, file)
    print(f"{report.imported} imported, {report.duplicates} already there, {report.judgments} judgments")
    for problem in report.errors:
        print(f"{file.name}:{problem['line']}: {problem['message']}", file=sys.stderr)
    if report.failed > len(report.errors):
        print(f"… and {report.failed - len(report.errors)} more bad lines", file=sys.stderr)


@main.command()
@click.argument("project")
@click.option("-o", "--output", type=click.File("wb"), default="-", help="Where to write; standard output otherwise.")
def export(project: str, output: BinaryIO) -> None:
    """Write the tuples (x, a⁺, a⁻) of PROJECT as NDJSON."""
    from app.db import work_unit
    from app.judgments.preferences import preference_lines
    from app.projects.queries import project_for

    with embedded.connected(get_settings()):
        with work_unit() as session:
            found = project_for(session, first_admin(session), project)
        output.writelines(preference_lines(found))


@main.command()
@click.argument("method")
@click.argument("dataset")
@click.option(
    "--base", default="starter", show_default=True, help="starter, a checkpoint, a local folder or a hub name."
)
@click.option("--name", default=None, help="What the checkpoint will be called.")
@click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="A setting of the method; may be repeated."
)
@click.option("--vary", multiple=True, metavar="NAME=V1,V2,…", help="A run for each of these values; twice at most.")
@click.option("--priority", default=0, show_default=True, help="Of the runs that wait, the lowest is taken first.")
@click.option("--check", is_flag=True, help="Order nothing: ask what it would take, and wait for the answer.")
def train(method: str, dataset: str, check: bool, **given: Any) -> None:
    """Order a run of METHOD on DATASET (a name, name@v2 or an id)."""
    from app.runs.command import Wanted, check_run, order_runs

    wanted = Wanted(method=method, dataset=dataset, **given)
    with embedded.connected(get_settings()):
        for line in (check_run if check else order_runs)(wanted):
            print(line)


@main.command()
def starter() -> None:
    """Order the training of the starter model, from scratch, on the sample task."""
    from app.welcome import order_starter

    with connected() as session:
        run_id = order_starter(session, first_admin(session))
    print(f"run {run_id} is queued; watch it at {get_settings().address}/runs/{run_id}")


@main.command()
@click.option(
    "--data",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Records to take instead of the sample task's.",
)
def demo(data: Path | None) -> None:
    """Walk the whole sentence unattended, on a server of its own, and print what was measured."""
    from app.demo import run_demo

    run_demo(data)


# --- tokens, webhooks, publishing, upkeep

for command in (token_commands.token, webhook_commands.webhook, publish_command.publish, *upkeep_commands.ALL):
    main.add_command(command)


if __name__ == "__main__":
    main()
