"""Where a webhook may point: a table of addresses, and the ways in which people write them."""

from ipaddress import ip_address, ip_network

import pytest

from app.errors import BadInput
from app.webhooks import targets
from tests.app.webhooks.conftest import Names

PUBLIC = [
    "1.1.1.1",
    "93.184.215.14",
    "172.15.0.1",
    "172.32.0.1",
    "2606:4700:4700::1111",
    "::ffff:1.1.1.1",
    "64:ff9b::1.1.1.1",
]
NOT_PUBLIC = [
    "127.0.0.1",
    "127.8.9.10",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "169.254.169.254",  # metadata of most clouds
    "168.63.129.16",  # of Azure
    "100.100.100.200",  # of Alibaba
    "192.0.0.192",  # of Oracle
    "100.64.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",  # 127.0.0.1 as it was written in IPv6 long ago
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",  # 127.0.0.1 behind a translator
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",  # Teredo
    "2001:db8::1",
    "2002:7f00:1::1",  # 127.0.0.1 in 6to4
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",  # metadata of Amazon in IPv6
    "fe80::1",
    "fec0::1",
    "ff02::1",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_it_may_go_to_a_public_address(address: str):
    assert targets.first_refused([ip_address(address)], ()) is None


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_it_may_not_go_to_this_side_of_the_wall(address: str):
    assert targets.first_refused([ip_address(address)], ()) == ip_address(address)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_a_name_with_one_such_address_is_refused_whatever_its_others_are(address: str):
    assert targets.first_refused([ip_address("1.1.1.1"), ip_address(address)], ()) == ip_address(address)


def test_a_network_may_be_allowed_and_no_other_with_it():
    allowed = [ip_network("10.1.0.0/16"), ip_network("fd00::/8")]
    assert targets.first_refused([ip_address("10.1.2.3"), ip_address("fd00::1")], allowed) is None
    assert targets.first_refused([ip_address("::ffff:10.1.2.3")], allowed) is None
    assert targets.first_refused([ip_address("10.2.0.1")], allowed) == ip_address("10.2.0.1")
    assert targets.first_refused([ip_address("127.0.0.1")], allowed) == ip_address("127.0.0.1")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/",
        "file:///etc/passwd",
        "gopher://example.org",
        "//example.org",
        "example.org",
        "https://",
        "http:///path",
        "https://user:secret@example.org/",
        "https://user@example.org/",
        "https://example.org/#part",
        "https://example.org:0/",
        "https://example.org:99999/",
        "https://exa mple.org/",
        "https://example.org/\r\nHost: other",
        "https://example.org/" + "a" * 2000,
        "https://[::1",
        "https://ex\u0000ample.org",
        "",
    ],
)
def test_it_takes_nothing_but_a_plain_web_address(url: str):
    with pytest.raises(BadInput) as mistake:
        targets.read_url(url)
    assert mistake.value.field == "url"


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "localhost",
        "1２7.0.0.1",
    ],
)
def test_this_machine_is_known_however_it_is_written(host: str):
    with pytest.raises(BadInput) as mistake:
        targets.check(f"http://{host}:8000/hook", ())
    assert mistake.value.field == "url"


def test_it_says_which_address_a_name_leads_to(names: Names):
    names("inside.example", ["10.0.0.7"])
    with pytest.raises(
        BadInput, match=r"inside\.example is at 10\.0\.0\.7, which is not a public address.*WEBHOOK_TARGETS"
    ):
        targets.check("https://inside.example/hook", ())


def test_it_says_that_a_name_cannot_be_found(names: Names):
    names("nowhere.example", ["not an address"])
    with pytest.raises(BadInput, match=r"nowhere\.example cannot be found") as mistake:
        targets.check("https://nowhere.example/", ())
    assert mistake.value.field == "url"


def test_a_name_in_other_letters_is_asked_for_as_the_network_writes_it(names: Names):
    asked = names("xn--bcher-kva.example", ["1.1.1.1"])
    target = targets.check("https://bücher.example:8443/hook?a=b", ())
    assert asked == ["xn--bcher-kva.example"]
    assert (target.host, target.port, target.path) == ("xn--bcher-kva.example", 8443, b"/hook?a=b")
