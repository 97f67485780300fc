"""The house keeps its own rules: floors, doors, sizes, words."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parent.parent.parent
RUNNER = ROOT / "runner"

# From the ground up. A module may import from lower floors; from its own floor only where listed below.
FLOORS = (
    ("model",),
    ("tools", "rules", "view", "hookspecs"),
    ("kinds",),
    ("catalogue",),
    ("planner", "review"),
    ("edge",),
    ("app", "inquiry", "inquiry_db", "inquiry_bare", "telling", "announcing", "loading"),
    ("cli", "__main__"),
)
# Parts of one piece, or a piece that rests on another of its floor; never in a circle (see below).
WITHIN = {"model", "rules", "tools", "view", "kinds", "edge", "cli"}
BESIDE = {
    ("inquiry", "app"),
    ("inquiry_bare", "app"),
    ("inquiry_bare", "inquiry"),
    ("inquiry_db", "app"),
    ("inquiry_db", "inquiry"),
    ("inquiry_bare", "app"),
    ("inquiry_bare", "inquiry"),
    ("app", "telling"),
    ("telling", "announcing"),
    ("__main__", "cli"),
    ("view", "rules"),
    ("view", "tools"),
}
# What decides may not be known to what acts.
EDGE_MAY_NOT = {"kinds", "catalogue", "planner", "review", "view"}

DOORS = {
    "fabric": {"edge/connection.py", "edge/ssh.py", "edge/transport.py"},
    "paramiko": {"edge/connection.py", "edge/ssh.py", "edge/transport.py"},
    "subprocess": {"edge/process.py", "edge/transport.py"},
    "jsonschema": {"edge/config.py", "edge/complaints.py"},
    "pluggy": {"hookspecs.py", "edge/plugins.py"},
    "tomli_w": {"edge/planfile.py", "cli/config.py"},
    "sqlite3": {"edge/journal.py"},
    "jinja2": {"view/bare_metal.py"},
    "rich": {"cli/progress.py"},
    "cronsim": {"rules/schedule.py", "rules/order.py", "rules/crosscheck.py"},
    "msgspec": {"edge/config.py", "edge/probe.py", "edge/site_values.py"},
}
CLOCK = {"app.py", "edge/execute.py", "edge/stepping.py"}
BANNED_NAMES = {"utils", "helpers", "common", "base", "core", "manager"}
BANNED_WORDS = re.compile(r"dry_run|\bTODO\b|\bFIXME\b|AutoAddPolicy|shell=True")


def modules() -> list[Path]:
    return [path for path in sorted(RUNNER.rglob("*.py")) if "store" not in path.relative_to(RUNNER).parts]


def short(path: Path) -> str:
    return str(path.relative_to(RUNNER))


def part(name: str) -> str:
    return name.split(".")[1] if "." in name else ""


def imports(path: Path) -> Iterator[str]:
    """Every imported module by its full name, lazy and TYPE_CHECKING ones too."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path} imports relatively"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def floor_of(name: str) -> int:
    return next(number for number, parts in enumerate(FLOORS) if name in parts)


def functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    for path in sorted([*RUNNER.rglob("*.py"), *(ROOT / "hooks").rglob("*.py")]):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef):
                yield f"{path.relative_to(ROOT)}:{node.name}", node


def graph() -> dict[str, set[str]]:
    names = {"runner." + short(path)[:-3].replace("/", "."): path for path in modules()}
    names = {name.removesuffix(".__init__"): path for name, path in names.items()}
    return {
        name: {one for one in imports(path) if one in names and one != name} for name, path in names.items()
    }


def test_imports_go_strictly_down() -> None:
    wrong = []
    for path in modules():
        own = part("runner." + short(path)[:-3].replace("/", "."))
        if own in ("", "__init__"):
            continue
        for name in imports(path):
            other = part(name) if name.startswith("runner.") else ""
            if not other or other == "__version__":
                continue
            same = other == own and own in WITHIN
            if same or (own, other) in BESIDE or floor_of(other) < floor_of(own):
                continue
            wrong.append(f"{short(path)} imports {name}")
    assert wrong == []


