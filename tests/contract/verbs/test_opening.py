"""What a verb asks of the site before it begins: nothing, of who only looks, that the site cannot give at a bad time."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.cli import opening
from tests.contract.site import Place, Said, small, until
from tests.contract.storehouse import Storehouse
from tests.mounts import need_mounts

NAME = "2026-11-21T010000Z"
# An example is left in.
LIVE = """
[site]
name = "babase"
controller = "papio"
live = true
[people]
admin = ["root@localhost"]
users = ["babase-users@example.com"]
[hosts.papio]
address = "papio.test"
[stores.papio]
host = "papio"
path = "{store}"
[jobs.backup-papio]
kind = "snapshot"
host = "papio"
store = "papio"
[hooks.mail]
sendmail = "/bin/true"
"""


@pytest.fixture(scope="module")
def unready(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A live site with an example left in, and one snapshot."""
    folder = tmp_path_factory.mktemp("unready")
    made = small(folder)
    store = folder / "store"
    (made.folder / "jobs.toml").write_text(LIVE.format(store=store))
    said = Storehouse(root=store, source=folder / "tree").snapshot(NAME, "", (), "--host", "papio")
    assert said.code == 0, said.out
    return made


@pytest.mark.parametrize(
    "argv",
    [
        ("plan",), ("run",), ("apply", "plan.toml"), ("announce", "backup-papio", "--at", "2099-01-01 17:00"),
        ("validate",),
    ],
    ids=lambda argv: argv[0],
)  # fmt: skip
def test_what_acts_at_a_live_site_is_refused_while_an_example_is_left_in(unready: Place, argv: tuple[str, ...]) -> None:
    ran = unready.runner(*argv)
    assert ran.code == 2 and ran.out == ""
    assert "people.users[1]: 'babase-users@example.com' is an example, and the site is live" in ran.err


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (("status",), NAME),
        (("find", "/file"), NAME),
        (("restore", "papio", "/file", "--out", "{plan}"), "runner apply"),
    ],
    ids=["status", "find", "restore"],
)
def test_who_looks_or_wants_something_back_is_not_asked_for_it(
    unready: Place, tmp_path: Path, argv: tuple[str, ...], told: str
) -> None:
    ran = unready.runner(*(word.format(plan=tmp_path / "plan.toml") for word in argv))
    assert ran.code == 0 and told in ran.out, ran
    assert "is an example" not in ran.out + ran.err


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A site with two snapshots, whose state takes nothing."""
    place = small(tmp_path_factory.mktemp("closed"))
    need_mounts()
    for _ in range(2):
        assert place.runner("run", "backup-papio").code == 0
    subprocess.run(("mount", "--bind", place.state, place.state), check=True)
    try:
        subprocess.run(("mount", "-o", "remount,bind,ro", place.state), check=True)
        yield place
    finally:
        subprocess.run(("umount", place.state), check=True)


def answered(place: Place, verb: str) -> Said:
    first, second = (path.name for path in place.sealed)
    words = {"find": (str(place.trees[0] / "file"),), "diff": (first, second), "bare-metal": ("papio",)}
    return place.runner(verb, *words.get(verb, ()))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")
@pytest.mark.parametrize("verb", opening._LOOKING)
def test_who_only_looks_is_answered_from_a_copy_and_leaves_none(closed: Place, verb: str) -> None:
    before = set(Path("/dev/shm").glob("runner-*"))
    ran = answered(closed, verb)
    told = "backup-papio" if verb == "history" else closed.sealed[-1].name
    assert ran.code == 0 and told in ran.out and "what is shown is from a copy of it" in ran.err, ran
    # A verb of another test may have one at this moment.
    until(lambda: set(Path("/dev/shm").glob("runner-*")) <= before)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")
@pytest.mark.parametrize("argv", [("run", "backup-papio"), ("snapshots", "papio", "--drop-partials")])
def test_who_acts_is_refused_there(closed: Place, argv: tuple[str, ...]) -> None:
    ran = closed.runner(*argv)
    assert ran.code == 1 and "nothing runs unrecorded" in ran.out + ran.err
