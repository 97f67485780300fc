"""Things in jobs.toml that are right by themselves and wrong together."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runner.config.complaints import no_such
from runner.config.crosscheck import Declared, check
from runner.config.here import seen_from
from runner.config.order import never_fires
from runner.config.overlap import inside
from runner.model.options import PruneOptions, SnapshotOptions
from runner.model.site import Disk, Host, Job, Retention, Site, Store

PAPIO = Host(name="papio", address="papio.example.edu")
SERVER = Host(name="server", address="192.168.199.2")
DISK = Disk(name="disk", host="server", device="/dev/sdb1", mount="/srv/backups")
STORE = Store(name="store", host="server", path="/srv/backups/papio", disk="disk")
OPTIONS = SnapshotOptions(store="store")
JOB = Job(name="job", kind="snapshot", host="papio", options=OPTIONS)
SITE = Site(
    name="s", controller="papio", folder="/f", state="/f/state", sandbox="/f/sandbox", digest="", live=True,
    hosts=(PAPIO, SERVER), disks=(DISK,), stores=(STORE,), jobs=(JOB,),
)  # fmt: skip


def declared(site: Site) -> Declared:
    return Declared(
        hosts=tuple(host.name for host in site.hosts),
        disks=tuple(disk.name for disk in site.disks),
        stores=tuple(store.name for store in site.stores),
        jobs=tuple(job.name for job in site.jobs),
    )


def found(site: Site) -> list[tuple[str, str]]:
    return [(".".join(map(str, problem.path)), problem.text) for problem in check(site, declared(site))]


def places(site: Site) -> list[str]:
    return [place for place, _ in found(site)]


def job(name: str, *, host: str = "papio", store: str = "store", after: tuple[str, ...] = ()) -> Job:
    return Job(name=name, kind="snapshot", host=host, options=SnapshotOptions(store=store), after=after)


def test_a_site_that_holds_together_has_no_problem() -> None:
    assert found(SITE) == []


@pytest.mark.parametrize(
    ("site", "place"),
    [
        (replace(SITE, controller="papoi"), "site.controller"),
        (replace(SITE, disks=(replace(DISK, host="x"),)), "disks.disk.host"),
        (replace(SITE, stores=(replace(STORE, host="x"),)), "stores.store.host"),
        (replace(SITE, stores=(replace(STORE, disk="x"),)), "stores.store.disk"),
        (replace(SITE, jobs=(job("a", host="x"),)), "jobs.a.host"),
        (replace(SITE, jobs=(job("a", store="x"),)), "jobs.a.store"),
        (replace(SITE, jobs=(job("a", after=("x",)),)), "jobs.a.after.0"),
    ],
)
def test_a_name_that_nothing_has_is_a_problem_where_it_is_used(site: Site, place: str) -> None:
    assert place in places(site)
    assert all("there is no" in text for where, text in found(site) if where == place)


def test_a_table_with_a_problem_of_its_own_is_not_reported_again_as_missing() -> None:
    bare = replace(SITE, hosts=(PAPIO,), disks=(), stores=())
    assert check(bare, declared(SITE)) == ()
    unread = Declared(hosts=None, disks=None, stores=None, jobs=None)
    assert check(replace(bare, hosts=()), unread) == ()


def test_a_misspelt_name_gets_the_nearest_or_else_all() -> None:
    assert no_such("host", "papoi", ("papio", "server")) == "there is no host 'papoi'; did you mean 'papio'?"
    assert no_such("host", "zzz", ("papio", "server")) == "there is no host 'zzz'; known: papio, server"
    assert no_such("host", "zzz", ()) == "there is no host 'zzz'"


@pytest.mark.parametrize(("least", "most", "wrong"), [(30, 400, False), (30, 30, False), (31, 30, True)])
def test_a_store_cannot_keep_more_than_it_may(least: int, most: int, wrong: bool) -> None:
    kept = replace(STORE, retention=Retention(min=least, max=most))
    assert places(replace(SITE, stores=(kept,))) == ["stores.store.retention"] * wrong


@pytest.mark.parametrize(
    ("path", "folder", "answer"),
    [
        ("/a/b", "/a", True),
        ("/a", "/a", True),
        ("/ab", "/a", False),
        ("/a", "/", True),
        ("/", "/a", False),
        ("/", "/", True),
    ],
)
def test_inside_goes_by_whole_names(path: str, folder: str, answer: bool) -> None:
    assert inside(path, folder) is answer


@pytest.mark.parametrize(
    ("path", "host", "wrong"),
    [
        ("/srv/backups/papio", "server", True),
        ("/srv/backups/papio/deeper", "server", True),
        ("/srv/backups/papio2", "server", False),
        ("/srv/backups/papio", "papio", False),
    ],
)
def test_two_stores_never_share_a_folder(path: str, host: str, wrong: bool) -> None:
    other = Store(name="other", host=host, path=path, disk="disk" if host == "server" else "")
    assert places(replace(SITE, stores=(STORE, other))) == ["stores.other.path"] * wrong
    assert places(replace(SITE, stores=(other, STORE))) == ["stores.store.path"] * wrong


def test_a_store_is_on_the_disk_that_it_names() -> None:
    away = replace(STORE, path="/srv/other")
    assert places(replace(SITE, stores=(away,))) == ["stores.store.path"]
    elsewhere = replace(STORE, host="papio")
    assert places(replace(SITE, stores=(elsewhere,))) == ["stores.store.disk"]


def test_a_store_below_a_declared_mount_must_name_the_disk() -> None:
    assert places(replace(SITE, stores=(replace(STORE, disk=""),))) == ["stores.store.disk"]


def test_two_disks_have_neither_device_nor_mount_in_common() -> None:
    twin = replace(DISK, name="twin")
    assert places(replace(SITE, disks=(DISK, twin))) == ["disks.twin.mount", "disks.twin.device"]
    assert places(replace(SITE, disks=(DISK, replace(twin, host="papio")))) == []


@pytest.mark.parametrize(
    ("sources", "exclude", "place"),
    [
        ((), (), None),
        (("/home",), (), None),
        (("/srv/own",), (), "jobs.own.filesystems"),
        (("/srv/own/2026-11-23T081500Z",), ("/srv",), "jobs.own.filesystems"),
        (("/",), (), "jobs.own.store"),
        (("/", "/srv"), ("/srv/own",), "jobs.own.store"),
    ],
)
def test_a_snapshot_is_not_kept_on_the_filesystem_that_it_copies(
    sources: tuple[str, ...], exclude: tuple[str, ...], place: str | None
) -> None:
    own = Store(name="own", host="papio", path="/srv/own")
    options = SnapshotOptions(store="own", filesystems=sources, exclude=exclude)
    site = replace(SITE, stores=(own,), jobs=(Job(name="own", kind="snapshot", host="papio", options=options),))
    assert places(site) == ([place] if place else [])
    if sources and not exclude:
        named = replace(site, hosts=(replace(PAPIO, filesystems=sources), SERVER))
        by_host = (replace(site.jobs[0], options=SnapshotOptions(store="own")),)
        expected = [place.replace("jobs.own.files", "hosts.papio.files")] if place else []
        assert places(replace(named, jobs=by_host)) == expected


def test_the_store_of_another_host_may_lie_in_what_is_copied() -> None:
    root = replace(JOB, host="papio", options=SnapshotOptions(store="store", filesystems=("/", "/srv/backups")))
    away = Store(name="away", host="papio", path="/srv/backups/server")
    assert places(replace(SITE, stores=(STORE, away), jobs=(root,))) == []


@pytest.mark.parametrize(
    ("after", "circles"),
    [
        ({"a": ("b",), "b": ("c",), "c": ()}, []),
        ({"a": ("a",)}, ["a -> a"]),
        ({"a": ("b",), "b": ("c",), "c": ("a",), "d": ("a",)}, ["a -> b -> c -> a"]),
        ({"a": ("b",), "b": ("a",), "c": ("d",), "d": ("c",)}, ["a -> b -> a", "c -> d -> c"]),
        ({"a": ("b", "c"), "b": ("a",), "c": ("a",)}, ["a -> b -> a", "c -> a -> c"]),
    ],
)
def test_jobs_that_wait_for_each_other_are_told_as_a_circle(
    after: dict[str, tuple[str, ...]], circles: list[str]
) -> None:
    jobs = tuple(job(name, store=f"store{name}", after=names) for name, names in after.items())
    texts = [text for _, text in found(replace(SITE, jobs=jobs)) if "circle" in text]
    assert texts == [f"makes a circle: {circle}" for circle in circles]


def test_two_jobs_write_one_store_only_one_after_the_other() -> None:
    assert places(replace(SITE, jobs=(job("a"), job("b")))) == ["jobs.b.store"]
    assert places(replace(SITE, jobs=(job("a"), job("b", after=("a",))))) == []
    assert places(replace(SITE, jobs=(job("a", after=("b",)), job("b")))) == []
    other = Store(name="other", host="papio", path="/srv/other")
    between = (job("a"), job("b", store="other", after=("a",)), job("c", after=("b",)))
    assert places(replace(SITE, stores=(STORE, other), jobs=between)) == []


def test_a_store_holds_one_host() -> None:
    jobs = (job("a"), job("b", host="server", after=("a",)))
    ((place, text),) = found(replace(SITE, jobs=jobs, live=False))
    assert place == "jobs.b.store"
    assert "holds one host" in text


@pytest.mark.parametrize(
    "schedule", ["15 3 * * *", "*/5 * * * MON-FRI", "0 0 29 2 *", "0 0 30 2 1", "0 0 L * *", "0 0 31 1-3 *"]
)
def test_a_schedule_that_fires_even_rarely_is_good(schedule: str) -> None:
    assert never_fires(schedule) == ""


@pytest.mark.parametrize("schedule", ["0 0 30 2 *", "0 0 31 2 *", "0 0 31 4,6,9,11 *", "0 0 31 FEB *"])
def test_a_schedule_that_never_fires_is_told(schedule: str) -> None:
    assert never_fires(schedule) == "never fires: no month that it names has such a day"


@pytest.mark.parametrize(
    "schedule",
    [
        "61 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "*/0 * * * *",
        "5-1 * * * *",
        "x",
        "L/2 * * * *",
        "",
    ],
)
def test_what_is_no_schedule_is_told(schedule: str) -> None:
    assert never_fires(schedule).startswith("is not a crontab schedule: ")


def test_a_live_site_says_where_its_hosts_are() -> None:
    unknown = replace(SITE, hosts=(replace(PAPIO, address=""), replace(SERVER, address="")))
    assert places(unknown) == ["hosts.server.address"]
    assert places(replace(unknown, live=False)) == []


def test_one_end_of_a_live_snapshot_is_the_controller() -> None:
    away = replace(SITE, jobs=(replace(JOB, host="server"),))
    assert places(away) == ["jobs.job.store"]
    assert places(replace(away, live=False)) == []


ACCESS = Job(name="access", kind="access", host="server", options=None)


@pytest.mark.parametrize(
    ("jobs", "place"),
    [
        ((replace(ACCESS, runs_on="server"),), ""),
        ((replace(JOB, runs_on="papio"), replace(ACCESS, runs_on="papio")), ""),
        ((replace(ACCESS, runs_on="sever"),), "jobs.access.runs_on"),
        ((replace(ACCESS, host="papio", runs_on="server"),), "jobs.access.runs_on"),
        ((replace(JOB, runs_on="server"),), "jobs.job.runs_on"),
        ((replace(JOB, after=("access",)), ACCESS), ""),
        ((replace(JOB, after=("access",)), replace(ACCESS, runs_on="server")), "jobs.job.after.0"),
        ((JOB, replace(ACCESS, runs_on="server", after=("job",))), "jobs.access.after.0"),
    ],
)
def test_a_host_starts_by_itself_only_what_it_does_to_itself(jobs: tuple[Job, ...], place: str) -> None:
    assert ",".join(places(replace(SITE, jobs=jobs))) == place


def test_each_job_is_seen_on_the_one_machine_that_starts_it() -> None:
    site = replace(SITE, jobs=(JOB, ACCESS, replace(ACCESS, name="alone", runs_on="server")))
    papio, server = seen_from(site, "papio"), seen_from(site, "server")
    assert [job.name for job in papio.jobs] == ["job", "access"]
    assert [(job.name, job.runs_on) for job in papio.elsewhere] == [("alone", "server")]
    assert (papio.name, papio.stores) == ("s", (STORE,))
    assert [job.name for job in server.jobs] == ["alone"]
    assert {job.runs_on for job in server.elsewhere} == {"papio"}
    # It must be its own controller: what it starts goes over no connection.
    assert (server.name, server.controller, server.stores) == ("s on server", "server", (STORE,))
    far = replace(site, stores=(replace(STORE, host="papio"),))
    assert seen_from(far, "server").stores == ()


def test_only_declared_hosts_have_stand_ins() -> None:
    (problem,) = check(SITE, replace(declared(SITE), sandbox=("papio", "papoi")))
    assert problem.path == ("sandbox", "papoi")


def test_a_name_that_several_say_and_none_has_is_wrong_where_it_is_declared() -> None:
    site = replace(SITE, live=False, hosts=(replace(PAPIO, name="paipo"), SERVER))
    assert found(site) == [("hosts.paipo", "site and jobs speak of 'papio': did you mean [hosts.papio]?")]
    dotted = replace(site, controller="pai.po", jobs=(replace(JOB, host="pai.po"),))
    assert [text for _, text in found(dotted)] == ["site and jobs speak of 'pai.po': did you mean [hosts.\"pai.po\"]?"]


@pytest.mark.parametrize("spoken", ["", "paipo"])
def test_a_name_that_somebody_says_is_right_where_it_is_declared(spoken: str) -> None:
    site = replace(SITE, live=False, hosts=(replace(PAPIO, name="paipo"), SERVER))
    by_one = replace(site, controller="paipo")
    assert places(by_one) == ["jobs.job.host"]
    other = Job(name="other", kind="access", host="paipo", options=None)
    assert places(replace(site, jobs=(other, JOB))) == ["site.controller", "jobs.job.host"]
    assert len(check(site, replace(declared(site), spoken=frozenset((spoken,))))) == (2 if spoken else 1)


def test_where_nothing_is_declared_every_name_is_wrong_and_where_that_is_not_known_none() -> None:
    bare = replace(SITE, disks=(), jobs=())
    assert found(bare) == [("stores.store.disk", "there is no disk 'disk'")]
    assert check(bare, replace(declared(bare), disks=None)) == ()


def test_a_job_with_the_host_of_its_store_is_not_blamed_for_it() -> None:
    prune = Job(name="prune", kind="prune", host="nowhere", options=PruneOptions(store="store"))
    site = replace(SITE, stores=(replace(STORE, host="nowhere", disk=""),), jobs=(prune,))
    assert found(site) == [("stores.store.host", "there is no host 'nowhere'; known: papio, server")]
