"""`search`: which names in one sealed snapshot match a pattern."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterator, Sequence

from .. import tree
from ..answer import Refused, reply
from ..arguments import parse_as
from ..store.layout import StoreFolder, open_store, require_sealed
from .contract.search import NameFound, NamesFound, Search
from .find import mtime, request

# More names are counted, and not listed: nobody reads them.
MOST = 200


def run(argv: Sequence[str]) -> int:
    """Print the names in the snapshot that match the pattern on stdin, in the order of a walk; reads only.

    A pattern with a slash is for whole paths, one without for the last part; `*` stands for slashes too.
    """
    options = parse_as(Search, argv)
    store = open_store(options.store)
    require_sealed(store, options.snapshot)
    pattern = request("pattern", '{"pattern": "*.txt"}')["pattern"]
    names, total = [], 0
    for name in _matching(store, options.snapshot, pattern):
        total += 1
        if total <= MOST:
            names.append(name)
    reply(NamesFound(tuple(sorted(names)), total))
    return 0


def _matching(store: StoreFolder, snapshot: str, pattern: str) -> Iterator[NameFound]:
    whole = "/" in pattern
    try:
        # By characters, not by bytes: `?` is one letter, however it is written.
        matches = re.compile(fnmatch.translate(pattern)).match
    except re.error:
        # Python 3.9 has `[z-a]` be the same in an expression, where it is an error.
        raise Refused(f"{pattern!a} is no pattern", "write [a-z], the lesser letter first") from None
    root = os.open(str(store.root / snapshot), tree.FOLDER)
    try:
        for _, folder, entry in tree.names(root):
            place = b"/" + folder + b"/" if folder else b"/"
            path, status = os.fsdecode(place + entry.name), entry.status
            if matches(path if whole else os.fsdecode(entry.name)):
                yield NameFound(path, tree.kind(status), status.st_size, mtime(status))
    finally:
        os.close(root)
