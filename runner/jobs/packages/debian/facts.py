"""A Debian host's packages: which probes read them, and what the answers say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from runner.jobs.packages import outdated
from runner.jobs.packages.debian import apt, fixes, health, survey
from runner.jobs.packages.debian.apt import PackageVersion
from runner.jobs.packages.debian.held import brought_by, kept_back, to_hold
from runner.jobs.packages.debian.survey import Survey, SurveyAnswer
from runner.jobs.packages.debian.version import key
from runner.jobs.packages.family import fits
from runner.model.facts import Facts, Probe
from runner.model.packages import Held, PackageFacts, Trouble, Update
from runner.model.site import Host
from runner.model.text import whole_number

SURVEY = "packages.apt"


def probes(host: Host) -> tuple[Probe, ...]:
    """The READ commands whose output decides. The first talks to the mirrors, so it may take minutes."""
    argv = survey.ask(host.hold)
    return (Probe(id=SURVEY, host=host.name, argv=argv, needs=("packages",), timeout=900), outdated.probe(host))


def read(host: Host, facts: Facts) -> PackageFacts:
    """What is known of the host's packages; where nothing could be read, `fresh` is false and a trouble says so.

    `updates` and `held` are by the holds there are and those that jobs.toml wants, together. `held` has new
    packages too (`old` is ""), which only come with a held one.
    """
    reading = facts.reading(host.name, SURVEY)
    answers = survey.parse(reading.out) if reading else {}
    if not answers:
        lines = reading.err.strip().splitlines() if reading else ["they were not asked for"]
        text = f"the packages of {host.name} could not be read: {lines[0] if lines else 'the answer was cut short'}"
        return PackageFacts(fresh=False, troubles=(Trouble(what="unknown", text=text, do="ask an expert"),))
    packages = DebianPackages(host, answers)
    partly = health.is_partly(answers)
    boot = health.rooms(answers).get("/boot")
    return PackageFacts(
        fresh=packages.answer("refresh").exit == 0,
        partly=partly,
        for_security=packages.answer("archives").exit != 0 or fixes.is_there(packages.answer("archives").out),
        updates=packages.updates,
        held=packages.held,
        # What an archive that did not answer has could make these needless.
        removals=() if partly else apt.removed(packages.answer("full").out),
        installed=packages.to_hold,
        holds=packages.holds,
        unheld=tuple(name for name in packages.to_hold if name not in packages.holds),
        stray=tuple(sorted(packages.held_anyhow - set(packages.to_hold))),
        troubles=(
            *health.troubles(answers, packages.installed, packages.download),
            *packages.unanswered(),
            *(() if partly else packages.downgrades()),
            *packages.hidden(),
        ),
        boot_free=boot.free if boot else None,
        download=packages.download,
    )


class DebianPackages:
    """The answers of one survey. `to_hold` should be held, `updates` can be installed without touching a hold.

    `held_anyhow` is held by any program that keeps holds, `holds` by every one. `download` are bytes to fetch
    for the updates.
    """

    def __init__(self, host: Host, answers: Survey) -> None:
        self._host, self._answers = host, answers
        self.native = "".join(self.answer("arch").out)
        self.installed = apt.parse_table(self.answer("table").out, self.native)
        self.to_hold = to_hold(host.hold, {package.name: _exact(package.needs) for package in self.installed})
        labels = (line.partition("|") for line in self.answer("aptitude").out)
        by_aptitude = {apt.name_of(name, arch, self.native) for name, _, arch in labels}
        by_dpkg = {package.name for package in self.installed if package.want == "hold"}
        without = self.answer("aptitude").exit == 127
        self.holds = tuple(sorted(by_dpkg if without else by_dpkg & by_aptitude))
        self.held_anyhow = by_dpkg | by_aptitude
        self.fixes = fixes.parse(self.answer("fixes").out)
        self._simulated = self._updates("held")
        self.updates = tuple(update for update in self._simulated if not _goes_back(update))
        download = "".join(self.answer("download").out)
        self.download = whole_number(download) if self.answer("download").exit == 0 else None

    def answer(self, name: str) -> SurveyAnswer:
        """The answer of that name."""
        return survey.answer(self._answers, name)

    def downgrades(self) -> Iterator[Trouble]:
        """What apt would take back to an older version, because somebody's preferences say so."""
        for update in filter(_goes_back, self._simulated):
            name = update.name
            yield Trouble(
                what="unknown",
                text=f"{name} would go back from {update.old} to {update.new}: that is never done here",
                do=f"see who wants it: apt-cache policy {name}, and the files in /etc/apt/preferences.d; if it is "
                f"meant, at the host: apt-get --allow-downgrades install {name}={update.new}",
            )

    def hidden(self) -> Iterator[Trouble]:
        """Security updates that apt does not take for a reason that nothing else tells: its own settings mostly."""
        kept = {each.out[0] for each in self._answers.get("kept", ()) if each.out}
        every = (*self._updates("free"), *self._simulated)
        taken: dict[str, str] = {}
        for update in every:
            taken[update.name] = max(taken.get(update.name, update.new), update.new, key=key)
        missed = {name: new for name, new in self.fixes.missed(taken).items() if name not in kept}
        return fixes.hidden(missed, self.answer("hides").out, partly=health.is_partly(self._answers))

    def unanswered(self) -> tuple[Trouble, ...]:
        """What could not be found out, so that nobody takes it for nothing."""
        failed = [name for name in ("table", "held", "full", "free") if self.answer(name).exit != 0]
        failed += [name for name in ("archives", "fixes") if self.answer(name).exit not in (0, 127)]
        failed += ["aptitude"] if self.answer("aptitude").exit not in (0, 2, 127) else []
        if not failed or self.answer("check").exit != 0:
            return ()
        why = next((line for name in failed for line in self.answer(name).err), "no reason given")
        text = f"what could be upgraded is not fully known ({', '.join(failed)}): {why}"
        return (Trouble(what="unknown", text=text, do="apt-get -s upgrade at the host; ask an expert"),)

    @property
    def held(self) -> tuple[Held, ...]:
        """The updates that holds keep back, and which hold does; with them the new packages they would bring."""
        now = {(update.name, update.new) for update in self._simulated}
        back = [each for each in self._updates("free") if (each.name, each.new) not in now and not _goes_back(each)]
        names = self.held_anyhow | set(self.to_hold)
        staying = {
            each.name: PackageVersion(each.version, needs=each.needs) for each in self.installed if each.name in names
        }
        # What is new and fits a pattern is kept away too.
        away = {each.name: PackageVersion("") for each in back if not each.old and fits(each.name, self._host.hold)}
        shown = apt.versions(self.answer("back").out, self.native)
        known = {
            each.name: shown[each.name]._replace(old=each.old, version=each.new) for each in back if each.name in shown
        }
        reasons = kept_back(known, staying | away)

        def by(update: Update) -> tuple[str, ...]:
            if update.name in staying:
                return ()
            blockers = reasons.get(update.name, ()) if update.old else brought_by(update.name, known)
            return tuple(name for name in blockers if name in staying) or blockers or tuple(sorted(staying))

        return tuple(Held(update=update, by=by(update)) for update in back)

    def _updates(self, name: str) -> tuple[Update, ...]:
        """The updates of that simulation; one is for security too if it brings or passes over such a version."""
        return tuple(
            replace(update, security=update.security or self.fixes.brings(update.name, update.old, update.new))
            for update in apt.simulated(self.answer(name).out)
        )


def _goes_back(update: Update) -> bool:
    return bool(update.old) and key(update.new) < key(update.old)


def _exact(needs: tuple[apt.Clause, ...]) -> tuple[str, ...]:
    """What a package depends on, if all of it is at one version: so does a metapackage."""
    every = [need for clause in needs for need in clause]
    return tuple(need.name for need in every) if all(need.relation == "=" for need in every) else ()
