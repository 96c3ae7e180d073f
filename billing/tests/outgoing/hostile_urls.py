"""Addresses by which somebody would reach what is inside: as they are written, and where their names lead."""

from typing import Final

INNER_ADDRESSES: Final = (
    *("127.0.0.1", "127.0.0.2", "127.1.2.3", "127.255.255.254", "0.0.0.0", "0.1.2.3"),  # noqa: S104  # never bound
    *("10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.254", "192.168.0.1", "192.168.255.255"),
    *("169.254.169.254", "169.254.170.2", "169.254.0.1", "100.64.0.1", "100.100.100.200", "100.127.255.255"),
    *("192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.255", "198.51.100.7"),
    *("203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "168.63.129.16"),
    *("::1", "::", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:10.0.0.1"),
    *("64:ff9b::127.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b::10.0.0.1", "64:ff9b:1::10.0.0.1"),
    *("2002:7f00:1::", "2002:a00:1::", "2002:a9fe:a9fe::", "2001:0:5ef5:79fd:3c57:b4e:80ff:fffe", "2001:db8::1"),
    *("fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fd12:3456:789a::1", "fec0::1", "ff02::1", "100::1"),
)
_NUMBERS: Final = (
    *("2130706433", "017700000001", "0x7f000001", "0x7f.0.0.1", "0x7f.1", "127.1", "127.0.1", "0177.0.0.1", "0"),
    *("0177.0.0.01", "127.0.0.1.", "3232235521", "0xc0a80001", "0300.0250.0.1", "192.168.1", "10.1", "0xa9fea9fe"),
    *("2852039166", "0251.0376.0251.0376", "169.254.43518", "169.0xfe.169.254", "0x", "256.256.256.256", "1.1.1.1.1"),
)
_NAMES: Final = (
    *("localhost", "LOCALHOST", "localhost.", "a.localhost", "localhost.localdomain.localhost", "printer.local"),
    *("metadata.google.internal", "metadata", "db", "redis", "postgres.internal", "router.lan", "intranet", "nas.home"),
    *("gateway.corp", "host.home.arpa", "1.0.0.127.in-addr.arpa", "x.onion", "kubernetes.default.svc.cluster.local"),
    *("exa mple.com", "example.com.", ".example.com", "example..com", "-example.com", "example-.com", "exam%70le.com"),
    *("%6c%6f%63%61%6c%68%6f%73%74", "127.0.0.1%2f.example.com", "example.com%00.evil.com", "e*ample.com", "a,b.com"),
    *("127。0。0。1", "１２７.0.0.1", "①②⑦.⓪.⓪.①", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "localhoſt", "example。com", "bücher.example"),
    *("", "a" * 64 + ".com", "a." * 127 + "com"),
)
_WHOLE: Final = (
    *(
        "http://example.com/",
        "HTTP://example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_x",
    ),
    *(
        "dict://127.0.0.1:11211/",
        "ldap://127.0.0.1/",
        "ws://example.com/",
        "wss://example.com/",
        "unix:///var/run/d.sock",
    ),
    *("javascript:alert(1)", "data:text/plain,hi", "//127.0.0.1/", "/in", "in", "", "https:", "https:/", "https://"),
    *("https:///in", "https:127.0.0.1", "https:/127.0.0.1/", "https:\\\\127.0.0.1\\", "https://\\127.0.0.1/"),
    *("https://example.com:80/", "https://example.com:8443/", "https://example.com:22/", "https://example.com:6379/"),
    *("https://example.com:5432/", "https://example.com:0/", "https://example.com:65536/", "https://example.com:-1/"),
    *(
        "https://example.com:44 3/",
        "https://example.com:0x1bb/",
        "https://example.com:443:80/",
        "https://example.com:４４３/",
    ),
    *("https://user@example.com/", "https://user:pass@example.com/", "https://example.com@127.0.0.1/"),
    *(
        "https://127.0.0.1@example.com/",
        "https://example.com:443@127.0.0.1/",
        "https://@example.com/",
        "https://:@example.com/",
    ),
    *(
        "https://127.0.0.1#@example.com/",
        "https://example.com#@127.0.0.1/",
        "https://example.com/#x",
        "https://example.com#",
    ),
    *("https://example.com\\@127.0.0.1/", "https://127.0.0.1\\.example.com/", "https://example.com\\.127.0.0.1/"),
    *(
        "https://example.com\t.evil.com/",
        "https://exa\nmple.com/",
        "https://example.com/\r\nHost: 127.0.0.1",
        "https://a\x00b.com/",
    ),
    *(
        " https://example.com/",
        "https://example.com/ ",
        "https://example.com/a b",
        "https://example.com/\x7f",
        "https://example.com/ü",
    ),
    *(
        "https://[::1",
        "https://::1/",
        "https://[::1]]/",
        "https://[127.0.0.1]/",
        "https://[v1.a]/",
        "https://[fe80::1%25eth0]/",
    ),
    *(
        "https://[::ffff:7f00:1]/",
        "https://[0:0:0:0:0:0:0:1]/",
        "https://[0000::1]:443/",
        "https://[::]/",
        "https://[]/",
    ),
)


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


HOSTILE_URLS: Final = tuple(
    dict.fromkeys(
        [
            *(f"https://{_bracketed(address)}/in" for address in INNER_ADDRESSES),
            *(f"https://{_bracketed(address)}:443" for address in INNER_ADDRESSES),
            *(f"https://{host}/in" for host in (*_NUMBERS, *_NAMES)),
            *_WHOLE,
        ]
    )
)
