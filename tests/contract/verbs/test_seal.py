"""The seal of plan.toml: what was not written here, or is not as it was written, never runs; and what is sealed and
makes no sense is refused, or run, in words.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from runner.__main__ import run
from runner.engine import planfile, seal
from runner.model.errors import BUG, EXIT_CODES, PlanRefused
from tests.contract.site import REPOSITORY, Place

Values = dict[str, Any]


def place_at(folder: Path) -> Place:
    """A site over a small tree, with a plan for it in plan.toml; nothing has run."""
    tree = folder / "tree"
    tree.mkdir(parents=True)
    (tree / "file").write_text("content")
    made = Place(folder=folder / "site", trees=(tree,))
    made.declare(mail=False)
    assert made.runner("plan", "--out", "plan.toml").code == 0
    return made


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return place_at(tmp_path)


def written(place: Place) -> Values:
    return tomllib.loads((place.folder / "plan.toml").read_text())


def refused(place: Place) -> str:
    """It is refused before anything is looked at or done, in one sentence that says what to do."""
    before = place.listing()
    said = place.runner("apply", "plan.toml")
    assert said.code == PlanRefused.code and not said.out, said
    assert "make it again: runner plan --out plan.toml" in said.err and "Traceback" not in said.err
    assert place.listing() == before and not place.store.exists()
    return said.err


def test_a_plan_that_was_changed_and_summed_anew_does_not_run(place: Place, tmp_path: Path) -> None:
    """What the sum of the formats before could not hold off, in every way in which a stranger could make one."""
    good = written(place)
    mark = tmp_path / "mark"
    good["steps"][0] |= {"action": {"argv": ["sh", "-c", f"touch {mark}"]}, "effect": "read"}
    del good["seal"]
    plain = hashlib.sha256(json.dumps(good, sort_keys=True, default=str).encode()).hexdigest()
    old = good | {"format": 2}
    sums: list[tuple[Values, Values]] = [
        (good, {}), (good, {"sha256": plain}), (good, {"seal": plain}), (good, {"seal": ""}), (good, {"seal": True}),
        (good, {"seal": seal.of(good, b"")}), (good, {"seal": seal.of(good, b"\0" * 32)}),
        (old, {"sha256": hashlib.sha256(json.dumps(old, sort_keys=True, default=str).encode()).hexdigest()}),
    ]  # fmt: skip
    for values, summed in sums:
        (place.folder / "plan.toml").write_text(tomli_w.dumps({**values, **summed}))
        words = refused(place)
        assert ("another version" if values is old else "changed after it was made") in words
        assert not mark.exists()


def test_a_plan_of_another_site_is_refused_also_where_all_else_is_the_same(place: Place, tmp_path: Path) -> None:
    (place.state / "plan.key").unlink()
    assert place.runner("plan", "--out", "other.toml").code == 0
    assert "made by another site" in refused(place)
    (place.folder / "other.toml").rename(place.folder / "plan.toml")
    assert place.runner("apply", "plan.toml").code == 0


def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    """Many processes at once get the same whole key, and nothing else is left in the folder."""
    script = "import sys, pathlib; from runner.engine import seal; print(seal.key_of(pathlib.Path(sys.argv[1])).hex())"
    for number in range(5):
        state = tmp_path / f"{number}/state"
        argv = (sys.executable, "-c", script, str(state))
        started = [subprocess.Popen(argv, cwd=REPOSITORY, stdout=subprocess.PIPE, umask=0, text=True) for _ in range(6)]
        keys = {process.communicate()[0] for process in started}
        assert len(keys) == 1 and len(bytes.fromhex(keys.pop())) == 32
        assert [path.name for path in state.iterdir()] == ["plan.key"]
        assert stat.S_IMODE((state / "plan.key").stat().st_mode) == 0o600


def shared(key: Path) -> None:
    key.chmod(0o640)


def given_away(key: Path) -> None:
    os.chown(key, 12345, -1)


def cut(key: Path) -> None:
    key.write_bytes(key.read_bytes()[:31])


def empty(key: Path) -> None:
    key.write_bytes(b"")


@pytest.mark.parametrize("spoil", [shared, given_away, cut, empty])
def test_a_key_that_others_had_or_that_is_damaged_seals_nothing(place: Place, spoil: Callable[[Path], None]) -> None:
    key = place.state / "plan.key"
    spoil(key)
    for verb in (("apply", "plan.toml"), ("plan", "--out", "plan.toml")):
        said = place.runner(*verb)
        assert said.code != 0 and "plan.key" in said.err and "Traceback" not in said.err
    key.unlink()
    assert place.runner("plan", "--out", "plan.toml").code == 0 and place.runner("apply", "plan.toml").code == 0


def test_the_key_is_nowhere_but_in_its_file(place: Place) -> None:
    said = place.runner("plan", "--out", "plan.toml", "--json")
    after = place.runner("apply", "plan.toml")
    assert after.code == 0
    key = place.key
    forms = (key, key.hex().encode(), base64.b64encode(key), repr(key)[2:-1].encode())
    texts = {"what is shown": (said.out + said.err + after.out + after.err).encode("utf-8", "surrogateescape")}
    texts |= {str(path): path.read_bytes() for path in place.folder.rglob("*") if path.is_file()}
    del texts[str(place.state / "plan.key")]
    assert len(texts) > 5
    assert [name for name, text in texts.items() if any(form in text for form in forms)] == []


# What is put in the place of a value. No word leads a command to a place that it could write to.
NUMBERS = (-1, 0, 1, 255, 2**31, 2**62, 2**63, 10**400, 0.5, 1e300, float("inf"), float("nan"))
TEXTS = (
    "", ".", "..", "../..", "a/b", "\0", "\n\x1b[2J", "é", "x" * 5000, "papio", "read", "kept:../../x", "{held}", "/proc/nowhere",
    "0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59+00:00", "2026-11-23T08:15:00-23:59", "2026-11-23T08:15:00",
)  # fmt: skip
ESCAPED = tuple({"escaped": text} for text in ("\\udcff", "\\ud800", "\\U00110000", "\\x", "\\q", "é", "\\x00", 1))
JUNK = (*NUMBERS, *TEXTS, *ESCAPED, True, False, [], {}, [[]], [{}], {"step": "x"}, {"argv": []})
WORDS = ("\0", "--odd", "/proc/nowhere", {"escaped": "\\udcff"}, 7)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where every value of the plan is; the inside of a command is one value."""
    yield path
    if isinstance(value, dict) or isinstance(value, list) and path[-1] != "argv":
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*path, key))


