"""The rules of the house as functions of a folder that holds `runner/` and `hooks/`: each gives its offences."""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

# From the ground up. A module imports from lower floors, and from its own part; of another part of its own
# floor only where BESIDE says so.
FLOORS = (
    ("model",),
    ("hookspecs", "tools", "report", "config", "hosts"),
    ("jobs", "engine"),
    ("planning", "hooks"),
    ("verbs",),
    ("cli",),
    ("__main__",),
)
BESIDE = {("config", "hookspecs"), ("hosts", "tools")}
# A plan is made, run and reported without knowing what any kind of job means.
KNOW_NO_JOB = {"planning", "engine", "report", "hosts", "config", "tools"}
# Of the program on a host the others may know what its verbs take and answer, the rule who may change a file, and how
# the lines of a history follow each other: both are the same on both sides, and a host is not believed about either.
CONTRACTS = re.compile(r"runner\.agent\.((\w+\.)?(contract(_\w+)?|arguments|trust)|history\.line)\b")
MAY_KNOW_CONTRACTS = {"jobs", "tools"}

DOORS: Mapping[str, frozenset[str]] = {
    "fabric": frozenset({"hosts/"}),
    "paramiko": frozenset({"hosts/"}),
    "subprocess": frozenset({"hosts/", "agent/"}),
    "jsonschema": frozenset({"config/"}),
    "tomllib": frozenset({"config/", "engine/planfile.py"}),
    "pluggy": frozenset({"hookspecs.py", "config/plugins.py"}),
    "tomli_w": frozenset({"engine/planfile.py", "cli/config.py"}),
    "sqlite3": frozenset({"engine/"}),
    "jinja2": frozenset({"verbs/bare_metal.py"}),
    "rich": frozenset({"cli/"}),
    "cronsim": frozenset({"planning/schedule.py", "config/order.py"}),
    "msgspec": frozenset({"config/", "tools/answers.py"}),
}
CLOCK = {"verbs/app.py", "engine/aside.py", "engine/execute.py", "engine/step.py", "engine/transfer.py"}
BANNED_NAMES = {"utils", "helpers", "common", "base", "core", "manager"}
BANNED_WORDS = re.compile(r"dry_run|\bTODO\b|\bFIXME\b|AutoAddPolicy|shell=True")
# Where a room on the host has none of the same name on the controller, since several jobs need it.
SHARED_ROOMS = {"host", "store", "detached", "inventory", "compose", "look", "confined"}
MOST_LINES, MOST_LONG, MOST_PARAMETERS, MOST_FILES, MOST_UNFORMATTED = 300, 50, 6, 20, 30

Offences = list[str]


@cache
def tree(path: Path) -> ast.Module:
    """The module, parsed once."""
    return ast.parse(path.read_text("utf-8"))


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Every node of the module, walked once."""
    return tuple(ast.walk(tree(path)))


def product(root: Path) -> Iterator[Path]:
    """Every module of the product."""
    for part in ("runner", "hooks"):
        yield from sorted((root / part).rglob("*.py"))


def modules(root: Path) -> Iterator[tuple[str, Path]]:
    """Every module but those of the agent, with its name below runner/ (or hooks/...)."""
    for path in product(root):
        name = path.relative_to(root).as_posix()
        short = name.removeprefix("runner/")
        if not short.startswith("agent/"):
            yield short, path


def part(short: str) -> str:
    """The first folder or module: `jobs` of `jobs/power/halt.py`."""
    return short.split("/", maxsplit=1)[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """Every module or name that it imports, by its full name, lazy and TYPE_CHECKING ones too."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def floor_of(name: str) -> int:
    """The number of the floor that a part is on; -1 where it is on none."""
    return next((number for number, parts in enumerate(FLOORS) if name in parts), -1)


def floors(root: Path) -> Offences:
    """Imports go strictly down; the agent is known by its contracts only."""
    wrong = []
    for short, path in modules(root):
        own = part(short)
        if own == "__init__":
            continue
        if floor_of(own) < 0:
            wrong.append(f"{short} is on no floor")
            continue
        wrong += [f"{short} has a relative import" for node in nodes(path) if getattr(node, "level", 0)]
        for name in imports(path):
            pieces = name.split(".")
            if pieces[0] not in ("runner", "hooks") or len(pieces) < 2 or pieces[1] == "__version__":
                continue
            other = "hooks" if pieces[0] == "hooks" else pieces[1]
            if other == "agent":
                room = (root / name.replace(".", "/")).is_dir()
                if own not in MAY_KNOW_CONTRACTS or not (CONTRACTS.match(name) or room):
                    wrong.append(f"{short} imports {name}")
            elif (
                other == "jobs"
                and own in KNOW_NO_JOB
                or other != own
                and (own, other) not in BESIDE
                and floor_of(other) >= floor_of(own)
            ):
                wrong.append(f"{short} imports {name}")
    return wrong


def circles(root: Path) -> Offences:
    """No module imports itself by way of others."""
    names = {"runner." + short[:-3].replace("/", "."): path for short, path in modules(root)}
    names = {name.removesuffix(".__init__"): path for name, path in names.items()}
    graph = {name: {one for one in imports(path) if one in names and one != name} for name, path in names.items()}
    seen: set[str] = set()
    wrong: Offences = []

    def walk(name: str, trail: tuple[str, ...]) -> None:
        if name in trail:
            wrong.append(" -> ".join((*trail, name)))
        elif name not in seen:
            for other in sorted(graph[name]):
                walk(other, (*trail, name))
            seen.add(name)

    for name in sorted(graph):
        walk(name, ())
    return wrong