def test_what_acts_does_not_know_what_decides() -> None:
    wrong = [
        f"{short(path)} imports {name}"
        for path in modules()
        if short(path).startswith("edge/")
        for name in imports(path)
        if name.startswith("runner.") and part(name) in EDGE_MAY_NOT
    ]
    assert wrong == []


def test_no_module_imports_itself_by_a_circle() -> None:
    known = graph()
    seen: set[str] = set()

    def walk(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail, name))
        if name not in seen:
            for other in known[name]:
                walk(other, (*trail, name))
            seen.add(name)

    for name in known:
        walk(name, ())


@pytest.mark.parametrize("package", sorted(DOORS))
def test_each_outside_package_has_its_doors(package: str) -> None:
    users = {
        short(path) for path in modules() if any(name.split(".")[0] == package for name in imports(path))
    }
    assert users <= DOORS[package]


def test_the_program_at_the_disk_imports_nothing_of_ours_and_nothing_outside() -> None:
    import sys

    for path in (RUNNER / "store").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"), feature_version=(3, 9))):
            if isinstance(node, ast.Import):
                assert all(alias.name.split(".")[0] in sys.stdlib_module_names for alias in node.names), path
            elif isinstance(node, ast.ImportFrom) and not node.level:
                assert (node.module or "").split(".")[0] in sys.stdlib_module_names, path


def test_the_clock_is_read_in_few_places() -> None:
    asks = re.compile(r"datetime\.now\(|time\.time\(|utcnow|date\.today")
    users = {short(path) for path in modules() if asks.search(path.read_text("utf-8"))}
    assert users <= CLOCK


def test_only_the_command_line_prints() -> None:
    writes = re.compile(r"\bprint\(|sys\.stdout|sys\.stderr")
    users = {short(path) for path in modules() if writes.search(path.read_text("utf-8"))}
    assert {user for user in users if not user.startswith("cli/")} <= {"__main__.py"}


def test_no_file_is_long_and_most_are_short() -> None:
    files = [path for folder in (RUNNER, ROOT / "hooks") for path in folder.rglob("*.py")]
    lines = {str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines()) for path in files}
    assert {name: count for name, count in lines.items() if count > 300} == {}
    assert median(lines.values()) <= 100


def test_no_function_is_long() -> None:
    long = {
        name: size for name, node in functions() if (size := (node.end_lineno or 0) - node.lineno + 1) > 50
    }
    assert long == {}


def test_no_function_has_more_than_six_parameters() -> None:
    def count(node: ast.FunctionDef) -> int:
        names = [one.arg for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        return len([name for name in names if name not in ("self", "cls")])

    assert {name: count(node) for name, node in functions() if count(node) > 6} == {}


def test_names_and_words_that_say_nothing_are_not_used() -> None:
    files = [path for folder in (RUNNER, ROOT / "hooks") for path in folder.rglob("*.py")]
    assert [str(path) for path in files if path.stem in BANNED_NAMES] == []
    assert [str(path) for path in files if BANNED_WORDS.search(path.read_text("utf-8"))] == []


def test_packages_export_nothing_by_themselves() -> None:
    for path in (*RUNNER.rglob("__init__.py"), ROOT / "hooks/__init__.py"):
        body = ast.parse(path.read_text("utf-8")).body
        names = [one for one in body if not isinstance(one, ast.Expr | ast.Assign)]
        assert names == [], path


def test_values_are_frozen_and_taken_by_keyword() -> None:
    for path in (RUNNER / "model").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef) and any(
                "dataclass" in ast.dump(one) for one in node.decorator_list
            ):
                told = ast.unparse(node.decorator_list[0])
                assert all(word in told for word in ("frozen=True", "kw_only=True", "slots=True")), node.name


def test_unit_tests_use_no_mocks() -> None:
    for path in (ROOT / "tests/unit").rglob("*.py"):
        if path.name != "test_house.py":
            assert not re.search(r"\bmocker\b|unittest\.mock|monkeypatch", path.read_text("utf-8")), path
