"""How a restore comes to its host: what receives it, what that sees and may write, and what is left out."""

from __future__ import annotations

from dataclasses import dataclass, replace

from runner.agent.snapshots.contract_restored import NEW
from runner.jobs.snapshots import restored
from runner.model.facts import Facts, Snapshot
from runner.model.plan import Argv
from runner.model.site import Host, Site, Store
from runner.model.text import one_line
from runner.tools import agent, rsync, ssh

# Set-group-ID of a folder is no right of a program, and groups that share one need it.
_BITS: Argv = ("--chmod=Fug-s", "--no-devices", "--info=nonreg0")
# rsync(1), FILTER RULE MODIFIERS: with a rule of ours its own, which leaves out what is the kernel's, is gone. Who is
# not root could not give capabilities anyway.
_CAPABILITIES: Argv = ("--filter=-x security.capability", "--filter=-x system.*")


@dataclass(frozen=True, kw_only=True, slots=True)
class RestoreRequest:
    """What a person wants restored: `path` of `host` (absolute) as it is in `snapshot` of `store`.

    `to` is an absolute folder of the host, "" for a new side folder, "/" for where it was. `is_folder`: that is what it
    is there. `with_rights`: also what lets a program run as another, where it is another host that says so.
    """

    host: str
    path: str
    store: Store
    snapshot: Snapshot
    to: str = ""
    is_folder: bool = True
    with_rights: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class RestoreRoute:
    """From a snapshot to its host, by the plan `stamp`: names as on that host, or as they really are (`at_`).

    `strange`: another host says what comes into a folder that is neither closed nor where it was. `whole`: the folder
    that is restored is all that what receives may write to. `apart`: it is no folder, and is received in the closed one
    first, since the one that it goes to is in use. `at_new` is where it is received.
    """

    site: Site
    request: RestoreRequest
    facts: Facts
    stamp: str

    @property
    def host(self) -> Host:
        """Where it goes."""
        return self.site.host(self.request.host)

    @property
    def keeper(self) -> Host:
        """Where it comes from."""
        return self.site.host(self.request.store.host)

    @property
    def far(self) -> bool:
        """Whether that is another machine."""
        return self.site.live and self.host.name != self.keeper.name

    @property
    def root(self) -> bool:
        """Whether root receives it."""
        return self.facts.hosts[self.host.name].uid == 0

    @property
    def strange(self) -> bool:
        """See above."""
        return self.far and bool(self.request.to) and restored.plain(self.request.to) != "/"

    @property
    def confined(self) -> bool:
        """Whether what receives is confined."""
        # Who is not root receives as himself; and where all may be written there is nothing to confine it to.
        return self.far and self.root and self.host.confined and self.at_folder != "/"

    @property
    def whole(self) -> bool:
        """See above."""
        return self.strange and self.confined and self.request.is_folder

    @property
    def apart(self) -> bool:
        """See above."""
        return self.strange and self.confined and not self.request.is_folder

    @property
    def closed(self) -> str:
        """The folder that root alone may enter."""
        return f"{restored.SIDE}/{self.stamp}" + ("-replaced" if self.request.to else "")

    @property
    def aside(self) -> str:
        """Where what is replaced goes; none where nothing is."""
        return restored.inside(self.closed) if self.request.to else ""

    @property
    def at_aside(self) -> str:
        """The same."""
        return self.host.at(self.aside) if self.aside else ""

    @property
    def folder(self) -> str:
        """What it is restored to."""
        return self.request.to or restored.inside(self.closed)

    @property
    def at_folder(self) -> str:
        """The same."""
        return restored.plain(self.host.at(self.folder))

    @property
    def at_place(self) -> str:
        """Where in it."""
        return restored.plain(f"{self.at_folder}/{self.request.path}")

    @property
    def shown(self) -> str:
        """The same, for people."""
        return one_line(f"{self.host.at(self.folder).rstrip('/')}/{self.request.path.strip('/')}")

    @property
    def at_new(self) -> str:
        """See above."""
        return self.host.at(f"{self.closed}/{NEW}") if self.apart else self.at_folder

    @property
    def only(self) -> agent.Only | None:
        """What it sees that receives; None where it is not confined."""
        writes = (self.at_place, self.at_aside) if self.whole else (self.at_new,)
        reads = ssh.rsh(self.site.state)[-1:] if self.host.name == self.site.controller else ()
        return agent.Only(writes=writes, reads=reads) if self.confined else None

    @property
    def less(self) -> Argv:
        """The options that leave out what lets a program run as another."""
        if not self.strange or self.request.with_rights:
            return ()
        return (*_BITS, *(_CAPABILITIES if self.root else ()))

    @property
    def rights(self) -> str:
        """What a person is told of what lets a program run as another; "" where it comes as it was sealed."""
        keeper, store = self.keeper.name, self.request.store.name
        if self.less:
            what = "set-user-ID and set-group-ID bits of files, devices, file capabilities"
            return f"left out, as {keeper} alone says what is in store {store}: {what}; --with-rights brings them"
        asked = f"asked for by --with-rights: what {keeper} says runs as root or another there does so here"
        return asked if self.strange else ""

    def ends(self, place: str) -> rsync.Ends:
        """From the snapshot to `place`."""
        host, keeper, only, home = self.host, self.keeper, self.only, self.site.controller
        source = f"{keeper.at(self.request.store.path)}/{self.request.snapshot.name}/./{self.request.path.strip('/')}"
        program = agent.program(host)
        return rsync.Ends(
            source=f"{keeper.name}:{source}" if self.far and keeper.name != home else source,
            target=(f"{host.name}:" if self.far and host.name != home else "") + place.rstrip("/") + "/",
            rsh=ssh.rsh(self.site.state) if self.far else (),
            checksum=rsync.checksum(self.facts.hosts[host.name].rsync, self.facts.hosts[keeper.name].rsync),
            keep=agent.keep_room(program, self.at_new, by_hand=True, aside=self.at_aside, only=only),
            confined=only is not None,
            looks=agent.confine(program, (self.at_folder, *only.reads)) if only and only.reads else (),
            less=self.less,
        )

    def put(self) -> rsync.Ends:
        """From where it was received to where it goes, on its own host, and with no other host to hear."""
        program, source = agent.program(self.host), f"{self.at_new}/./{self.request.path.strip('/')}"
        only = agent.Only(writes=(self.at_place.rpartition("/")[0] or "/", self.host.at(self.closed)))
        keep = agent.keep_room(program, self.at_folder, by_hand=True, only=only)
        ends = self.ends(self.at_folder)
        return replace(ends, source=source, target=f"{self.at_folder}/", rsh=(), keep=keep, looks=())
