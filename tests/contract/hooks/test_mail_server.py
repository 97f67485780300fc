"""Mail over SMTP to real servers: plain, encrypted, with a login, and everything they refuse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hooks.mail import plugin
from runner.config.plugins import Hooks
from runner.model.errors import ReportUndelivered
from runner.model.site import Hook
from tests.contract.mail_parts import FAILED, Inbox, certificate, free_port, read, server

PASSWORD = "s3cret-and-long"


def send(port: int, **smtp: Any) -> None:
    plugin({"from": "runner@localhost", "smtp": {"host": "127.0.0.1", "port": port, **smtp}}).deliver_report(FAILED)


def login(folder: Path, mode: int = 0o600, password: str = PASSWORD) -> dict[str, Any]:
    path = folder / "password"
    path.write_text(f"{password}\n", encoding="utf-8")
    path.chmod(mode)
    return {"user": "runner", "password_file": str(path)}


def test_a_server_gets_the_message_for_everybody_once() -> None:
    inbox = Inbox()
    with server(inbox) as port:
        send(port)
    (envelope,) = inbox.messages
    assert envelope.mail_from == "runner@localhost"
    assert envelope.rcpt_tos == ["root@localhost", "expert@example.org"]
    assert isinstance(envelope.content, bytes)
    assert read(envelope.content)["Subject"].startswith("[babase] failed: ")
    assert inbox.encrypted == [False]


def test_a_dead_server_is_named() -> None:
    port = free_port()
    with pytest.raises(ReportUndelivered, match=f"mail server 127.0.0.1:{port}: Connection refused"):
        send(port)


def test_a_refused_person_is_named_with_the_servers_words_and_the_others_get_the_message() -> None:
    inbox = Inbox(refuses=("expert@example.org",))
    with server(inbox) as port, pytest.raises(ReportUndelivered, match="expert@example.org: 550 5.1.1 no such user"):
        send(port)
    assert inbox.messages[0].rcpt_tos == ["root@localhost"]


def test_everybody_refused_is_told_in_the_same_words() -> None:
    inbox = Inbox(refuses=("expert@example.org", "root@localhost"))
    with server(inbox) as port, pytest.raises(ReportUndelivered, match="root@localhost: 550"):
        send(port)
    assert inbox.messages == []


def test_starttls_with_a_login_encrypts_before_the_password_travels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, trusted = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    inbox = Inbox(password=PASSWORD)
    with server(inbox, context) as port:
        send(port, tls="starttls", **login(tmp_path))
    assert inbox.encrypted == [True]


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    context, _ = certificate(tmp_path)
    inbox = Inbox()
    with server(inbox, context) as port, pytest.raises(ReportUndelivered, match="certificate verify failed"):
        send(port, tls="starttls")
    assert inbox.messages == []


def test_a_server_without_starttls_gets_nothing() -> None:
    inbox = Inbox()
    with server(inbox) as port, pytest.raises(ReportUndelivered, match="STARTTLS"):
        send(port, tls="starttls")
    assert inbox.messages == []


def test_the_password_is_in_no_text_even_if_the_server_repeats_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, trusted = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    settings = {"smtp": {"host": "127.0.0.1", "tls": "starttls", **login(tmp_path)}}
    with server(Inbox(password="another"), context) as port:
        settings["smtp"]["port"] = port
        hooks = Hooks.named((Hook(name="mail", module="hooks.mail", settings=settings),), "/")
        (lost,) = hooks.deliver_report(FAILED)
        name, text = lost.hook, lost.why
    assert name == "mail"
    assert "535 5.7.8 wrong: ***" in text
    assert PASSWORD not in text


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_password_that_others_may_read_is_refused(mode: int, tmp_path: Path) -> None:
    with pytest.raises(ReportUndelivered, match="others may read it") as caught:
        send(1, tls="starttls", **login(tmp_path, mode))
    assert caught.value.do.startswith("chmod 600 ")


def test_a_password_that_others_may_replace_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir(mode=0o755)
    values = login(folder)
    folder.chmod(0o777)
    with pytest.raises(ReportUndelivered, match="others may change") as problem:
        send(1, tls="starttls", **values)
    assert str(folder) in str(problem.value)


@pytest.mark.parametrize("password", ["", "pässword"])
def test_a_password_that_cannot_be_sent_is_refused_without_showing_it(password: str, tmp_path: Path) -> None:
    with pytest.raises(ReportUndelivered, match="is empty or not ASCII") as caught:
        send(1, tls="starttls", **login(tmp_path, password=password))
    assert not password or password not in str(caught.value)


def test_a_password_file_that_is_not_there_is_named() -> None:
    with pytest.raises(ReportUndelivered, match="/nowhere"):
        send(1, tls="tls", user="runner", password_file="/nowhere")


def test_a_password_does_not_travel_in_clear_to_another_machine(tmp_path: Path) -> None:
    settings = {"smtp": {"host": "mail.example.org", **login(tmp_path)}}
    with pytest.raises(ReportUndelivered, match="would be sent unencrypted"):
        plugin(settings).deliver_report(FAILED)


def test_a_server_that_hangs_up_is_a_failure(mocker: Any) -> None:
    mocker.patch("smtplib.SMTP.send_message", side_effect=TimeoutError("timed out"))
    with server(Inbox()) as port, pytest.raises(ReportUndelivered, match="no answer within 60 seconds"):
        send(port)


def test_nobody_to_mail_opens_no_connection() -> None:
    with pytest.raises(ReportUndelivered, match="there is nobody to mail it to"):
        plugin({"smtp": {"host": "127.0.0.1", "port": 1}}).deliver_report(replace(FAILED, recipients={}))
