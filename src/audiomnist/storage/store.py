"""Client of an object store, and sentences for its errors.

The client is obstore: the library by which Delta Lake reads and writes its tables too, so that the inbox, the table and
the model need the same environment variables. It repeats requests that the store throttles or that fail on the way, for
`RETRY_S`, each time after a longer pause, and continues a download that breaks off.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import lru_cache
from typing import Any

from audiomnist.core import extras
from audiomnist.storage.url import Url

RETRY_S = 180
# As many as there is time for. The client waits at random: 0.1 s at least, three times as long as before at most.
_MAX_RETRIES, _BASE = 1000, 3
_RETRIES = {
    "max_retries": _MAX_RETRIES,
    "retry_timeout": timedelta(seconds=RETRY_S),
    "backoff": {"init_backoff": timedelta(seconds=0.1), "max_backoff": timedelta(seconds=15), "base": _BASE},
}
# The same for Delta Lake.
DELTA_RETRIES = {
    "max_retries": f"{_MAX_RETRIES}",
    "retry_timeout": f"{RETRY_S}s",
    "backoff_config.init_backoff": "100ms",
    "backoff_config.max_backoff": "15s",
    "backoff_config.base": f"{_BASE}",
}
_PROBE_RETRIES = {"max_retries": 6, "retry_timeout": timedelta(seconds=20)}

_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "gs": "GOOGLE_SERVICE_ACCOUNT",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}
_SECRET_NAME = re.compile(r"(AWS|AZURE|GOOGLE)_.*(KEY|SECRET|TOKEN|PASSWORD|SAS|CREDENTIAL)")
_WRONG = "the store does not accept the credentials: check {credentials}"
_EXPIRED = "the credentials have expired: renew them"
_NO_PERMISSION = "the credentials have no permission for this: give it, or use others"
_ABSENT = "there are no credentials: set {credentials}, or run where the machine has a role"
_UNREACHABLE = "the store cannot be reached: check the network, and the endpoint if one is set"
_NO_BUCKET = "there is no such bucket: create it, or correct its name"
_BUSY = "the store is too busy: try again later"

# What the client's message has in it, the most specific first, and what is said instead.
_SENTENCES = {
    "/latest/api/token|/latest/meta-data|/computeMetadata/|/metadata/identity": _ABSENT,
    "<Code>(NoSuchBucket|ContainerNotFound)<": _NO_BUCKET,
    "<Code>(ExpiredToken|TokenRefreshRequired|RequestExpired)<": _EXPIRED,
    "<Code>(InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken|AuthenticationFailed)<": _WRONG,
    "<Code>(AccessDenied|AllAccessDisabled|AuthorizationFailure)<": _NO_PERMISSION,
    "<Code>(SlowDown|ServerBusy|ServiceUnavailable)<|503 Service Unavailable|429 Too Many Requests": _BUSY,
    "error sending request": _UNREACHABLE,
    "401 Unauthorized": _WRONG,
    "403 Forbidden": _NO_PERMISSION,
}


class StoreError(OSError):
    """A request failed; the message says why, in one sentence without secrets."""


@lru_cache
def opened(url: Url) -> Any:
    """Return the store of a folder; keys are relative to the folder. It is the same object for the same URL.

    Raises:
        MissingExtraError: the client is not installed.
    """
    return _client(url, _RETRIES)


@lru_cache
def opened_to_probe(url: Url) -> Any:
    """Return the store of a folder as `opened` does, but one that gives up within 20 s."""
    return _client(url, _PROBE_RETRIES)


def probe(url: Url) -> None:
    """List the beginning of a folder, giving up within 20 s.

    Raises:
        StoreError: it cannot be listed.
        MissingExtraError: the client is not installed.
    """
    opened = opened_to_probe(url)  # explains a missing client
    import obstore  # noqa: PLC0415 - in an extra
    from obstore.exceptions import InvalidPathError  # noqa: PLC0415

    with requests(url), suppress(InvalidPathError):  # that was listed, with a key that the client cannot read
        next(iter(obstore.list(opened)), None)


@contextmanager
def requests(url: Url) -> Iterator[None]:
    """Raise StoreError for errors of the client, but FileNotFoundError where an object does not exist."""
    try:
        yield
    except FileNotFoundError:
        raise
    except errors() as error:
        raise StoreError(reason(error, url.scheme)) from error


def errors() -> tuple[type[Exception], ...]:
    """Return the classes of the client's errors."""
    from obstore.exceptions import BaseError  # noqa: PLC0415 - in an extra

    return BaseError, OSError, ValueError


def is_unavailable(error: Exception) -> bool:
    """Return whether an error of the client says that the store cannot be reached, or is too busy."""
    return reason(error, "s3") in {_UNREACHABLE, _BUSY}


def is_unsupported(error: Exception) -> bool:
    """Return whether an error of the client says that the store does not know what a request asks for."""
    return re.search("501 Not Implemented|<Code>NotImplemented<", str(error)) is not None


def _client(url: Url, retries: Any) -> Any:
    with extras.explained("cloud"):
        from obstore.store import from_url  # noqa: PLC0415 - in an extra
    return from_url(str(url), retry_config=retries)


def reason(error: Exception, scheme: str) -> str:
    """Return why a request failed, in one sentence without addresses, headers and secrets.

    Args:
        error: of obstore or Delta Lake.
        scheme: of the URL.
    """
    text = str(error)
    if isinstance(error, StoreError):
        return text
    for pattern, sentence in _SENTENCES.items():
        if re.search(pattern, text):
            return sentence.format(credentials=_CREDENTIALS[scheme])
    return without_secrets(" ".join(text.partition("\n\nDebug source")[0].partition("<?xml")[0].split()))


def without_secrets(text: str) -> str:
    """Return text in which the values of environment variables that hold secrets are replaced by stars."""
    for name, value in os.environ.items():
        if value and _SECRET_NAME.fullmatch(name):
            text = text.replace(value, "***")
    return text
