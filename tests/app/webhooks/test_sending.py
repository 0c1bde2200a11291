"""One message on the network, to real servers on loopback."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from app.webhooks import sending
from app.webhooks.sending import Outcome, seconds_of, send
from benchmarks.servers import free_port
from tests.app.webhooks.conftest import Names
from tests.receiver import Receiver, dripping, listening

LOOPBACK = [ip_network("127.0.0.0/8")]


def sent(url: str, within_s: float = 120) -> Outcome:
    return send(url, {"webhook-id": "msg_1"}, b'{"a": 1}', LOOPBACK, within_s=within_s)


def test_it_posts_the_body_with_its_headers(receiver: Receiver):
    outcome = sent(receiver.url("/hook?room=3"))
    assert (outcome.error, outcome.status_code) == ("", 204)
    [one] = receiver.received
    assert (one.path, one.body) == ("/hook?room=3", b'{"a": 1}')
    assert one.headers["webhook-id"] == "msg_1"
    assert one.headers["Content-Type"] == "application/json"
    assert one.headers["Host"] == f"127.0.0.1:{receiver.port}"


def test_a_redirect_is_not_followed(receiver: Receiver):
    with listening() as elsewhere:
        receiver.will_answer(302, Location=elsewhere.url())
        assert sent(receiver.url()).error == "redirected"
        receiver.will_answer(307, Location=elsewhere.url())
        assert sent(receiver.url()).error == "redirected"
        assert elsewhere.received == []
    assert len(receiver.received) == 2


def test_no_proxy_is_asked(receiver: Receiver, monkeypatch: pytest.MonkeyPatch):
    with listening() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url(""))
        assert sent(receiver.url()).arrived
        assert proxy.received == []


def test_a_name_is_asked_for_once_and_the_connection_goes_to_what_was_looked_at(receiver: Receiver, names: Names):
    """A name that answers with an inner address the second time would otherwise lead there."""
    asked = names("rebind.example", ["127.0.0.1", "10.255.255.1"])
    outcome = sent(receiver.url(host="rebind.example"))
    assert outcome.arrived
    assert asked == ["rebind.example"]
    assert receiver.received[0].headers["Host"] == f"rebind.example:{receiver.port}"


def test_nothing_is_sent_to_an_address_that_is_not_open(receiver: Receiver, names: Names):
    names("inside.example", ["127.0.0.1"])
    refused = send(receiver.url(host="inside.example"), {}, b"{}", ())
    assert (refused.error, refused.detail) == ("refused", "127.0.0.1")
    assert send(receiver.url(), {}, b"{}", ()).error == "refused"
    assert receiver.received == []


def test_another_address_of_the_name_is_tried_when_one_does_not_answer(receiver: Receiver):
    target = sending.read_url(receiver.url())
    nobody, here = IPv4Address("127.0.0.99"), IPv4Address("127.0.0.1")
    status, _ = sending._post(target, [nobody, here], {}, b"{}", sending.time.monotonic() + 120)
    assert status == 204


@pytest.mark.parametrize(
    ("status", "error"), [(200, ""), (299, ""), (304, "redirected"), (400, "status"), (410, "gone"), (500, "status")]
)
def test_only_an_answer_between_200_and_299_says_that_it_arrived(receiver: Receiver, status: int, error: str):
    receiver.will_answer(status)
    assert sent(receiver.url()).error == error


def test_it_hears_how_long_it_is_to_wait(receiver: Receiver):
    receiver.will_answer(503, Retry_After="120")
    assert sent(receiver.url()).retry_after_s == 120


def test_of_a_long_answer_it_reads_the_beginning_alone(receiver: Receiver):
    receiver.body = b"x" * 50_000_000
    receiver.will_answer(200)
    assert sent(receiver.url()).arrived


def test_an_answer_in_single_bytes_does_not_outlast_its_time():
    with dripping(0.05) as port:
        outcome = sent(f"http://127.0.0.1:{port}/", within_s=0.5)
    assert (outcome.error, outcome.detail) == ("too_slow", "0.5")


def test_a_server_that_is_not_there_is_told_from_one_that_is_slow():
    outcome = sent(f"http://127.0.0.1:{free_port()}/")
    assert (outcome.error, outcome.detail) == ("unreachable", "Connection refused")


def test_a_name_that_is_gone_is_said(names: Names):
    names("gone.example", ["not an address"])
    outcome = sent("http://gone.example/hook")
    assert (outcome.error, outcome.detail) == ("no_name", "gone.example")


def certificate_for(name: str, folder: Path) -> Path:
    """One that vouches for itself, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    named = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(named)
        .issuer_name(named)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path = folder / "server.pem"
    path.write_bytes(key.private_bytes(*form) + made.public_bytes(serialization.Encoding.PEM))
    return path


def test_a_certificate_is_held_against_the_name_and_not_the_address(
    names: Names, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pem = certificate_for("hook.example", tmp_path)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(pem)
    asked_for: list[str | None] = []
    server.sni_callback = lambda _socket, name, _context: asked_for.append(name)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    sending._certificates.cache_clear()
    names("hook.example", ["127.0.0.1"])
    names("other.example", ["127.0.0.1"])
    try:
        with listening(server) as receiver:
            assert sent(receiver.url(host="hook.example", scheme="https")).arrived
            assert sent(receiver.url(host="other.example", scheme="https")).error == "certificate"
            assert asked_for == ["hook.example", "other.example"]
            assert len(receiver.received) == 1
    finally:
        sending._certificates.cache_clear()


def test_it_reads_how_long_to_wait_as_a_number_and_as_a_date():
    now = datetime(2026, 11, 25, 16, tzinfo=UTC)
    assert seconds_of("120", now) == 120
    assert seconds_of("Wed, 25 Nov 2026 16:01:30 GMT", now) == 90
    assert seconds_of("Wed, 25 Nov 2026 15:00:00 GMT", now) == 0
    assert [seconds_of(words, now) for words in ("", "soon", "-5", "1.5")] == [0, 0, 0, 0]
