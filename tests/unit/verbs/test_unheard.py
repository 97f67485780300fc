"""A live site whose messages reach nobody, as far as that can be seen before one is sent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hooks.post import SENDMAIL, Post
from runner.config import readiness
from runner.model.site import Hook, People, Site
from runner.verbs import load
from runner.verbs.load import unheard
from tests.unit import parts

LIVE = parts.site(people=People(admin=("root@localhost",), users=("all@site.test",)))
ABSENT, THERE = "/usr/sbin/no such program", "/"
HOME = LIVE.controller


def hooked(name: str, site: Site = LIVE, **settings: object) -> Site:
    return replace(site, hooks=(Hook(name=name, module=f"hooks.{name}", settings=settings),))


@pytest.mark.parametrize("name", ["mail", "announce"])
def test_the_mail_program_that_is_looked_for_is_the_one_that_is_called(name: str) -> None:
    assert load._default(name) == SENDMAIL == Post.of({}, f"hooks.{name}").sendmail


@pytest.mark.parametrize("name", ["mail", "announce"])
def test_a_mail_program_that_is_not_there_is_noted_with_the_table_to_change(name: str) -> None:
    (note,) = unheard(hooked(name, sendmail=ABSENT), f"{HOME}.test")
    assert note.startswith(f"hooks.{name} cannot send: {ABSENT} is not here; ")
    assert f"give hooks.{name} in jobs.toml a table smtp" in note


@pytest.mark.parametrize(
    ("site", "machine"),
    [
        (hooked("mail", sendmail=THERE), HOME),
        (hooked("mail", sendmail=ABSENT), "laptop"),
        (hooked("mail", sendmail=ABSENT, smtp={"host": "mail.test"}), HOME),
        (hooked("fsck", sendmail=ABSENT), HOME),
        (replace(hooked("mail", sendmail=ABSENT), live=False), HOME),
    ],
)
def test_what_is_there_or_cannot_be_known_is_not_noted(site: Site, machine: str) -> None:
    assert unheard(site, machine) == ()


def test_a_look_that_fails_knows_nothing(tmp_path: Path) -> None:
    assert unheard(hooked("mail", sendmail=f"{tmp_path}/{'x' * 300}"), HOME) == ()


def test_who_is_to_be_told_of_interruptions_must_be_somebody() -> None:
    site = replace(LIVE, people=People(admin=("root@localhost",)))
    (note,) = unheard(hooked("announce", site, smtp={"host": "mail.test"}), HOME)
    assert note.startswith("nobody is in people.users")


@pytest.mark.parametrize(
    ("to", "people", "said"),
    [
        (("users",), People(admin=("a@b",)), "nobody is in people.users, and the site is live"),
        (("users", "experts"), People(admin=("a@b",)), "nobody is in people.users and people.experts"),
        (("users", "admin"), People(admin=("a@b",)), ""),
        (("users",), People(admin=("a@b",), users=("c@d",)), ""),
        ((), People(admin=("a@b",)), ""),
    ],
)
def test_a_live_sites_reports_go_to_somebody(to: tuple[str, ...], people: People, said: str) -> None:
    site = hooked("mail", replace(LIVE, people=people), **({"to": to} if to else {}))
    texts = [
        problem.text
        for problem in readiness.check(site, hears=True, unfit=lambda path: "")
        if problem.path == ("hooks", "mail", "to")
    ]
    assert [text[: len(said)] for text in texts] == ([said] if said else [])


def test_a_site_without_an_admin_is_told_once() -> None:
    site = hooked("mail", replace(LIVE, people=People()), to=("admin",))
    paths = [
        problem.path
        for problem in readiness.check(site, hears=True, unfit=lambda path: "")
        if problem.path[0] in ("people", "hooks")
    ]
    assert paths == [("people", "admin")]
