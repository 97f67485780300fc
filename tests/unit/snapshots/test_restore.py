"""Getting something back: into a side folder, or over what is there with everything it replaces kept."""

from __future__ import annotations

from typing import Any

import pytest

from runner.jobs.snapshots import restore
from runner.jobs.snapshots.route import RestoreRequest
from runner.model.facts import Snapshot
from runner.model.kind import Draft
from runner.model.plan import Command, Effect
from runner.model.site import Site
from tests.unit import parts

SNAPSHOT = Snapshot(name="2026-11-22T081500Z", host="papio")


def draft(
    path: str = "/home/ann", to: str = "", *, host: str = "papio", site: Site | None = None,
    snapshot: Snapshot = SNAPSHOT, facts: dict[str, Any] | None = None, **more: bool,
) -> Draft:  # fmt: skip
    here = site or parts.site()
    store = here.store("papio" if host == "papio" else "server")
    wanted = RestoreRequest(host=host, path=path, store=store, snapshot=snapshot, to=to, **more)
    return restore.draft(here, wanted, parts.facts(facts, live=here.live), parts.NOW)


def argvs(made: Draft) -> list[tuple[str, ...]]:
    return [step.action.argv for step in made.steps if isinstance(step.action, Command)]


def test_without_a_place_it_goes_to_a_side_folder_and_needs_nobody() -> None:
    made = draft()
    folder, copy, room, closed, compare = argvs(made)
    # Marked, so that it is known to be ours when it is old.
    assert folder == ("/usr/local/sbin/runner-agent", "make-restored", "/var/restored", "20261123T081500.000Z")
    assert copy[-2:] == (
        "server:/srv/backups/papio/2026-11-22T081500Z/./home/ann",
        "/var/restored/20261123T081500.000Z/tree/",
    )
    assert compare[-2:] == copy[-2:]
    keep = (
        "/usr/local/sbin/runner-agent",
        "keep-room",
        "/var/restored/20261123T081500.000Z/tree",
        "--by-hand",
        # The store's host is another: what it sends is written there and nowhere else.
        "--confined",
        "--writes=/var/restored/20261123T081500.000Z/tree",
        "--reads=/site/state/ssh.py",
        "--",
        "rsync",
    )
    assert copy[: len(keep) + 1] == (*keep, "--archive") and "--super" in copy
    # What compares hears it too.
    assert compare[:6] == (keep[0], "confine", f"--reads={keep[2]}", "--reads=/site/state/ssh.py", "--", "rsync")
    assert "--super" in compare
    assert room == (keep[0], "room", *keep[2:4])
    # What receives is never told of the folder above.
    assert closed == (keep[0], "received", "/var/restored/20261123T081500.000Z")
    assert made.steps[3].despite == (made.steps[1].id,)
    assert [step.effect for step in made.steps] == [Effect.WRITE, Effect.WRITE, Effect.READ, Effect.WRITE, Effect.READ]
    assert not any(word.startswith("--backup") for word in copy)
    assert made.findings == ()


def test_over_what_is_there_it_interrupts_and_keeps_what_it_replaces() -> None:
    made = draft(to="/")
    folder, copy, room, closed, compare = argvs(made)
    aside = "--aside=/var/restored/20261123T081500.000Z-replaced"
    assert folder[1:3] == ("make-place", "/") and aside in folder
    assert "--backup-dir=/var/restored/20261123T081500.000Z-replaced/tree" in copy
    assert copy[-1] == "/"
    assert copy[1:3] == ("keep-room", "/") and room[1:3] == ("room", "/")
    # Where all may be written there is nothing to confine it to.
    assert "--confined" not in copy and "--super" not in copy and compare[0] == "rsync"
    assert "--no-implied-dirs" in copy
    assert "--no-implied-dirs" in compare
    assert closed[1:] == ("received", "/var/restored/20261123T081500.000Z-replaced")
    assert [step.effect for step in made.steps] == [
        Effect.WRITE,
        Effect.INTERRUPT,
        Effect.READ,
        Effect.WRITE,
        Effect.READ,
    ]
    assert "writes over what is in /" in made.findings[0].text


def test_the_comparison_reads_only_and_any_word_of_it_is_a_failure() -> None:
    compare = draft().steps[-1]
    assert compare.silent
    assert isinstance(compare.action, Command)
    assert {"--dry-run", "--checksum", "--itemize-changes"} <= set(compare.action.argv)


@pytest.mark.parametrize(
    ("path", "inside"), [("/", "."), ("/etc", "etc"), ("/a b/c", "a b/c"), ("/-x", "-x"), ("/a:b", "a:b")]
)
def test_any_path_stays_one_word_below_its_snapshot(path: str, inside: str) -> None:
    source = argvs(draft(path))[1][-2]
    assert source == f"server:/srv/backups/papio/2026-11-22T081500Z/./{inside if inside != '.' else ''}"


