"""What the verb `access` takes, and what it answers."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from ..arguments import Count, Positive


class LookAtAccess(NamedTuple):
    """Options of `access`; 0 stands for the usual number of `hours` and of `rows`."""

    hours: Positive = 0
    rows: Positive = 0
    state: str = ""
    expected: tuple[str, ...] = ()
    until: str = ""
    file: tuple[str, ...] = ()
    journal: bool = False


class AccessRow(NamedTuple):
    """How often a name was counted, and the name; what a table does not count is "".

    `to` is whom somebody became, `what` the method of a login, the program that sudo ran, or why it refused.
    """

    times: Count
    user: str = ""
    source: str = ""
    to: str = ""
    what: str = ""


class AccessTable(NamedTuple):
    """The names that came most often, and how many `others` there were.

    Where it is not `exact`, numbers of rows are the least that they can be and `others` is within a few percent.
    """

    total: Count
    rows: tuple[AccessRow, ...]
    others: Count
    exact: bool


class UsualNumber(NamedTuple):
    """What a number was on each of the last `days` whole days; `spread` is the median distance from the median.

    Of ten days one is below `low`, and one above `high`.
    """

    days: Count
    median: float
    low: float
    high: float
    spread: float


class AccessTables(NamedTuple):
    """What was counted. `new` are sources never seen before; `guessed` are logins from where the same user was
    refused, which is as often as it says. `root_typed`: root by a password; `root_right`: only PermitRootLogin
    refused root; `no_password`: somebody without any.
    """

    accepted: AccessTable
    refused: AccessTable
    users: AccessTable
    new: AccessTable
    guessed: AccessTable
    sudo: AccessTable
    sudo_refused: AccessTable
    su: AccessTable
    su_refused: AccessTable
    root_typed: AccessTable
    root_right: AccessTable
    no_password: AccessTable


class AccessAnswer(NamedTuple):
    """Answer of `access`. `usual` has the numbers that are known, by the name of their table.

    `covered`: the log goes back to `since`; `alive`: it was written to since then; `first`: there was no report
    before this one; `long`: lines too long to be read; `ownership`: keys not looked at, as others may write to the
    file. `pretended`: lines under the name of a program of ours by another one; `unproven`: lines whose program had
    ended.
    """

    since: datetime
    until: datetime
    source: str
    covered: bool
    alive: bool
    first: bool
    history_damaged: bool
    problems: tuple[str, ...]
    long: Count
    ownership: Count
    pretended: Count
    unproven: Count
    unknown_users: Count
    methods: dict[str, Count]
    usual: dict[str, UsualNumber]
    tables: AccessTables
