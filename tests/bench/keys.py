"""A whole day with the key that `enrol` binds beside one with root's own: python -m tests.bench.keys (root).

A dump, snapshots both ways, a prune, an audit, a check, a drill of files and database, a restore, between the lab's two
hosts; each way in turn, on the same stores. What counts is the processor time of all processes of both hosts. Leaves
with 0 if a day with the bound key costs no more than LIMIT times one with root's own, 1 if it does, 2 if nothing can be
measured here.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import median

from runner.jobs.snapshots.restored import SIDE
from tests.bench import tree
from tests.bench.meters.group import Group, group
from tests.bench.running import in_turn
from tests.lab.database_site import Cluster, Keeper
from tests.lab.images import BACKUP, PAPIO
from tests.lab.machines import Lab
from tests.lab.site import FILE

LIMIT = 1.05
ROOT, BOUND = "root's own key", "bound key"
PROJECT = "/home/karl/project"
AUDIT = '[jobs.audit-papio]\nkind = "audit"\nstore = "papio"\n[hooks.mail]'
JOBS = (
    "dump-babase",
    "backup-papio",
    "backup-backup-server1",
    "purge-papio",
    "audit-papio",
    "check-papio",
    "drill-papio",
)
DAY = ("run", *JOBS), ("restore", "papio", PROJECT)


def measured(files: int, rounds: int, ours: Group) -> Mapping[str, list[float]]:
    """Processor seconds of each day, by the key; the days before them fill caches and make the first snapshots."""
    found: dict[str, list[float]] = {ROOT: [], BOUND: []}
    with _site() as (keeper, key):
        work = tree.make(keeper.path(PAPIO, PROJECT), files=files, median=tree.SMALL_SIZE)
        file = keeper.path(PAPIO, FILE)
        plain = file.read_text("utf-8")
        bound = plain.replace(f"[hosts.{BACKUP}]\n", f'[hosts.{BACKUP}]\nkey = "{key}"\n')
        for number in range(rounds):
            for name in in_turn((ROOT, BOUND), number):
                file.write_text(plain if name == ROOT else bound, "utf-8")
                # Each key has records of its looks: the first day after the other one's compares all.
                for counts in (False, True):
                    tree.day(work)
                    begun = ours.cpu()
                    _day(keeper, name)
                    if counts:
                        found[name].append(ours.cpu() - begun)
                        print(f"{name}: {found[name][-1]:.2f} s", file=sys.stderr, flush=True)
    return found


def _day(keeper: Keeper, name: str) -> None:
    for words in DAY:
        ran = keeper.run(*words, timeout=600)
        if ran.code:
            raise SystemExit(f"{' '.join(words)} with {name} ended {ran.code}:\n{ran.said}")
    # Or the disk is full of them after some days.
    keeper.lab.run(PAPIO, "rm", "-rf", SIDE)


@contextmanager
def _site() -> Iterator[tuple[Keeper, str]]:
    """Both hosts, enrolled; where the bound key is. Its policy lets so many days pass in one."""
    with Lab(disk_mb=900, root_mb=900) as lab:
        cluster, keeper = Cluster(lab=lab), Keeper(lab=lab)
        cluster.make()
        cluster.fill()
        keeper.settle()
        file = keeper.path(PAPIO, FILE)
        file.write_text(file.read_text("utf-8").replace("[hooks.mail]", AUDIT), "utf-8")
        (key,) = re.findall(r'key = "(.*)"', keeper.good("enrol", BACKUP).said)
        policy = keeper.path(BACKUP, "/etc/runner/agent.toml")
        policy.write_text(re.sub(r"(seals|expiries) = \d+", r"\1 = 1000", policy.read_text("utf-8")), "utf-8")
        yield keeper, key


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and give the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.keys", description=__doc__)
    parser.add_argument("--files", type=int, default=5000, help="files of papio beside its system")
    parser.add_argument("--rounds", type=int, default=5, help="days each way; the least counts")
    options = parser.parse_args(argv)
    with group() as ours:
        if ours is None:
            print("this machine gives no control group: nothing is measured", file=sys.stderr)
            return 2
        with ours.joined():
            found = measured(options.files, options.rounds, ours)
    least = {name: min(days) for name, days in found.items()}
    middle = median(found[BOUND]) / median(found[ROOT])
    ratio = least[BOUND] / least[ROOT]
    print(f"a day of {options.files} files: {ROOT} {least[ROOT]:.2f} s, {BOUND} {least[BOUND]:.2f} s; "
          f"ratio {ratio:.3f} (at most {LIMIT}), of the medians {middle:.3f}")  # fmt: skip
    return 0 if ratio <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
