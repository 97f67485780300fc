"""A backup server that answers anything at all: papio's other jobs are done, and nothing of it gets any further.

A whole site: the real planner, engine, journal, reports, mails and terminal, over answers that the real agent once gave.
"""

from __future__ import annotations

import email
import email.policy
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from runner.hosts.session import KEPT_OUT
from tests.contract.hosts import mutations
from tests.contract.hosts.mutations import MARK, Lie
from tests.contract.hosts.played_site import BAD, OTHER, PAPIO, STEP, Played, Recorded, Said, recorded

LONG = 10_000
BATCH = 50
# What a terminal or a mail could take for more than text.
HARMFUL = set("\x1b\x07\0\r\u202e\u2028\ufeff\x9b") | {chr(code) for code in (0xD800, 0xDC80, 0xDFFF)}
# Whatever was done: none of them is that of a bug.
CODES = (0, 1, 2, 3, 4, 5, 75)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return recorded(tmp_path_factory.mktemp("played"))


@pytest.fixture(scope="module")
def asked(site: Recorded) -> dict[str, list[tuple[str, ...]]]:
    return dict(site.scenarios())


def test_every_verb_whose_answer_crosses_is_on_the_tape(asked: dict[str, list[tuple[str, ...]]]) -> None:
    assert {
        "probe", "begin", "clone", "look", "changed", "compose", "sample", "settle", "seal", "keep-about", "about", "proven",
        "reading", "expire", "hold", "newest", "freed", "record", "find", "search", "diff", "about-of",
    } <= set(asked)  # fmt: skip


def batches() -> Iterator[ParameterSet]:
    """The first in `make test`, all in `make soak`."""
    for batch in range(LONG // BATCH):
        yield pytest.param(batch, marks=pytest.mark.soak if batch else ())


@pytest.mark.parametrize("batch", tuple(batches()))
def test_whatever_one_host_answers(site: Recorded, asked: dict[str, list[tuple[str, ...]]], batch: int) -> None:
    for seed in range(batch * BATCH, (batch + 1) * BATCH):
        judged(site, asked, seed)


def judged(site: Recorded, asked: dict[str, list[tuple[str, ...]]], seed: int) -> str:
    own = random.Random(seed)
    verb = sorted(asked)[seed % len(asked)]
    argv = own.choice(asked[verb])
    sorts = []

    def lies(of: str, out: bytes, ended: int | None) -> Lie | None:
        if of != verb:
            return None
        sort, told = mutations.lie(own.randrange(2**32), out, ended, endless=3 * KEPT_OUT)
        sorts.append(sort)
        return told

    site.again()
    before = outside(site.place.folder)
    ways = {PAPIO: Played(PAPIO, site.tapes[PAPIO]), BAD: Played(BAD, site.tapes[BAD], lies)}
    said = site.said(ways, *argv)
    case = f"seed {seed}: {verb} {sorts} in runner {' '.join(argv)}\n"
    assert said.code in CODES, case + said.text
    assert "Traceback" not in said.text, case + said.text
    assert outside(site.place.folder) == before, case
    for words in (said.text, *letters(said)):
        assert not set(words) & HARMFUL, case + repr(words)
        assert max(map(len, words.split("\n"))) < 30_000, case + words
    for way in ways.values():
        assert not [word for line in way.asked for word in line if MARK in word], case + repr(way.asked)
        assert all(each.waited <= each.timeout + 2 * STEP for each in way.sessions), case
    if argv[0] == "run" and OTHER in argv:
        ends = site.place.rows("SELECT verdict FROM jobs WHERE job = ? ORDER BY rowid", OTHER)
        assert [end["verdict"] for end in ends] == ["done", "done"], case + said.text
    # The run after it, where all is right again.
    honest = {name: Played(name, tape) for name, tape in site.tapes.items()}
    after = site.said(honest, "status")
    assert after.code in (0, 3) and "journal" not in after.text, case + after.text
    return sorts[0] if sorts else "none"


def outside(folder: Path) -> dict[str, tuple[int, int]]:
    """Every name that is none of the runner's state and mails, with its size and time of change."""
    own = {folder / "sandbox/state", folder / "sandbox/mail", folder.parent / "state"}
    found = {}
    for place, folders, files in os.walk(folder.parent):
        here = Path(place)
        folders[:] = [name for name in folders if here / name not in own]
        for name in (*folders, *files):
            status = (here / name).lstat()
            found[str(here / name)] = (0, 0) if name in folders else (status.st_size, status.st_ctime_ns)
    # What was asked for by the person who asked.
    found.pop(str(folder.parent / "plan.toml"), None)
    return found


def letters(said: Said) -> Iterator[str]:
    """The texts of the mails, with their subjects."""
    for name, content in said.files.items():
        if name.endswith(".eml"):
            mail = email.message_from_bytes(content, policy=email.policy.default)
            yield f"{mail['subject']}\n"
            assert mail.keys().count("Bcc") == 0
            for part in mail.walk():
                if part.get_content_maintype() == "text":
                    yield part.get_content().replace("\r\n", "\n")
