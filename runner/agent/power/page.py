"""`page`: does a web page answer."""

from __future__ import annotations

import http.client
import ssl
import urllib.parse
from collections.abc import Sequence
from typing import Any

from ..answer import FAILED, Refused, emit
from ..arguments import parse
from ..plain import plain

PATIENCE = 20
# A page that asks for a password is there.
UNAUTHORIZED = 401


def run(argv: Sequence[str]) -> int:
    """Print whether URL answers: with 2xx, 3xx (which is not followed) or 401. Exit 1 where it does not.

    Asked without a proxy and without credentials; a certificate that is not good is no answer.
    """
    answer = read(argv)
    emit(answer)
    return 0 if answer["answers"] else FAILED


def read(argv: Sequence[str]) -> dict[str, Any]:
    """As `run`, without printing. Refused where URL is none."""
    url = parse(argv, words=1).words[0]
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError:
        raise _no_url(url) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise _no_url(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, port, timeout=PATIENCE)
    target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
    try:
        connection.request("GET", target, headers={"User-Agent": "runner", "Connection": "close"})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException, ssl.CertificateError, ValueError) as problem:
        return _not(f"{plain(url)} does not answer: {plain(str(problem) or type(problem).__name__)}")
    finally:
        connection.close()
    if 200 <= status < 400 or status == UNAUTHORIZED:
        return {"answers": True, "status": status}
    return {**_not(f"{plain(url)} answers {status}"), "status": status}


def _not(error: str) -> dict[str, Any]:
    return {"answers": False, "error": error, "do": "look at the web server of that host"}


def _no_url(url: str) -> Refused:
    return Refused(
        f"not the address of a page: {plain(url)}", "write it as http://host/path, without a password"
    )
