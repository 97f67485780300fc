"""The house keeps its own rules, and each rule fails on an offence that was planted for it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from statistics import median

import pytest

from tests.unit import house, house_advice, house_names, house_prose, house_tests

ROOT = Path(__file__).parents[2]
RULES = (*house.RULES, *house_advice.RULES, *house_names.RULES, *house_prose.RULES, *house_tests.RULES)
SMALL = "\n".join(f"def f{n}() -> int:\n    return {n}\n" for n in range(120))

# The rule that must see it, the file that is planted, its text.
PLANTED: tuple[tuple[Callable[[Path], list[str]], str, str], ...] = (
    (house.floors, "runner/model/bad.py", "from runner.engine import execute\n"),
    (house.floors, "runner/report/bad.py", "def f():\n    from runner.jobs.power import halt\n"),
    (house.floors, "runner/engine/bad.py", "from runner.jobs import catalogue\n"),
    (house.floors, "runner/hosts/bad.py", "from runner.config import load\n"),
    (house.floors, "runner/jobs/power/bad.py", "from runner.planning import planner\n"),
    (house.floors, "runner/jobs/power/bad2.py", "from runner.agent.power import idle\n"),
    (house.floors, "runner/jobs/power/bad3.py", "from runner.agent import command\n"),
    (house.floors, "runner/jobs/power/bad4.py", "import runner.agent.command\n"),
    (house.floors, "runner/verbs/bad.py", "from runner.agent.power.contract import Idle\n"),
    (house.floors, "runner/engine/bad.py", "from runner.agent.power.contract import Idle\n"),
    (house.floors, "runner/model/bad.py", "from ..engine import execute\n"),
    (house.floors, "runner/planning/bad.py", "from runner.jobs.retention import prune\n"),
    (house.floors, "runner/newcomer.py", "x = 1\n"),
    (house.circles, "runner/tools/a.py", "from runner.tools import b\n"),
    (house.doors, "runner/jobs/power/bad.py", "import subprocess\n"),
    (house.doors, "runner/report/bad.py", "from rich import table\n"),
    (house.alone, "runner/agent/power/bad.py", "import msgspec\n"),
    (house.alone, "runner/agent/power/bad.py", "from runner.model import plan\n"),
    (house.alone, "runner/agent/power/bad.py", "from ...model import plan\n"),
    (house.alone, "runner/agent/bad.py", "from .. import model\n"),
    (house.alone, "runner/agent/power/bad.py", "match x:\n    case 1:\n        pass\n"),
    (house.clock, "runner/jobs/power/bad.py", "from datetime import datetime\nx = datetime.now()\n"),
    (house.prints, "runner/engine/bad.py", "print('hello')\n"),
    (house.long_files, "runner/tools/bad.py", SMALL),
    (house.long_functions, "runner/tools/bad.py", "def f():\n" + "    x = 1\n" * 50),
    (house.parameters, "runner/tools/bad.py", "def f(a, b, c, *, d, e, f, g):\n    return a\n"),
    (house.words, "runner/tools/helpers.py", "x = 1\n"),
    (house.words, "runner/tools/bad.py", "dry_run = True\n"),
    (house.exports, "runner/tools/__init__.py", "from runner.tools.rsync import look\n"),
    (house.values, "runner/model/bad.py", "@dataclass(frozen=True)\nclass Bad:\n    x: int\n"),
    (house.unformatted, "runner/tools/bad.py", "x = 1  # fmt: skip\n" * 31),
    (house.asserts, "runner/tools/bad.py", "assert x is not None\n"),
    (house.rooms, "runner/agent/nowhere/bad.py", "x = 1\n"),
    (house_prose.read_back, "runner/planning/bad.py", "x = finding.text.startswith('pinned')\n"),
    (house_prose.read_back, "runner/report/bad.py", "x = job.headline == 'busy'\n"),
    (house_prose.read_back, "hooks/bad.py", "x = 'disk' in skip.reason\n"),
    (house_prose.read_back, "runner/jobs/power/bad.py", "x = outcome.step.rpartition('/')[2]\n"),
    (house_prose.read_back, "runner/engine/bad.py", "import re\nx = re.search('a', one.note)\n"),
    (house_prose.read_back, "runner/verbs/bad.py", "x = step.action.argv[1]\n"),
    (house_prose.read_back, "runner/jobs/power/bad.py", "x = NOT_ALL in job.headline\n"),
    (house_prose.read_back, "runner/engine/bad.py", "x = 'busy' in str(outcome.note)\n"),
    (house_prose.read_back, "runner/engine/bad.py", "x = outcome.note.lower().split(' -> ')\n"),
    (house_prose.read_back, "runner/engine/bad.py", "def f(x):\n    now = x.text if x else ''\n    y = now.split()\n"),
    (
        house_prose.read_back,
        "hooks/bad.py",
        "def f(job):\n    for line in job.details:\n        re.search('a', line)\n",
    ),
    (
        house_prose.read_back,
        "runner/verbs/bad.py",
        "def f(steps):\n    all = (step.action.argv for step in steps)\n    return [argv[1:] for argv in all]\n",
    ),
    (house_prose.kinds, "runner/planning/bad.py", "x = job.kind == 'snapshot'\n"),
    (house_prose.kinds, "runner/report/bad.py", "x = job.kind in ('restore', 'drill')\n"),
    (house_prose.families, "runner/agent/power/bad.py", "x = f'{y}: neither dpkg nor another'\n"),
    (house_names.vague, "runner/jobs/power/bad.py", "def told() -> str:\n    return ''\n"),
    (house_names.vague, "runner/agent/power/bad.py", "x = [one for one in range(3)]\n"),
    (house_names.vague, "runner/model/bad.py", "class Bad:\n    found: int\n"),
    (house_names.classes, "runner/agent/power/bad.py", "class B:\n    pass\n\n\nclass _B:\n    pass\n"),
    (house_names.tuples, "runner/tools/bad.py", "def f(pair: tuple[str, int]) -> str:\n    return pair[0]\n"),
    (house_prose.families, "runner/config/bad.py", "x = host.packages == 'apt'\n"),
    (house_prose.families, "runner/agent/power/bad.py", "x = 'dpkg'\n"),
    (house_prose.families, "runner/jobs/packages/bad.py", "x = ('dpkg', '--audit')\n"),
    (house_prose.families, "runner/jobs/packages/bad.py", "x = 'at the host: dpkg --configure -a'\n"),
    (house_prose.families, "runner/jobs/packages/bad.py", "from runner.jobs.packages.redhat import rpm\n"),
    (house_prose.families, "runner/jobs/power/bad.py", "from runner.jobs.packages.debian import apt\n"),
    (house_prose.families, "runner/agent/packages/bad.py", "x = {'rpm': 1}\n"),
    (house_advice.commands, "runner/report/bad.py", "x = 'what is not in it: `snapshots --exceptions` lists it'\n"),
    (house_advice.commands, "runner/report/bad.py", "x = f'`runner snapshots {y} --excepted {z}` lists it'\n"),
    (house_advice.commands, "runner/report/bad.py", "x = '`runner show snapshots` lists it'\n"),
    (house_advice.commands, "hooks/bad.py", "x = Finding(command=f'runner diff {a} {b} {c}')\n"),
    (house_tests.unmarked, "tests/contract/power/test_bad.py", "from tests.contract import dump_parts\n"),
    (house_tests.unmarked, "tests/contract/power/test_bad2.py", "x = ('rpmbuild', '-bb')\n"),
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps_its_rules(rule: Callable[[Path], list[str]]) -> None:
    assert rule(ROOT) == []


def _house(folder: Path) -> Path:
    for name in (
        "jobs/power",
        "agent/power",
        "tools",
        "model",
        "engine",
        "hosts",
        "report",
        "planning",
        "config",
        "verbs",
    ):
        (folder / "runner" / name).mkdir(parents=True)
    (folder / "hooks").mkdir()
    (folder / "tests/contract/power").mkdir(parents=True)
    (folder / "tests/contract/pg.py").write_text("x = 1\n")
    (folder / "tests/contract/dump_parts.py").write_text("from tests.contract import pg\n")
    (folder / "runner/tools/b.py").write_text("from runner.tools import a\n")
    return folder


@pytest.mark.parametrize(("rule", "name", "text"), PLANTED)
def test_a_planted_offence_is_seen(rule: Callable[[Path], list[str]], name: str, text: str, tmp_path: Path) -> None:
    root = _house(tmp_path)
    assert rule(root) == []
    path = root / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    offences = rule(root)
    assert offences and all(Path(name).stem in str(one) or Path(name).parent.name in one for one in offences)


def test_a_folder_of_too_many_files_is_seen(tmp_path: Path) -> None:
    root = _house(tmp_path)
    for number in range(21):
        (root / f"runner/report/part{number}.py").write_text("x = 1\n")
    assert house.full_folders(root) == ["runner/report: 21"]


def test_every_rule_has_an_offence_planted() -> None:
    assert {rule for rule, _, _ in PLANTED} | {house.full_folders} == set(RULES)


def test_no_exception_to_a_rule_is_left_over() -> None:
    known = {short: set(house.imports(path)) for short, path in house.modules(ROOT)}
    floors = {(house.part(short), name.split(".")[1]) for short in known for name in known[short] if "runner." in name}
    assert floors >= house.BESIDE | {(part, "agent") for part in house.MAY_KNOW_CONTRACTS}
    for package, doors in house.DOORS.items():
        users = {short for short in known if package in {name.split(".")[0] for name in known[short]}}
        agent = {"agent/"} if package == "subprocess" else set()
        assert [door for door in doors - agent if not any(short.startswith(door) for short in users)] == [], package
    rooms = {path.name for path in (ROOT / "runner/agent").iterdir()}
    assert rooms - {path.name for path in (ROOT / "runner/jobs").iterdir()} >= house.SHARED_ROOMS
    named = (*(f"runner/{short}" for short in house.CLOCK), *house_prose.SECOND_READING, *house_prose.FAMILY_PLACES)
    assert [path for path in (*named, *house_prose.KNOW_NO_KIND) if not (ROOT / path).exists()] == []


def test_most_files_are_short() -> None:
    sizes = [len(path.read_text("utf-8").splitlines()) for path in house.product(ROOT)]
    assert median(sizes) <= 150


def test_tests_live_in_rooms_of_the_same_names() -> None:
    known = {path.name for path in (ROOT / "runner").rglob("*") if path.is_dir()} | {"hooks", "bench"}
    data = {"cases", "captures", "golden", "jobs", "plugins", "__pycache__"}
    for tier in ("unit", "contract", "lab"):
        here = {path.name for path in (ROOT / "tests" / tier).iterdir() if path.is_dir()}
        assert here - known - data == set(), tier


def test_unit_tests_use_no_mocks() -> None:
    for path in (ROOT / "tests/unit").rglob("*.py"):
        if path.name != "test_house.py":
            assert not re.search(r"\bmocker\b|unittest\.mock|monkeypatch", path.read_text("utf-8")), path


def test_every_path_that_the_page_about_the_house_names_is_there() -> None:
    page = (ROOT / "docs/house.md").read_text("utf-8")
    named = set(re.findall(r"`([\w/.]+/?\w*\.(?:py|json))`", page))
    known = {path for path in named if "/" in path and "NAME" not in path and "VERB" not in path and "ROOM" not in path}
    assert len(known) > 20
    missing = [path for path in sorted(known) if not any((ROOT / top / path).exists() for top in ("runner", ""))]
    assert missing == []
