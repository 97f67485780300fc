"""Of what a program of PostgreSQL complains of the error is kept, however long the command is that it shows."""

from __future__ import annotations

import io

import pytest

from runner.agent.database.server import complaint

COMMAND = b"Command was: CREATE VIEW v AS\n" + b"    SELECT 1 AS a_column_of_many,\n" * 3000 + b"    2;\n\n"
TOC = b"pg_restore: while PROCESSING TOC:\npg_restore: from TOC entry 215; 1259 16400 VIEW v karl\n"


@pytest.mark.parametrize(
    ("written", "first"),
    [
        (TOC + b'pg_restore: error: could not execute query: ERROR:  type "x" does not exist\nLINE 1: x\n' + COMMAND,
         'pg_restore: error: could not execute query: ERROR:  type "x" does not exist / LINE 1: x / Command was:'),
        (b'pg_restore: [archiver (db)] could not execute query: ERROR:  type "x" does not exist\n' + COMMAND,
         'pg_restore: [archiver (db)] could not execute query: ERROR:  type "x" does not exist / Command was:'),
        (b"pg_dump: error: query failed: ERROR:  canceling statement\npg_dump: detail: Query was: LOCK TABLE\n",
         "pg_dump: error: query failed: ERROR:  canceling statement / pg_dump: detail: Query was: LOCK TABLE"),
        (b"one\n\ntwo\n", "one / two"),
        (b"", ""),
    ],
)  # fmt: skip
def test_the_error_comes_first(written: bytes, first: str) -> None:
    assert complaint(io.BytesIO(written)).startswith(first)
    assert len(complaint(io.BytesIO(written))) < 3000
