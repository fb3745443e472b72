"""MLPerf Tiny: the protocol's two ends over bad lines, samples, qualities, the folder of a submission."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlperf_device import INCLUDE, PORT, Scripted, sources, toy_device
from models import SHARED, model_path
from typer.testing import CliRunner

import edgekc
from edgekc.cli.main import app
from edgekc.console.lines import ProcessLine
from edgekc.errors import EdgekcError, ToolError, UsageError
from edgekc.mlperf.benchmarks import BENCHMARKS, benchmark_of
from edgekc.mlperf.client import Answer, Device, Inference, LineReader
from edgekc.mlperf.modes import Performance, Quality
from edgekc.mlperf.samples import load_samples, roc_auc, unlabelled
from edgekc.mlperf.submission import check_submitter, division_of, performance_text

DIGITS = Path(edgekc.__file__).parent / "demo" / "data" / "digits_int8.tflite"
KWS = BENCHMARKS["kws"]


# ---- the host's end ----


@pytest.mark.fast
def test_lines_do_not_depend_on_how_bytes_arrive() -> None:
    rng = random.Random(1)
    for _ in range(200):
        data = bytes(rng.choice(b"m-ready\r\n[]e\xff\x00,.0") for _ in range(rng.randrange(60)))
        whole, parts, found = LineReader(), LineReader(), []
        at = 0
        while at < len(data):
            step = rng.randrange(1, 8)
            found += parts.feed(data[at : at + step])
            at += step
        assert found == list(whole.feed(data))
        assert all(line and line.isascii() and line.isprintable() for line in found)
    assert len(LineReader().pending) == 0


@pytest.mark.fast
def test_a_line_without_an_end_takes_no_memory() -> None:
    reader = LineReader()
    for _ in range(100):
        assert list(reader.feed(b"x" * 1000)) == []
    assert len(reader.pending) <= 4096


RESULTS = [
    ("m-results-[0.250,0.500]", (0.25, 0.5)),
    ("m-results-[0.250,0.500,]", (0.25, 0.5)),  # as a reference submission writes it
    ("m-results-[]", None),
    ("m-results-[0.2.5]", None),
    ("m-results-[nan,0.5]", None),
    ("m-results-[1e999]", None),
    ("m-results-[0.250,0.500", None),
    ("xm-results-[0.250]", None),
]


@pytest.mark.fast
@pytest.mark.parametrize(("line", "expected"), RESULTS)
def test_results_are_numbers_or_nothing(line: str, expected: tuple[float, ...] | None) -> None:
    assert Answer(("m-lap-us-1", line)).results == expected


def device(answers: dict[str, str | None], first: str = "") -> Device:
    return Device(Scripted(answers, first), "board x", 0.05, 0.05)


WHO = {
    "name": "m-name-dut-[x]\r\nm-ready\r\n",
    "profile": "m-profile-[p]\r\nm-model-[kws01]\r\nm-counter-[1,1]\r\nm-ready\r\n",
}


@pytest.mark.fast
def test_who_it_is_behind_what_it_says_at_its_start() -> None:
    found = device(dict(WHO), "\xffm-lap-us-3\r\nm-init-done\r\nm-ready\r\n").identify()
    assert (found.name, found.model, found.counter, found.simulated) == ("x", "kws01", "SysTick", True)


LAPS = "m-lap-us-5\r\nm-lap-us-25\r\n"
GOOD = WHO | {"db": "m-load-done\r\nm-ready\r\n", "infer": f"{LAPS}m-results-[0.5]\r\nm-ready\r\n"}
WRONG = [
    ({"name": None}, "no answer to 'name' within 0.05 s"),
    ({"name": None, "": "closed"}, "the line was closed"),
    ({"profile": "m-ready\r\n"}, "does not say which model"),
    ({"db load 40": "e-[too long]\r\nm-ready\r\n"}, "'db load 40' was refused: too long"),
    ({"db": "m-ready\r\n"}, "bytes were lost"),
    ({"infer": f"{LAPS}m-results-[1,2]\r\nm-ready\r\n"}, "holds no 1 results"),
    ({"infer": f"{LAPS}m-results-[x]\r\nm-ready\r\n"}, "holds no 1 results"),
    ({"infer": "m-lap-us-5\r\nm-results-[1]\r\nm-ready\r\n"}, "no two timestamps"),
    ({"infer": "m-lap-us-5\r\nm-lap-us-4\r\nm-results-[1]\r\nm-ready\r\n"}, "no two timestamps"),
    ({"infer": f"{LAPS}m-results-[1]\r\nm-read\r\n"}, "no answer to 'infer 1 0'"),
]


def use(client: Device) -> Inference:
    client.identify()
    client.load(bytes(40))
    return client.infer(1, 0, 1)


@pytest.mark.fast
def test_a_right_answer_has_the_time_between_its_stamps() -> None:
    found = use(device(dict(GOOD)))
    assert (found.elapsed_us, found.results) == (20, (0.5,))


@pytest.mark.fast
@pytest.mark.parametrize(("answers", "expected"), WRONG)
def test_a_wrong_answer_is_one_error(answers: dict[str, str | None], expected: str) -> None:
    with pytest.raises(ToolError, match=re.escape(expected)) as caught:
        use(device(GOOD | answers))
    assert str(caught.value).startswith("board x: ") and "\n" not in str(caught.value)


# ---- the device's end ----


def test_the_device_answers_every_command_once(tmp_path: Path) -> None:
    """Under sanitizers: right commands, wrong ones, and noise, after which right ones still work."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    line = ProcessLine([str(toy_device(tmp_path))], tmp_path)
    try:
        client = Device(line, "here", 20.0, 20.0)
        who = client.identify()
        assert (who.name, who.model, who.counter) == ("edgekc", "kws01", "none")
        rng = random.Random(7)
        for values in ([*range(-128, 128, 22)], [rng.randrange(-128, 128) for _ in range(12)], [-112] * 12):
            sample = np.array([*values, *[0] * 478], np.int8)[:490].tobytes()
            client.load(sample)
            found = client.infer(2, 1, 12).results
            # 16/256 and its like lie between two thousandths: printf takes the even one, and so does Python.
            assert found == tuple(float(f"{(v + 128) / 256:.3f}") for v in values[:12])
            printed = client.command("db print").lines
            assert "".join(row.removeprefix("m-buffer-") for row in printed).replace("-", "") == sample.hex()
        refused = {
            "db": "subcommand", "db load": "requires", "db load 0": ">0", "db load 491": "maximum of 490",
            "db load -1": ">0", "db load 9999999999": ">0", "db 0g": "Invalid hex digit 'g'", "db 012": "Insufficient",
            "db 00": "'db load' comes first", "infer 0": ">0", "infer x": ">0", "infer 1 -1": ">=0", "": "Empty",
            "nonsense": "Unknown command: nonsense", "x" * 81: "longer than 80",
        }  # fmt: skip
        for command, why in refused.items():
            with pytest.raises(ToolError, match=re.escape(why)):
                client.command(command)
        client.command("db load 4")
        client.command("db aabb")
        with pytest.raises(ToolError, match="No sample"):
            client.command("infer 1 0")
        for _ in range(300):
            words = ["db", "load", "infer", "print", "name", "490", "00ff" * rng.randrange(30), "-", "\r\n", " ", "zz"]
            noise = "".join(rng.choice([*words, chr(rng.randrange(1, 256))]) + " " for _ in range(rng.randrange(6)))
            line.send(noise.replace("%", "").encode("latin-1"))
            client._ask("", 20.0)
        client.load(bytes(490))
        assert client.infer(1, 0, 12).results == (0.5,) * 12
    finally:
        line.close()


