"""Sinks against real servers of this machine; no test waits by the clock."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from detector.delivery.sinks.command import AlertCommand
from detector.delivery.sinks.dispatcher import MAX_ATTEMPTS, Dispatcher
from detector.delivery.sinks.notice import Notice, SinkError, without_secrets
from detector.delivery.sinks.outbox import Outbox
from detector.delivery.sinks.syslog import Syslog
from detector.delivery.sinks.webhook import WEBHOOK_FORMS, Webhook
from detector.detection.alert import Alert, Risk
from detector.detection.indicator import Indicator
from detector.triage.watch import Sighting, Watch, WatchRow
from tests.clock import Clock
from tests.detector.delivery.certificates import Certificates
from tests.detector.delivery.servers import Receiver, tcp_server
from tests.detector.triage.test_export import PAYLOADS
from tests.tui.build import ANA, START, alert

RISK = Risk(91, "high", [("rule", 21), ("snapshot", 70)])


def known(name: str = "a1", **changed: Any) -> Alert:
    """An alert whose context is known."""
    return alert(name, **{"risk": RISK, "flags": ("snapshot",), **changed})


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver().running() as running:
        yield running


def seen(acknowledged: float = 0.0, sightings: int = 2, **changed: Any) -> WatchRow:
    """A watch that has seen something."""
    watch = Watch(Indicator("arn", ANA, ANA), "case 7", "dana", 1.0, "w1", acknowledged)
    fields = ("w1", b"\x01" * 16, START, ANA, "GetObject", "us-east-1", "203.0.113.7", "")
    latest = Sighting(*fields)._replace(**changed)
    return WatchRow(watch, sightings, sightings, START, latest)


# webhooks


def test_generic_webhook_posts_the_alert(receiver: Receiver) -> None:
    hook = Webhook(f"http://127.0.0.1:{receiver.port}/in?token=t0p", "generic")
    hook.send(Notice.of(known(), is_first=True))
    [posted] = receiver.posted
    body = json.loads(posted.body)
    assert posted.path == "/in?token=t0p"
    assert (body["type"], body["summary"]) == (
        "alert",
        "HIGH 91: Many regions: user/ana, 12 calls in 12 regions",
    )
    assert (body["alert"]["principal"], body["alert"]["risk_score"]) == (ANA, 91)
    assert posted.headers["Idempotency-Key"] == "a1-1-91"
    assert "X-Trailhound-Signature" not in posted.headers


def test_webhook_is_signed(receiver: Receiver) -> None:
    hook = Webhook(f"http://127.0.0.1:{receiver.port}/", secret=b"s3cret", clock=Clock(START))
    hook.send(Notice.of(known(), is_first=True))
    [posted] = receiver.posted
    signed = f"{START}.".encode() + posted.body
    expected = hmac.new(b"s3cret", signed, hashlib.sha256).hexdigest()
    assert posted.headers["X-Trailhound-Timestamp"] == str(START)
    assert posted.headers["X-Trailhound-Signature"] == f"sha256={expected}"


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)


@pytest.mark.parametrize("form", WEBHOOK_FORMS)
@pytest.mark.parametrize("payload", PAYLOADS)
def test_forms_neutralise_text_of_logs(form: Any, payload: str, receiver: Receiver) -> None:
    hook = Webhook(f"http://127.0.0.1:{receiver.port}/", form)
    hook.send(Notice.of(known(arns=[payload], source_addresses=[payload]), is_first=True))
    body = json.loads(receiver.posted[0].body)
    if form == "slack":
        assert "<" not in body["text"]
        assert [block["text"]["type"] for block in body["blocks"]] == ["plain_text"] * 2
    if form == "teams":
        for text in texts(body["attachments"][0]["content"]["body"]):
            acting = re.sub(r"\\.", "", text)
            assert not re.search(r"\]\(|<|!\[|\*\*", acting), text
    assert b"\x1b" not in receiver.posted[0].body


@pytest.mark.parametrize(
    ("status", "retry"), [(500, True), (503, True), (429, True), (404, False), (400, False)]
)
def test_status_tells_whether_to_try_again(status: int, retry: bool, receiver: Receiver) -> None:
    receiver.statuses = [status]
    hook = Webhook(f"http://user:pw@127.0.0.1:{receiver.port}/T0P/SECRET")
    with pytest.raises(SinkError) as error:
        hook.send(Notice.of(known(), is_first=True))
    assert (error.value.retry, str(error.value)) == (retry, f"HTTP {status}")
    assert receiver.posted[0].headers["Authorization"] == "Basic dXNlcjpwdw=="


def test_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.statuses = [302]
    with pytest.raises(SinkError, match="HTTP 302"):
        Webhook(f"http://127.0.0.1:{receiver.port}/").send(Notice.of(known(), is_first=True))
    assert len(receiver.posted) == 1


def test_refused_connection_is_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(SinkError) as error:
        Webhook(f"http://127.0.0.1:{port}/secret").send(Notice.of(known(), is_first=True))
    assert error.value.retry
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/", "hooks.example.com", ""])
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="http or https"):
        Webhook(url)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://hooks.slack.com/services/T0/B0/XYZ", "https://hooks.slack.com/…"),
        ("https://user:pw@host:8443/x?token=y#z", "https://host:8443/…"),
        ("http://host", "http://host/…"),
    ],
)
def test_addresses_are_named_without_secrets(url: str, shown: str) -> None:
    assert without_secrets(url) == shown
    assert Webhook(url).title == f"webhook {shown}"
    assert "XYZ" not in Webhook(url).sink_id


# syslog

PARAMETER = rb'[a-z]+="(?:\\.|[^"\\\]])*"'
MESSAGE = re.compile(
    rb"<(\d+)>1 (\S+) (\S+) trailhound (\d+) (\S+) "
    rb"\[trailhound@32473 ((?:" + PARAMETER + rb" ?)+)\] \xef\xbb\xbf([^\n]*)"
)


def parsed(message: bytes) -> tuple[int, dict[str, str], str]:
    """Read a message of RFC 5424: priority, parameters, text."""
    match = MESSAGE.fullmatch(message)
    assert match, message
    pairs = re.findall(r'([a-z]+)="((?:\\.|[^"\\\]])*)"', match[6].decode())
    values = {name: re.sub(r"\\(.)", r"\1", value) for name, value in pairs}
    return int(match[1]), values, match[7].decode()


def test_syslog_over_udp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        sink = Syslog(f"udp://127.0.0.1:{server.getsockname()[1]}", Clock(START))
        sink.send(Notice.of(known(), is_first=True))
        priority, values, text = parsed(server.recv(65_536))
    assert priority == 13 * 8 + 3
    assert (values["alert"], values["principal"], values["risk"]) == ("a1", ANA, "91")
    assert text == "HIGH 91: Many regions: user/ana, 12 calls in 12 regions"


def test_syslog_over_tcp_counts_octets() -> None:
    with tcp_server() as (port, received):
        sink = Syslog(f"tcp://127.0.0.1:{port}", Clock(START))
        sink.send(Notice.of(known(), is_first=False))
        length, _, message = received.get(timeout=30).partition(b" ")
    assert int(length) == len(message)
    assert b" revision [" in message
    assert parsed(message)[1]["severity"] == "high"


def test_syslog_to_a_socket(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(path))
        Syslog(f"unix://{path}", Clock(START)).send(Notice.of(known(), is_first=True))
        assert parsed(server.recv(65_536))[1]["rule"] == "Many regions"
    with pytest.raises(SinkError):
        Syslog(f"unix://{tmp_path}/none").send(Notice.of(known(), is_first=True))


@pytest.mark.parametrize("payload", PAYLOADS)
def test_syslog_message_is_one_line(payload: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        sink = Syslog(f"udp://127.0.0.1:{server.getsockname()[1]}", Clock(START))
        sink.send(Notice.of(known(arns=[payload], accounts=[payload]), is_first=True))
        message = server.recv(65_536)
    assert b"\n" not in message
    assert b"\x1b" not in message
    parsed(message)


@pytest.mark.parametrize("target", ["host:514", "udp://", "unix://", "http://host", "tls://"])
def test_other_syslog_targets_are_refused(target: str) -> None:
    with pytest.raises(ValueError, match="syslog"):
        Syslog(target)


# syslog over TLS


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.make(tmp_path_factory.mktemp("certificates"))


def test_syslog_over_tls_verifies_the_server(certificates: Certificates) -> None:
    with tcp_server(certificates.server_context()) as (port, received):
        sink = Syslog(f"tls://127.0.0.1:{port}?ca={certificates.authority}", Clock(START))
        sink.send(Notice.of(known(), is_first=True))
        length, _, message = received.get(timeout=30).partition(b" ")
        assert int(length) == len(message)
        assert parsed(message)[1]["alert"] == "a1"
        assert sink.title == f"syslog tls://127.0.0.1:{port}"
        stranger = Syslog(f"tls://127.0.0.1:{port}")
        with pytest.raises(SinkError, match=r"^certificate not accepted: ") as refused:
            stranger.send(Notice.of(known(), is_first=True))
        assert refused.value.retry
        other_name = Syslog(f"tls://localhost:{port}?ca={certificates.authority}")
        with pytest.raises(SinkError, match="localhost"):
            other_name.send(Notice.of(known(), is_first=True))


def test_syslog_over_tls_proves_who_it_is(certificates: Certificates) -> None:
    """A server that asks for a certificate refuses late: after the message was sent."""
    with tcp_server(certificates.server_context(asks=True)) as (port, received):
        address = f"tls://127.0.0.1:{port}?ca={certificates.authority}"
        with pytest.raises(SinkError, match=r"^TLS: "):
            Syslog(address).send(Notice.of(known(), is_first=True))
        known_client = Syslog(f"{address}&cert={certificates.client}&key={certificates.client_key}")
        known_client.send(Notice.of(known(), is_first=True))
        assert b"Many regions" in received.get(timeout=30)


def test_refusal_that_comes_before_the_message_is_heard(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = threading.Event()
    send = ssl.SSLSocket.sendall

    def send_late(connection: ssl.SSLSocket, data: bytes) -> None:
        assert closed.wait(30)
        send(connection, data)

    def refuse(server: socket.socket) -> None:
        context = certificates.server_context(asks=True)
        with suppress(OSError), server.accept()[0] as connection:
            context.wrap_socket(connection, server_side=True)
        closed.set()

    monkeypatch.setattr(ssl.SSLSocket, "sendall", send_late)
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=refuse, args=(server,))
        thread.start()
        address = f"tls://127.0.0.1:{server.getsockname()[1]}?ca={certificates.authority}"
        with pytest.raises(SinkError, match=r"^TLS: "):
            Syslog(address).send(Notice.of(known(), is_first=True))
        thread.join()


@pytest.mark.parametrize(
    "query", ["?ca=/no/such/file", "?key=x", "?other=1", "?ca=", f"?ca={__file__}"]
)
def test_wrong_files_of_tls_are_named_at_once(query: str) -> None:
    with pytest.raises(ValueError, match=r"^syslog tls://"):
        Syslog(f"tls://host{query}")


# commands


def test_command_gets_the_alert_and_no_text_in_its_line(tmp_path: Path) -> None:
    out = tmp_path / "out"
    evil = "$(touch /tmp/never); `id`"
    sink = AlertCommand(f'cat > {out}; echo "$TRAILHOUND_KIND $TRAILHOUND_SEVERITY" >> {out}')
    sink.send(Notice.of(known(arns=[evil]), is_first=True))
    line, told = out.read_text().splitlines()
    assert json.loads(line)["principal"] == evil
    assert told == "alert high"


def test_command_that_fails_is_tried_again_without_its_line_in_the_error() -> None:
    with pytest.raises(SinkError) as error:
        AlertCommand("exit 3 # token=s3cret").send(Notice.of(known(), is_first=True))
    assert (str(error.value), error.value.retry) == ("exited with 3", True)


def test_output_of_a_command_is_not_data(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    AlertCommand("echo said").send(Notice.of(known(), is_first=True))
    assert capfd.readouterr().out == ""
    assert sys.__stderr__ is not None


# watches


@pytest.mark.parametrize("form", WEBHOOK_FORMS)
def test_webhook_posts_what_a_watch_has_seen(form: Any, receiver: Receiver) -> None:
    hook = Webhook(f"http://127.0.0.1:{receiver.port}/", form)
    hook.send(Notice.of_watch(seen(caller="<!x> \x1b[2J"), every=False))
    [posted] = receiver.posted
    body = json.loads(posted.body)
    assert posted.headers["Idempotency-Key"] == "w1-0"
    assert b"\x1b" not in posted.body
    assert any("SEEN user/ana" in text for text in texts(body))
    if form == "generic":
        assert (body["type"], body["watch"]["indicator"]) == ("watch", ANA)
        assert "alert" not in body
    if form == "slack":
        assert "<" not in body["text"]


def test_syslog_has_what_a_watch_has_seen() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        sink = Syslog(f"udp://127.0.0.1:{server.getsockname()[1]}", Clock(START))
        sink.send(Notice.of_watch(seen(address='1"]\n<9>'), every=False))
        message = server.recv(65_536).decode()
    assert message.startswith("<109>1 2026-03-01T10:00:00Z")
    assert ' watch [trailhound@32473 watch="w1" kind="arn" ' in message
    assert 'source="1\\"\\]?<9>"' in message
    assert "\n" not in message


def test_watch_is_sent_once_until_it_is_acknowledged(make: Make) -> None:
    sink = FakeSink()
    for row in (seen(), seen(sightings=3), seen(acknowledged=9.0, sightings=4)):
        dispatcher = make(sink, Clock(0))
        dispatcher.offer_watches([row])
        dispatcher.deliver()
    assert sink.taken == ["watch w1-0", "watch w1-9"]


def test_watch_is_sent_at_every_sighting_if_asked(make: Make) -> None:
    sink = FakeSink()
    for row in (seen(), seen(), seen(sightings=3)):
        dispatcher = make(sink, Clock(0), revisions="every")
        dispatcher.offer_watches([row])
        dispatcher.deliver()
    assert len(sink.taken) == 2


def test_commands_for_alerts_are_not_run_for_watches(make: Make) -> None:
    sink = FakeSink()
    sink.takes_watches = AlertCommand("true").takes_watches
    dispatcher = make(sink, Clock(0))
    dispatcher.offer_watches([seen()])
    dispatcher.deliver()
    assert sink.taken == []


# the outbox and the dispatcher


class FakeSink:
    """Takes notices, or fails as it is told to."""

    sink_id = "fake"
    title = "fake sink"
    takes_watches = True

    def __init__(self, *errors: SinkError) -> None:
        self.errors = list(errors)
        self.taken: list[str] = []

    def send(self, notice: Notice) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.taken.append(f"{notice.kind} {notice.key}")


Make = Callable[..., Dispatcher]


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def make(tmp_path: Path, said: list[str]) -> Make:
    def dispatcher(sink: FakeSink, clock: Clock, limit: int = 10, **options: Any) -> Dispatcher:
        outbox = Outbox(tmp_path / "outbox", said.append, limit)
        return Dispatcher([sink], outbox, said.append, clock=clock, **options)

    return dispatcher


def test_alert_is_sent_once_also_after_a_restart(make: Make) -> None:
    sink, clock = FakeSink(), Clock(0)
    for _ in range(2):
        dispatcher = make(sink, clock)
        dispatcher.offer([known(), known("a2"), alert("unknown")])
        dispatcher.offer([known(revision=2)])
        assert dispatcher.deliver() is None
    assert sink.taken == ["alert a1-1-91", "alert a2-1-91"]


def test_every_revision_is_sent_where_wanted(make: Make) -> None:
    sink = FakeSink()
    dispatcher = make(sink, Clock(0), revisions="every")
    for each in (known(), known(), known(revision=2), known("a9", supersedes=["a1"], revision=3)):
        dispatcher.offer([each])
    dispatcher.deliver()
    assert sink.taken == ["alert a1-1-91", "revision a1-2-91", "revision a9-3-91"]


def test_suppressed_alert_is_not_sent(make: Make) -> None:
    sink = FakeSink()
    dispatcher = make(sink, Clock(0))
    dispatcher.offer([known(suppressed_by="s1")])
    dispatcher.deliver()
    assert sink.taken == []


def test_failing_sink_is_left_alone_longer_each_time(make: Make, said: list[str]) -> None:
    failures = [SinkError("HTTP 503", True)] * 3
    sink, clock = FakeSink(*failures), Clock(0)
    dispatcher = make(sink, clock)
    dispatcher.offer([known(), known("a2")])
    pauses = []
    for _ in range(3):
        pause = dispatcher.deliver()
        assert pause is not None
        pauses.append(pause)
        assert sink.taken == []
        clock.now += pause - 0.5
        assert dispatcher.deliver() == 0.5
        clock.now += 0.5
    assert pauses == [2, 4, 8]
    assert dispatcher.deliver() is None
    assert sink.taken == ["alert a1-1-91", "alert a2-1-91"]
    assert said == ["fake sink: HTTP 503: sent again later"]


def test_notices_outlive_the_process(make: Make) -> None:
    clock = Clock(0)
    broken = make(FakeSink(SinkError("down", True)), clock)
    broken.offer([known(), known("a2")])
    assert broken.deliver() == 2
    sink = FakeSink()
    assert make(sink, clock).deliver() is None
    assert sink.taken == ["alert a1-1-91", "alert a2-1-91"]


@pytest.mark.parametrize("attempts", [1, MAX_ATTEMPTS])
def test_notice_that_is_given_up_is_kept_and_said(
    attempts: int, make: Make, said: list[str], tmp_path: Path
) -> None:
    sink = FakeSink(*[SinkError("HTTP 404", retry=attempts > 1)] * attempts)
    clock = Clock(0)
    dispatcher = make(sink, clock)
    dispatcher.offer([known(), known("a2")])
    for _ in range(attempts):
        dispatcher.deliver()
        clock.now += 10_000
    assert sink.taken == ["alert a2-1-91"]
    dead = tmp_path / "outbox" / "dead.jsonl"
    letter = json.loads(dead.read_text())
    assert (letter["reason"], letter["notice"]["key"]) == ("fake sink: HTTP 404", "a1-1-91")
    assert dead.stat().st_mode & 0o777 == 0o600
    assert said[-1] == f"not sent: alert a1: fake sink: HTTP 404; kept in {dead}"


def test_full_queue_gives_up_the_oldest(make: Make, said: list[str], tmp_path: Path) -> None:
    sink = FakeSink()
    dispatcher = make(sink, Clock(0), limit=2)
    dispatcher.offer([known(f"a{number}") for number in range(5)])
    dispatcher.deliver()
    assert sink.taken == ["alert a3-1-91", "alert a4-1-91"]
    assert sum("the queue is full" in line for line in said) == 3
    assert len((tmp_path / "outbox" / "dead.jsonl").read_text().splitlines()) == 3


def test_outbox_is_private_and_survives_damage(tmp_path: Path, said: list[str]) -> None:
    outbox = Outbox(tmp_path / "outbox", said.append)
    outbox.put("fake", "a1", Notice.of(known(), is_first=True))
    outbox.save()
    for path in [tmp_path / "outbox", *(tmp_path / "outbox").iterdir()]:
        assert path.stat().st_mode & 0o077 == 0
    (tmp_path / "outbox" / "000000000001.json").write_text("{")
    (tmp_path / "outbox" / "told.json").write_text("{")
    again = Outbox(tmp_path / "outbox", said.append)
    assert len(again) == 0
    assert len(said) == 2


def test_notices_for_a_sink_that_is_gone_are_said(make: Make, said: list[str]) -> None:
    dispatcher = make(FakeSink(), Clock(0))
    dispatcher.offer([known()])
    other = FakeSink()
    other.sink_id = "other"
    make(other, Clock(0))
    assert said == ["notices wait for sinks that are not named now: name them again to send these"]


def test_running_dispatcher_sends_what_is_offered_and_ends(
    make: Make, receiver: Receiver, tmp_path: Path, said: list[str]
) -> None:
    hook = Webhook(f"http://127.0.0.1:{receiver.port}/")
    dispatcher = Dispatcher([hook], Outbox(tmp_path / "outbox", said.append), said.append)
    stop = threading.Event()
    thread = threading.Thread(target=dispatcher.run, args=(stop,))
    thread.start()
    dispatcher.offer([known()])
    dispatcher.offer([known("a2")])
    stop.set()
    dispatcher.wake()
    thread.join()
    assert [json.loads(each.body)["alert"]["alert_id"] for each in receiver.posted] == ["a1", "a2"]
    assert said == []
    assert msgspec.json.decode((tmp_path / "outbox" / "told.json").read_bytes())
