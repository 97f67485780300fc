"""A policy: what a person wrote on a host is what holds there, and what is not understood gives nobody anything."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.agent.answer import Refused
from runner.agent.policy import rights, text, toml
from runner.agent.policy.rights import Rights, StoreRights
from runner.jobs.policy.rights import beyond, policy
from tests.unit import parts, upkeep_parts

STORE = "/srv/backups/papio"
POLICY = f"""
# by hand
format = 1

[keys.papio]   # who comes from papio
sources = ["/", "/home"]
power = ["reboot"]
verbs = []
packages = ["updates"]

[keys.papio.stores."{STORE}"]
floor = 30
per_day = 1
seals = 4
expiries = 5
young = 6
reads = "all"

[keys.other]
"""


def test_what_is_written_is_what_holds() -> None:
    stores = {STORE: StoreRights(30, 1, 4, 5, 6, "all")}
    assert rights.parse(POLICY, "papio") == Rights("papio", stores, ("/", "/home"), ("reboot",), packages=("updates",))
    assert rights.parse(POLICY, "other") == Rights("other", others=(STORE,))


@pytest.mark.parametrize(
    ("was", "becomes", "says"),
    [
        ("floor = 30", "floor = 0", "floor cannot be 0"),
        ("floor = 30", 'floor = "30"', "floor cannot be '30'"),
        ("floor = 30", "floor = true", "floor cannot be True"),
        ("floor = 30", "flor = 30", "has no 'flor'"),
        ("floor = 30", "floor = 30\nfloor = 2", "says 'floor' again"),
        ('reads = "all"', 'reads = "any"', "reads cannot be 'any'"),
        ('power = ["reboot"]', 'power = ["halt"]', "cannot have 'halt'"),
        ('packages = ["updates"]', 'packages = ["install"]', "cannot have 'install'"),
        ('power = ["reboot"]', "power = true", "keys.papio.power is no list"),
        ("verbs = []", 'verbs = ["seal"]', "cannot have 'seal'"),
        ("verbs = []", 'shell = "yes"', "has no 'shell'"),
        ('"/home"]', '"home"]', "'home' is no absolute path"),
        (STORE, "/srv/../etc", "is no absolute path"),
        ("format = 1", "format = 2", "format = 1"),
        ("[keys.other]", "[keys.papio]", "names a table again"),
        ("[keys.other]", "[keys", "is not understood"),
        ("[keys.other]", "[keys.papio.sources]", "makes a table"),
        ("seals = 4", "seals = 4_0", "is not understood"),
        ("seals = 4", "seals = 0x4", "is not understood"),
        ("seals = 4", "seals = 9999999999", "no number that counts"),
        ("seals = 4", "seals = -4", "is not understood"),
        ("seals = 4", 'seals = """4"""', "is not understood"),
    ],
)
def test_what_is_not_understood_gives_nobody_anything(was: str, becomes: str, says: str) -> None:
    assert was in POLICY
    with pytest.raises(Refused, match=says) as refused:
        rights.parse(POLICY.replace(was, becomes), "papio")
    assert refused.value.do


@pytest.mark.parametrize("header", ['[keys."papio"', '["keys".papio', '["keys"."papio"', '[keys."other"', '["keys"'])
def test_a_table_of_a_key_that_could_be_overlooked_is_none(header: str) -> None:
    more = f'{header}.stores."/srv/other"]\nfloor = 1\n'
    for key in ("papio", "other"):
        with pytest.raises(Refused, match=r"write the name of a key as \[keys.NAME\]"):
            rights.parse(POLICY + more, key)
        with pytest.raises(Refused):
            text.with_table(POLICY, key, f"[keys.{key}]\n{more}")


def test_what_is_taken_away_is_gone_whatever_characters_are_in_it() -> None:
    for end in "\u2028\u2029\x85":
        known = text.with_table(POLICY, "papio", f'[keys.papio] # {end}[keys.other] #\nsources = ["/"]\n')
        known = text.with_table(known, "papio", "[keys.papio]\nsources = []\n")
        assert rights.parse(known, "papio") == Rights("papio") and "/" not in known.partition("[")[2], known


def test_a_key_that_is_not_named_has_nothing() -> None:
    for key in ("karl", "stores", "keys"):
        with pytest.raises(Refused, match=rf"no \[keys.{key}\]"):
            rights.parse(POLICY, key)


NAMES = st.text("abAB09_-", min_size=1, max_size=5)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters='"\\'))
VALUES = st.one_of(TEXTS, st.booleans(), st.integers(0, 10**9 - 1), st.lists(TEXTS, max_size=3))


def _written(tables: Mapping[str, Mapping[str, object]]) -> str:
    def value(each: object) -> str:
        if isinstance(each, list):
            return f"[{', '.join(value(word) for word in each)}]"
        return str(each).lower() if isinstance(each, bool) else str(each) if isinstance(each, int) else f'"{each}"'

    return "\n".join(
        f'[a."{name}"]\n' + "".join(f"{key} = {value(each)}\n" for key, each in entries.items())
        for name, entries in tables.items()
    )


@given(tables=st.dictionaries(TEXTS.filter(bool), st.dictionaries(NAMES, VALUES, max_size=4), max_size=4))
def test_what_is_read_is_what_toml_is(tables: Mapping[str, Mapping[str, object]]) -> None:
    text = _written(tables)
    assert toml.parse(text) == tomllib.loads(text)


@example(text="\r")
@example(text="[a]\r\nb = 1\r")
@given(text=st.text(max_size=80))
def test_any_text_is_read_as_toml_reads_it_or_refused(text: str) -> None:
    try:
        ours = toml.parse(text)
    except Refused:
        return
    assert ours == tomllib.loads(text)


def test_what_enrol_writes_is_what_a_host_reads() -> None:
    site = parts.site(live=True)
    text = policy(site, parts.SERVER, {"papio": 1}, ("reboot",))
    known = rights.parse(text, parts.PAPIO)
    (path,) = known.stores
    assert path == site.store("papio").path
    assert known.power == ("reboot",)
    assert known.stores[path].floor == 1, "a store without retention keeps at least its newest"
    assert known.stores[path].seals == known.stores[path].expiries == 4
    assert known.sources, "the reverse snapshot reads it"
    assert all(job.host == parts.SERVER for job in beyond(site, parts.SERVER))


def test_what_a_person_allows_is_written_and_the_jobs_that_want_more_are_named() -> None:
    jobs = (upkeep_parts.UPDATES, upkeep_parts.UPGRADE, upkeep_parts.REBOOT)
    site = replace(upkeep_parts.SITE, jobs=jobs)
    text = policy(site, upkeep_parts.SERVER, {}, ("upgrade", "updates", "reboot"))
    known = rights.parse(text, "papio")
    assert (known.power, known.packages) == (("reboot",), ("updates", "upgrade"))

    def named(*allow: str) -> list[str]:
        return [job.name for job in beyond(site, upkeep_parts.SERVER, allow)]

    assert named() == [job.name for job in jobs]
    assert named("updates") == ["upgrade-server", "reboot-server"]
    assert named("updates", "upgrade") == ["upgrade-server", "reboot-server"], "an upgrade ends with a reboot"
    assert named("updates", "upgrade", "reboot") == []
    never = replace(site, jobs=(upkeep_parts.with_options(upkeep_parts.UPGRADE, reboot="no"),))
    assert beyond(never, upkeep_parts.SERVER, ("upgrade",)) == ()
