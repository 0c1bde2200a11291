"""Questions about webhooks: which somebody may see, and what became of telling them things."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ScalarSelect, Select, func, select
from sqlalchemy.orm import Session

from app.access import Person
from app.errors import NotFound
from app.language import gettext as _
from app.models import Delivery, Project, User, Webhook
from app.projects.queries import managed


@dataclass(frozen=True, slots=True)
class Listed:
    """A webhook, the short name of its project (None for the whole place), its owner's name, and how much waits in it."""

    webhook: Webhook
    project: str | None
    owner: str
    waiting: int = 0
    given_up: int = 0


def visible(person: Person) -> Select[Webhook]:
    """Those that this person may see, and so change: every query on webhooks starts here.

    All of them for an admin; those of the projects that they manage for others, and for programs whose token is bound to some.
    What concerns the whole place (runs and checkpoints with it) is for admins, as everywhere.
    """
    statement = select(Webhook)
    if person.is_admin and person.projects is None:
        return statement
    return statement.where(Webhook.project_id.in_(managed(person).with_only_columns(Project.id)))


def webhooks_page(
    session: Session, person: Person, *, project: Project | None = None, after: int | None, limit: int
) -> Sequence[Listed]:
    """Newest first, and one more than `limit` if there are more."""
    page = _listed(visible(person)).order_by(Webhook.id.desc()).limit(limit + 1)
    if project is not None:
        page = page.where(Webhook.project_id == project.id)
    if after is not None:
        page = page.where(Webhook.id < after)
    return [Listed(*row) for row in session.execute(page)]


def listed_webhook(session: Session, person: Person, webhook_id: int) -> Listed:
    """Raises NotFound, also for what is not theirs."""
    row = session.execute(_listed(visible(person)).where(Webhook.id == webhook_id)).one_or_none()
    if row is None:
        raise NotFound(_("there is no webhook %(id)s that you may see", id=webhook_id))
    return Listed(*row)


def webhook_for(session: Session, person: Person, webhook_id: int) -> Webhook:
    """The one gate for whoever wants to do something with a webhook. Raises NotFound, also for what is not theirs."""
    return listed_webhook(session, person, webhook_id).webhook


def _listed(statement: Select[Webhook]) -> Select[Webhook, str | None, str, int, int]:
    return (
        statement.outerjoin(Project, Project.id == Webhook.project_id)
        .join(User, User.id == Webhook.owner_id)
        .with_only_columns(Webhook, Project.slug, User.name, _number("waiting"), _number("given_up"))
    )


def _number(state: str) -> ScalarSelect[int]:
    """How many deliveries of a webhook are in this state."""
    mine = (Delivery.webhook_id == Webhook.id, Delivery.state == state)
    return select(func.count()).where(*mine).correlate(Webhook).scalar_subquery()


def deliveries_page(
    session: Session, webhook: Webhook, *, state: str | None = None, after: int | None, limit: int
) -> Sequence[Delivery]:
    """Newest first, and one more than `limit` if there are more."""
    page = select(Delivery).where(Delivery.webhook_id == webhook.id).order_by(Delivery.id.desc()).limit(limit + 1)
    if state is not None:
        page = page.where(Delivery.state == state)
    return session.scalars(page if after is None else page.where(Delivery.id < after)).all()


def delivery_of(session: Session, webhook: Webhook, delivery_id: int) -> Delivery:
    """Raises NotFound; deliveries are kept for a month."""
    found = session.get(Delivery, delivery_id)
    if found is None or found.webhook_id != webhook.id:
        raise NotFound(_("this webhook has no delivery %(id)s; they are kept for a month", id=delivery_id))
    return found
