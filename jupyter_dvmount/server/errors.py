"""How an error looks over HTTP: one table from the store's codes to a status, one body for every error."""

from __future__ import annotations

from http.client import responses
from types import MappingProxyType

import msgspec
from tornado import web

from jupyter_dvmount.store import StoreError

STATUS = MappingProxyType(
    {
        "invalid": 400,
        "denied": 403,
        "not_found": 404,
        "already_exists": 409,
        "conflict": 409,
        "commit_finished": 409,
        "corrupt": 500,
        "unavailable": 503,
    }
)
"""Status of each `StoreError.code`."""

_CODES = MappingProxyType({401: "denied", 403: "denied", 404: "not_found", 503: "unavailable"})
_FIXES = MappingProxyType(
    {403: "log in again, reload the page, or ask who runs the server for access to dvmount"}
)


class ErrorBody(msgspec.Struct, frozen=True):
    """Body of every answer that is not a success."""

    code: str
    message: str
    fix: str = ""


def describe(status: int, error: BaseException | None) -> tuple[int, ErrorBody]:
    """Status and body for an error.

    Parameters
    ----------
    status
        What the server was about to answer.
    error
        What was raised, if anything. Only the text of a `StoreError` or of an HTTP error is passed on.
    """
    if isinstance(error, StoreError):
        return STATUS.get(error.code, 500), ErrorBody(error.code, error.message, error.fix)
    if status >= 500 and status != 503:
        return status, ErrorBody(
            "internal", "the server half of jupyter-dvmount failed", "the log of the Jupyter server says why"
        )
    code = _CODES.get(status, "invalid")
    return status, ErrorBody(code, _http_message(status, error), _FIXES.get(status, ""))


def _http_message(status: int, error: BaseException | None) -> str:
    if isinstance(error, web.HTTPError) and error.log_message:
        return error.log_message % error.args
    return responses.get(status, "the request was refused")
