"""What a host of the Red Hat family lets a bound key install: what its own dnf would upgrade to now, and nothing else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from runner.jobs.packages.redhat import dnf
from tests.lab.rpm_world import NEEDED, Made, Repositories, RpmWorld

pytestmark = pytest.mark.skipif(
    not all(shutil.which(program) for program in NEEDED), reason="the rpm world needs dnf, rpm and createrepo_c"
)
REPOSITORY = Path(__file__).parents[3]
KERNEL = ("Provides: installonlypkg(kernel)",)
HERE = (
    Made(name="kernel-core", evr="5.14.0-70.el9", more=KERNEL),
    Made(name="glibc", evr="1:2.34-60.el9"),
    Made(name="a-name-that-is-so-long-that-a-table-breaks-its-row-where-it-stands", evr="1.0-1.el9"),
)
NEWS = (
    Made(name="kernel-core", evr="5.14.0-100.el9", more=KERNEL),
    Made(name="glibc", evr="1:2.34-61.el9", more=("Requires: extra",)),
    Made(name="a-name-that-is-so-long-that-a-table-breaks-its-row-where-it-stands", evr="1.1-1.el9"),
    # An older one, one in between, and two that nobody has here.
    Made(name="glibc", evr="1:2.34-59.el9"),
    Made(name="glibc", evr="1:2.34-60.1.el9"),
    Made(name="extra", evr="1-1"),
    Made(name="evil", evr="1-1"),
)
ASK = (
    "import json, sys; from runner.agent.packages.families import FAMILIES; "
    "json.dump(FAMILIES['rpm'].strange(sys.argv[1:], False), sys.stdout)"
)


def strange(world: RpmWorld, words: Sequence[str]) -> list[str]:
    asked = ("env", f"PYTHONPATH={REPOSITORY}", "python3", "-B", "-c", ASK, *words)
    found: list[str] = json.loads(world.do(*asked).stdout)
    return found


def test_only_what_dnf_would_upgrade_to_or_bring_is_no_stranger(tmp_path: Path) -> None:
    with Repositories(tmp_path / "repositories") as repositories:
        for name, packages in {"base": HERE, "updates": NEWS}.items():
            repositories.build(name, *packages)
            repositories.index(name)
        (tmp_path / "world").mkdir()
        with RpmWorld(tmp_path / "world", repositories.folder) as world:
            world.use("base", "gpgcheck=0")
            world.do("dnf", "-y", "install", *(one.name for one in HERE))
            offered = [f"{one.name}-{one.evr}.x86_64" for one in (*NEWS[:3], NEWS[5])]
            assert strange(world, offered) == offered, "nothing is known of a repository that is not in use"
            world.use("updates", "gpgcheck=0")
            world.do(*dnf.refresh("dnf"))
            assert strange(world, offered) == []
            others = [f"{one.name}-{one.evr}.x86_64" for one in (*NEWS[3:5], NEWS[6], *HERE)]
            assert strange(world, [*offered, *others]) == others
