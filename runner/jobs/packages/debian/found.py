"""A Debian host's packages: what is asked, and what the answers say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from runner.jobs.packages.debian import apt, health
from runner.jobs.packages.debian import survey as apt_survey
from runner.jobs.packages.debian import version as apt_origins
from runner.jobs.packages.debian.survey import Answer
from runner.jobs.packages.debian.version import compare
from runner.jobs.packages.held import Fixed, Wish, brought_by, fits, kept_back, wanted
from runner.jobs.power import reboot_need
from runner.model.facts import Facts, Probe
from runner.model.packages import Held, Kernel, PackageFacts, Trouble, Update
from runner.model.site import Host
from runner.tools import detached

SURVEY, OUTDATED = "packages.apt", "packages.outdated"
# needrestart's word for the kernel: 2 is a newer build of the one that runs, 3 a newer kernel.
_KSTA = {2: "needrestart: the running kernel was replaced", 3: "needrestart: a newer kernel waits"}

_NONE = Answer(exit=127)


def probes(host: Host) -> tuple[Probe, ...]:
    """The READ commands that `read` wants the output of. The first talks to the mirrors, so it may take minutes."""
    needs = ("packages",)
    survey = Probe(id=SURVEY, host=host.name, argv=apt_survey.ask(host.hold), needs=needs, timeout=900)
    return (survey, Probe(id=OUTDATED, host=host.name, argv=detached.OUTDATED, needs=needs, timeout=60))


def read(host: Host, facts: Facts) -> PackageFacts:
    """What is known of the host's packages; where nothing could be read, `fresh` is false and a trouble says so.

    `updates` and `held` are by the holds there are and those that jobs.toml wants, together. `held` has new
    packages too (`old` is ""), which only come with a held one.
    """
    reading = facts.reading(host.name, SURVEY)
    answers = apt_survey.parse(reading.out) if reading else {}
    outdated = detached.parse_outdated(_said(facts, host, OUTDATED)) or detached.Outdated()
    if not answers:
        lines = reading.err.strip().splitlines() if reading else ["they were not asked for"]
        text = f"the packages of {host.name} could not be read: {lines[0] if lines else 'the answer was cut short'}"
        return PackageFacts(fresh=False, troubles=(Trouble(what="unknown", text=text, do="refer it to an expert"),))
    found = Found(host, answers)
    partly = health.is_partly(answers)
    return PackageFacts(
        fresh=found.one("refresh").exit == 0,
        partly=partly,
        updates=found.updates,
        held=found.held,
        # What an archive that did not answer has could make these needless.
        removals=() if partly else apt.removed(found.one("full").out),
        installed=found.wanted,
        holds=found.holds,
        unheld=tuple(name for name in found.wanted if name not in found.holds),
        stray=tuple(sorted(found.held_anyhow - set(found.wanted))),
        troubles=(
            *health.troubles(answers, found.installed, found.download),
            *found.untold,
            *(() if partly else found.downgrades),
        ),
        kernel=Kernel(running=outdated.running, newest=outdated.newest),
        reboot=reboot_need.reasons(_witness(outdated)),
        services=outdated.services,
        boot_free=room.free if (room := health.rooms(answers).get("/boot")) else None,
        download=found.download,
    )


def _said(facts: Facts, host: Host, probe: str) -> str:
    reading = facts.reading(host.name, probe)
    return reading.out if reading and reading.exit == 0 else ""


def _witness(outdated: detached.Outdated) -> reboot_need.Witness:
    extra = (_KSTA[outdated.ksta],) if outdated.ksta in _KSTA else ()
    return reboot_need.Witness(
        kernel=Kernel(running=outdated.running, newest=outdated.newest),
        changed=outdated.changed,
        flag=outdated.flag,
        pid1=outdated.pid1,
        extra=extra,
    )


class Found:
    """The answers of one survey. `wanted` should be held, `updates` can be installed without touching a hold.

    `held_anyhow` is held by any program that keeps holds, `holds` by every one.
    """

    def __init__(self, host: Host, answers: Mapping[str, tuple[Answer, ...]]) -> None:
        self._host, self._answers = host, answers
        self.native = "".join(self.one("arch").out)
        self.installed = apt.parse_table(self.one("table").out, self.native)
        self.wanted = wanted(host.hold, {one.name: _exact(one.needs) for one in self.installed})
        told = (line.partition("|") for line in self.one("aptitude").out)
        by_aptitude = {apt.name_of(name, arch, self.native) for name, _, arch in told}
        by_dpkg = {one.name for one in self.installed if one.want == "hold"}
        without = self.one("aptitude").exit == 127
        self.holds = tuple(sorted(by_dpkg if without else by_dpkg & by_aptitude))
        self.held_anyhow = by_dpkg | by_aptitude
        places = apt_origins.security_places(self.one("places").out)
        self._fixed = apt_origins.fixes(self.one("versions").out, places)
        self._would = self._told("held")
        self.updates = tuple(one for one in self._would if not _back(one))

    def one(self, name: str) -> Answer:
        """The answer of that name."""
        return self._answers.get(name, (_NONE,))[0]

    @property
    def downgrades(self) -> tuple[Trouble, ...]:
        """What apt would take back to an older version, because somebody's preferences say so."""
        return tuple(
            Trouble(
                what="unknown",
                text=f"{one.name} would go back from {one.old} to {one.new}: that is never done here",
                do=f"see who wants it: apt-cache policy {one.name}, and the files in /etc/apt/preferences.d; if it is "
                f"meant, at the host: apt-get --allow-downgrades install {one.name}={one.new}",
            )
            for one in self._would
            if _back(one)
        )

    @property
    def download(self) -> int | None:
        """Bytes to fetch for the updates."""
        answer = self.one("download")
        text = "".join(answer.out)
        return int(text) if answer.exit == 0 and text.isdecimal() else None

    @property
    def untold(self) -> tuple[Trouble, ...]:
        """What could not be found out, so that nobody takes it for nothing."""
        failed = [name for name in ("table", "held", "full", "free") if self.one(name).exit != 0]
        failed += [name for name in ("places", "versions") if self.one(name).exit not in (0, 127)]
        failed += ["aptitude"] if self.one("aptitude").exit not in (0, 2, 127) else []
        if not failed or self.one("check").exit != 0:
            return ()
        why = next((line for name in failed for line in self.one(name).err), "no reason given")
        text = f"what could be upgraded is not wholly known ({', '.join(failed)}): {why}"
        return (Trouble(what="unknown", text=text, do="apt-get -s upgrade at the host; refer it to an expert"),)

    @property
    def held(self) -> tuple[Held, ...]:
        """The updates that holds keep back, and which hold does; with them the new packages they would bring."""
        now = {(one.name, one.new) for one in self._would}
        back = [one for one in self._told("free") if (one.name, one.new) not in now and not _back(one)]
        names = self.held_anyhow | set(self.wanted)
        fixed = {one.name: Fixed(version=one.version, needs=one.needs) for one in self.installed if one.name in names}
        # What is new and fits a pattern is kept away too.
        new = {one.name: Fixed(version="") for one in back if not one.old and fits(one.name, self._host.hold)}
        wishes = self._wishes(back)
        reasons = kept_back(wishes, fixed | new)

        def by(update: Update) -> tuple[str, ...]:
            if update.name in fixed:
                return ()
            found = reasons.get(update.name, ()) if update.old else brought_by(update.name, wishes)
            return tuple(name for name in found if name in fixed) or found or tuple(sorted(fixed))

        return tuple(Held(update=one, by=by(one)) for one in back)

    def _told(self, name: str) -> tuple[Update, ...]:
        simulated = apt.simulated(self.one(name).out)
        return tuple(replace(one, security=one.security or self._mends(one)) for one in simulated)

    def _mends(self, one: Update) -> bool:
        """Whether it brings a version of a security archive, or passes one over."""
        return bool(one.old) and any(
            compare(one.old, version) < 0 <= compare(one.new, version) for version in self._fixed.get(one.name, ())
        )

    def _wishes(self, back: list[Update]) -> dict[str, Wish]:
        shown = {one.name: one for one in apt.candidates(self.one("back").out, self.native)}
        return {
            one.name: Wish(old=one.old, new=one.new, needs=shown[one.name].needs, breaks=shown[one.name].breaks)
            for one in back
            if one.name in shown
        }


def _back(one: Update) -> bool:
    return bool(one.old) and compare(one.new, one.old) < 0


def _exact(needs: tuple[apt.Clause, ...]) -> tuple[str, ...]:
    """What a package depends on, if all of it is at one version: so does a metapackage."""
    every = [one for clause in needs for one in clause]
    return tuple(name for name, _, _ in every) if every and all(one[1] == "=" for one in every) else ()
