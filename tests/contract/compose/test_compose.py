"""What is composed is the source to the last attribute, and the basis is as it was."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.compare import differences, fingerprint, shared, walk
from tests.contract.compose.histories import PATHS, Deed, deeds, do
from tests.contract.compose.world import compose_tree, made, seal_basis, settled
from tests.trees import change_tree, make_tree

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="owners and devices need root")


@root_only
def test_a_day_of_everything(tmp_path: Path) -> None:
    world = made(tmp_path)
    make_tree(world.source, files=60)
    seal_basis(world)
    for day in (1, 2, 3):
        change_tree(world.source, seed=day)
    before = fingerprint(world.basis)
    names = world.prepare()
    done = world.compose(world.given(names))
    assert done.code == 0, done.out
    assert differences(world.source, world.place) == []
    assert fingerprint(world.basis) == before
    same = {name for name, entry in walk(world.source).items() if entry.kind != "folder"} - set(names)
    assert same <= shared(world.basis, world.place)
    answer = done.answer["filesystems"][0]
    assert answer["names"] == len(walk(world.source))
    assert world.begun["composed"] == {"/": answer["names"]}


@root_only
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(before=st.lists(deeds, min_size=5, max_size=30), after=st.lists(deeds, min_size=1, max_size=15),
       touched=st.lists(st.sampled_from(PATHS), max_size=4), shuffled=st.integers(0, 99))  # fmt: skip
def test_whatever_happened_to_a_tree(
    before: list[Deed], after: list[Deed], touched: list[bytes], shuffled: int
) -> None:
    with tempfile.TemporaryDirectory(prefix="compose-") as place:
        world = made(Path(place))
        do(os.fsencode(world.source), before)
        seal_basis(world)
        do(os.fsencode(world.source), after)
        sealed = fingerprint(world.basis)
        there = set(walk(world.source))
        names = world.prepare([name for name in touched if name in there], shuffled)
        done = compose_tree(world, names)
        assert differences(world.source, world.place) == []
        assert fingerprint(world.basis) == sealed
        now = settled(world.source, names)
        assert len(sealed) - done.removed + done.names_placed == now["names"] - (done.missing - now["gone"])
        same = {name for name, entry in walk(world.source).items() if entry.kind != "folder"} - set(names)
        assert same <= shared(world.basis, world.place)
