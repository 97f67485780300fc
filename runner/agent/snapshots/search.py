"""`search`: which names in one sealed snapshot match a pattern."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import sys
from collections.abc import Iterator, Sequence

from .. import tree
from ..answer import Refused, reply
from ..arguments import parse_as
from ..store.layout import StoreFolder, open_store, require_sealed
from .contract import NameFound, NamesFound, Search
from .find import LARGEST

# More names are counted, and not listed: nobody reads them.
MOST = 200


def run(argv: Sequence[str]) -> int:
    """Print the names in the snapshot that match the pattern on stdin, in the order of a walk; reads only.

    A pattern with a slash is for whole paths, one without for the last part; `*` stands for slashes too.
    """
    options = parse_as(Search, argv)
    store = open_store(options.store)
    require_sealed(store, options.snapshot)
    pattern = _pattern()
    names, total = [], 0
    for name in _matching(store, options.snapshot, pattern):
        total += 1
        if total <= MOST:
            names.append(name)
    reply(NamesFound(tuple(names), total))
    return 0


def _pattern() -> str:
    try:
        query = json.loads(sys.stdin.buffer.read())
    except ValueError:
        query = None
    if not isinstance(query, dict) or not isinstance(query.get("pattern"), str) or not query["pattern"]:
        raise Refused("the request on stdin names no pattern", 'give {"pattern": "*.txt"}')
    return str(query["pattern"])


def _matching(store: StoreFolder, snapshot: str, pattern: str) -> Iterator[NameFound]:
    whole = "/" in pattern
    matches = re.compile(os.fsencode(fnmatch.translate(pattern))).match
    root = os.open(str(store.root / snapshot), tree.FOLDER)
    try:
        for folder in tree.folders(root):
            place = b"/" + folder.path + b"/" if folder.path else b"/"
            for entry in folder.entries:
                path = place + entry.name
                if matches(path if whole else entry.name):
                    status = entry.status
                    mtime = max(-LARGEST, min(status.st_mtime_ns, LARGEST))
                    yield NameFound(os.fsdecode(path), tree.kind(status), status.st_size, mtime)
    finally:
        os.close(root)
