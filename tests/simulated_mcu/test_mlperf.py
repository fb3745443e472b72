"""`edgekc mlperf` on the simulated board: flashed by a stock tool, run over its serial port."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("unicorn", reason="unicorn is not installed")

from models import model_path

import edgekc
from edgekc.console.session import Way
from simulated_mcu.bench import OPENOCD_CONFIG, bench, need_openocd


@pytest.mark.slow
def test_a_board_is_flashed_and_its_instructions_are_called_so(tmp_path: Path) -> None:
    need_openocd()
    model = model_path("kws")
    with bench() as board:
        config = tmp_path / "simulated.cfg"
        config.write_text(f"set PORT {board.openocd_port}\nsource {OPENOCD_CONFIG}\n")
        way = Way("", "openocd", "", f"localhost:{board.serial_port}", config, timeout_s=120.0)
        found = edgekc.run_mlperf([model], tmp_path / "sub", board="nucleo-f412zg", iterations=2, way=way)
    speed = found.rows[0].performance
    exact = edgekc.compile(model, name="kws", board="mps2-an386").measure(1).instructions  # of such a core, by qemu
    assert speed is not None and exact is not None
    assert speed.emulated and speed.throughput is None and speed.median == pytest.approx(exact, rel=1e-3)
    assert found.rows[0].notes == ("no accuracy: there are no samples; name some by --data kws=PATH",)
