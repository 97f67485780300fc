"""What `make run` and the tests install, each package in one version and with the digests that it may have.

`make lock` after a change of what pyproject.toml names, or for newer versions: `.ci/run.txt` has what the runner and
its setting up need, `.ci/dev.txt` what the tests need beyond that. pip says what there is, wherever it is told to look.

Only wheels of Linux are in it: what builds a package out of its source would be code that no digest covers.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.tags import Tag
from packaging.utils import canonicalize_name, parse_wheel_filename

ROOT = Path(__file__).parents[1]
RUN, DEV = ".ci/run.txt", ".ci/dev.txt"
# What requires-python allows, the lowest first; and the processors that a wheel must be there for, the tests' own first.
PYTHONS = ((3, 11), (3, 12), (3, 13))
PROCESSORS = ("x86_64", "aarch64")
_HEAD = """# Made by `make lock`: {what}.
# A package that is not exactly one of these is refused.
"""
_WHAT = {RUN: "what the runner needs, and what sets it up", DEV: "what the tests need besides run.txt"}
_LINE = re.compile(r"(?P<name>[a-z0-9-]+)==(?P<version>[0-9a-z.]+)(?P<digests>(?: --hash=sha256:[0-9a-f]{64})+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Locked:
    """A package of a lock: `needed` are the packages that ask for it, none where pyproject.toml does."""

    name: str
    version: str
    digests: tuple[str, ...]
    needed: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Named:
    """What pyproject.toml names: for the runner with what sets it up, and for the tests."""

    run: tuple[Requirement, ...]
    dev: tuple[Requirement, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What pip found: the version of each package, and what each asks for."""

    versions: Mapping[str, str] = field(default_factory=dict)
    asks: Mapping[str, tuple[Requirement, ...]] = field(default_factory=dict)


def named(pyproject: str) -> Named:
    """What this pyproject.toml names; everything that is optional is for the tests."""
    tables = tomllib.loads(pyproject)
    project = tables["project"]
    extras = [each for extra in project.get("optional-dependencies", {}).values() for each in extra]
    run = (*project["dependencies"], *tables["build-system"]["requires"])
    return Named(run=tuple(map(Requirement, run)), dev=tuple(map(Requirement, extras)))


def read(text: str) -> tuple[Locked, ...]:
    """The packages of a lock; ValueError where a line is anything else."""
    locked = []
    needed: tuple[str, ...] = ()
    for line in text.replace(" \\\n    ", " ").splitlines():
        if line.startswith("#"):
            needed = tuple(line.removeprefix("# for ").split(", ")) if line.startswith("# for ") else ()
            continue
        match = _LINE.fullmatch(line)
        if not match:
            raise ValueError(f"not a package with its digests: {line}")
        digests = tuple(word.removeprefix("--hash=sha256:") for word in match["digests"].split())
        locked.append(Locked(name=match["name"], version=match["version"], digests=digests, needed=needed))
        needed = ()
    return tuple(locked)


def text(locked: Iterable[Locked], file: str) -> str:
    """The lock `file` of these packages."""
    parts = [_HEAD.format(what=_WHAT[file])]
    for each in sorted(locked, key=lambda each: each.name):
        parts.append(f"# for {', '.join(each.needed)}\n" if each.needed else "")
        digests = "".join(f" \\\n    --hash=sha256:{digest}" for digest in sorted(each.digests))
        parts.append(f"{each.name}=={each.version}{digests}\n")
    return "".join(parts)


def applies(asked: Requirement, extras: Iterable[str] = ()) -> bool:
    """Whether one of the machines that we know of asks for it."""
    if asked.marker is None:
        return True
    machines = (
        {
            "python_version": f"{major}.{minor}", "python_full_version": f"{major}.{minor}.0", "extra": extra,
            "platform_machine": processor, "sys_platform": "linux", "platform_system": "Linux", "os_name": "posix",
            "implementation_name": "cpython", "platform_python_implementation": "CPython",
        }
        for major, minor in PYTHONS for processor in PROCESSORS for extra in (*extras, "")
    )  # fmt: skip
    return any(map(asked.marker.evaluate, machines))


def reached(asked: Iterable[Requirement], known: Known) -> dict[str, set[str]]:
    """Every package that these lead to, on any machine, and by whom it is asked for."""
    by: dict[str, set[str]] = {}
    ways = [(each, "") for each in asked]
    seen = set()
    while ways:
        each, whose = ways.pop()
        name = canonicalize_name(each.name)
        by.setdefault(name, set()).update({whose} - {""})
        if (name, *sorted(each.extras)) not in seen:
            seen.add((name, *sorted(each.extras)))
            ways += [(more, name) for more in known.asks.get(name, ()) if applies(more, each.extras)]
    return by