def spoilt(draw: Callable[[Any], Any], values: Values) -> None:
    """Change, lose, double or turn round the values at one place."""
    *way, last = draw(st.sampled_from([path for path in places(values) if path]))
    holder: Any = values
    for key in way:
        holder = holder[key]
    value = holder[last]
    others = [value[::-1], [*value, *deepcopy(value[-1:])]] if isinstance(value, list) else []
    # A word of a command, and where a file is put, could be written to.
    words = WORDS if last in ("argv", "path") else JUNK
    if last == "argv":
        at = draw(st.integers(0, len(value)))
        others = [value[:at], *([*value[:at], word, *value[at + 1 :]] for word in words)]
    # Mostly what is of the right type, so that more is seen of it than its reading.
    like = [word for word in (*words, *others) if type(word) is type(value)]
    if draw(st.integers(0, 9)) == 0:
        del holder[last]
    else:
        holder[last] = deepcopy(draw(st.sampled_from(like if like and draw(st.integers(0, 3)) else (*words, *others))))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A site that has run once: its plan rests on a snapshot, and its steps share with it."""
    made = place_at(tmp_path_factory.mktemp("sealed"))
    assert made.runner("run").code == 0
    (made.trees[0] / "file").write_text("other content")
    assert made.runner("plan", "backup-papio", "--out", "plan.toml").code == 0
    assert len(written(made)["steps"]) > 5
    shutil.copytree(made.sandbox, made.folder / "as it was", symlinks=True)
    return made


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
@given(data=st.data())
def test_whatever_is_sealed_is_refused_or_run_and_never_a_traceback(
    data: st.DataObject, site: Place, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The right key, and anything in the plan: so the reading itself is tried, the review, the run and its report."""
    values = written(site)
    del values["seal"]
    for _ in range(data.draw(st.integers(1, 3))):
        spoilt(data.draw, values)
    file = site.folder / "odd.toml"
    try:
        file.write_text(tomli_w.dumps({**values, "seal": seal.of(values, site.key)}), "utf-8")
    except (TypeError, ValueError):
        return
    shutil.rmtree(site.sandbox)
    shutil.copytree(site.folder / "as it was", site.sandbox, symlinks=True)
    monkeypatch.chdir(site.folder)
    assert run(["apply", str(file)]) in EXIT_CODES.keys() - {BUG}
    shown = capfd.readouterr()
    assert "Traceback" not in shown.out + shown.err and "a bug" not in shown.out


def test_the_bounds_of_numbers_are_those_of_the_schema() -> None:
    schema = json.loads((REPOSITORY / "schema/plan.schema.json").read_text())
    limits = {
        name: (field["minimum"], field["maximum"])
        for part in schema["$defs"].values()
        for name, field in part.get("properties", {}).items()
        if "maximum" in field
    }
    assert limits == planfile.BOUNDS