def test_the_submitter_s_side_is_c_plus_plus_too(tmp_path: Path) -> None:
    """The benchmark's own side is C++, so its declarations have no C linkage."""
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    declared = re.search(r"#else\n(.*?)#endif\n\n/\* ---- what", (PORT / "ek_mlperf.h").read_text(), re.DOTALL)
    assert declared is not None
    (tmp_path / "api").mkdir()
    models = '#define EE_MODEL_VERSION_KWS01 "kws01"\n'
    (tmp_path / "api" / "internally_implemented.h").write_text(f"#pragma once\n{models}{declared[1]}")
    (tmp_path / "api" / "submitter_implemented.h").write_text("#ifndef TH_MODEL_VERSION\n#error set it\n#endif\n")
    flags = "-x c++ -std=c++17 -Wall -Wextra -Werror -fsyntax-only -DEK_MLPERF_UPSTREAM -DEK_CONSOLE_FILES".split()
    command = ["g++", *flags, "-DTH_MODEL_VERSION=EE_MODEL_VERSION_KWS01", f"-I{tmp_path}", f"-I{PORT}", f"-I{INCLUDE}"]
    for path in sources(tmp_path):
        subprocess.run([*command, str(path)], check=True)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_no_c_library_is_needed(name: str, tmp_path: Path) -> None:
    """A compiler without one, as zig is, has memcpy and the like of ours only."""
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    flags = "-mthumb -mcpu=cortex-m0 -std=c99 -ffreestanding -nostdinc -fsyntax-only".split()
    flags += ["-Wall", "-Wextra", "-Wconversion", "-Werror"]
    said = subprocess.run(["arm-none-eabi-gcc", "-print-file-name=include"], capture_output=True, text=True, check=True)
    folders = [tmp_path, PORT, INCLUDE, PORT / "freestanding", said.stdout.strip()]
    for path in (*sources(tmp_path, name), PORT / "ek_mlperf.c"):
        subprocess.run(["arm-none-eabi-gcc", *flags, *(f"-I{f}" for f in folders), str(path)], check=True)


