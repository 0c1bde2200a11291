import socket

import pytest

from app.embedded.port import demand_free_port
from app.errors import Mistake
from app.settings import Settings


def settings(port: int, host: str = "127.0.0.1") -> Settings:
    return Settings.model_validate({"PORT": port, "HOST": host})


def test_a_taken_port_is_named_and_a_free_one_offered():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(Mistake, match=rf"Port {port} is taken by another program.*PORT=\d+ make run"):
            demand_free_port(settings(port))
    demand_free_port(settings(port))


def test_an_address_of_another_machine_is_refused():
    with pytest.raises(Mistake, match="HOST"):
        demand_free_port(settings(8000, host="192.0.2.7"))
