"""What an S3 server or the way to it says, as errors of the store.

Only the server's error code goes into a message: its texts may repeat parts of the request.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from jupyter_dvmount.store.embedded.blobs.base import MissingBlob
from jupyter_dvmount.store.errors import Denied, Invalid, NotFound, StoreError, Unavailable

from .address import Address

_LOST = "run 'dvmount fsck --full', then put the files that it names again from their source"
_KEYS = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
_RENEW = "renew them ('aws sso login', or new AWS_… variables), then restart what uses the store"
_WRONG = ("the server does not accept these credentials", _KEYS)
_EXPIRED = ("the credentials have expired", _RENEW)
_FORBIDDEN = (
    "these credentials may not do that",
    "allow them to list the bucket and to get, put and delete its objects, or use others",
)
_REFUSALS = {
    "InvalidAccessKeyId": _WRONG,
    "SignatureDoesNotMatch": _WRONG,
    "InvalidToken": _WRONG,
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "RequestExpired": _EXPIRED,
    "TokenRefreshRequired": _EXPIRED,
    "RequestTimeTooSkewed": ("this machine's clock differs from the server's", "set the clock"),
}
_ELSEWHERE = {
    "PermanentRedirect",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "301",
}
_NO_CREDENTIALS = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.CredentialRetrievalError,
    boto.NoAuthTokenError,
    boto.ProfileNotFound,
    boto.ConfigParseError,
)
_EXPIRED_LOGIN = (boto.SSOError, boto.TokenRetrievalError)


def missing(name: str, address: Address) -> MissingBlob:
    """The error for an object that is not there."""
    return MissingBlob(f"{name} is missing in {address}", fix=_LOST)


def too_late(doing: str, address: Address, seconds: float) -> Unavailable:
    """The error for what has not ended in time."""
    return Unavailable(
        f"cannot {doing}: {address} did not answer within {seconds:.0f} s",
        fix="see that its server is up and the network to it works, then try again",
    )


def incomplete(name: str, address: Address) -> Unavailable:
    """The error for an answer that is not what was asked for."""
    return _unreachable(f"cannot transfer {name}", address, "incomplete or wrong answer")


def error_code(error: boto.ClientError) -> str:
    """The server's word for what is wrong, such as ``NoSuchKey``."""
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def s3_errors(doing: str, name: str, address: Address) -> Iterator[None]:
    """Turn what boto3 raises in the block, while ``doing`` something with a blob, into the store's error."""
    try:
        yield
    except boto.ClientError as error:
        raise _from_answer(error, f"cannot {doing} {name}", name, address) from error
    except _NO_CREDENTIALS as error:
        raise Denied(f"cannot {doing} {name}: no usable credentials for {address}", fix=_KEYS) from error
    except _EXPIRED_LOGIN as error:
        raise Denied(f"cannot {doing} {name}: the login for {address} has expired", fix=_RENEW) from error
    except (boto.BotoCoreError, ResponseParserError, HTTPError) as error:
        raise _unreachable(f"cannot {doing} {name}", address, type(error).__name__) from error


def _from_answer(error: boto.ClientError, doing: str, name: str, address: Address) -> StoreError:
    code = error_code(error)
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code == "NoSuchBucket":
        endpoint = f" --endpoint-url {address.endpoint}" if address.endpoint else ""
        return NotFound(
            f"{doing}: there is no bucket {address.bucket!r}",
            fix=f"make it: aws s3 mb s3://{address.bucket}{endpoint}",
        )
    if code == "NoSuchKey":
        return missing(name, address)
    if code in _ELSEWHERE:
        return Invalid(
            f"{doing}: the bucket {address.bucket!r} is in another region ({code})",
            fix="add &region=… to the store's URL",
        )
    refusal = _REFUSALS.get(code) or (_FORBIDDEN if status in {401, 403} else None)
    if refusal is not None:
        why, fix = refusal
        return Denied(f"{doing} at {address}: {why} ({code})", fix=fix)
    return _unreachable(doing, address, code or str(status))


def _unreachable(doing: str, address: Address, what: str) -> Unavailable:
    return Unavailable(
        f"{doing}: no usable answer from {address} ({what})",
        fix="see that its server is up and the network to it works, then try again",
    )
