"""When a host may be interrupted: windows in the site's zone, over midnight, over a change of the clocks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as some

from runner.jobs.power import window
from runner.model.facts import Announced
from runner.model.options import RebootOptions
from runner.model.site import Job
from tests.unit import parts

ZONE = "America/New_York"
NIGHT = ("17:00-08:00",)


def at(text: str, zone: str = ZONE) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


@pytest.mark.parametrize(
    ("windows", "moment", "closes"),
    [
        (NIGHT, "2026-11-23 17:00", "2026-11-24 08:00"),
        (NIGHT, "2026-11-23 16:59", None),
        (NIGHT, "2026-11-24 07:59", "2026-11-24 08:00"),
        (NIGHT, "2026-11-24 08:00", None),
        (("Sat 06:00-10:00",), "2026-11-28 06:30", "2026-11-28 10:00"),
        (("Sat 06:00-10:00",), "2026-11-27 06:30", None),
        (("Sat 22:00-02:00",), "2026-11-29 01:00", "2026-11-29 02:00"),
        (("Sat 22:00-02:00",), "2026-11-28 01:00", None),
        (("Mon-Fri 18:00-24:00",), "2026-11-27 23:59", "2026-11-28 00:00"),
        (("Fri-Mon 10:00-11:00",), "2026-11-29 10:30", "2026-11-29 11:00"),
        (("Fri-Mon 10:00-11:00",), "2026-11-30 10:30", "2026-11-30 11:00"),
        (("Fri-Mon 10:00-11:00",), "2026-11-24 10:30", None),
        (("Fri-Mon 10:00-11:00",), "2026-11-25 10:30", None),
        (("Sat 06:00-06:00",), "2026-11-28 07:00", "2026-11-29 06:00"),
        (("Sat 06:59-07:59",), "2026-11-28 06:59", "2026-11-28 07:59"),
        (("09:00-13:00", "10:00-11:00"), "2026-11-27 09:30", "2026-11-27 13:00"),
        (("Mon,Wed 10:00-11:00",), "2026-11-25 10:30", "2026-11-25 11:00"),
        (("Fri 17:00-24:00", "Sat 00:00-08:00"), "2026-11-27 20:00", "2026-11-28 08:00"),
        (("09:00-12:00", "11:00-13:00"), "2026-11-27 10:00", "2026-11-27 13:00"),
    ],
)
def test_a_window_is_open_from_its_first_minute_until_its_last(
    windows: tuple[str, ...], moment: str, closes: str | None
) -> None:
    assert window.open_until(windows, at(moment), ZONE) == (at(closes) if closes else None)


@pytest.mark.parametrize(
    ("windows", "moment", "opens"),
    [
        (NIGHT, "2026-11-23 09:00", "2026-11-23 17:00"),
        (NIGHT, "2026-11-23 17:00", "2026-11-24 17:00"),
        (("Sat 06:00-10:00",), "2026-11-28 10:00", "2026-12-05 06:00"),
        (("Sat 06:00-10:00", "Wed 20:00-22:00"), "2026-11-29 00:00", "2026-12-02 20:00"),
    ],
)
def test_who_comes_too_early_is_told_when_it_opens(windows: tuple[str, ...], moment: str, opens: str) -> None:
    assert window.opens(windows, at(moment), ZONE) == at(opens)


@pytest.mark.parametrize(
    ("options", "until"),
    [
        (RebootOptions(), None),
        (RebootOptions(window=NIGHT), "2026-11-24 08:00"),
        (RebootOptions(window=("23:30-24:00",)), None),
        (RebootOptions(announce=timedelta(hours=1)), "2026-11-24 01:00"),
        (RebootOptions(announce=timedelta(hours=1), window=NIGHT), "2026-11-24 01:00"),
        (RebootOptions(announce=timedelta(hours=1), window=("23:30-24:00",)), "2026-11-24 01:00"),
    ],
)
def test_a_plan_holds_until_its_window_closes_or_what_was_announced_is_too_long_ago(
    options: RebootOptions, until: str | None
) -> None:
    now = at("2026-11-23 23:15")
    told = Announced(at=at("2026-11-23 23:00"), notified=at("2026-11-22 23:00"))
    job = Job(name="reboot", kind="reboot", host="server", options=options)
    ends = window.closes(parts.site(), job, options, replace(parts.facts(), at=now, announced={"reboot": told}))
    assert ends == (at(until) if until else None)


def test_a_window_that_never_closes_is_a_week_long() -> None:
    moment = at("2026-11-23 09:00")
    assert window.open_until(("00:00-24:00",), moment, ZONE) == moment + timedelta(days=7)
    # Seven days of 24 hours from here are in the night of the eighth, since an hour is left out between.
    moment = at("2026-03-07 23:30")
    assert window.open_until(("00:00-24:00",), moment, ZONE) == moment + timedelta(days=7)


def test_a_window_keeps_its_hours_when_the_clocks_change() -> None:
    # On 2026-11-01 the hour from 01:00 comes twice: eight hours on the wall are nine.
    begins, ends = at("2026-10-31 22:00"), at("2026-11-01 06:00")
    assert ends - begins == timedelta(hours=9)
    assert window.open_until(("22:00-06:00",), begins + timedelta(hours=8, minutes=30), ZONE) == ends


@pytest.mark.parametrize(
    "text", ["", "17-08", "25:00-08:00", "17:00-24:01", "17:60-18:00", "24:00-01:00", "Sa 06:00-10:00",
             "Mon-Tue-Wed 06:00-10:00", "17:00 - 08:00", "17:00-08:00\n"],
)  # fmt: skip
def test_what_is_no_window_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a window"):
        window.parse(text)


@given(
    moment=some.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)),
    hours=some.tuples(some.integers(0, 23), some.integers(0, 23)),
)
def test_it_is_always_either_open_or_opens_later(moment: datetime, hours: tuple[int, int]) -> None:
    here, windows = moment.replace(tzinfo=UTC), (f"{hours[0]:02}:00-{hours[1]:02}:30",)
    ends, begins = window.open_until(windows, here, ZONE), window.opens(windows, here, ZONE)
    assert begins > here
    assert ends is None or ends > here
    if ends is None:
        assert window.open_until(windows, begins, ZONE)
