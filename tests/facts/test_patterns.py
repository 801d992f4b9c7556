import fnmatch
import ipaddress
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psf_audit.facts.patterns import address_key, host, key_range, like

ALPHABET = "ab!%_.*?[]\\^"
IPV4 = st.integers(0, 2**32 - 1).map(ipaddress.IPv4Address)
IPV6 = st.integers(0, 2**128 - 1).map(ipaddress.IPv6Address)


@pytest.fixture(scope="module")
def database() -> Iterator[Any]:
    import duckdb

    with duckdb.connect(":memory:", config={"threads": 1}) as connection:
        yield connection


@st.composite
def networks(draw: st.DrawFn) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    address = draw(IPV4 | IPV6)
    return ipaddress.ip_network((address, draw(st.integers(0, address.max_prefixlen))), strict=False)


@pytest.mark.parametrize(
    ("glob", "pattern"),
    [
        ("http.*", "http.%"),
        ("a?c", "a_c"),
        ("50%_off!", "50!%!_off!!"),
        ("", ""),
        ("*", "%"),
    ],
)
def test_a_glob_becomes_a_like_pattern(glob: str, pattern: str) -> None:
    assert like(glob) == pattern


@given(glob=st.text(ALPHABET, max_size=8), text=st.text(ALPHABET, max_size=8))
def test_duckdb_matches_what_the_glob_matches(database: Any, glob: str, text: str) -> None:
    # In fnmatch brackets are special, here they are not.
    expected = re.fullmatch(fnmatch.translate(glob.replace("[", "[[]")), text) is not None
    (found,) = database.execute("SELECT ? LIKE ? ESCAPE '!'", [text, like(glob)]).fetchone()
    assert found is expected


@given(networks(), st.data())
def test_an_address_lies_between_the_keys_of_its_networks_and_of_no_other(
    network: ipaddress.IPv4Network | ipaddress.IPv6Network, data: st.DataObject
) -> None:
    inside = st.integers(int(network.network_address), int(network.broadcast_address)).map(
        type(network.network_address)
    )
    address = data.draw(inside | IPV4 | IPV6)
    mapped = getattr(address, "ipv4_mapped", None) or address
    keys, key = key_range(str(network)), address_key(str(address))

    assert keys is not None
    assert key is not None
    assert (keys[0] <= key <= keys[1]) is (mapped in network)


def test_a_network_of_ipv4_addresses_inside_ipv6_is_the_ipv4_network() -> None:
    assert key_range("::ffff:172.20.0.0/110") == key_range("172.20.0.0/14")
    assert key_range("::ffff:172.20.0.53") == key_range("172.20.0.53")
    assert key_range("::/0") != key_range("0.0.0.0/0")


@given(IPV4)
def test_an_ipv4_address_inside_ipv6_is_the_ipv4_address(address: ipaddress.IPv4Address) -> None:
    assert address_key(f"::ffff:{address}") == address_key(str(address))


@given(IPV4 | IPV6)
def test_an_address_is_a_network_of_itself(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    assert key_range(str(address)) == (address_key(str(address)),) * 2


def test_a_network_may_be_written_with_any_of_its_addresses() -> None:
    assert key_range("172.20.9.9/14") == key_range(" 172.20.0.0/14 ")


@pytest.mark.parametrize(
    "pattern", ["*.example.net", "example.net", "", "172.20.0.0/40", "172.20.*", "1.2.3", "300.1.1.1"]
)
def test_what_is_no_network_has_no_keys(pattern: str) -> None:
    assert key_range(pattern) is None


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("https://Api.Example.net:8443/path?q=1", "api.example.net"),
        ("https://user:pw@example.net/", "example.net"),
        ("ssh://[fd42::1]:22", "fd42::1"),
        ("example.net", "example.net"),
        ("EXAMPLE.net:443", "example.net"),
        ("172.20.0.53", "172.20.0.53"),
        ("172.20.0.53:179", "172.20.0.53"),
        ("fd42:d42:d42:54::1", "fd42:d42:d42:54::1"),
        ("[fd42::0001]", "fd42::1"),
        (" example.net ", "example.net"),
        ("localhost", None),
        ("us-east-1", None),
        ("/etc/hosts.allow", None),
        ("a b.c", None),
        ("example.net/path", None),
        ("file:///etc/passwd", None),
        ("http://[broken", None),
        ("", None),
        ("evil.example.", "evil.example"),
        ("https://Evil.Example./x", "evil.example"),
        ("https://./x", None),
    ],
)
def test_the_host_in_a_target(target: str, name: str | None) -> None:
    assert host(target) == name


@given(st.text())
def test_any_text_has_a_host_or_none(target: str) -> None:
    found = host(target)
    assert found is None or found == found.lower()
    address_key(found)


@pytest.mark.parametrize("name", [None, "example.net", "", "172.20.0.0/14"])
def test_what_is_no_address_has_no_key(name: str | None) -> None:
    assert address_key(name) is None
