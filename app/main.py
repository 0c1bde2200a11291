"""create_app(): the rooms, in the order of the sentence, and the middleware around them."""

from itertools import zip_longest

from fastapi import APIRouter, FastAPI

from app import audit, health, metrics
from app.checkpoints import api as checkpoints_api
from app.checkpoints import family_api as checkpoint_family
from app.checkpoints import views as checkpoints_views
from app.csrf import ForgedRequestGuard
from app.datasets import api as datasets_api
from app.datasets import views as datasets_views
from app.error_responses import answer_mistakes, refuse_forged
from app.hub import api as hub_api
from app.hub import resolve as hub_files
from app.imports import api as imports_api
from app.imports import views as imports_views
from app.judgments import api as judgments_api
from app.judgments import differences, mine, mine_api
from app.judgments import views as judgments_views
from app.language import Languages
from app.metrics import API_PREFIX, Measured
from app.middleware import BodyLimit, Compressed, ReadAway, RequestIds, SecurityHeaders, Tagged
from app.openapi import describe, operation_name
from app.pages import Assets
from app.people import account, account_api, joining, tokens_api, tokens_page
from app.people import api as people_api
from app.people import language as people_language
from app.people import views as people
from app.projects import api as projects_api
from app.projects import history_api as project_history_api
from app.projects import people_api as project_people_api
from app.projects import people_page as project_people
from app.projects import settings_page as project_settings
from app.projects import views as projects_views
from app.prompts import api as prompts_api
from app.prompts import views as prompts_views
from app.publications import api as publications_api
from app.publications import views as publications_views
from app.queue import api as queue_api
from app.rate_limits import RateLimits
from app.runs import api as runs_api
from app.runs import compare as runs_compare
from app.runs import launch_api as runs_launch_api
from app.runs import launch_views as runs_launch_views
from app.runs import log_api as runs_log
from app.runs import methods_api as runs_methods_api
from app.runs import samples as runs_samples
from app.runs import trainers as runs_trainers
from app.runs import verbs_api as runs_verbs_api
from app.runs import verbs_views as runs_verbs_views
from app.runs import views as runs_views
from app.runs import watch as runs_watch
from app.settings import ROOT
from app.webhooks import api as webhooks_api
from app.webhooks import views as webhooks_views

# The rooms, in the order of the sentence: their JSON routes and their pages. Routes are looked for in their order, so what
# every key press waits for comes first of all.
API: tuple[APIRouter, ...] = (
    judgments_api.direct,
    people_api.router,
    account_api.router,
    tokens_api.router,
    projects_api.router,
    project_people_api.router,
    project_history_api.router,
    prompts_api.router,
    queue_api.router,
    judgments_api.router,
    mine_api.router,
    imports_api.router,
    datasets_api.router,
    runs_launch_api.router,
    runs_compare.api,
    runs_api.router,
    runs_samples.api,
    runs_log.router,
    runs_methods_api.router,
    runs_trainers.api,
    runs_verbs_api.router,
    checkpoints_api.router,
    checkpoint_family.router,
    publications_api.router,
    audit.api,
    webhooks_api.router,
)
PAGES: tuple[APIRouter, ...] = (
    judgments_views.direct,
    judgments_views.router,
    people.router,
    people_language.router,
    account.router,
    tokens_page.router,
    joining.router,
    project_settings.router,
    project_people.router,
    projects_views.router,
    prompts_views.router,
    differences.router,
    mine.router,
    imports_views.router,
    datasets_views.router,
    runs_launch_views.router,
    runs_views.router,
    runs_compare.router,
    runs_watch.router,
    runs_samples.router,
    runs_trainers.router,
    runs_verbs_views.router,
    checkpoints_views.router,
    publications_views.router,
    audit.router,
    webhooks_views.router,
)
# What unmodified clients of the Hugging Face Hub ask for, at the addresses where they ask for it.
HUB: tuple[APIRouter, ...] = (hub_api.router, hub_files.router)


def create_app() -> FastAPI:
    app = FastAPI(
        title="Tiebreak",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
        generate_unique_id_function=operation_name,
    )
    describe(app)
    for api, pages in zip_longest(API, PAGES):
        if api is not None:
            app.include_router(api, prefix=API_PREFIX)
        if pages is not None:
            app.include_router(pages, include_in_schema=False)
    for router in HUB:
        app.include_router(router, include_in_schema=False)
    app.mount("/static", Assets(directory=ROOT / "static"), name="static")
    app.include_router(health.router)
    app.include_router(metrics.router)
    answer_mistakes(app)
    app.add_middleware(Tagged)
    app.add_middleware(Compressed)
    app.add_middleware(BodyLimit)
    app.add_middleware(RateLimits)
    app.add_middleware(ForgedRequestGuard, refuse=refuse_forged)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(Languages)
    app.add_middleware(Measured)
    app.add_middleware(RequestIds)
    app.add_middleware(ReadAway)
    return app


app = create_app()
