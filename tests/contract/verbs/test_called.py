"""What people type: words of other programs, from other folders, from a checkout that was moved."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runner.cli.verbs import VERBS
from tests.contract.site import REPOSITORY, Place

SCRIPT = f"""#!{sys.executable}
import sys
sys.path.insert(0, "{REPOSITORY}")
from runner.__main__ import main
main()
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "tree").mkdir()
    made = Place(folder=tmp_path / "site", trees=(tmp_path / "tree",))
    made.declare()
    return made


def test_without_a_verb_the_verbs_are_listed_and_nothing_was_done(place: Place) -> None:
    ran = place.runner()
    assert (ran.code, ran.out) == (2, "")
    assert all(f"    {verb} " in ran.err or f"    {verb}\n" in ran.err for verb in VERBS)


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        ("backup", "runner run makes what is due"), ("snapshot", "runner run makes what is due"), ("runn", "did you mean: runner run?"),
        ("purge", "runner run JOB"), ("check", "runner validate checks jobs.toml"), ("log", "runner history"),
        ("backup-papio", "a job is run with: runner run JOB"), ("help", "runner run --help"), ("--dry-run", "runner plan shows"), ("dump", "runner run JOB"),
        ("find ", "names no file"),
        ("run --dry-run", "runner plan shows what would be done"), ("run backup-papio -n", "runner plan shows what would be done"),
        ("apply plan.toml --dry-run", "runner plan shows"), ("restore papio /x --dry-run", "with --out plan.toml"),
    ],
)  # fmt: skip
def test_a_word_of_other_programs_is_answered_with_ours(argv: str, told: str, place: Place) -> None:
    ran = place.runner(*argv.split(" "))
    assert (ran.code, ran.out) == (2, "") and not place.sandbox.exists()
    assert told in ran.err and "choose from" not in ran.err


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        ("run --new-machine papoi", "did you mean"),
        ("run --new-machine papio", "in the sandbox this machine plays every host"),
        ("run backup-papio --package bash", "--package is for jobs of kind upgrade"),
        ("run --for 2026-11-23T08:15:00Z", "--for is for one job"),
    ],
)
def test_what_no_run_can_do_is_said_to_whoever_typed_it_and_to_nobody_else(argv: str, told: str, place: Place) -> None:
    ran = place.runner(*argv.split())
    assert ran.code == 2 and told in ran.err, ran.out + ran.err
    assert not place.mails() and "no run yet" in place.runner("history").out


def test_what_is_compared_needs_two_snapshots_and_is_the_last_two(place: Place) -> None:
    assert place.runner("run", "backup-papio").code == 0
    ran = place.runner("diff", "previous")
    assert ran.code == 2 and f"there is none before {place.sealed[0].name}, the only one" in ran.err
    (place.trees[0] / "new").write_text("new")
    assert place.runner("run", "backup-papio").code == 0
    older, newer = (snapshot.name for snapshot in place.sealed)
    for argv in ((), ("previous",), ("previous", "latest")):
        assert place.runner("diff", *argv).out.startswith(f"{older} -> {newer}"), argv


def test_advice_is_a_command_that_works_from_any_folder(place: Place, tmp_path: Path) -> None:
    script = place.folder / ".venv/bin/runner"
    script.parent.mkdir(parents=True)
    script.write_text(SCRIPT)
    script.chmod(0o755)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment = {**os.environ, "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}

    def typed(*argv: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            argv, check=False, cwd=elsewhere, env=environment, capture_output=True, text=True, timeout=60
        )

    ran = typed(script, "run", "backup-papio")
    assert ran.returncode == 0 and place.sealed, ran.stderr
    (advised,) = (line.split("  ")[-1] for line in ran.stdout.splitlines() if "get a file back" in line)
    assert advised.startswith(f"{script} restore papio ")
    assert typed("sh", "-c", advised).returncode == 0
    wrong = typed(script, "find", "/nothing/of/the/kind", "--store", "papoi")
    assert wrong.returncode == 2
    refused = typed(script, "backup")
    assert f"-> {script} run makes what is due" in refused.stderr
    on_path = tmp_path / "bin"
    on_path.mkdir()
    (on_path / "runner").symlink_to(script)
    environment["PATH"] = f"{on_path}:/usr/bin:/bin"
    assert "-> runner run makes what is due" in typed(script, "backup").stderr
    assert typed("runner", "status").stdout.startswith("babase  sandbox")
    environment["PATH"] = "/usr/bin:/bin"
    named = typed(script, "restore", "papio", "/not-there", "-f", str(place.folder / "jobs.toml"))
    assert f"{script} find --file {place.folder}/jobs.toml /not-there" in named.stderr
    assert list(elsewhere.iterdir()) == []
    # A site in the folder that one is in is meant, which is said; what is advised about it works elsewhere too.
    copied = elsewhere / "jobs.toml"
    copied.write_text((place.folder / "jobs.toml").read_text())
    taken = typed(script, "restore", "papio", "/not-there")
    assert f"the site is {copied}, of this folder, and not {place.folder}/jobs.toml" in taken.stderr
    assert f"{script} run --file {copied} backup-papio" in taken.stderr
    planned = typed(script, "plan", "--out", "p.toml", "--file", place.folder / "jobs.toml")
    assert f"apply --file {place.folder}/jobs.toml {elsewhere}/p.toml" in planned.stdout


def test_a_checkout_that_was_moved_makes_its_programs_anew(tmp_path: Path) -> None:
    (tmp_path / ".venv/bin").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, tmp_path)
    shutil.copytree(REPOSITORY / ".ci", tmp_path / ".ci")
    program = tmp_path / ".venv/bin/runner"
    (tmp_path / ".venv/run").touch()

    def make() -> str:
        (tmp_path / ".venv/run").touch()
        return subprocess.run(("make", "-n", "status"), cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    program.write_text(f"#!{tmp_path}/.venv/bin/python\n")
    assert "making .venv" not in make()
    program.write_text("#!/where/it/was/.venv/bin/python\n")
    assert "making .venv" in make()
