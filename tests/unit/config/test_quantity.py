"""Text with a unit and its value."""

from __future__ import annotations

from datetime import timedelta

import pytest

from runner.config.quantity import amount, duration, network, percent, plain_thinning, share, size, thinning, week
from runner.model.site import Amount, Thin


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("120d", timedelta(days=120)),
        ("20h", timedelta(hours=20)),
        ("90 min", timedelta(minutes=90)),
        ("1.5h", timedelta(minutes=90)),
        ("45s", timedelta(seconds=45)),
        ("1s", timedelta(seconds=1)),
        ("2w", timedelta(days=14)),
        ("36500d", timedelta(days=36500)),
    ],
)
def test_a_length_of_time_has_its_unit_in_the_text(text: str, length: timedelta) -> None:
    assert duration(text) == length


@pytest.mark.parametrize(
    "text",
    [
        "", "120", "d", "1m", "1 M", "1D", "-1d", "+1d", "0d", "0.0h", "0.9s", "36501d", "999999999w", "9999999999s",
            "1  d",
        " 1d", "1d ", "1d\n", "1h30min", "1e3d", "1.d", ".5d", "\u0661d", "inf d", "nan d", "1_0d", "1,5h", "0x1d",
    ],
)  # fmt: skip
def test_a_length_of_time_that_could_be_misread_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match=r"^is not a length of time"):
        duration(text)


@pytest.mark.parametrize(("text", "share"), [("5%", 5), ("2.5 %", 2.5), ("99.999%", 99.999), ("0.001%", 0.001)])
def test_a_share_is_between_nothing_and_everything(text: str, share: float) -> None:
    assert percent(text) == amount(text) == Amount(percent=share)


@pytest.mark.parametrize("text", ["0%", "100%", "101%", "5", "%", "-5%", "5 percent", "5%%", "5%\n", "0.0001%"])
def test_a_share_that_no_disk_can_keep_free_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match=r"^is not a share"):
        percent(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("20 GiB", 20 * 2**30),
        ("20GiB", 20 * 2**30),
        ("20 GB", 20 * 10**9),
        ("1.5 TiB", 3 * 2**39),
        ("500 MB", 500 * 10**6),
        ("1 KiB", 1024),
        ("1 KB", 1000),
    ],
)
def test_a_size_tells_units_of_1000_from_units_of_1024(text: str, size: int) -> None:
    assert amount(text) == Amount(bytes=size)


@pytest.mark.parametrize(
    "text", ["", "20", "20G", "20 gib", "0 GiB", "-1 GiB", "20 GiB\n", "1 PiB", "B", "1 B", "20 Gib"]
)
def test_a_size_without_a_clear_unit_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match=r"^is (neither|a size of nothing)"):
        amount(text)


def test_a_size_is_no_share() -> None:
    assert size("20 GiB") == Amount(bytes=20 * 2**30)
    for text in ("5%", "0 GiB", "20"):
        with pytest.raises(ValueError, match=r"^is (not a size|neither|a size of nothing)"):
            size(text)


def test_a_length_of_a_week_at_most_may_be_a_week() -> None:
    assert (week("7d"), week("1w"), week("1s")) == (timedelta(days=7), timedelta(days=7), timedelta(seconds=1))
    for text in ("8d", "168.001h"):
        with pytest.raises(ValueError, match="^is more than a week$"):
            week(text)


@pytest.mark.parametrize("text", ["192.0.2.7", "192.0.2.0/24", "192.0.2.7/24", "2001:db8::/32", "::1"])
def test_a_network_is_given_back_as_it_was_written(text: str) -> None:
    assert network(text) == text


@pytest.mark.parametrize("text", ["", "192.0.2", "192.0.2.0/33", "papio.example.edu", "192.0.2.0-9"])
def test_what_is_no_network_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match="^is not an address or a network"):
        network(text)


def test_a_share_is_a_number_of_percent() -> None:
    assert (share("30%"), share("2.5%")) == (30.0, 2.5)


def test_a_thinning_says_how_many_of_each_period_stay() -> None:
    assert thinning("daily 60, weekly 1,monthly all") == (
        Thin(period="daily", count=60), Thin(period="weekly", count=1), Thin(period="monthly", count=None),
    )  # fmt: skip


def test_a_thinning_is_written_as_its_schema_takes_it() -> None:
    assert plain_thinning("daily 60,weekly 01 , monthly all") == "daily 60, weekly 1, monthly all"


def test_what_is_no_length_or_no_size_is_told_what_this_key_takes() -> None:
    for read, text, example in (
        (week, "1m", "'24h'"),
        (duration, "1m", "'120d'"),
        (size, "20", "'20 GiB'"),
        (size, "5%", "'20 GiB'"),
    ):
        with pytest.raises(ValueError, match=f"such as {example}$"):
            read(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not a list"), ("daily", "not a list"), ("hourly 3", "not a list"), ("hourly all", "not a list"),
        ("daily some", "not a list"), ("daily 12345", "not a list"), ("daily \u0661", "not a list"), ("daily -1", "not a list"), ("daily 3, daily all", "says daily twice"),
        ("weekly 0", "keeps 0 weekly"),
    ],
)  # fmt: skip
def test_a_thinning_that_could_be_misread_is_refused_in_words(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        thinning(text)
