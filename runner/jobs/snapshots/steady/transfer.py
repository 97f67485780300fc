"""How one filesystem is sent: by the names in which it differs from its basis, or whole."""

from __future__ import annotations

from dataclasses import dataclass, replace

from runner.agent.arguments import argv as words
from runner.agent.host.contract.mounts import LookAtMount
from runner.agent.look.contract import NO_LIST, NO_RECORD, Changed, Look, Settle
from runner.agent.retention.contract.audit import ListDamaged
from runner.agent.snapshots.contract.explain import Explain
from runner.agent.snapshots.contract.walk import Walk
from runner.jobs.snapshots.steady.between import Manner, Source, Target, real
from runner.model.facts import Filesystem
from runner.model.plan import Argv, Check, Effect, Ended, Step
from runner.model.role import Role
from runner.model.text import count, one_line
from runner.tools import agent, rsync

MOST_BASES = 20
_PARTLY = "exactly what is not in the copy"


def transfers(source: Source, target: Target, manner: Manner) -> tuple[Transfer, ...]:
    """That of each filesystem, in their order."""
    mounts = tuple(each.mount for each in source.filesystems)
    return tuple(
        Transfer(source=source, target=target, manner=manner, number=number, others=_below(mounts, mount))
        for number, mount in enumerate(mounts)
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Transfer:
    """The transfer of the filesystem with that number; what is mounted in it comes by the transfers of `others`."""

    source: Source
    target: Target
    manner: Manner
    number: int
    others: tuple[str, ...]

    @property
    def filesystem(self) -> Filesystem:
        """What is sent."""
        return self.source.filesystems[self.number]

    @property
    def bases(self) -> tuple[str, ...]:
        """The folders in the store that have it, the newest first: SNAPSHOT/MOUNT."""
        mount = self.filesystem.mount
        names = (name for point, name in self.target.bases if point == mount)
        return tuple(f"{name}{mount.rstrip('/')}" for name in names)[:MOST_BASES]

    @property
    def basis(self) -> str:
        """The snapshot that it is cloned from, "" where it is sent whole."""
        return next((name for point, name in self.target.bases if point == self.filesystem.mount), "")

    @property
    def afresh(self) -> bool:
        """Whether rsync compares too, whatever the record says: after an interruption, for damage, or always."""
        return bool(self.target.partials) or self.manner.compare_every == 1 or bool(self.damaged)

    @property
    def damaged(self) -> int:
        """How many names audits found damaged that the basis may have so: no snapshot since was compared for it."""
        here = [each for each in self.target.damaged if each.mount == self.filesystem.mount]
        return sum(each.names for each in here if self.basis and self.basis <= each.until)

    @property
    def sends(self) -> tuple[str, ...]:
        """The steps that send it; the output of the last says which names are as it sent them."""
        return (self.id("send"), self.id("resend")) if self.basis else (self.id("send"),)

    @property
    def lists(self) -> tuple[str, ...]:
        """The steps of which one lists the names that differ."""
        return (self.id("look"), self.id("scan"))

    def id(self, what: str) -> str:
        """The step of it that is called `what`."""
        return f"{self.manner.job}/{what}-{self.number + 1}"

    def first(self) -> Step:
        """Look at the source: what differs by the record, or only what there is."""
        look = self._first_look() if self.basis else self._count()
        return replace(look, guard=self._same_filesystem() if self.manner.guard_mounts else None)

    def rest(self) -> tuple[Step, ...]:
        """Send what differs, or all; and whatever is not there then is explained."""
        return self._listed() if self.basis else self._whole()

    def proof(self) -> tuple[Step, ...]:
        """Compare the composed filesystem with its source, where what differs was not known by a record."""
        if not self.basis:
            return ()
        unless = Ended(step=self.id("look"))
        argv = rsync.look(self._ends(self._place(".partial")), exclude=self._exclude)
        why = f"whether {self.filesystem.mount} in the new snapshot is as it is at the source"
        compare = replace(self._rsync("compare", Role.LOOK, argv, why), unless=unless)
        return (replace(compare, ok_codes=rsync.PARTIAL_OK), replace(self._explain("compare"), unless=unless))

    def _first_look(self) -> Step:
        mount = self.filesystem.mount
        why = f"what of {mount} has changed since {self.basis}, by the record of the last look"
        # Also where no record is believed: rsync knows what differs when it begins, and the record what changes since.
        look = self._look("look", "", f"make a record of {mount}" if self.afresh else why)
        look = replace(look, subject=one_line(mount))
        return replace(look, ok_codes=(0, *(NO_LIST if self.target.recycle else (NO_RECORD,))))

    def _count(self) -> Step:
        look = self._look("look", "", f"count what {self.filesystem.mount} has, and make a record of it")
        return replace(look, ok_codes=(NO_RECORD,))

    def _listed(self) -> tuple[Step, ...]:
        mount, ends = self.filesystem.mount, self._ends(self._place(".incoming"))
        known = Ended(step=self.id("look"))
        older = self._ends(f"{self._older[0]}/")
        why = f"compare {mount} with {self.basis}"
        why = f"{why}, whatever the record says" if self.afresh else f"there is no record of it: {why}"
        if self.damaged:
            names = count(self.damaged, "name")
            why = f"an audit found {names} damaged that {self.basis} may have: compare {mount} with it"
        # Where times were cut all is listed, and content tells; but a record that is to be right shows what a cut time
        # hides, and all would be sent for nothing.
        older = replace(older, coarse=older.coarse and self.afresh)
        differ = self._rsync("differ", Role.DIFFER, rsync.look(older, exclude=self._exclude), why)
        differ = replace(differ, ok_codes=rsync.PARTIAL_OK, unless=known)
        scan = self._look("scan", differ.id, f"list what differs of {mount}, and make a record of it")
        damaged = (self._damaged(known),) if self.damaged else ()
        scan = replace(scan, inputs=(differ.id, *(each.id for each in damaged)), unless=known)
        why = f"send what has changed in {mount}"
        argv = rsync.send_listed(ends, exclude=self._exclude, bases=self._older, keep_parts=self._parts)
        send = replace(self._send("send", argv, why), feed=self.lists)
        changed = () if self.target.partials else (self._changed(send.id),)
        why = "send what changed meanwhile, and the extended attributes that rsync drops at first"
        resend = self._send("resend", rsync.send_again(ends, exclude=self._exclude, keep_parts=self._parts), why)
        # Apart from what is kept of the first: nobody asks for this one after an interruption.
        apart = f"{self.target.store}/{self.target.name}/{len(self.source.filesystems) + self.number}"
        # All of it where not all arrived, or something was there before.
        again = (*(step.id for step in changed), *self.lists)
        resend = replace(resend, feed=again, keep_output_as=apart)
        why = f"a second look: {_PARTLY} of {mount}"
        recheck = self._rsync("recheck", Role.LOOK, rsync.look_listed(ends, exclude=self._exclude), why)
        recheck = replace(recheck, feed=again, ok_codes=rsync.PARTIAL_OK, unless=Ended(step=resend.id))
        settle = self._settle(recheck.id)
        return (differ, *damaged, scan, send, *changed, resend, recheck, settle)

    def _whole(self) -> tuple[Step, ...]:
        mount, ends = self.filesystem.mount, self._ends(self._place(".incoming"))
        argv = rsync.send(ends, exclude=self._exclude, keep_parts=self._parts)
        resumed = any(mount in partial.filesystems for partial in self.target.partials)
        taken = ", beside what the interrupted one had" if resumed else ": no snapshot has it"
        send = self._send("send", argv, f"copy {mount} whole{taken}")
        why = f"a second look: {_PARTLY} of {mount}"
        recheck = self._rsync("recheck", Role.LOOK, rsync.look(ends, exclude=self._exclude), why)
        recheck = replace(recheck, unless=Ended(step=send.id), ok_codes=rsync.PARTIAL_OK)
        explain = replace(self._explain("recheck"), unless=recheck.unless)
        options = Walk(
            source=real(self.filesystem),
            since=self.manner.since,
            emptied=self._emptied,
            left_out=self._left_out,
            scans=self.source.scans,
            name=self.target.name,
            looked=recheck.id,
        )
        why = f"whether rsync saw as many names of {mount} as there are"
        walk = self._at_source("walk", Role.WALK, words("walk", options), why)
        walk = replace(walk, effect=Effect.WRITE, inputs=(send.id, recheck.id))
        return (send, recheck, explain, walk)

    def _look(self, name: str, compared: str, why: str) -> Step:
        options = Look(
            source=real(self.filesystem),
            scans=self.source.scans,
            name=self.target.name,
            basis=self.basis,
            emptied=self._emptied,
            left_out=self._left_out,
            compared=compared,
            most=0 if compared or self.afresh or not self.basis else max(0, self.manner.compare_every - 1),
            anew=bool(self.basis) and self.afresh and not compared,
            shrink=self.target.shrink if self.basis and not compared else 100,
            damaged=self.id("damaged") if compared and self.damaged else "",
        )
        role = Role.SCAN if compared else Role.LOOK
        return replace(self._at_source(name, role, words("look", options), why), effect=Effect.WRITE)

    def _damaged(self, known: Ended) -> Step:
        mount, at = self.filesystem.mount, self.target.at
        options = ListDamaged(at.path, self.source.host, mount, self.basis)
        why = f"which names of {mount} audits found damaged: they are sent again, and what is right stays"
        name, argv = f"damaged-{self.number + 1}", at.call("damaged", options)
        step = self.manner.step(name, self.target.host, Role.DAMAGED, Effect.READ, argv, why)
        return replace(step, unless=known, timeout=600)

    def _changed(self, send: str) -> Step:
        options = Changed(real(self.filesystem), self.source.scans, self.target.name)
        why = "which of that changed meanwhile, or has extended attributes that rsync drops at first"
        step = self._at_source("changed", Role.CHANGED, words("changed", options), why)
        partly = Ended(step=send, codes=tuple(code for code in rsync.PARTIAL_OK if code))
        return replace(step, feed=self.lists, unless=partly)

    def _settle(self, recheck: str) -> Step:
        top, scans = real(self.filesystem), self.source.scans
        options = Settle(top, scans, self.target.name, listed=self.lists, looked=recheck)
        why = "what changed or went meanwhile, and why what was not sent was not"
        step = self._at_source("settle", Role.SETTLE, words("settle", options), why)
        return replace(step, effect=Effect.WRITE, inputs=(*self.lists, recheck))

    def _explain(self, what: str) -> Step:
        options = Explain(real(self.filesystem), self.manner.since)
        why = "why it is not: gone, changed meanwhile, unreadable, or no reason at all"
        step = self._at_source("explain", Role.EXPLAIN, words("explain", options), why)
        return replace(step, inputs=(self.id(what),))

    def _send(self, what: str, argv: Argv, why: str) -> Step:
        kept = f"{self.target.store}/{self.target.name}/{self.number}"
        step = self._rsync(what, Role.SEND, argv, why)
        return replace(step, effect=Effect.WRITE, ok_codes=rsync.PARTIAL_OK, keep_output_as=kept)

    def _rsync(self, what: str, role: Role, argv: Argv, why: str) -> Step:
        step = self.manner.step(f"{what}-{self.number + 1}", self.manner.runs_on, role, Effect.READ, argv, why)
        return replace(step, timeout=self.manner.timeout)

    def _at_source(self, what: str, role: Role, argv: Argv, why: str) -> Step:
        argv = (self.source.program, *argv)
        step = self.manner.step(f"{what}-{self.number + 1}", self.source.host, role, Effect.READ, argv, why)
        return replace(step, timeout=self.manner.timeout)

    def _place(self, folder: str) -> str:
        return f"{self.target.at.path}/{folder}/{self.target.name}/{self.number}/"

    def _ends(self, place: str) -> rsync.Ends:
        at = self.target.at
        return rsync.Ends(
            source=f"{self.source.remote}{real(self.filesystem).rstrip('/')}/",
            target=f"{self.target.remote}{place}",
            rsh=self.manner.rsh,
            checksum=self.manner.checksum,
            keep=agent.keep_room(at.program, at.path, partial=self.target.name, only=self._only),
            coarse=self.target.whole_seconds,
            trusts=self.target.trusts,
            confined=self._only is not None,
            looks=agent.confine(at.program, (place[:-1], *self._way)) if self._only and self._way else (),
        )

    @property
    def _only(self) -> agent.Only | None:
        """All that is seen by what receives from another host; None where both ends are one host."""
        only = agent.Only(reads=(*self._older, *self._way))
        return only if self.manner.rsh and self.target.confines else None

    @property
    def _way(self) -> tuple[str, ...]:  # What rsync, where it is at the target, calls for ssh: the last of these words.
        return () if self.target.remote else self.manner.rsh[-1:]

    @property
    def _older(self) -> tuple[str, ...]:
        return tuple(f"{self.target.at.path}/{each}" for each in self.bases)

    @property
    def _parts(self) -> str:
        # What it may rename a half to and from must be one mount.
        place = f".incoming/{self.target.name}" if self._only else ".partial"
        return f"{self.target.at.path}/{place}/parts" if self.manner.halves else ""

    @property
    def _emptied(self) -> tuple[str, ...]:
        """What stays an empty folder; what is mounted in it is joined where its own transfer leaves one."""
        top, mount = real(self.filesystem), self.filesystem.mount
        others = tuple(f"{top.rstrip('/')}{each[len(mount.rstrip('/')) :]}" for each in self.others)
        return _below((*self.source.emptied, *others), top)

    @property
    def _left_out(self) -> tuple[str, ...]:
        return _below(self.source.left_out, real(self.filesystem))

    @property
    def _exclude(self) -> tuple[str, ...]:
        top = real(self.filesystem)
        emptied = (rsync.below(top, path) for path in self._emptied)
        return (*emptied, *(rsync.exactly(top, path) for path in self._left_out))

    def _same_filesystem(self) -> Check:
        mount = self.filesystem.mount
        return Check(
            host=self.source.host,
            argv=(self.source.program, *words("mounted", LookAtMount(mount))),
            field="dev",
            relation="==",
            value=self.filesystem.dev,
            why=f"{mount} is still the filesystem that was mounted when this was planned",
        )


def _below(paths: tuple[str, ...], top: str) -> tuple[str, ...]:
    return tuple(path for path in paths if path != top and path.startswith(top.rstrip("/") + "/"))
