"""The kinds' own keys of jobs.toml, from schema/kinds/."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def own_keys(kind: str) -> Mapping[str, Any]:
    """JSON Schema 2020-12 of the keys that jobs of this bundled kind have beside the common ones."""
    text = files("schema").joinpath(f"kinds/{kind}.schema.json").read_text("utf-8")
    schema: Mapping[str, Any] = json.loads(text)
    return schema
