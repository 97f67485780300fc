"""How long a host is waited for: what people say, what it took before, what its disks need."""

from __future__ import annotations

from datetime import timedelta

from runner.jobs.power.downtime import patience

LEAST = timedelta(minutes=30)


def test_without_history_it_is_what_people_say() -> None:
    wait = patience(LEAST, (), ())
    assert (wait.back, wait.why) == (1800, "at least 30 min")


def test_a_host_that_took_long_before_is_waited_for_twice_as_long() -> None:
    wait = patience(LEAST, (60.0, 1500.0, 90.0), ())
    assert wait.back == 3000
    assert "twice the 25 min that the longest of 3 reboots took" in wait.why


def test_a_disk_check_is_waited_for_at_twice_its_most() -> None:
    wait = patience(LEAST, (60.0,), (2100.0, 300.0))
    assert wait.back == 1800 + 2 * 2400
    assert wait.settle == 600 + 2 * 2400
    assert "twice the 40 min that checking 2 filesystems may take" in wait.why


def test_a_check_of_which_nobody_knows_the_length_may_take_a_day() -> None:
    wait = patience(LEAST, (), (2100.0, None))
    assert wait.back == 1800 + 4200 + 86400
    assert "how many is not known" in wait.why
