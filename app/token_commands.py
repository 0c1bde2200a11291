"""`tiebreak token`: the keys of programs, made, listed and revoked from a command line."""

from typing import Any

import click

from app import embedded
from app.settings import comma_separated, get_settings

Owner = click.option("--user", "email", required=True, help="Whose token it is: their e-mail address.")


@click.group()
def token() -> None:
    """API tokens."""


@token.command("create")
@Owner
@click.option("--scopes", required=True, help="Comma-separated: judge, import, export, train, read, admin.")
@click.option("--projects", default="", help="Comma-separated slugs; the token sees nothing of other projects.")
@click.option("--name", default="", help="What it is for.")
@click.option("--days", type=click.IntRange(1, 3650), default=None, help="Days until it expires; never otherwise.")
@click.option(
    "--rate-limit", type=click.IntRange(1, 10**9), default=None, help="Requests a minute; RATE_LIMIT otherwise."
)
def create(email: str, scopes: str, projects: str, **more: Any) -> None:
    """Print a new token, and nothing else. It is shown this once."""
    from app.db import work_unit
    from app.people import service as people

    with embedded.connected(get_settings()), work_unit() as session:
        owner = people.user_by_email(session, email)
        bounds = comma_separated(projects)
        secret = people.make_token(session, owner, comma_separated(scopes), projects=bounds, **more)
    print(secret)


@token.command("list")
@Owner
def list_command(email: str) -> None:
    """A line for each token of a person: its number, name, scopes, projects, end and last use, with tabs between them."""
    from app.db import work_unit
    from app.people import queries
    from app.people import service as people

    with embedded.connected(get_settings()), work_unit() as session:
        shown = queries.tokens(session, people.user_by_email(session, email).id)
    print("number\tname\tscopes\tprojects\tends\tlast used")
    for one in shown:
        row = one.token
        bounds = "all" if row.project_ids is None else ",".join(one.projects)
        ends, used = (
            moment.isoformat(timespec="minutes") if moment else "never" for moment in (row.expires_at, row.last_used_at)
        )
        print(row.id, row.name or "-", ",".join(row.scopes), bounds, ends, used, sep="\t")


@token.command("revoke")
@Owner
@click.argument("number", type=click.IntRange(1))
def revoke(email: str, number: int) -> None:
    """Shut out whatever uses the token with this NUMBER; `tiebreak token list` says which there are."""
    from app.db import work_unit
    from app.people import service as people

    with embedded.connected(get_settings()), work_unit() as session:
        name = people.revoke_token(session, people.user_by_email(session, email), number).name
    print(f"token {number} ({name or 'no name'}) is revoked")