def faults(wanted: Named, run: Iterable[Locked], dev: Iterable[Locked]) -> list[str]:
    """What these locks lack of what is wanted, and what they have too much."""
    of_run = {each.name: each for each in run}
    of_dev = {each.name: each for each in dev}
    wrong = [f"{name} is in both" for name in of_run.keys() & of_dev.keys()]
    for asked, own, there in ((wanted.run, of_run, of_run), (wanted.dev, of_dev, {**of_dev, **of_run})):
        for each in filter(applies, asked):
            name = canonicalize_name(each.name)
            if name not in there:
                wrong.append(f"{name} is missing")
            elif not each.specifier.contains(there[name].version):
                wrong.append(f"{name} {there[name].version} is not {each.specifier}")
        # Each has to hang on something that is named, by whatever is said to need it.
        held = {canonicalize_name(each.name) for each in asked}
        while more := {each.name for each in there.values() if held & {*each.needed}} - held:
            held |= more
        wrong += [f"{name} is needed by nothing" for name in sorted(own.keys() - held)]
    return wrong


def for_us(wheel: str) -> bool:
    """Whether it is for Linux, and for a Python that we know of."""
    return any(_fits(tag) for tag in parse_wheel_filename(wheel)[3])


def _fits(tag: Tag, python: tuple[int, int] | None = None, processor: str = "") -> bool:
    linux = tag.platform == "any" or ("linux" in tag.platform and tag.platform.endswith(processor))
    of = re.fullmatch(r"(?:cp|py)(3)(\d*)", tag.interpreter)
    if not linux or not of:
        return False
    wanted, minor = [python[1]] if python else [minor for _, minor in PYTHONS], int(of[2] or 0)
    if tag.abi in ("abi3", "none"):
        return any(minor <= each for each in wanted)
    return tag.abi == f"cp3{minor}" and minor in wanted


def lacking(wheels: Iterable[str], processors: Iterable[str]) -> list[str]:
    """For which Python on which of these processors there is no wheel."""
    tags = [tag for wheel in wheels for tag in parse_wheel_filename(wheel)[3]]
    machines = ((python, processor) for python in PYTHONS for processor in processors)
    return [f"{python[0]}.{python[1]} {processor}" for python, processor in machines
            if not any(_fits(tag, python, processor) for tag in tags)]  # fmt: skip


def _resolve(asked: Iterable[Requirement]) -> Known:
    """The newest versions that go together and that the lowest Python takes."""
    lowest = ".".join(map(str, PYTHONS[0]))
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        words = ("--dry-run", "--ignore-installed", "--quiet", f"--target={folder}", f"--report={report}")
        only = ("--only-binary=:all:", f"--python-version={lowest}")
        argv = (sys.executable, "-I", "-m", "pip", "install", *words, *only, *sorted(map(str, asked)))
        subprocess.run(argv, check=True)
        found: Any = json.loads(report.read_bytes())["install"]
    about = {canonicalize_name(each["metadata"]["name"]): each["metadata"] for each in found}
    asks = {name: tuple(map(Requirement, each.get("requires_dist", ()))) for name, each in about.items()}
    return Known(versions={name: each["version"] for name, each in about.items()}, asks=asks)


def _wheels(versions: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Every wheel of these versions, wherever pip looks: the package, its file, its digest."""
    from pip._internal.commands import create_command
    from pip._internal.index.collector import parse_links
    from pip._internal.models.link import Link

    command: Any = create_command("download")
    options, _ = command.parse_args([])
    with command.main_context():
        finder = command._build_package_finder(options, command.get_default_session(options))
        collector = finder._link_collector
        for name, version in versions.items():
            for place in collector.search_scope.get_index_urls_locations(name):
                page = collector.fetch_response(Link(place))
                for link in parse_links(page) if page else ():
                    if link.filename.endswith(".whl") and link.hash_name == "sha256":
                        of, at, *_ = parse_wheel_filename(link.filename)
                        if (of, str(at)) == (name, version) and for_us(link.filename):
                            yield name, link.filename, link.hash


def main() -> None:
    """Write both locks anew."""
    wanted = named((ROOT / "pyproject.toml").read_text("utf-8"))
    asked = [*wanted.run, *wanted.dev]
    while True:
        known = _resolve(asked)
        missing = reached(asked, known).keys() - known.versions.keys()
        if not missing:
            break
        # Another Python or processor than this asks for these.
        asked += map(Requirement, missing)
    wheels = tuple(_wheels(known.versions))
    of_run, of_all = reached(wanted.run, known), reached((*wanted.run, *wanted.dev), known)
    for file, names in ((RUN, of_run.keys()), (DEV, of_all.keys() - of_run.keys())):
        locked = []
        for name in names:
            files = {wheel: digest for whose, wheel, digest in wheels if whose == name}
            if lacks := lacking(files, PROCESSORS if file == RUN else PROCESSORS[:1]):
                sys.exit(f"{name} {known.versions[name]} has no wheel for {', '.join(lacks)}")
            digests = tuple({digest for whose, _, digest in wheels if whose == name})
            needed = tuple(sorted((of_run if file == RUN else of_all)[name]))
            locked.append(Locked(name=name, version=known.versions[name], digests=digests, needed=needed))
        (ROOT / file).write_text(text(locked, file))


if __name__ == "__main__":
    main()
