"""One file per table. Rows carry no verbs: those stand in the rooms."""

from app.models.api_token import ApiToken
from app.models.assignment import Assignment
from app.models.audit import Audit
from app.models.browser_session import BrowserSession
from app.models.checkpoint import Checkpoint
from app.models.checkpoint_alias import CheckpointAlias
from app.models.dataset import Dataset
from app.models.delivery import Delivery
from app.models.download_count import DownloadCount
from app.models.invitation import Invitation
from app.models.item import Item
from app.models.item_total import ItemTotal
from app.models.judged import Judged
from app.models.judged_hour import JudgedHour
from app.models.judgment import Judgment
from app.models.kept_answer import KeptAnswer
from app.models.membership import Membership
from app.models.preference import Preference
from app.models.preflight import Preflight
from app.models.project import Project
from app.models.prompt import Prompt
from app.models.publication import Publication
from app.models.response import Response
from app.models.run import Run
from app.models.run_keep import RunKeep
from app.models.run_log import RunLog
from app.models.run_metric import RunMetric
from app.models.run_mirror import RunMirror
from app.models.run_question import RunQuestion
from app.models.run_sample import RunSample
from app.models.run_share import RunShare
from app.models.run_test import RunTest
from app.models.run_watch import RunWatch
from app.models.sign_in_attempt import SignInAttempt
from app.models.table import Table
from app.models.token_window import TokenWindow
from app.models.trainer import Trainer
from app.models.user import User
from app.models.webhook import Webhook
from app.models.webhook_count import WebhookCount

__all__ = [
    "ApiToken",
    "Assignment",
    "Audit",
    "BrowserSession",
    "Checkpoint",
    "CheckpointAlias",
    "Dataset",
    "Delivery",
    "DownloadCount",
    "Invitation",
    "Item",
    "ItemTotal",
    "Judged",
    "JudgedHour",
    "Judgment",
    "KeptAnswer",
    "Membership",
    "Preference",
    "Preflight",
    "Project",
    "Prompt",
    "Publication",
    "Response",
    "Run",
    "RunKeep",
    "RunLog",
    "RunMetric",
    "RunMirror",
    "RunQuestion",
    "RunSample",
    "RunShare",
    "RunTest",
    "RunWatch",
    "SignInAttempt",
    "Table",
    "TokenWindow",
    "Trainer",
    "User",
    "Webhook",
    "WebhookCount",
]
