"""The REST interface: every route and its handler. ``openapi.yaml`` describes the same."""

from __future__ import annotations

from tornado.web import RequestHandler

from .base import UnknownRoute
from .commits import CommitHandler, CommitsHandler, FilesHandler
from .health import HealthHandler
from .jobs import DatumHandler, DatumsHandler, JobHandler, JobRerunHandler, JobsHandler, JobStopHandler
from .logs import LogHandler
from .mounts import MountHandler, MountsHandler
from .pipelines import (
    PipelineHandler,
    PipelineRunHandler,
    PipelinesCheckHandler,
    PipelinesExplainHandler,
    PipelinesHandler,
)
from .repos import BranchesHandler, BranchHandler, RepoHandler, ReposHandler
from .runs import RunsHandler
from .secrets import SecretHandler, SecretsHandler

PREFIX = "/dvmount/api"

ROUTES: list[tuple[str, type[RequestHandler]]] = [
    (f"{PREFIX}/health", HealthHandler),
    (f"{PREFIX}/repos", ReposHandler),
    (f"{PREFIX}/repo", RepoHandler),
    (f"{PREFIX}/branches", BranchesHandler),
    (f"{PREFIX}/branch", BranchHandler),
    (f"{PREFIX}/commits", CommitsHandler),
    (f"{PREFIX}/commit", CommitHandler),
    (f"{PREFIX}/files", FilesHandler),
    (f"{PREFIX}/mounts", MountsHandler),
    (f"{PREFIX}/mount", MountHandler),
    (f"{PREFIX}/pipelines", PipelinesHandler),
    (f"{PREFIX}/pipelines/check", PipelinesCheckHandler),
    (f"{PREFIX}/pipelines/explain", PipelinesExplainHandler),
    (f"{PREFIX}/pipeline", PipelineHandler),
    (f"{PREFIX}/pipeline/run", PipelineRunHandler),
    (f"{PREFIX}/jobs", JobsHandler),
    (f"{PREFIX}/job", JobHandler),
    (f"{PREFIX}/job/stop", JobStopHandler),
    (f"{PREFIX}/job/rerun", JobRerunHandler),
    (f"{PREFIX}/datums", DatumsHandler),
    (f"{PREFIX}/datum", DatumHandler),
    (f"{PREFIX}/log", LogHandler),
    (f"{PREFIX}/runs", RunsHandler),
    (f"{PREFIX}/secrets", SecretsHandler),
    (f"{PREFIX}/secret", SecretHandler),
]

FALLBACK: tuple[str, type[RequestHandler]] = (rf"{PREFIX}(?:/.*)?", UnknownRoute)
"""To be registered after the routes."""
