"""A look, or its end, that is killed before any call that changes something: the next one lists all that changed."""

from __future__ import annotations

from pathlib import Path

from tests.contract.compose.clone_parts import killed
from tests.contract.look.looks import NO_RECORD, ONE, THREE, TWO, Looked, names

CHANGES = ("write", "rename", "unlink", "fsync")


def test_killed_anywhere_the_next_look_lists_all_that_changed(tmp_path: Path) -> None:
    (tmp_path / "source/folder").mkdir(parents=True)
    house = Looked(source=tmp_path / "source", scans=tmp_path / "scans")
    for name in ("a", "b", "folder/c"):
        (house.source / name).write_text("text")
    house.first()

    def day() -> None:
        settled = house.settle(TWO, house.look(TWO, ONE))
        assert settled.code == 0

    ended = 0
    for number in range(200):
        (house.source / "a").write_text(f"{number}")
        (house.source / "folder/c").write_text(f"{number}")
        whole = not killed(day, number, CHANGES)
        ended += 1
        # The snapshot was not sealed, or it was, where all had ended: then nothing has changed since.
        looked = house.look(THREE, TWO if whole else ONE)
        assert (looked.code, looked.out) == (NO_RECORD, b"") or whole or {b"a", b"folder/c"} <= set(names(looked))
        if whole:
            assert (looked.code, looked.out) == (0, b"")
            break
        again = house.look(THREE, TWO)
        assert again.code == NO_RECORD or {b"a", b"folder/c"} & set(names(again)) == set()
        if not list(house.scans.glob(f"*-{ONE}.scan")) or not list(house.scans.glob(f"*-{ONE}.again")):
            house.first()
    assert 6 < ended < 200
