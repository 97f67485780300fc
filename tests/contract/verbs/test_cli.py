"""The verbs that ask and restore, on names that are out to harm; and what people hear when things go wrong."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runner.cli.verbs import VERBS
from runner.model.errors import EXIT_CODES
from tests import compare, trees
from tests.contract.site import REPOSITORY, Place, running, small, tree_without_holes, until

pytestmark = pytest.mark.long

DUMP = """
[jobs.dump-papio]
kind = "dump"
host = "papio"
to = "/var/dumps"
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A site with two snapshots of a tree of hostile names, a day of use between them."""
    folder = tmp_path_factory.mktemp("cli")
    tree = folder / "tree"
    tree_without_holes(tree)
    made = Place(folder=folder / "site", trees=(tree,))
    made.declare()
    assert made.runner("run").code == 0
    trees.change_tree(tree, seed=1)
    assert made.runner("run", "backup-papio").code == 0
    return made


@pytest.fixture
def fresh(tmp_path: Path) -> Place:
    """A site over a small plain tree; nothing has run."""
    return small(tmp_path)


def odd(place: Place, name: bytes) -> bytes:
    return os.path.join(os.fsencode(place.trees[0]), b"odd", name)  # noqa: PTH118


def restored(place: Place) -> Path:
    """The newest side folder."""
    return max((place.sandbox / "papio/var/restored").glob("*Z")) / "tree"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_that_needs_no_site(verb: str, tmp_path: Path) -> None:
    nowhere = Place(folder=tmp_path, trees=())
    ran = nowhere.runner(verb, "--help")
    assert ran.code == 0 and f"usage: runner {verb}" in ran.out and ran.err == ""
    words = {
        "pin": ("latest", "--remove"),
        "restore": ("papio", "/x"),
        "diff": ("previous",),
        "find": ("/x",),
        "bare-metal": ("papio",),
        "apply": ("plan.toml",),
        "announce": ("reboot-papio", "--cancel"),
        "restore-db": ("babase",),
        "enrol": ("backup-server1",),
    }
    refused = nowhere.runner(verb, *words.get(verb, ()))
    assert refused.code == 2 and refused.out == "" and "no such file" in refused.err.lower()


def test_a_folder_called_like_the_file_is_not_said_to_be_missing(tmp_path: Path) -> None:
    (tmp_path / "jobs.toml").mkdir()
    refused = Place(folder=tmp_path, trees=()).runner("validate")
    assert refused.code == 2 and "this is not a file" in refused.err and "no such" not in refused.err


def test_exceptions_of_a_time_that_means_no_snapshot_end_2(place: Place) -> None:
    assert place.runner("snapshots", "--exceptions").code == 0
    for when, words in (("harmless", "'harmless' is not a time"), ("1999-01-01", "the oldest snapshot is")):
        ran = place.runner("snapshots", "--exceptions", when)
        assert ran.code == 2 and words in ran.out
        ran = place.runner("snapshots", "--json", "--exceptions", when)
        assert ran.code == 2 and words in ran.json["stores"]["papio"]["error"]


def test_the_help_names_every_exit_code(tmp_path: Path) -> None:
    ran = Place(folder=tmp_path, trees=()).runner("--help")
    for code, meaning in EXIT_CODES.items():
        assert f"  {code:<3} {meaning}" in ran.out


def test_find_gives_the_versions_of_every_hostile_name(place: Place) -> None:
    for name in (b"\n", b"\xff\xfe not utf8", b"-rf", b"a => b", b"a" * 255):
        number = trees.HOSTILE.index(name)
        ran = place.runner("find", odd(place, name), "--json")
        assert ran.code == 0, (name, ran.err)
        (version,) = ran.json["stores"]["papio"]["versions"]
        assert version["snapshots"] == 2 and version["size"] == len(b"odd %d\n" % number)
        assert os.fsencode(ran.json["path"]) == odd(place, name)


def test_names_are_shown_so_that_no_terminal_obeys_them(place: Place) -> None:
    for name in (b"\x01\x7f\x1b[31m", b"\xe2\x80\xaertl", b"\xff\xfe not utf8", b"two\nlines; touch pwned"):
        ran = place.runner("find", odd(place, name), LC_ALL="C.UTF-8", PYTHONIOENCODING="utf-8:strict")
        assert ran.code == 0, ran.err
        assert not any(char in ran.out for char in "\x01\x7f\x1b\u202e\udcff")
        assert "\nlines;" not in ran.out


def test_find_of_what_is_nowhere_ends_2(place: Place) -> None:
    assert place.runner("find", "/no/such/thing").code == 2
    assert place.runner("find", "relative").code == 2


def test_diff_tells_what_a_day_changed_and_every_line_is_json(place: Place) -> None:
    ran = place.runner("diff", "previous", "latest", "--json")
    decoder, text, told = json.JSONDecoder(), ran.out, []
    while text := text.lstrip():
        value, end = decoder.raw_decode(text)
        told.append(value)
        text = text[end:]
    assert ran.code == 0
    tree = str(place.trees[0])
    older, newer = (compare.walk(place.copy_of(place.trees[0], one)) for one in place.sealed)
    added = {os.fsencode(one["path"]) for one in told if one.get("change") == "added"}
    removed = {os.fsencode(one["path"]) for one in told if one.get("change") == "removed"}
    assert added == {os.fsencode(tree) + b"/" + name for name in newer if name not in older}
    assert removed == {os.fsencode(tree) + b"/" + name for name in older if name not in newer}
    assert sum(told[-1]["counts"].values()) == len(told) - 1
    shown = place.runner("diff", "previous", LC_ALL="C.UTF-8", PYTHONIOENCODING="utf-8:strict")
    assert shown.code == 0 and "\x1b" not in shown.out


def test_json_of_status_snapshots_history_and_config_parses(place: Place) -> None:
    assert place.runner("status", "--json").json["jobs"]["backup-papio"]["verdict"] == "done"
    snapshots = place.runner("snapshots", "--json").json["stores"]["papio"]["snapshots"]
    assert [one["name"] for one in snapshots] == [path.name for path in place.sealed]
    assert [one["verdict"] for one in place.runner("history", "--json").json][:2] != []
    assert place.runner("config", "--json").json["name"] == "babase"
    assert place.runner("plan", "backup-papio", "--json").json["steps"]


def times(values: object, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text that looks like a time, with its key."""
    if isinstance(values, dict):
        for name, value in values.items():
            yield from times(value, name)
    elif isinstance(values, list):
        for value in values:
            yield from times(value, key)
    elif isinstance(values, str) and re.match(r"20\d\d-\d\d-\d\d[ T]\d\d:", values):
        yield key, values


