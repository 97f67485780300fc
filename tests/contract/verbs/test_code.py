"""The code of a plan: shown last where it is written, and no other plan runs with it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from runner.engine import planfile, seal
from tests.contract.site import REPOSITORY, Place, Said, small
from tests.contract.verbs.test_apply import EFFECT, hook
from tests.contract.verbs.test_terminal import shown

CODE = re.compile(r"[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}")


def code_of(said: Said) -> str:
    """What stands last, and is a code."""
    code = said.out.split()[-1]
    assert said.code == 0 and CODE.fullmatch(code), said
    return code


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A site whose plan would interrupt, by touching `mark`."""
    made = small(tmp_path)
    hook(made, EFFECT.format(effect="INTERRUPT", mark=tmp_path / "mark"))
    return made


def test_a_plan_runs_with_its_own_code_however_it_is_typed_and_with_no_other(place: Place, tmp_path: Path) -> None:
    first = code_of(place.runner("plan", "--out", "first.toml"))
    code = code_of(place.runner("plan", "--out", "plan.toml"))
    assert first != code
    file = planfile.take(place.folder / "plan.toml", place.key)
    assert file.code == code and file.content == (place.folder / "plan.toml").read_bytes()
    assert code not in file.content.decode()
    before = place.listing()
    for wrong in (first, code[:-1], f"A{code}", "", "-", "\udcff", "é" * 99, "0000-0000"):
        said = place.runner("apply", "plan.toml", f"--code={wrong}")
        assert said.code == 4 and not said.out and "nothing was done" in said.err.splitlines()[0], said
        assert code not in said.err.replace(f"A{code}", "") and len(said.err.splitlines()) == 2
    assert place.listing() == before
    assert place.runner("apply", "plan.toml", "--code", f" {code.lower().replace('-', ' ')}").code == 0
    assert (tmp_path / "mark").exists()


def test_the_code_is_shown_wherever_a_plan_is_written_and_not_in_json(place: Place) -> None:
    assert place.runner("run", "--yes").code == 0
    file = str(place.trees[0] / "file")
    code_of(place.runner("restore", "papio", file, "--out", "back.toml"))
    assert CODE.search(place.runner("plan", "backup-papio", "--json", "--out", "plan.toml").out) is None
    assert CODE.search(place.runner("plan", "backup-papio").out) is None


def test_at_a_terminal_it_is_asked_for_where_people_notice(place: Place, tmp_path: Path) -> None:
    code = code_of(place.runner("plan", "--out", "plan.toml"))
    for typed in (b"yes\n", b"\x04"):
        told = " ".join(" ".join(shown(place, "apply", "plan.toml", typed=typed)).split())
        assert "interrupts: backup-papio/extra" in told and "nothing was done" in told and code not in told
        assert not (tmp_path / "mark").exists() and not place.store.exists()
    told = " ".join(shown(place, "apply", "plan.toml", typed=code.lower().encode() + b"\n"))
    assert "The code of this plan" in told and (tmp_path / "mark").exists() and len(place.sealed) == 1
    # Who has said it is not asked.
    assert "The code of" not in " ".join(shown(place, "apply", "plan.toml", "--code", code))


def test_what_interrupts_nobody_is_not_asked_about_unless_the_site_says_so(tmp_path: Path) -> None:
    place = small(tmp_path)
    assert "takes with --code" in place.runner("plan", "--out", "plan.toml").out
    assert "The code of" not in " ".join(shown(place, "apply", "plan.toml"))
    place.declare(site="ask_code = true")
    said = place.runner("plan", "backup-papio", "--out", "plan.toml")
    assert "apply asks for" in said.out
    refused = place.runner("apply", "plan.toml")
    assert refused.code == 4 and "its code was not given" in refused.err and len(place.sealed) == 1
    assert "The code of" in " ".join(shown(place, "apply", "plan.toml", typed=code_of(said).encode() + b"\n"))
    assert len(place.sealed) == 2


def test_make_gives_the_code_on() -> None:
    for code, words in (("K7QM 2XWD", "apply plan.toml --code 'K7QM 2XWD'"), ("", "apply plan.toml ")):
        argv = ("make", "--no-print-directory", "--dry-run", "-o", ".venv/run", "apply", f"CODE={code}")
        assert (
            subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True, check=True)
            .stdout.rstrip("\n")
            .endswith(words)
        )


def test_codes_are_of_the_key_and_of_the_seal() -> None:
    seals = [f"{number:064x}" for number in range(2000)]
    codes = {seal.code(each, bytes([byte]) * 32) for each in seals for byte in (1, 2)}
    assert len(codes) == 4000 and all(CODE.fullmatch(code) for code in codes)
    assert {letter for code in codes for letter in code} == set("23456789ABCDEFGHJKLMNPQRSTUVWXYZ-")