def test_the_other_way_round_papio_sends_to_the_host() -> None:
    made = draft("/etc", host="server", snapshot=Snapshot(name="2026-11-22T081500Z", host="server"))
    copy = argvs(made)[1]
    assert made.steps[1].host == "papio"
    assert copy[-2:] == (
        "/srv/backups/server/2026-11-22T081500Z/./etc", "server:/var/restored/20261123T081500.000Z/tree/",
    )  # fmt: skip
    assert copy[0] == "rsync"
    place = "/var/restored/20261123T081500.000Z/tree"
    keep = f"/usr/local/sbin/runner-agent keep-room {place} --by-hand --confined --writes={place} -- rsync"
    assert f"--rsync-path={keep}" in copy and "--super" in copy
    # The other end begins by itself what only looks there.
    assert argvs(made)[4][0] == "rsync" and "--super" not in argvs(made)[4]


def test_in_the_sandbox_everything_stays_in_it() -> None:
    made = draft("/etc", "/", site=parts.site(live=False))
    folder, copy, room, *_ = argvs(made)
    assert folder[1:3] == ("make-place", "/site/sandbox/papio")
    assert "--aside=/site/sandbox/papio/var/restored/20261123T081500.000Z-replaced" in folder
    assert copy[-2:] == (
        "/site/sandbox/server/srv/backups/papio/2026-11-22T081500Z/./etc", "/site/sandbox/papio/",
    )  # fmt: skip
    assert not any(word.startswith("--rsh") for word in copy)
    assert copy[1:3] == ("keep-room", "/site/sandbox/papio") and room[2] == copy[2]


def test_an_old_rsync_is_not_asked_for_a_checksum_that_it_does_not_know() -> None:
    made = draft(facts={"papio": {"rsync": {"version": "3.1.3"}}})
    assert "--checksum-choice=md5" in argvs(made)[1]
    assert "--checksum-choice=xxh128" in argvs(draft())[1]


def test_that_nothing_is_known_of_what_is_missing_is_not_that_nothing_is_missing() -> None:
    made = draft(snapshot=Snapshot(name="2026-11-22T081500Z", host="papio", exceptions=None))
    assert [finding.text for finding in made.findings] == [
        "the record of snapshot 2026-11-22T081500Z cannot be read: it is not known whether anything is missing from it"
    ]


def test_what_will_not_come_back_whole_is_said() -> None:
    holed = Snapshot(name="2026-11-22T081500Z", host="papio", exceptions=3)
    made = draft(snapshot=holed, facts={"papio": {"uid": 1000}})
    assert [finding.text for finding in made.findings] == [
        "not root: owners will not be restored",
        "snapshot 2026-11-22T081500Z has 3 exceptions: some files are not in it",
    ]


LESS = {"--chmod=Fug-s", "--no-devices", "--filter=-x security.capability", "--filter=-x system.*"}


@pytest.mark.parametrize("to", ["", "/", "//", "/."])
def test_where_it_was_and_where_nobody_enters_it_comes_with_all_rights(to: str) -> None:
    made = draft(to=to)
    assert not any(LESS & set(argv) for argv in argvs(made))
    assert made.planned and len(made.planned.details) == 1


def test_into_a_folder_in_use_another_host_brings_no_rights_unless_they_are_asked_for() -> None:
    made = draft(to="/srv/used")
    names = [step.id.partition("/")[2] for step in made.steps]
    assert names == ["folder", "copy", "room", "closed", "compare"]
    copy, compare = argvs(made)[1], argvs(made)[4]
    assert set(copy) >= LESS and set(compare) >= LESS
    assert [word for word in copy if word.startswith("--writes=")] == [
        "--writes=/srv/used/home/ann", "--writes=/var/restored/20261123T081500.000Z-replaced/tree",
    ]  # fmt: skip
    assert made.planned and "--with-rights brings them" in made.planned.details[1]
    assert "as the store on server has it" in made.planned.headline
    asked = draft(to="/srv/used", with_rights=True)
    assert not any(LESS & set(argv) for argv in argvs(asked))
    assert "asked for by --with-rights" in asked.findings[-1].text
    # Who is not root gives no capabilities, and his rsync would take none.
    assert "--no-devices" in argvs(draft(to="/srv/used", facts={"papio": {"uid": 1000}}))[1]


def test_what_is_no_folder_is_received_in_the_closed_one_and_put_in_its_place_by_what_hears_nobody() -> None:
    made = draft(to="/srv/used", is_folder=False)
    names = [step.id.partition("/")[2] for step in made.steps]
    assert names == ["folder", "copy", "place", "room", "closed", "compare"]
    folder, copy, place, *_ = argvs(made)
    closed = "/var/restored/20261123T081500.000Z-replaced"
    assert "--apart" in folder and copy[-1] == f"{closed}/new/" and not any("backup" in word for word in copy[:-2])
    assert place[-2:] == (f"{closed}/new/./home/ann", "/srv/used/") and f"--backup-dir={closed}/tree" in place
    assert [word for word in place if word.startswith("--writes=")] == ["--writes=/srv/used/home", f"--writes={closed}"]
    assert "--confined" in place and not any(word.startswith("--rsh=") for word in place)
    assert [step.effect for step in made.steps[1:3]] == [Effect.WRITE, Effect.INTERRUPT]