def test_a_time_has_one_form_in_every_json(place: Place) -> None:
    file = str(place.trees[0] / "odd")
    verbs = (("status",), ("snapshots",), ("history",), ("find", file), ("plan", "backup-papio"), ("find", "odd"))
    verbs += (("snapshots", "--exceptions"),)
    known = [each for argv in verbs for each in times(place.runner(*argv, "--json").json)]
    assert {"ended", "started", "sealed", "changed", "made_at", "instant"} <= {key for key, _ in known}
    assert [each for each in known if not re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", each[1])] == []


def test_a_pattern_finds_names_in_the_newest_snapshot_and_hides_none_that_is_called_so(place: Place) -> None:
    star = os.fsdecode(odd(place, b"star*?[a]"))
    assert "first in" in place.runner("find", star).out
    by_pattern = place.runner("find", "star*").out
    assert star in by_pattern and re.search(rf"\d+ names? in {place.sealed[-1].name} for star\*", by_pattern)
    whole = place.runner("find", f"{place.trees[0]}/od[d]/s*r*", "--json").json["stores"]["papio"]
    assert whole["total"] >= 1 and star in [name["path"] for name in whole["names"]]
    nothing = place.runner("find", "no such*")
    assert nothing.code == 2 and "matches no name in papio/" in nothing.out


def test_history_names_the_jobs_of_each_run(place: Place) -> None:
    assert [run["jobs"] for run in place.runner("history", "--json").json][-1]["backup-papio"] == "done"
    assert "backup-papio" in place.runner("history").out and "prepare-" not in place.runner("history").out


def test_a_mistyped_job_is_answered_and_not_mailed_and_one_that_is_left_out_is_3(fresh: Place) -> None:
    fresh.declare(DUMP)
    ran = fresh.runner("run", "backup-papoi")
    assert ran.code == 2 and "did you mean 'backup-papio'?" in ran.err
    assert fresh.mails() == [] and fresh.runner("history", "--json").json == []
    for verb in ("plan", "run"):
        ran = fresh.runner(verb, "dump-papio")
        assert ran.code == 3, verb
        assert "it was left out: the sandbox has no database" in ran.out
    assert fresh.runner("plan").code == 0


def test_a_pipe_that_closes_early_is_no_failure(place: Place) -> None:
    process = place.start("diff", "previous")
    assert process.stdout
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0 and err == b""


@pytest.mark.parametrize(
    "name", [b"-rf", b"new\nline", b"\xff\xfe not utf8", b"star*?[a]", b"host:path", b" leading", b"\\#012"]
)
def test_a_file_with_a_hostile_name_comes_back_to_a_side_folder(place: Place, name: bytes) -> None:
    ran = place.runner("restore", "papio", odd(place, name), LC_ALL="C.UTF-8", PYTHONIOENCODING="utf-8:strict")
    assert ran.code == 0, ran.out + ran.err
    back = os.fsencode(restored(place)) + odd(place, name)
    with open(back, "rb") as file:  # noqa: PTH123  (a name of bytes)
        assert file.read() == b"odd %d\n" % trees.HOSTILE.index(name)
    assert len(os.listdir(os.path.dirname(back))) == 1  # noqa: PTH120, PTH208
    assert "It is back" in ran.out


def test_a_name_that_is_not_utf8_survives_a_plan_file(place: Place) -> None:
    name = odd(place, b"\xff\xfe not utf8")
    assert place.runner("restore", "papio", name, "--out", "odd.toml").code == 0
    assert place.runner("apply", "odd.toml").code == 0
    with open(os.fsencode(restored(place)) + name, "rb") as file:  # noqa: PTH123  (a name of bytes)
        assert file.read() == b"odd %d\n" % trees.HOSTILE.index(b"\xff\xfe not utf8")


def test_a_folder_comes_back_with_links_acls_and_all(place: Place) -> None:
    tree = place.trees[0]
    for part in ("links", "attributes", "special"):
        assert place.runner("restore", "papio", str(tree / part)).code == 0
        back = Path(f"{restored(place)}{tree / part}")
        assert compare.differences(place.copy_of(tree) / part, back) == []


def test_a_restore_is_of_the_time_asked_for(place: Place) -> None:
    tree = place.trees[0]
    older = place.copy_of(tree, place.sealed[0])
    for when in (place.sealed[0].name, "previous moment"):
        ran = place.runner("restore", "papio", str(tree / "links"), "--at", when)
        assert ran.code == (0 if when == place.sealed[0].name else 2), ran.out + ran.err
    assert compare.differences(older / "links", Path(f"{restored(place)}{tree / 'links'}")) == []
    tomorrow = (datetime.now(UTC) + timedelta(days=2)).strftime("%Y-%m-%d")
    assert place.runner("restore", "papio", str(tree / "links"), "--at", tomorrow).code == 0
    assert place.runner("restore", "papio", str(tree / "links"), "--at", "3 days ago").code == 2
    assert place.runner("restore", "papio", str(tree / "nothing")).code == 2
    assert place.runner("restore", "nobody", str(tree)).code == 2


def test_the_plan_of_a_restore_is_short_and_the_one_of_the_readme_and_word_for_word_when_asked(place: Place) -> None:
    source = ("restore", "papio", str(place.trees[0] / "links/z/first"), "--out", "short.toml")
    _, job, summary, _ = place.runner(*source).out.split("\n\n")
    assert f"\n\n    {job}\n\n    {summary}\n\n" in (REPOSITORY / "README.md").read_text("utf-8")
    assert "$ rsync --archive" in place.runner(*source, "--commands").out
    pin = ("pin", "latest", "--store", "papio", "--until", "2999-01-01", "--why", "x")
    assert " $ " not in place.runner(*pin).out
    assert " $ " in place.runner("pin", "latest", "--store", "papio", "--remove", "--commands").out


def test_a_restore_over_what_is_in_use_needs_yes_and_keeps_what_it_replaces(place: Place) -> None:
    name = "links/z/first"
    source = str(place.trees[0] / name)
    used = Path(f"{place.sandbox}/papio/srv/used{source}")
    used.parent.mkdir(parents=True)
    used.write_text("work of today\n")
    (used.parent / "bystander").write_text("stays\n")
    used.parent.chmod(0o2751)
    os.utime(used.parent, ns=(1, 1))
    before = compare.walk(used.parent)[b"."], used.parent.stat().st_ino
    refused = place.runner("restore", "papio", source, "--to", "/srv/used")
    assert refused.code == 4 and "--yes" in refused.out and used.read_text() == "work of today\n"
    ran = place.runner("restore", "papio", source, "--to", "/srv/used", "--yes")
    assert ran.code == 0, ran.out + ran.err
    assert used.read_bytes() == (place.copy_of(place.trees[0]) / name).read_bytes()
    assert (used.parent / "bystander").read_text() == "stays\n"
    aside = [path for path in (place.sandbox / "papio/var/restored").glob("*-replaced/tree") if any(path.iterdir())]
    kept = [path for path in aside[0].rglob("first*") if path.is_file()]
    assert [path.read_text() for path in kept] == ["work of today\n"]
    after = compare.walk(used.parent)[b"."]
    assert (after.mode, after.owner, after.group) == (before[0].mode, before[0].owner, before[0].group)
    assert used.parent.stat().st_ino == before[1]


def test_a_restore_by_plan_file_is_what_the_file_says(place: Place) -> None:
    source = str(place.trees[0] / "links/z/first")
    assert place.runner("restore", "papio", source, "--to", "/srv/planned", "--out", "back.toml").code == 0
    target = Path(f"{place.sandbox}/papio/srv/planned{source}")
    assert not target.exists()
    assert place.runner("apply", "back.toml").code == 0
    assert target.read_text() == "shared by three folders\n"


def test_sealed_snapshots_are_as_they_were_after_all_that_asking(place: Place) -> None:
    for snapshot in place.sealed:
        place.runner("restore", "papio", str(place.trees[0] / "odd"), "--at", snapshot.name)
    before = {path: compare.fingerprint(path) for path in place.sealed}
    place.runner("restore", "papio", str(place.trees[0]), "--to", "/srv/everything", "--yes")
    assert {path: compare.fingerprint(path) for path in place.sealed} == before


def test_a_store_that_cannot_be_read_is_told_and_ends_3(fresh: Place) -> None:
    fresh.store.parent.mkdir(parents=True)
    fresh.store.write_text("no folder")
    for verb in ("status", "snapshots"):
        assert fresh.runner(verb).code == 3, verb
    ran = fresh.runner("find", "/etc")
    assert ran.code == 3 and "papio" in ran.out
    for verb in (
        "diff latest",
        "restore papio /x",
        "bare-metal papio",
        "pin latest --remove",
        "snapshots --exceptions",
    ):
        ran = fresh.runner(*verb.split())
        assert ran.code == 3 and "no snapshot" not in ran.out + ran.err, (verb, ran)


def test_a_report_that_cannot_be_delivered_ends_6_and_the_work_is_recorded(fresh: Place) -> None:
    fresh.sandbox.mkdir()
    (fresh.sandbox / "mail").write_text("not a folder")
    ran = fresh.runner("run")
    assert ran.code == 6 and "could not be delivered" in ran.out
    assert len(fresh.sealed) == 1
    assert fresh.rows("SELECT verdict FROM jobs WHERE job = 'backup-papio'") == [{"verdict": "done"}]
    (fresh.sandbox / "mail").unlink()
    assert fresh.runner("run").code == 0
    first, second = fresh.mails()
    assert "sealed papio/" in first and " on " in first.partition("Subject: ")[2].partition(":")[0], "the late one"
    assert "could not be delivered then" in first and "could not be delivered" not in second


BUGGY = """
from runner.hookspecs import hookimpl
from runner.engine import execute

def broken(plan, means):
    raise KeyError("a bug of ours")

class Saboteur:
    @hookimpl
    def observe(self, event):
        execute.run = broken

def plugin(settings):
    return Saboteur()
"""


def test_a_bug_ends_70_with_the_report_delivered_and_the_journal_closed(fresh: Place) -> None:
    (fresh.folder / "mysite").mkdir()
    (fresh.folder / "mysite/saboteur.py").write_text(BUGGY)
    fresh.declare('[hooks."mysite.saboteur"]\n')
    ran = fresh.runner("run")
    assert ran.code == 70 and "this is a bug in the runner" in ran.err
    assert "a bug of ours" in fresh.mails()[0] and "Traceback" in fresh.mails()[0]
    assert [row["verdict"] for row in fresh.rows("SELECT verdict FROM runs")] == ["failed"]


def test_no_room_for_the_journal_stops_the_run_and_people_hear_of_it(fresh: Place) -> None:
    fresh.state.mkdir(parents=True)
    subprocess.run(("mount", "-t", "tmpfs", "-o", "size=512k,mode=700", "none", str(fresh.state)), check=True)
    try:
        fresh.runner("status")
        with (fresh.state / "filler").open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
            while True:
                file.write(b"x" * 4096)
        ran = fresh.runner("run")
    finally:
        subprocess.run(("umount", str(fresh.state)), check=True)
    assert ran.code == 1 and "journal" in ran.out, ran.out + ran.err
    assert "cannot be used" in fresh.mails()[0] and fresh.sealed == []


def test_a_full_store_fails_in_words_and_keeps_what_is_sealed(fresh: Place, tmp_path: Path) -> None:
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(24 << 20)
    subprocess.run(("mke2fs", "-q", "-t", "ext4", "-I", "256", str(image)), check=True)
    fresh.store.mkdir(parents=True)
    subprocess.run(("mount", "-o", "loop", str(image), str(fresh.store)), check=True)
    try:
        # 3: that there is little room may be told before there is none.
        assert fresh.runner("run").code in (0, 3)
        before = compare.fingerprint(fresh.sealed[0])
        for number in range(40):
            (fresh.trees[0] / f"large{number}").write_bytes(os.urandom(1 << 20))
        ran = fresh.runner("run", "backup-papio")
        assert ran.code == 1, ran.out + ran.err
        assert "] failed: backup-papio: no space left for store papio" in " ".join(fresh.mails()[-1].split()), ran.out
        assert len(fresh.sealed) == 1 and fresh.partials
        assert compare.fingerprint(fresh.sealed[0]) == before
        for number in range(30):
            (fresh.trees[0] / f"large{number}").unlink()
        for partial in fresh.partials:
            shutil.rmtree(partial)
            shutil.rmtree(fresh.store / ".incoming" / partial.name)
        assert fresh.runner("run", "backup-papio").code in (0, 3)
        assert compare.differences(fresh.trees[0], fresh.copy_of(fresh.trees[0])) == []
    finally:
        subprocess.run(("umount", str(fresh.store)), check=True)


def test_ctrl_c_ends_a_verb_that_only_reads_at_once(fresh: Place) -> None:
    fresh.declare('[hooks."mysite.slow"]\n')
    (fresh.folder / "mysite").mkdir()
    (fresh.folder / "mysite/slow.py").write_text(
        "import time\nfrom runner.hookspecs import hookimpl\n"
        "class Slow:\n    @hookimpl\n    def check_plan(self, plan, facts):\n"
        "        open('begun', 'w').close()\n        time.sleep(600)\n"
        "def plugin(settings):\n    return Slow()\n"
    )
    with running(fresh.start("plan")) as process:
        until((fresh.folder / "begun").exists)
        begun = time.monotonic()
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(timeout=60) == -signal.SIGINT
        assert time.monotonic() - begun < 20
