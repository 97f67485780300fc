"""Two keepers: what destroys, or expires more than usual, runs when two of them have signed these very bytes."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import tomli_w

from runner.__main__ import run
from runner.tools import keepers
from tests.contract.site import PATIENCE, Place, small
from tests.contract.verbs.test_apply import EFFECT, hook
from tests.contract.verbs.test_seal import written

PEOPLE = ("anna", "karl", "eve")


def key(folder: Path, name: str, *options: str) -> Path:
    """A new key of this person."""
    subprocess.run(
        ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name), *options),
        check=True,
        timeout=PATIENCE,
    )
    return folder / name


def allowed(key: Path, name: str, options: str = "") -> str:
    """The line of the file of keepers."""
    kind, content, *_ = Path(f"{key}.pub").read_text().split()
    return f"{name} {options} {kind} {content}\n"


def signature(key: Path, content: bytes, namespace: str = "runner-plan") -> bytes:
    argv = ("ssh-keygen", "-Y", "sign", "-q", "-n", namespace, "-f", str(key))
    return subprocess.run(argv, input=content, check=True, capture_output=True, timeout=PATIENCE).stdout


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("keys")
    return {name: key(folder, name) for name in PEOPLE}


@pytest.fixture
def place(tmp_path: Path, keys: dict[str, Path]) -> Place:
    """A site of anna and karl, whose plan would destroy, by touching `mark`; it is in plan.toml."""
    made = small(tmp_path)
    hook(made, EFFECT.format(effect="DESTROY", mark=tmp_path / "mark"))
    made.declare('[hooks."mysite.keeper"]\n', site="two_keepers = true")
    (made.folder / "keepers").write_text("".join(allowed(keys[name], name) for name in ("anna", "karl")))
    assert made.runner("plan", "--out", "plan.toml").code == 0
    return made


def signed(place: Place, *signatures: bytes) -> None:
    (place.folder / "plan.toml.sig").write_bytes(b"".join(signatures))


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def refused(place: Place, words: str) -> None:
    """It is refused in one sentence, and nothing is done. In this process: a start takes longer than all else."""
    before, out, err = place.listing(), io.StringIO(), io.StringIO()
    with inside(place.folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        kept, sys.dont_write_bytecode = sys.dont_write_bytecode, True
        code = run(["apply", "plan.toml"])
        sys.dont_write_bytecode = kept
    assert code == 4 and not out.getvalue() and len(err.getvalue().splitlines()) == 2, err.getvalue()
    assert words in err.getvalue(), err.getvalue()
    assert place.listing() == before and not (place.folder.parent / "mark").exists()
    assert not list(place.state.glob(".signed*"))


def test_what_plan_prints_is_what_two_keepers_type(place: Place, keys: dict[str, Path], tmp_path: Path) -> None:
    said = place.runner("plan", "--out", "plan.toml")
    assert "backup-papio/extra would destroy what cannot be had back\n" in said.out
    assert "two of anna, karl have to read it and sign it" in said.out
    (command,) = (line.strip() for line in said.out.splitlines() if line.strip().startswith("ssh-keygen"))
    for name, now in (("anna", "only anna has"), ("karl", "")):
        home = tmp_path / f"home of {name}"
        (home / ".ssh").mkdir(parents=True)
        shutil.copy(keys[name], home / ".ssh/id_ed25519")
        refused(place, "there is no plan.toml.sig" if name == "anna" else "only anna has")
        subprocess.run(("sh", "-c", command), cwd=place.folder, check=True, env={**os.environ, "HOME": str(home)})
        if now:
            refused(place, now)
    said = place.runner("apply", "plan.toml")
    assert said.code == 0 and "Signed by anna and karl." in said.out
    assert (tmp_path / "mark").exists() and len(place.sealed) == 1
    # The signatures are still there, and the plan runs once.
    again = place.runner("apply", "plan.toml")
    assert again.code == 0 and "already done" in again.out and len(place.sealed) == 1


def test_signatures_that_do_not_count(place: Place, keys: dict[str, Path], tmp_path: Path) -> None:
    plan = (place.folder / "plan.toml").read_bytes()
    anna, karl, eve = (signature(keys[name], plan) for name in PEOPLE)
    other = signature(keys["karl"], plan + b"# a remark\n")
    mail = signature(keys["karl"], plan, "file")
    broken = karl.replace(b"\nU1NIU0lH", b"\nU1NIU0lI")
    assert broken != karl
    for second in (b"", anna, eve, other, mail, broken, karl[:-40], b"\0" * 999, plan):
        signed(place, anna, second)
        refused(place, "and only anna has")
    signed(place, eve, eve)
    refused(place, "and none of them has; 2 signatures there of another plan, or of nobody in keepers")
    signed(place, *[other] * 21)
    refused(place, "21 signatures: most must be of other plans")
    signed(place, anna, karl, b"x" * (64 << 10))
    refused(place, "is no file of signatures")
    (place.folder / "plan.toml.sig").unlink()
    os.mkfifo(place.folder / "plan.toml.sig")
    refused(place, "is no file of signatures")
    (place.folder / "plan.toml.sig").unlink()
    (place.folder / "plan.toml.sig").mkdir()
    refused(place, "cannot be read: Is a directory")
    (place.folder / "plan.toml.sig").rmdir()
    # Of an older plan of the same name some may still be there.
    signed(place, other, eve, karl, b"some words\r\n", anna)
    assert place.runner("apply", "plan.toml").code == 0 and (tmp_path / "mark").exists()


def test_what_was_signed_is_the_bytes_and_not_what_they_mean(place: Place, keys: dict[str, Path]) -> None:
    plan = place.folder / "plan.toml"
    signed(place, *(signature(keys[name], plan.read_bytes()) for name in ("anna", "karl")))
    plan.write_text(tomli_w.dumps(written(place)))
    refused(place, "and none of them has; 2 signatures")


def one_key(keys: dict[str, Path]) -> str:
    """Karl's line has anna's key: one person under two names."""
    return allowed(keys["anna"], "anna") + allowed(keys["anna"], "karl")


def one_name(keys: dict[str, Path]) -> str:
    return allowed(keys["anna"], "anna") + allowed(keys["karl"], "anna")


def expired(keys: dict[str, Path]) -> str:
    return allowed(keys["anna"], "anna") + allowed(keys["karl"], "karl", 'valid-before="20200101"')


def for_mail(keys: dict[str, Path]) -> str:
    return allowed(keys["anna"], "anna") + allowed(keys["karl"], "karl", 'namespaces="email"')


def anybody(keys: dict[str, Path]) -> str:
    return allowed(keys["anna"], "anna") + allowed(keys["karl"], "*")


def damaged(keys: dict[str, Path]) -> str:
    return allowed(keys["anna"], "anna") + "karl ssh-ed25519 AAAA\n"


FILES: tuple[tuple[Callable[[dict[str, Path]], str], str], ...] = (
    (one_key, "only anna has"), (one_name, "names anna, and two keepers have to sign"), (expired, "only anna has"),
    (for_mail, "only anna has"), (anybody, "line 2 does not begin with the name of one person"),
    (damaged, "only anna has"), (lambda keys: "", "names nobody"), (lambda keys: "\udcff", "it is no text"),
)  # fmt: skip


def test_a_file_of_keepers_that_has_not_two(place: Place, keys: dict[str, Path]) -> None:
    plan = (place.folder / "plan.toml").read_bytes()
    signed(place, *(signature(keys[name], plan) for name in ("anna", "karl")))
    for file, words in FILES:
        (place.folder / "keepers").write_text(file(keys), "utf-8", "surrogateescape")
        refused(place, words)


def test_a_file_of_keepers_that_is_away_is_told_when_the_plan_is_made(place: Place) -> None:
    (place.folder / "keepers").unlink()
    assert "which says who may sign: No such file" in place.runner("plan", "--out", "plan.toml").out
    refused(place, "which says who may sign: No such file")


def test_a_file_of_keepers_that_others_may_change_stops_everything(place: Place) -> None:
    (place.folder / "keepers").chmod(0o666)
    said = place.runner("apply", "plan.toml")
    assert said.code == 2 and "keepers: everybody may write it" in said.err
    (place.folder / "keepers").chmod(0o644)
    os.chown(place.folder / "keepers", 12345, -1)
    assert place.runner("plan").code == 2


def test_without_ssh_keygen_nothing_is_taken_for_signed(
    place: Place, keys: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    signed(place, signature(keys["anna"], (place.folder / "plan.toml").read_bytes()))
    find = keepers.find
    monkeypatch.setattr(keepers, "find", lambda *words: ("/nowhere/ssh-keygen", *find(*words)[1:]))
    refused(place, "whether it is signed cannot be seen")


def test_an_unattended_run_leaves_it_out_and_a_named_one_is_refused(place: Place, tmp_path: Path) -> None:
    unasked = place.runner("run")
    assert (
        unasked.code == 3 and "so two keepers have to sign it" in unasked.out and "it needs two keepers" in unasked.out
    )
    assert place.runner("run", "--yes").code == 3
    named = place.runner("run", "backup-papio", "--yes")
    assert named.code == 4 and not (tmp_path / "mark").exists() and not place.store.exists()


def test_more_expiries_than_usual_need_two_keepers(tmp_path: Path, keys: dict[str, Path]) -> None:
    place = small(tmp_path)
    for _ in range(3):
        assert place.runner("run", "backup-papio").code == 0
    declare = partial(place.declare, '[jobs.purge-papio]\nkind = "prune"\nstore = "papio"\nschedule = "0 4 * * *"\n')
    declare(site="two_keepers = true")
    jobs = place.folder / "jobs.toml"
    jobs.write_text(jobs.read_text().replace("min = 30, max = 400", "min = 1, max = 1, per_day = 50, expire_usual = 1"))
    (place.folder / "keepers").write_text("".join(allowed(keys[name], name) for name in ("anna", "karl")))
    said = place.runner("run", "purge-papio")
    assert said.code == 4 and "would expire 2 snapshots of store papio, and 1 in a plan are usual" in said.out
    # A run that nobody watches makes the snapshot all the same, though one expires for it.
    assert place.runner("run").code == 3 and len(place.sealed) == 3
    said = place.runner("plan", "purge-papio", "--out", "plan.toml")
    assert said.code == 0 and "would expire 2 snapshots" in said.out
    refused(place, "there is no plan.toml.sig")
    plan = (place.folder / "plan.toml").read_bytes()
    signed(place, *(signature(keys[name], plan) for name in ("anna", "karl")))
    assert place.runner("apply", "plan.toml").code == 0 and len(place.sealed) == 1
