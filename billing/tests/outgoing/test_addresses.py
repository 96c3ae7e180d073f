"""Which addresses may be spoken to."""

import pytest

from billing.outgoing.addresses import MAX_URL_LENGTH, Target, UrlRefused, is_public_address, read_target


@pytest.mark.parametrize(
    ("address", "is_public"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),  # noqa: S104  # compared, not bound
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fc00::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:93.184.215.14", True),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b:1::7f00:1", False),
        ("::127.0.0.1", False),
        ("::ffff:0:127.0.0.1", False),
        ("fec0::1", False),
        ("192.0.0.192", False),
        ("2002:7f00:1::", False),
        ("2001:0:5ef5:79fd:3c57:b4e:80ff:fffe", False),
        ("ff02::1", False),
        ("192.88.99.1", False),
        ("168.63.129.16", False),
        ("100.100.100.200", False),
        ("fd00:ec2::254", False),
        ("5f00::1", False),
        ("3fff::1", False),
        ("100:0:0:1::1", False),
        ("4000::1", False),
    ],
)
def test_only_public_addresses_are_spoken_to(address: str, is_public: bool) -> None:
    assert is_public_address(address) == is_public


@pytest.mark.parametrize(
    ("url", "host", "path"),
    [
        ("https://example.com", "example.com", "/"),
        ("https://example.com:443/hooks?from=prepaid&n=1", "example.com", "/hooks?from=prepaid&n=1"),
        ("https://Hooks.Example.COM/a%20b", "hooks.example.com", "/a%20b"),
        ("https://xn--bcher-kva.example/x", "xn--bcher-kva.example", "/x"),
        ("https://in_side.example.com/", "in_side.example.com", "/"),
    ],
)
def test_public_names_over_https_may_be_asked(url: str, host: str, path: str) -> None:
    assert read_target(url) == Target(is_tls=True, host=host, port=443, path=path)
    assert read_target(url).host_header == host


def test_an_address_may_be_so_long_and_no_longer() -> None:
    longest = "https://example.com/".ljust(MAX_URL_LENGTH, "a")

    assert read_target(longest).host == "example.com"
    with pytest.raises(UrlRefused, match="longer"):
        read_target(longest + "a")


@pytest.mark.parametrize(
    ("url", "host_header"),
    [
        ("http://127.0.0.1:8123/in", "127.0.0.1:8123"),
        ("http://localhost/in", "localhost"),
        ("http://[::1]:9/in", "[::1]:9"),
    ],
)
def test_this_machine_may_be_asked_where_the_setting_says_so(url: str, host_header: str) -> None:
    target = read_target(url, may_be_loopback=True)

    assert target.is_loopback
    assert not target.is_tls
    assert target.host_header == host_header
    with pytest.raises(UrlRefused):
        read_target(url)


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/in", "http://example.com/in", "https://127.0.0.1/in", "http://127.0.0.1@10.0.0.1/"]
)
def test_the_setting_allows_nothing_but_this_machine(url: str) -> None:
    with pytest.raises(UrlRefused):
        read_target(url, may_be_loopback=True)
