"""The whole runner between two real hosts, on days when nothing goes wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runner.engine.probe import runner_agent
from tests.compare import differences, shared, walk
from tests.lab.images import BACKUP, PAPIO, STORE
from tests.lab.machines import Lab
from tests.lab.site import DATA, REVERSE, Runner, until
from tests.trees import change_tree, make_tree

PROGRAM = "/usr/local/sbin/runner-agent"


@pytest.fixture(scope="module")
def runner(lab: Lab) -> Runner:
    made = Runner(lab=lab)
    made.settle()
    make_tree(lab.path(BACKUP, "/home/hard"), seed=7, files=60)
    first = made.good("run", "backup-papio", "backup-backup-server1")
    assert first.said.count("sealed ") == 2
    return made


@pytest.fixture(autouse=True)
def _old(runner: Runner) -> Iterator[None]:
    with runner.nothing_old_changes():
        yield


def restored(runner: Runner, host: str) -> Path:
    """The side folder of the last restore."""
    return max(runner.path(host, "/var/restored").iterdir()) / "tree"


def test_a_first_snapshot_is_papio_to_the_last_attribute(runner: Runner) -> None:
    name = runner.sealed()[0]
    runner.faithful(name)
    record = runner.record(name)
    assert [one["mount"] for one in record["filesystems"]] == ["/", DATA]
    assert (record["exceptions"], record["host"], record["job"]) == (0, "papio", "backup-papio")
    assert record["unsummed"] == 0
    assert record["summed"] > 200
    assert (runner.store("papio") / "latest").readlink().name == runner.sealed()[-1]


def test_owners_are_papio_s_numbers_where_names_mean_somebody_else(runner: Runner) -> None:
    runner.lab.run(PAPIO, "sh", "-c", f"touch {DATA}/of-karl; chown karl:karl {DATA}/of-karl")
    runner.good("run", "backup-papio")
    kept = runner.store("papio") / runner.sealed()[-1]
    assert (kept / DATA[1:] / "of-karl").stat().st_uid == 1000
    assert (kept / "home/karl").stat().st_uid == 1000
    theirs = runner.lab.run(BACKUP, "stat", "-c", "%U", f"{STORE}/latest{DATA}/of-karl").stdout.strip()
    assert theirs == "homeowner", "the number is kept although it is somebody else's there"


def test_a_second_snapshot_shares_what_did_not_change_and_nothing_else(runner: Runner) -> None:
    before = walk(runner.data)
    older = runner.store("papio") / runner.sealed()[-1] / DATA[1:]
    assert differences(runner.data, older) == []
    change_tree(runner.data, seed=1)
    after = walk(runner.data)
    with runner.counted() as network:
        ran = runner.good("run", "backup-papio")
    assert "Done  lab" in ran.said
    # Two filesystems, each with its rsync, a lock and all questions.
    assert network.connections == 1
    assert network.sent < len(runner_agent()), "the program travelled, though it is there"
    newer = runner.store("papio") / runner.sealed()[-1] / DATA[1:]
    runner.faithful(runner.sealed()[-1])
    both = shared(older, newer)
    # A group that has a new first name is still the same files.
    alone = [{name: replace(entry, same_inode_as=b"") for name, entry in one.items()} for one in (before, after)]
    changed = {name for name in alone[0].keys() & alone[1].keys() if alone[0][name] != alone[1][name]}
    assert both & changed == set()
    files = {name for name in before.keys() & after.keys() if before[name].kind == "file"}
    assert files - changed - both == set()
    assert runner.record(runner.sealed()[-1])["added_files"] < 60


def test_a_day_without_a_change_brings_no_bytes(runner: Runner) -> None:
    runner.good("run", "backup-papio")
    before = runner.sent()
    runner.good("run", "backup-papio")
    # The journal and the like change with every run, the names of all files are sent.
    assert runner.record(runner.sealed()[-1])["added_files"] < 12
    assert runner.sent() - before < 1_000_000


def test_the_reverse_backup_leaves_out_both_stores(runner: Runner) -> None:
    runner.good("run", "backup-backup-server1")
    name = runner.sealed("backup-server1")[-1]
    copy = runner.store("backup-server1") / name
    assert list((copy / STORE[1:]).iterdir()) == []
    assert differences(runner.path(BACKUP, "/home"), copy / "home") == []
    assert differences(runner.path(BACKUP, "/etc"), copy / "etc") == []
    assert (copy / "home/karl").stat().st_uid == 1500
    kept = runner.store("papio") / runner.sealed()[-1] / REVERSE[1:]
    assert kept.is_dir()
    assert list(kept.iterdir()) == []


def test_a_folder_with_everything_hard_comes_back_over_ssh_as_it_was(runner: Runner) -> None:
    runner.good("run", "backup-papio")
    ran = runner.good("restore", "papio", DATA)
    assert "no difference" in ran.said
    back = restored(runner, PAPIO) / DATA[1:]
    assert differences(runner.data, back) == []
    assert runner.rsync_silent(f"/var/restored/{back.parents[2].name}/tree{DATA}") == ""
    runner.lab.run(PAPIO, "rm", "-rf", "/var/restored")


def test_it_comes_back_to_the_backup_server_as_well(runner: Runner) -> None:
    runner.good("run", "backup-backup-server1")
    runner.good("restore", "backup-server1", "/home/hard")
    back = restored(runner, BACKUP) / "home/hard"
    assert differences(runner.path(BACKUP, "/home/hard"), back) == []
    assert back.parent.stat().st_mode & 0o777 == 0o755


def test_a_file_put_back_where_it_was_keeps_what_it_replaces(runner: Runner) -> None:
    file = runner.path(PAPIO, "/home/karl/thesis")
    file.write_text("a year of work\n")
    runner.good("run", "backup-papio")
    file.write_text("oops\n")
    refused = runner.run("restore", "papio", "/home/karl/thesis", "--to", "/")
    assert (refused.code, file.read_text()) == (4, "oops\n")
    runner.good("restore", "papio", "/home/karl/thesis", "--to", "/", "--yes")
    assert file.read_text() == "a year of work\n"
    aside = [one for one in runner.path(PAPIO, "/var/restored").rglob("thesis") if "-replaced" in str(one)]
    assert [one.read_text() for one in aside] == ["oops\n"]


def test_a_second_run_is_told_which_run_is_at_it_and_how_far(runner: Runner) -> None:
    runner.fill("big", 9)
    with runner.slow():
        first = runner.start("run", "backup-papio")
        until("the transfer", runner.partials)
        second = runner.run("run", "backup-papio")
    assert second.code == 75, second.said
    assert re.search(
        r"busy: the run that began at 20\S+ \S+ \S+ is at step "
        r"(clone|compose|seal|(walk|look|differ|scan|send|changed|resend|settle)-\d) of it",
        second.said,
    ), second.said
    ended = runner.finish(first)
    assert ended.code == 0, ended.said
    assert runner.partials() == []
    runner.faithful(runner.sealed()[-1])


def test_two_runs_begun_at_the_same_moment_seal_one_snapshot_each_or_say_busy(runner: Runner) -> None:
    before = len(runner.sealed())
    both = [runner.start("run", "backup-papio") for _ in range(2)]
    ended = [runner.finish(one) for one in both]
    assert {one.code for one in ended} <= {0, 5, 75}, [one.said for one in ended]
    assert len(runner.sealed()) - before == [one.code for one in ended].count(0) >= 1


@pytest.mark.parametrize("lost", ["removed", "another version"])
def test_a_missing_runner_agent_is_put_there_again(runner: Runner, lost: str) -> None:
    program = runner.path(BACKUP, PROGRAM)
    good = program.read_bytes()
    program.unlink()
    if lost == "another version":
        program.write_text("#!/bin/sh\necho '{\"held\": true}'\n")
        program.chmod(0o755)
    before = len(runner.sealed())
    assert "prepare-backup-server1" in runner.good("run", "backup-papio").said
    assert program.read_bytes() == good
    assert len(runner.sealed()) == before + 1


@pytest.mark.parametrize("verb", [("plan",), ("plan", "backup-papio"), ("snapshots",), ("status",)])
def test_reading_a_host_takes_one_connection(runner: Runner, verb: tuple[str, ...]) -> None:
    before = runner.opened()
    runner.good(*verb)
    assert runner.opened() - before <= 1


def test_a_reviewed_plan_runs_once_and_only_on_what_it_was_made_from(runner: Runner) -> None:
    plan = "/var/tmp/plan.toml"
    runner.good("plan", "backup-papio", "--out", plan)
    runner.good("apply", plan)
    before = runner.sealed()
    again = runner.run("apply", plan)
    assert again.code == 0 and "already done" in again.said, again.said
    runner.good("plan", "backup-papio", "--out", plan)
    runner.good("run", "backup-papio")
    stale = runner.run("apply", plan)
    assert stale.code == 5, stale.said
    assert len(runner.sealed()) == len(before) + 1


def test_a_run_is_mailed(runner: Runner) -> None:
    runner.mail()
    runner.good("run", "backup-papio")
    text = runner.mail()
    assert f"Subject: [lab] done: papio/{runner.sealed()[-1]}, " in text.replace("\n ", " ")