def doors(root: Path) -> Offences:
    """Each outside package is used behind its door only."""
    return [
        f"{short} imports {package}"
        for short, path in modules(root)
        if part(short) != "hooks"
        for package in sorted({name.split(".")[0] for name in imports(path)} & set(DOORS))
        if not any(short.startswith(door) for door in DOORS[package])
    ]


def alone(root: Path) -> Offences:
    """The agent: the standard library, its own modules by relative imports, the syntax of Python 3.9."""
    wrong = []
    for path in sorted((root / "runner/agent").rglob("*.py")):
        name = path.relative_to(root / "runner").as_posix()
        deepest = name.count("/")
        try:
            parsed = ast.parse(path.read_text("utf-8"), feature_version=(3, 9))
        except SyntaxError as error:
            wrong.append(f"{name}: {error.msg}")
            continue
        for node in ast.walk(parsed):
            known: tuple[str, ...] = ()
            if isinstance(node, ast.Import):
                known = tuple(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                known = ((node.module or "").split(".")[0],)
            elif isinstance(node, ast.ImportFrom) and node.level > deepest:
                known = (f"{'.' * node.level}{node.module or ''}",)
            wrong += [f"{name} imports {one}" for one in known if one not in sys.stdlib_module_names]
    return wrong


def clock(root: Path) -> Offences:
    """The time is read in few places."""
    asks = re.compile(r"datetime\.now\(|time\.time\(|utcnow|date\.today")
    users = [short for short, path in modules(root) if asks.search(path.read_text("utf-8"))]
    return [short for short in users if short not in CLOCK and part(short) != "hooks"]


def prints(root: Path) -> Offences:
    """Only the command line prints."""
    writes = re.compile(r"\bprint\(|sys\.stdout|sys\.stderr")
    users = [short for short, path in modules(root) if writes.search(path.read_text("utf-8"))]
    return [short for short in users if part(short) not in ("cli", "__main__")]


def long_files(root: Path) -> Offences:
    """No file is longer than 300 lines."""
    sizes = {path: len(path.read_text("utf-8").splitlines()) for path in product(root)}
    return [f"{path.relative_to(root)}: {size}" for path, size in sizes.items() if size > MOST_LINES]


def full_folders(root: Path) -> Offences:
    """A folder holds at most 20 files, its `__init__.py` apart."""
    counted = Counter(path.parent for path in product(root) if path.name != "__init__.py")
    return [f"{folder.relative_to(root)}: {count}" for folder, count in counted.items() if count > MOST_FILES]


def functions(root: Path) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Every function, nested ones too."""
    for path in product(root):
        for node in nodes(path):
            if isinstance(node, ast.FunctionDef):
                yield f"{path.relative_to(root)}:{node.name}", node


def long_functions(root: Path) -> Offences:
    """No function is longer than 50 lines."""
    sizes = ((name, (node.end_lineno or 0) - node.lineno + 1) for name, node in functions(root))
    return [f"{name}: {size}" for name, size in sizes if size > MOST_LONG]


def parameters(root: Path) -> Offences:
    """No function takes more than six parameters."""
    wrong = []
    for name, node in functions(root):
        taken = [each.arg for each in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        if len([each for each in taken if each not in ("self", "cls")]) > MOST_PARAMETERS:
            wrong.append(name)
    return wrong


def words(root: Path) -> Offences:
    """No file name and no word that says nothing, or says what must not be."""
    paths = list(product(root))
    return [
        str(path.relative_to(root))
        for path in paths
        if path.stem in BANNED_NAMES or BANNED_WORDS.search(path.read_text("utf-8"))
    ]


def exports(root: Path) -> Offences:
    """A package exports nothing by itself."""
    return [
        str(path.relative_to(root))
        for path in product(root)
        if path.name == "__init__.py" and any(not isinstance(node, ast.Expr | ast.Assign) for node in tree(path).body)
    ]


def values(root: Path) -> Offences:
    """The model's dataclasses are frozen, slotted and taken by keyword."""
    wrong = []
    for path in sorted((root / "runner/model").glob("*.py")):
        for node in nodes(path):
            said = " ".join(ast.unparse(each) for each in getattr(node, "decorator_list", ()))
            whole = all(word in said for word in ("frozen=True", "kw_only=True", "slots=True"))
            if isinstance(node, ast.ClassDef) and "dataclass" in said and not whole:
                wrong.append(f"{path.name}:{node.name}")
    return wrong


def unformatted(root: Path) -> Offences:
    """The formatter is kept off in at most 30 places."""
    places = [
        f"{path.relative_to(root)}:{number}"
        for path in product(root)
        for number, text in enumerate(path.read_text("utf-8").splitlines(), 1)
        if "# fmt: " in text
    ]
    return places if len(places) > MOST_UNFORMATTED else []


def asserts(root: Path) -> Offences:
    """No `assert`: it goes when Python is told to optimize, and a person is told nothing by it."""
    return [
        f"{path.relative_to(root)}:{node.lineno}"
        for path in product(root)
        for node in nodes(path)
        if isinstance(node, ast.Assert)
    ]


def rooms(root: Path) -> Offences:
    """A room on the host has the name of a room on the controller."""
    there = {path.name for path in (root / "runner/jobs").iterdir() if path.is_dir()}
    here = {path.name for path in (root / "runner/agent").iterdir() if path.is_dir()}
    return sorted(name for name in here - there - SHARED_ROOMS if name != "__pycache__")


RULES: tuple[Callable[[Path], Offences], ...] = (
    floors, circles, doors, alone, clock, prints, long_files, full_folders, long_functions, parameters, words,
    exports, values, unformatted, asserts, rooms,
)  # fmt: skip
