"""While the keys of a line are made anew nothing may be sent on it: who has to hear the other's keys must not wait."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import paramiko  # type: ignore[import-untyped]

# Answers that wait: no host of ours ends so many commands meanwhile.
_MANY = 1000


def answer_beside(transport: paramiko.Transport) -> None:
    """Have what its own thread sends meanwhile, such as that a channel is closed, wait beside it, in order.

    paramiko's thread waits itself: nobody reads the keys any more, and after half a minute the line is dropped, with
    all that goes over it.
    """
    send, lock = transport._send_user_message, threading.Lock()
    waiting: deque[paramiko.Message] = deque()

    def catch_up() -> None:
        from paramiko import SSHException

        # The line is gone then, and whoever uses it notices.
        with suppress(OSError, EOFError, SSHException):
            while True:
                send(waiting[0])
                with lock:
                    waiting.popleft()
                    if not waiting:
                        return

    def sent(message: paramiko.Message) -> None:
        from paramiko import SSHException

        with lock:
            beside = threading.get_ident() == transport.ident and (waiting or not transport.clear_to_send.is_set())
            if beside:
                waiting.append(message)
            first, many = len(waiting) == 1, len(waiting) > _MANY
        if not beside:
            send(message)
        elif many:
            raise SSHException("it makes no keys, and asks on")
        elif first:
            threading.Thread(target=catch_up, daemon=True).start()

    transport._send_user_message = sent
