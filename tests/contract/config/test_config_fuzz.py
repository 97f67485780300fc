"""Whatever stands in jobs.toml, it loads or it is a ConfigError whose lines are lines."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.config.load import load
from runner.model.errors import ConfigError
from tests.contract.jobs_schema import KINDS, ROOT, keys

EXAMPLE = (ROOT / "jobs.toml").read_text()
QUICK = settings(suppress_health_check=list(HealthCheck))
WORDS = st.sampled_from(sorted({word for path, _, _ in keys() for word in path.split(".")}) + ["papio", "", "a.b"])
LEAVES = st.one_of(
    st.integers(),
    st.floats(),
    st.booleans(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.datetimes(),
    st.sampled_from(["papio", "snapshot", "/srv", "5%", "20h", "all", "0 0 30 2 *", "0 0 L * *", "1/1/1 * * * *"]),
)
TABLES = st.dictionaries(
    WORDS,
    st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4)),
    max_size=5,
)


def survives(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "jobs.toml"
        path.write_bytes(content)
        try:
            load(path, kinds=KINDS)
        except ConfigError as error:
            assert error.problems
            for problem in error.problems:
                assert problem.startswith("jobs.toml:")
                assert problem.isprintable()


@QUICK
@given(st.binary(max_size=200))
def test_any_bytes(content: bytes) -> None:
    survives(content)


@QUICK
@given(st.data())
def test_the_example_with_a_piece_cut_out_or_pasted(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(EXAMPLE)))
    end = data.draw(st.integers(start, min(len(EXAMPLE), start + 80)))
    put = data.draw(st.sampled_from(["", '"', "[", "{", "=", "\n", "#", "'''", '""', "1e9", "\\", "é"]))
    survives((EXAMPLE[:start] + put + EXAMPLE[end:]).encode())


@QUICK
@given(TABLES)
def test_any_tables(tables: dict[str, Any]) -> None:
    survives(tomli_w.dumps(tables).encode())


@QUICK
@given(st.data())
def test_the_example_with_one_value_of_any_kind(data: st.DataObject) -> None:
    import tomllib

    tables: dict[str, Any] = tomllib.loads(EXAMPLE)
    table = tables
    while True:
        key = data.draw(st.sampled_from(sorted(table)))
        if not isinstance(table[key], dict) or not table[key] or data.draw(st.booleans()):
            break
        table = table[key]
    table[key] = data.draw(LEAVES | TABLES | st.lists(LEAVES, max_size=3))
    survives(tomli_w.dumps(tables).encode())
