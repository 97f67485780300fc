"""The options of `serve`."""

from __future__ import annotations

from typing import NamedTuple

from ...arguments import FileNameWord


class Serve(NamedTuple):
    """Options of `serve`: the key in this host's policy whose line in authorized_keys it stands in."""

    key: FileNameWord
