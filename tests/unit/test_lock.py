"""What is installed: each package that pyproject.toml leads to, in one version with its digests, and nothing else."""

from __future__ import annotations

from importlib import metadata

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests import lock
from tests.lock import DEV, ROOT, RUN, Known, Locked, Named

PYPROJECT = (ROOT / "pyproject.toml").read_text("utf-8")
TEXTS = {file: (ROOT / file).read_text("utf-8") for file in (RUN, DEV)}
DIGEST = "0" * 64


def package(name: str, version: str = "1.0", *needed: str) -> Locked:
    return Locked(name=name, version=version, digests=(DIGEST,), needed=needed)


def wanted(run: str = "", dev: str = "") -> Named:
    return Named(run=tuple(map(Requirement, run.split())), dev=tuple(map(Requirement, dev.split())))


def test_the_locks_hold_what_pyproject_names_and_nothing_else() -> None:
    run, dev = (lock.read(TEXTS[file]) for file in (RUN, DEV))
    assert lock.faults(lock.named(PYPROJECT), run, dev) == []


@pytest.mark.parametrize("file", [RUN, DEV])
def test_a_lock_is_as_it_is_made(file: str) -> None:
    assert lock.text(lock.read(TEXTS[file]), file) == TEXTS[file]


def test_what_is_installed_asks_for_nothing_that_is_not_locked() -> None:
    """By what the packages themselves say, in whichever Python this is."""
    locked = {each.name: each for file in (RUN, DEV) for each in lock.read(TEXTS[file])}
    asks = {
        name: tuple(map(Requirement, metadata.requires(name) or ()))
        for name in {canonicalize_name(each.metadata["Name"]) for each in metadata.distributions()} & locked.keys()
    }
    asked = lock.named(PYPROJECT)
    assert asks.keys() == locked.keys()
    assert lock.reached((*asked.run, *asked.dev), Known(asks=asks)).keys() == locked.keys()
    assert [
        f"{name} asks for {each}" for name in asks for each in asks[name]
        if lock.applies(each) and not each.specifier.contains(locked[canonicalize_name(each.name)].version)
    ] == []  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "run", "dev", "wrong"),
    [
        (wanted("a>=1"), [package("a")], [], []),
        (wanted("a>=1"), [], [], ["a is missing"]),
        (wanted("a>=1.1"), [package("a")], [], ["a 1.0 is not >=1.1"]),
        (wanted("A_b"), [package("a-b")], [], []),
        (wanted("a"), [package("a"), package("b", "1", "a")], [], []),
        (wanted("a"), [package("a"), package("b")], [], ["b is needed by nothing"]),
        # Two that need each other, and nobody else them.
        (wanted("a"), [package("a"), package("b", "1", "c"), package("c", "1", "b")], [],
         ["b is needed by nothing", "c is needed by nothing"]),
        (wanted("a", "t"), [package("a")], [package("t"), package("u", "1", "t")], []),
        (wanted("a", "a t"), [package("a")], [package("t")], []),
        (wanted("a", "t"), [package("a")], [package("a"), package("t")], ["a is in both", "a is needed by nothing"]),
        (wanted("a", "t"), [package("a")], [package("t"), package("u")], ["u is needed by nothing"]),
        # What only the tests name does not keep it in the runner's lock.
        (wanted("a", "t"), [package("a"), package("t")], [], ["t is needed by nothing"]),
        (wanted("a", "t"), [package("a")], [], ["t is missing"]),
        (wanted('a;python_version<"3"'), [], [], []),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_lock_is_seen(
    asked: Named, run: list[Locked], dev: list[Locked], wrong: list[str]
) -> None:
    assert lock.faults(asked, run, dev) == wrong


@pytest.mark.parametrize(
    "line",
    [
        "a==1.0", "a>=1.0 --hash=sha256:" + DIGEST, "a==1.0 --hash=md5:" + DIGEST, "a==1.0 --hash=sha256:" + DIGEST[1:],
        "--index-url=file:///x", "--find-links x", "--no-require-hashes", "-r other.txt", "x @ file:///x.whl", "-e .",
        "a==1.0 --hash=sha256:" + DIGEST + " ; python_version < '4'",
    ],
)  # fmt: skip
def test_a_line_that_is_no_package_with_its_digests_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="not a package"):
        lock.read(f"# Made\n{line}\n")


def test_the_packages_of_other_machines_are_reached_too() -> None:
    asks = {
        "a": (Requirement('b; python_version >= "3.13"'), Requirement('c; platform_machine == "aarch64"'),
              Requirement('d; sys_platform == "win32"'), Requirement('e; python_version < "3.11"'),
              Requirement('f; extra == "more"')),
        "b": (Requirement("a"),),
    }  # fmt: skip
    assert lock.reached([Requirement("a")], Known(asks=asks)) == {"a": {"b"}, "b": {"a"}, "c": {"a"}}
    assert lock.reached([Requirement("a[more]")], Known(asks=asks)).keys() == {"a", "b", "c", "f"}


@pytest.mark.parametrize(
    ("tags", "ours"),
    [
        ("py3-none-any", True), ("py2.py3-none-any", True), ("py2-none-any", False),
        ("cp311-cp311-manylinux_2_28_x86_64", True), ("cp310-cp310-manylinux_2_28_x86_64", False),
        ("cp313-cp313t-manylinux_2_28_x86_64", False), ("cp39-abi3-musllinux_1_2_aarch64", True),
        ("cp311-cp311-macosx_11_0_arm64", False), ("cp311-cp311-win_amd64", False),
        ("pp311-pypy311_pp73-manylinux_2_28_x86_64", False), ("py3-none-manylinux2014_x86_64", True),
    ],
)  # fmt: skip
def test_a_wheel_is_for_linux_and_a_python_of_ours(tags: str, ours: bool) -> None:
    assert lock.for_us(f"a-1.0-{tags}.whl") is ours


@pytest.mark.parametrize(
    ("wheels", "lacks"),
    [
        (["py3-none-any"], []), ([], ["3.11 x86_64", "3.12 x86_64", "3.13 x86_64"]),
        (["cp312-abi3-manylinux_2_28_x86_64"], ["3.11 x86_64"]), (["cp38-abi3-manylinux_2_28_x86_64"], []),
        (["cp311-cp311-linux_x86_64", "cp313-cp313-linux_x86_64"], ["3.12 x86_64"]),
        (["cp38-abi3-manylinux_2_28_aarch64"], ["3.11 x86_64", "3.12 x86_64", "3.13 x86_64"]),
    ],
)  # fmt: skip
def test_a_machine_that_no_wheel_is_for_is_named(wheels: list[str], lacks: list[str]) -> None:
    assert lock.lacking([f"a-1.0-{each}.whl" for each in wheels], ["x86_64"]) == lacks


def test_the_pythons_are_those_of_the_project() -> None:
    lowest = ".".join(map(str, lock.PYTHONS[0]))
    assert f'requires-python = ">={lowest}"' in PYPROJECT
    newest = f"cp3{lock.PYTHONS[-1][1]}"
    assert lock.for_us(f"a-1.0-{newest}-{newest}-linux_x86_64.whl")
