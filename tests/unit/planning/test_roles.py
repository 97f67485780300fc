"""What the steps of an older journal were for, by their ids: read once, when it is made like one of today."""

from __future__ import annotations

import pytest

from runner.engine.migrate import role_of
from runner.jobs.catalogue import KINDS
from runner.model.role import Role
from runner.planning import planner
from tests.unit.planning.test_planner import GOLDEN, of_case


@pytest.mark.parametrize(
    ("step", "role", "subject"),
    [
        ("backup-papio/send-1", Role.SEND, ""),
        ("backup-papio/seal", Role.SEAL, ""),
        ("purge/expire-3", Role.EXPIRE, ""),
        ("purge/empty", Role.EMPTY, ""),
        ("purge/measure-first", Role.MEASURE, ""),
        ("halt/unmount-usb", Role.UNMOUNT, "usb"),
        ("halt/mount-usb", Role.MOUNT, "usb"),
        ("disk/mounted", Role.DISK, ""),
        ("reboot/mounted-2", Role.MOUNTED, ""),
        ("reboot/disk-usb", Role.MOUNTED, "usb"),
        ("backup-papio/disk", Role.DISK, ""),
        ("upgrade/before/reboot", Role.DOWN, "before"),
        ("upgrade/reboot", Role.DOWN, ""),
        ("halt/poweroff", Role.OFF, ""),
        ("updates/attach-1", Role.ATTACH, ""),
        ("updates/attach-1-told", Role.SEEN, ""),
        ("updates/install-told", Role.SEEN, ""),
        ("updates/attach-1-seen", Role.SEEN, ""),
        ("updates/restart-ssh.service", Role.RESTART, "ssh.service"),
        ("prepare-papio/runner-agent", Role.PREPARE, ""),
        ("sizes/whatever", Role.STEP, ""),
    ],
)
def test_the_role_of_an_older_step_is_read_from_its_id(step: str, role: Role, subject: str) -> None:
    assert role_of(step) == (role, subject)


@pytest.mark.parametrize("name", GOLDEN)
def test_the_kinds_give_their_steps_the_roles_that_an_older_journal_is_read_with(name: str) -> None:
    case = GOLDEN[name]
    site, facts = of_case(case)
    plan = planner.draft(site, [site.job(job) for job in case["jobs"]], facts, KINDS, {})
    assert [(one.id, one.role) for one in plan.steps] == [(one.id, role_of(one.id)[0]) for one in plan.steps]
