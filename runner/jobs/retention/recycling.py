"""Which snapshot a new one is made of: the one that expires because the new one comes. Pure."""

from __future__ import annotations

from dataclasses import replace

from runner.jobs.retention import retention
from runner.jobs.retention.prune import counted
from runner.jobs.retention.retention import Expiry
from runner.model.facts import Snapshot, StoreFacts
from runner.model.names import snapshot_time
from runner.model.plan import Effect
from runner.model.site import Site, Store


def for_coming(site: Site, store: Store, facts: StoreFacts, coming: Snapshot) -> Expiry | None:
    """The snapshot of the same host that the store's prune job would take for `coming`; None where it takes none.

    What goes for room must go before, and what goes in any case is the prune job's. Where nothing may go, for room or
    for a doubt, none does; nor where the newest one has a filesystem that `coming` will not have, or what may say that
    a snapshot has to stay (pins, the floor, what drills have proven, records) cannot be read; nor where the policy of
    its host lets none expire any more today.
    """
    sealed = counted(facts)
    now, policy = snapshot_time(coming.name), store.retention
    pruning = (job for job in (*site.jobs, *site.elsewhere) if job.kind == "prune")
    pruned = any(job.options.store == store.name for job in pruning)
    if policy is None or now is None or not pruned or site.unattended < Effect.EXPIRE:
        return None
    if facts.unread or facts.doubted or (facts.rates and not facts.rates.expiries):
        return None
    newest = [snapshot for snapshot in sealed if snapshot.host == coming.host][-1:]
    if any(set(snapshot.filesystems) - set(coming.filesystems) for snapshot in newest):
        return None
    if retention.decide(sealed, policy, facts.space, now, coming).frozen:
        return None
    alone = replace(policy, free_space=None, free_inodes=None, thin=())
    expire = retention.decide(sealed, alone, None, now, coming).expire
    if len(expire) != 1 or expire[0].unless is None or expire[0].snapshot.host != coming.host:
        return None
    return expire[0]