# ---- samples and qualities ----


@pytest.mark.fast
def test_the_area_under_the_curve() -> None:
    assert roc_auc([1, 2, 3, 4], [0, 0, 1, 1]) == 1.0
    assert roc_auc([4, 3, 2, 1], [0, 0, 1, 1]) == 0.0
    assert roc_auc([1, 1, 1], [0, 1, 1]) == 0.5


@pytest.mark.slow
def test_the_area_is_scikit_learn_s() -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    rng = np.random.default_rng(3)
    for _ in range(20):
        labels = np.r_[0, 1, rng.integers(0, 2, 30)]
        scores = rng.integers(0, 9, 32) / 4  # with ties
        assert roc_auc(list(scores), list(labels)) == pytest.approx(metrics.roc_auc_score(labels, scores))


@pytest.mark.fast
def test_the_benchmark_s_own_folder(tmp_path: Path) -> None:
    ad = BENCHMARKS["ad"]
    data = np.arange(640 + 2 * 128, dtype="<f4")
    (tmp_path / "a.bin").write_bytes(data.tobytes())
    (tmp_path / "b.bin").write_bytes(data[:640].tobytes())
    (tmp_path / "y_labels.csv").write_text("a.bin,2,1,2560,512\n\nb.bin, 2, 0, 2560, 512\n")
    found = load_samples(tmp_path, ad)
    assert [(f.name, f.label, len(f.windows)) for f in found] == [("a.bin", 1, 3), ("b.bin", 0, 1)]
    assert np.frombuffer(found[0].windows[2], "<f4")[0] == 256
    for text, expected in [
        ("a.bin,2,1\n", "samples of 3584; ad takes 2560"), ("a.bin,2\n", "line 1: expected FILE"),
        ("../a.bin,2,1\n", "no file"), ("none.bin,2,1\n", "no file none.bin"), ("b.bin,2,2\n", "class 2 of 2"),
        ("b.bin,2,1\n", "one class only"), ("", "no samples"), ("b.bin,2,1,2560,0\n", "samples of"),
    ]:  # fmt: skip
        (tmp_path / "y_labels.csv").write_text(text)
        with pytest.raises(UsageError, match=expected):
            load_samples(tmp_path, ad)


