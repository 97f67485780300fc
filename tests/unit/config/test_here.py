"""Which host of a live site this machine is: by its name, by --here, by what a run has bound it to, and never by luck."""

from __future__ import annotations

import os

import pytest

from runner.config.here import placed
from runner.model.errors import RunnerError, UsageError
from runner.model.site import Host
from tests.unit import parts

OWN = os.uname().nodename.partition(".")[0]
OTHER = f"other-{OWN}"
HOSTS = (Host(name=f"not-{OWN}", address="a"), Host(name=OTHER, address="b"))
STRANGE = parts.site(hosts=HOSTS, controller=HOSTS[0].name, disks=(), stores=(), jobs=())
NAMED = parts.site(hosts=(*HOSTS, Host(name=OWN, address="c")), controller=OTHER, disks=(), stores=(), jobs=())


def test_a_machine_that_jobs_toml_does_not_name_is_none_of_its_hosts() -> None:
    with pytest.raises(UsageError) as refused:
        placed(STRANGE)
    assert refused.value.code == 2
    for word in (f"this machine is called {OWN}", f"not-{OWN} and {OTHER}"):
        assert word in refused.value.text
    for way in (f"--here not-{OWN}", "call it in jobs.toml as it calls itself"):
        assert way in refused.value.do


@pytest.mark.parametrize(
    ("here", "bound", "controller"), [(OTHER, "", OTHER), ("", OTHER, OTHER), (HOSTS[0].name, OTHER, HOSTS[0].name)]
)
def test_it_is_the_host_that_a_person_or_an_earlier_run_says(here: str, bound: str, controller: str) -> None:
    assert placed(STRANGE, here, lambda: bound).controller == controller


def never() -> str:
    raise RunnerError("machines.json cannot be understood")


def test_what_an_earlier_run_found_is_asked_for_only_where_nothing_else_says_it() -> None:
    assert placed(STRANGE, OTHER, never).controller == OTHER
    with pytest.raises(RunnerError, match=r"machines\.json"):
        placed(STRANGE, "", never)


def test_its_name_comes_before_what_it_was_bound_to() -> None:
    assert placed(NAMED, "", never).controller == OWN


def test_a_host_that_is_no_longer_in_jobs_toml_is_none() -> None:
    with pytest.raises(UsageError):
        placed(STRANGE, "", lambda: "gone")


def test_the_sandbox_is_any_machine() -> None:
    site = parts.site(live=False)
    assert placed(site) is site
