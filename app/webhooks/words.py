"""What is wrong with a delivery or a webhook, and what happened, in words. Pure."""

from app.language import gettext as _
from app.models import Delivery, Webhook
from app.webhooks.backoff import MOST_TRIES


def error_words(delivery: Delivery) -> str:
    """What went wrong in the last attempt; empty when nothing did."""
    told = {"detail": delivery.error_detail, "status": delivery.status_code}
    sentences = {
        "no_name": _("The name %(detail)s could not be found.", **told),
        "refused": _(
            "The name leads to %(detail)s, which is not a public address; WEBHOOK_TARGETS may allow it.", **told
        ),
        "too_slow": _("There was no answer within %(detail)s seconds.", **told),
        "certificate": _("The secure connection failed: %(detail)s", **told),
        "unreachable": _("Nothing could be connected to there: %(detail)s", **told),
        "broken_off": _("The connection was broken off: %(detail)s", **told),
        "status": _("The answer was %(status)s; one from 200 to 299 says that it arrived.", **told),
        "redirected": _(
            "The answer was %(status)s, a redirect, which is not followed: enter the address it leads to.", **told
        ),
        "gone": _("The answer was 410: this receiver wants no more.", **told),
    }
    return sentences.get(delivery.error, delivery.error)


def off_words(webhook: Webhook) -> str:
    """Why a webhook was switched off by itself; empty for one that was not."""
    if webhook.state != "off":
        return ""
    sentences = {
        "gone": _("It was switched off, since its receiver answered 410: it wants no more."),
        "failing": _(
            "It was switched off, since nothing has arrived for days: each delivery was tried %(n)s times.",
            n=MOST_TRIES,
        ),
        "owner": _("It was switched off, since whoever made it may no longer know what it tells."),
    }
    return sentences.get(webhook.off_reason, webhook.off_reason)


def event_words() -> dict[str, str]:
    """What each event means, in the order in which they are offered."""
    return {
        "judgments.reached": _("A project has reached a number of judgments"),
        "dataset.ready": _("A dataset is ready"),
        "run.finished": _("A run has finished"),
        "run.failed": _("A run has failed"),
        "run.cancelled": _("A run was cancelled"),
        "checkpoint.published": _("A checkpoint is published"),
        "webhook.test": _("A test"),
    }