@pytest.mark.fast
def test_arrays_of_samples(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, x=np.arange(3 * 490, dtype=np.uint8).view(np.int8).reshape(3, 49, 10, 1), y=[0, 11, 5])
    found = load_samples(path, KWS)
    assert [f.label for f in found] == [0, 11, 5] and len(found[1].windows[0]) == 490
    assert len(load_samples(path, KWS, 2)) == 2
    with pytest.raises(UsageError, match=r"holds int8 \[49, 10, 1\]; the runner sends ic uint8 \[32, 32, 3\]"):
        load_samples(path, BENCHMARKS["ic"])
    np.savez(path, x=np.zeros((1, 49, 10, 1), np.int8), y=[12])
    with pytest.raises(UsageError, match="class 12 of 12"):
        load_samples(path, KWS)
    for benchmark in BENCHMARKS.values():
        assert len(unlabelled(benchmark)) == benchmark.sample_bytes


# ---- what a submission says ----


def manifest_of(benchmark: str, **changed: Any) -> dict[str, Any]:
    b = BENCHMARKS[benchmark]
    edge = {"dtype": "int8", "shape": [1, *b.shape], "scale": b.scale or 0.4, "zero_point": b.zero_point or 0}
    return {"inputs": [edge | changed], "outputs": [{"dtype": "int8", "shape": [1, b.outputs]}], "metadata": {}}


@pytest.mark.fast
def test_which_benchmark_a_model_is() -> None:
    for name in BENCHMARKS:
        assert benchmark_of(manifest_of(name), "m").name == name
    with pytest.raises(
        UsageError, match=r"scale 0\.5 and zero point 83; the samples of kws are prepared for 0\.584703"
    ):
        benchmark_of(manifest_of("kws", scale=0.5), "m")
    with pytest.raises(UsageError, match="of no benchmark"):
        benchmark_of(manifest_of("kws", shape=[1, 49, 10]), "m")


@pytest.mark.fast
def test_divisions_and_names() -> None:
    assert division_of({"metadata": {"recipe": "rounding=double"}}, "", "m") == "closed"
    assert division_of({"metadata": {"recipe": "cluster4"}}, "", "m") == "open"
    with pytest.raises(UsageError, match="closed division forbids"):
        division_of({"metadata": {"recipe": "cluster4"}}, "closed", "m")
    with pytest.raises(UsageError, match="no division 'shut'"):
        division_of({"metadata": {}}, "shut", "m")
    for name in ("", "a/b", "..", "-x"):
        with pytest.raises(UsageError, match="--submitter"):
            check_submitter(name)


@pytest.mark.fast
def test_time_is_called_time_only_where_it_is() -> None:
    real = Performance(20, (400, 200, 300, 100, 500), "us", 1, False)
    assert real.median == 15.0 and real.throughput == pytest.approx(66666.67, rel=1e-4)
    assert "throughput" in performance_text(KWS, real)
    counted = Performance(20, (400, 200, 300, 100, 500), "instructions, not time", 1, True)
    assert counted.throughput is None and "throughput" not in performance_text(KWS, counted)
    assert "no result of it can be submitted" in performance_text(KWS, counted)
    assert Quality(90.0, 10, 9).text(KWS) == "top-1 90.00 %, 9 of 10"


BAD = [
    ([str(DIGITS)], "the input and output of no benchmark"),
    ([str(DIGITS), "--board", "rpi4"], "needs a bare microcontroller with a UART"),
    ([str(DIGITS), "--data", "kws"], "is not BENCHMARK=PATH"),
    ([str(DIGITS), "--data", "kws=a", "--data", "kws=b"], "kws is named twice"),
    ([str(DIGITS), "--data", "xyz=a"], "there is no benchmark xyz"),
    ([str(DIGITS), "--submitter", "a/b"], "makes no folder's name"),
]


