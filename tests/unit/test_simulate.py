"""`edgekc simulate` refuses what it cannot serve; tests/simulated_mcu has the chip."""

from __future__ import annotations

import socket

import pytest
from cli_command import call, complaint


@pytest.mark.parametrize("number", ["chip", "0xzz"])
def test_an_option_that_is_no_number(number: str) -> None:
    pytest.importorskip("unicorn", reason="unicorn is not installed")
    result = call("simulate", "--device-id", number)
    assert result.code == 2
    assert "is no number, such as 0x413" in " ".join(result.err.replace("│", " ").split())


def test_a_port_that_is_taken_or_is_none() -> None:
    pytest.importorskip("unicorn", reason="unicorn is not installed")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = complaint(call("simulate", "--port", port))
    assert f"port {port}: " in said and "0 takes any that is free" in said
    assert "there is no such port" in complaint(call("simulate", "--port", "70000"))
