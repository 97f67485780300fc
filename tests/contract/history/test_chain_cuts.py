"""Wherever a verb that adds to the chain is cut off, chain and store agree, and go on agreeing."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.contract.history.chains import findings, head, told
from tests.contract.retention.test_expire import names, verb
from tests.contract.storehouse import Storehouse, copied, filled
from tests.soak import few

NAMES = tuple(f"2026-11-{day}T010000Z" for day in range(20, 23))
AUDIT = ("audit", "--every", "1", "--bytes", "1000000000", "--seconds", "60")
MOVES = "rename,renameat,renameat2,unlink,unlinkat,fsync,mkdir,mkdirat,write,ftruncate"

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace to cut at a call"),
]


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Storehouse:
    """Three snapshots; `day` is new in each, `old` came with the first."""
    return filled(tmp_path_factory.mktemp("ready"), NAMES, lambda source, name: (source / "day").write_text(name))


@pytest.fixture
def house(ready: Storehouse, tmp_path: Path) -> Storehouse:
    return copied(ready, tmp_path / "house")


EXPIRE, ASIDE = ("expire", NAMES[0], "--min", "1"), ("set-aside", NAMES[1], "--min", "1")


@pytest.mark.parametrize("words", few((EXPIRE, ASIDE, AUDIT), EXPIRE))
def test_cut_off_anywhere_the_chain_and_the_store_agree(
    house: Storehouse, tmp_path: Path, words: tuple[str, ...]
) -> None:
    traced = copied(house, tmp_path / "traced")
    result = verb(traced, *words, around=("strace", "-qq", "-o", "/dev/stdout", f"--trace={MOVES}"))
    calls = [call[1].decode() for call in re.finditer(rb"^([a-z0-9]+)\(", result.out, re.MULTILINE)]
    assert len(calls) >= 8
    known = head(house)
    for place, call in enumerate(calls):
        nth = calls[: place + 1].count(call)
        again = copied(house, tmp_path / f"cut{place}")
        cut = ("strace", "-qq", "-o", "/dev/null", f"--trace={MOVES}", f"--inject={call}:signal=KILL:when={nth}")
        verb(again, *words, around=cut)
        assert findings(again, known) == [], (place, call)
        # And when more is done.
        assert verb(again, "expire", names(again)[0], "--min", "1").code == 0
        assert verb(again, *AUDIT).code == 0
        assert verb(again, "reap").code == 0
        assert findings(again, known) == [], (place, call)
        assert told(again)[-1].event in ("expired", "manifest")
        shutil.rmtree(again.root.parent)
