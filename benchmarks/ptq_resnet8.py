"""Post-training quantisation of ResNet-8 on the JPEG CIFAR-10, all 5,000 test images: float against packed int8.

    python benchmarks/ptq_resnet8.py ../shared -o benchmarks/results/ptq_resnet8.json

The float model is `models/resnet8_cifar10jpeg.onnx`, the images `data/cifar10-jpeg.zip`; calibration takes training
images, or none. Int8 accuracy is that of the bit-exact host emulator.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from edgekc.data import load
from edgekc.evaluate import float_accuracy, host_accuracy
from edgekc.format.pack import pack
from edgekc.importers.onnx.importer import import_onnx
from edgekc.pipeline import to_integer
from edgekc.quantize.post_training import post_training
from edgekc.quantize.settings import Quantize

SETTINGS: list[tuple[bool, dict[str, object]]] = [  # (with data, [quantize])
    (True, {}),
    (True, {"equalise": "off"}),
    (True, {"equalise": "off", "bias_correction": False}),
    (True, {"method": "percentile"}),
    (True, {"method": "min-max", "equalise": "off", "bias_correction": False}),
    (False, {"input_range": [0.0, 255.0]}),
    (False, {}),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path, help="folder with models/ and data/")
    parser.add_argument("-o", type=Path, required=True, help="JSON to write")
    args = parser.parse_args()
    graph = import_onnx(args.shared / "models" / "resnet8_cifar10jpeg.onnx", "resnet8")
    images = args.shared / "data" / "cifar10-jpeg.zip"
    test = load(images, split="test")
    exact = float_accuracy(graph, test)
    print(f"float: {exact}")
    rows = []
    for with_data, keys in SETTINGS:
        settings = Quantize.model_validate(keys)
        calibration = load(images, split="train", count=settings.samples, seed=settings.seed) if with_data else None
        ekc = pack(to_integer(post_training(graph, calibration, settings), {"source": "resnet8_cifar10jpeg.onnx"}))
        found = host_accuracy(ekc, test)
        rows.append(
            {
                "data": with_data,
                "quantize": settings.model_dump(),
                "right": found.right,
                "percent": found.percent,
                "points_lost": round(exact.percent - found.percent, 2),
                "ekc_bytes": len(ekc),
            }
        )
        print(f"{'data' if with_data else 'no data'} {keys}: {found}", flush=True)
    result = {
        "command": "python benchmarks/ptq_resnet8.py ../shared -o benchmarks/results/ptq_resnet8.json",
        "test_images": exact.total,
        "float_right": exact.right,
        "float_percent": exact.percent,
        "int8": rows,
    }
    args.o.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
