"""What the steps of an older journal were for, by their ids: read once, when it is made like one of today."""

from __future__ import annotations

import pytest

from runner.engine.migrate import role_of
from runner.model.plan import Role


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
        ("updates/restart-ssh.service", Role.RESTART, "ssh.service"),
        ("prepare-papio/runner-agent", Role.PREPARE, ""),
        ("sizes/whatever", Role.STEP, ""),
    ],
)
def test_the_role_of_an_older_step_is_read_from_its_id(step: str, role: Role, subject: str) -> None:
    assert role_of(step) == (role, subject)
