"""Nobody reaches what is inside: not by how an address is written, nor by where its name leads."""

import socket
from collections.abc import Iterator

import pytest

from billing.outgoing.addresses import UrlRefused, read_target
from billing.outgoing.network import AddressRefused, Network
from billing.outgoing.posting import post_message
from billing.tests.outgoing.hostile_urls import HOSTILE_URLS, INNER_ADDRESSES
from billing.tests.outgoing.receiver import Receiver, running_receiver

PUBLIC = "93.184.215.14"


@pytest.fixture
def inside() -> Iterator[Receiver]:
    """What nobody may reach: a server on this machine."""
    with running_receiver() as receiver:
        yield receiver


class Inward(Network):
    """A network in which every name leads to one address; whoever connects reaches the server inside, and is noted."""

    __slots__ = ("asked", "connected")

    def __init__(self, *answers: list[str], inside: Receiver) -> None:
        self_answers = iter(answers)
        asked: list[str] = []
        connected: list[str] = []

        def resolve(host: str, port: int) -> list[str]:
            asked.append(host)
            return next(self_answers)

        def connect(address: str, port: int, timeout_seconds: float) -> socket.socket:
            connected.append(address)
            return socket.create_connection(("127.0.0.1", inside.port), timeout=timeout_seconds)

        super().__init__(resolve=resolve, connect=connect)
        object.__setattr__(self, "asked", asked)
        object.__setattr__(self, "connected", connected)

    asked: list[str]
    connected: list[str]


def test_the_table_has_two_hundred_addresses_and_more() -> None:
    assert len(HOSTILE_URLS) >= 200


@pytest.mark.parametrize("url", HOSTILE_URLS)
def test_no_hostile_address_is_read_as_a_target(url: str) -> None:
    with pytest.raises(UrlRefused):
        read_target(url)


@pytest.mark.parametrize("url", HOSTILE_URLS)
def test_the_setting_of_development_lets_no_hostile_address_through(url: str) -> None:
    with pytest.raises(UrlRefused):
        read_target(url, may_be_loopback=True)


@pytest.mark.parametrize("address", INNER_ADDRESSES)
def test_a_public_name_that_leads_inside_is_not_connected_to(address: str, inside: Receiver) -> None:
    network = Inward([address], inside=inside)

    answer = post_message(target=read_target("https://hooks.example.com/in"), headers={}, body=b"{}", network=network)

    assert answer.error == "Its name leads to an address that is not public."
    assert (network.connected, inside.received) == ([], [])


@pytest.mark.parametrize("address", INNER_ADDRESSES)
def test_one_inner_address_beside_a_public_one_refuses_both(address: str, inside: Receiver) -> None:
    network = Inward([PUBLIC, address], inside=inside)

    with pytest.raises(AddressRefused):
        network.open(target=read_target("https://hooks.example.com/in"), deadline=float("inf"))

    assert (network.connected, inside.received) == ([], [])


def test_a_name_that_leads_inside_the_second_time_is_not_asked_twice(inside: Receiver) -> None:
    """DNS rebinding: the address that was judged is the address that is connected to."""
    network = Inward([PUBLIC], ["127.0.0.1"], inside=inside)

    post_message(target=read_target("https://hooks.example.com/in"), headers={}, body=b"{}", network=network)

    assert network.asked == ["hooks.example.com"]
    assert network.connected == [PUBLIC]


def test_a_name_of_this_machine_may_not_lead_elsewhere(inside: Receiver) -> None:
    network = Inward(["10.0.0.1"], inside=inside)
    target = read_target("http://localhost:9/in", may_be_loopback=True)

    answer = post_message(target=target, headers={}, body=b"{}", network=network)

    assert answer.status is None
    assert network.connected == []