@pytest.mark.fast
@pytest.mark.parametrize(("words", "expected"), BAD)
def test_bad_input_is_one_line_and_writes_nothing(words: list[str], expected: str, tmp_path: Path) -> None:
    error = CliRunner().invoke(app, ["mlperf", *words, "-o", str(tmp_path / "sub")]).exception
    assert isinstance(error, EdgekcError) and expected in str(error) and "\n" not in str(error)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_two_models_end_to_end(tmp_path: Path) -> None:
    """Both modes over an emulated UART: the qualities are those of the network's definition, and build.sh builds it."""
    if shutil.which("arm-none-eabi-gcc") is None or shutil.which("qemu-system-arm") is None:
        pytest.skip("arm-none-eabi-gcc or qemu-system-arm is not installed")
    kws, ad = model_path("kws"), model_path("ad")
    data = SHARED / "data" / "kws01.npz"
    if not data.is_file():
        pytest.skip("kws01.npz is not here: the samples are not part of the project")
    rng = np.random.default_rng(1)
    sounds = rng.normal(-20, 8, (4, 2, 640)).astype(np.float32)
    np.savez(tmp_path / "ad.npz", x=sounds, y=[0, 1, 0, 1])
    out = tmp_path / "sub"
    given = {"kws": data, "ad": tmp_path / "ad.npz"}
    found = edgekc.run_mlperf([kws, ad], out, board="mps2-an386", data=given, samples=12, submitter="Example")

    program = edgekc.compile(ad, name="ad")
    edge = program.manifest["outputs"][0]
    levels = np.asarray(program.run(sounds.reshape(8, 640)))  # real numbers in, real numbers out
    errors = np.square(levels - sounds.reshape(8, 640)).mean(1)
    place = out / "closed" / "Example"
    log = (place / "results" / "mps2-an386" / "ad" / "accuracy" / "log.txt").read_text()
    printed = [float(text) for text in re.findall(r"m-results-\[([0-9.]+)\]", log)]
    assert edge["shape"] == [1, 640] and printed == pytest.approx(errors, rel=1e-5, abs=1e-3)
    means = errors.reshape(4, 2).mean(1)
    qualities = {row.benchmark: row.quality for row in found.rows}
    assert qualities["ad"] is not None and qualities["ad"].value == roc_auc(list(means), [0, 1, 0, 1])

    picked = load_samples(data, KWS, 12)
    x = np.stack([np.frombuffer(f.windows[0], np.int8).reshape(49, 10, 1) for f in picked])
    kws_program = edgekc.compile(kws, name="kws")
    classes = np.asarray(kws_program.run(x)).argmax(1)
    assert qualities["kws"] == Quality(
        100.0 * (classes == [f.label for f in picked]).mean(), 12, sum(classes == [f.label for f in picked])
    )
    speed = found.rows[0].performance
    exact = kws_program.measure(1).instructions
    assert speed is not None and exact is not None and speed.median == pytest.approx(exact, rel=1e-3)

    system = json.loads((place / "systems" / "mps2-an386.json").read_text())
    assert system["Submitter"] == "Example" and "emulated" in system["Hardware Notes"]
    code = place / "code" / "keyword_spotting" / "edgekc"
    (code / "kws_int8.elf").unlink()
    subprocess.run([code / "build.sh"], check=True)
    qemu = "qemu-system-arm -M mps2-an386 -display none -monitor none -serial stdio -icount shift=0 -kernel".split()
    line = ProcessLine([*qemu, str(code / "kws_int8.elf")], code)
    try:
        again = Device(line, "rebuilt", 20.0, 20.0)
        assert again.identify().model == "kws01"
        again.load(picked[0].windows[0])
        answer = again.infer(1, 0, 12).results
        assert int(np.argmax(answer)) == classes[0]
    finally:
        line.close()
