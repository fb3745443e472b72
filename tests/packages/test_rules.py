"""What each environment demands of the files that describe a package, as its own rules say."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import package_networks as networks
import pytest
from test_files import made, no_compiler  # noqa: F401  no module is compiled here

from edgekc.packages.package import VERSION

pytestmark = pytest.mark.fast
SEMVER = r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("networks")


# ---- Arduino: the schema of arduino-lint for library.properties in its specification mode, and its rules for folders

CATEGORIES = (
    "Display", "Communication", "Signal Input/Output", "Sensors", "Device Control", "Timing", "Data Storage",
    "Data Processing", "Other",
)  # fmt: skip
REQUIRED = "name version author maintainer sentence paragraph category url architectures".split()
OPTIONAL = "depends dot_a_linkage includes precompiled ldflags license".split()


def properties(text: str) -> dict[str, str]:
    pairs = [line.partition("=") for line in text.splitlines()]
    assert all(separator for _, separator, _ in pairs)
    assert len({key for key, _, _ in pairs}) == len(pairs), "a key twice"
    return {key: value for key, _, value in pairs}


def wrong_properties(found: dict[str, str]) -> list[str]:
    """Keys whose values break a rule; empty: none."""
    name = r"[a-zA-Z][a-zA-Z0-9 _.\-]*|[0-9][a-zA-Z0-9 _.\-]*[a-zA-Z][a-zA-Z0-9 _.\-]*"
    official = r"(?i)arduino"
    rules = {
        "name": re.fullmatch(name, found["name"])
        and len(found["name"]) <= 63
        and not re.match(official, found["name"]),
        "version": re.fullmatch(SEMVER, found["version"]),
        "author": found["author"],
        "maintainer": found["maintainer"] and not re.match(official, found["maintainer"]),
        "sentence": found["sentence"],
        "paragraph": not found["paragraph"].startswith(found["sentence"]),
        "category": found["category"] in CATEGORIES,
        "url": re.fullmatch(r"https?://\S+", found["url"]),
        "architectures": found["architectures"],
        "dot_a_linkage": found.get("dot_a_linkage", "true") in ("true", "false"),
        "includes": found.get("includes", "x"),
    }
    return [key for key, holds in rules.items() if not holds] + [k for k in found if k not in REQUIRED + OPTIONAL]


@pytest.mark.parametrize("name", networks.KINDS)
def test_arduino(name: str, folder: Path) -> None:
    _, files = made("arduino", folder, name)
    found = properties(files["library.properties"].decode())
    assert set(REQUIRED) <= set(found) and wrong_properties(found) == []
    assert f"src/{found['includes']}" in files, "the header that the menu Include Library writes"
    assert found["dot_a_linkage"] == "true", "or two networks of a sketch would have some kernels twice"
    roots = {path.split("/")[0] for path in files}
    assert roots == {"library.properties", "README.md", "src", "examples"}
    assert not [path for path in files if re.search(r"\.(exe|bat|dll|so|a)$|/\.|^\.|[^\w./-]", path)]
    sketches = [path for path in files if path.endswith(".ino")]
    assert sketches == [f"examples/{name}_demo/{name}_demo.ino"], "a sketch has the name of its folder"
    assert re.fullmatch(r"[a-zA-Z0-9][\w.-]{0,62}", f"{name}_demo")
    assert {Path(path).suffix for path in files if path.startswith("src/")} == {".c", ".h"} | (
        {".bin"} if name == "wake_2" else set()
    )


def test_the_rules_of_arduino_find_faults() -> None:
    good = dict.fromkeys(REQUIRED, "x") | {
        "version": "1.2.3", "url": "https://a.b", "category": "Other", "sentence": "y", "name": "digits"
    }  # fmt: skip
    assert wrong_properties(good) == []
    for key, value in (
        ("name", "Arduino x"), ("name", "a?"), ("version", "1.02"), ("category", "Network"), ("url", "here"),
        ("dot_a_linkage", "yes"), ("maintainer", "arduino"), ("architecture", "*"),
    ):  # fmt: skip
        assert wrong_properties(good | {key: value}) == [key]


# ---- CMSIS-Pack: what PACK.xsd 1.7.32 demands of the elements that are there


@pytest.mark.parametrize(("name", "board"), [("digits", "rpi-pico"), ("digits", "mps2-an386"), ("wake_2", "rpi-pico")])
def test_cmsis_pack(name: str, board: str, folder: Path) -> None:
    net, files = made("cmsis-pack", folder, name, board)
    text = files[f"edgekc.{name}.pdsc"]
    root = ElementTree.fromstring(text)
    assert root.tag == "package" and root.attrib["schemaVersion"] == "1.7.32"
    tags = [child.tag for child in root]
    assert tags[:5] == ["vendor", "name", "description", "url", "releases"] and len(set(tags)) == len(tags)
    assert (
        set(tags) - {"vendor", "name", "description", "url", "releases", "keywords", "conditions", "components"}
        == set()
    )
    assert re.fullmatch(r"[\-_A-Za-z0-9]+", root.findtext("vendor", "")) and root.findtext("name") == name
    assert [release.attrib["version"] for release in root.iter("release")] == [VERSION]
    conditions = {condition.attrib["id"]: condition for condition in root.iter("condition")}
    cores = {accept.attrib["Dcore"] for accept in conditions["core"].iter("accept")}
    assert ("Cortex-M0+" in cores) == ("dsp" not in net.needs) == (board == "rpi-pico") and "Cortex-M55" in cores
    (component,) = root.iter("component")
    assert set(component.attrib) == {"Cclass", "Cgroup", "Csub", "Cversion", "condition"}
    assert component.attrib["condition"] in conditions and component.find("description") is not None
    listed = [(file.attrib["category"], file.attrib["name"], file.attrib) for file in component.iter("file")]
    assert all(category in ("include", "doc", "source", "header") for category, _, _ in listed)
    assert all(("select" in attributes) == (attributes.get("attr") == "template") for _, _, attributes in listed)
    for category, place, _ in listed:
        assert place.endswith("/") == (category == "include")
        assert any(path.startswith(place) if category == "include" else path == place for path in files), place
    sources = {place for category, place, attributes in listed if category == "source" and "attr" not in attributes}
    assert sources == {f"src/{source}" for source in net.sources}


# ---- PlatformIO, ESP-IDF, Zephyr, npm


def test_platformio(folder: Path) -> None:
    _, files = made("platformio", folder)
    found = json.loads(files["library.json"])
    assert re.fullmatch(r"[^:;/,@<>]{1,100}", found["name"]) and re.fullmatch(SEMVER, found["version"])
    assert len(found["description"]) <= 1000 and all(len(word) <= 50 for word in found["keywords"])
    assert f"include/{found['headers']}" in files and found["build"]["srcDir"] == "src"
    for example in found["examples"]:
        assert {f"{example['base']}/{file}" for file in example["files"]} <= set(files)


def test_platformio_s_own_reader_takes_it(folder: Path) -> None:
    pytest.importorskip("platformio")
    from platformio.package.manifest.parser import LibraryJsonManifestParser
    from platformio.package.manifest.schema import ManifestSchema

    _, files = made("platformio", folder)
    raw = LibraryJsonManifestParser(files["library.json"].decode()).as_dict()
    assert ManifestSchema().load_manifest(raw)["version"] == VERSION


@pytest.mark.parametrize("name", networks.KINDS)
def test_esp_idf_and_zephyr(name: str, folder: Path) -> None:
    yaml = pytest.importorskip("yaml")
    _, files = made("esp-idf", folder, name)
    found = yaml.safe_load(files["idf_component.yml"])
    assert set(found) == {"version", "description", "url", "dependencies"} and re.fullmatch(SEMVER, found["version"])
    example = yaml.safe_load(files["examples/demo/main/idf_component.yml"])["dependencies"]
    ((called, dependency),) = example.items()
    assert re.fullmatch(r"edgekc/[a-z0-9]+([_-][a-z0-9]+)*", called) and dependency["override_path"] == "../../.."

    # zephyr/module.yml by scripts/schemas/module-schema.yaml of Zephyr, and its paths.
    _, files = made("zephyr", folder, name)
    module = yaml.safe_load(files["zephyr/module.yml"])
    assert (set(module), set(module["build"])) == ({"name", "build", "samples"}, {"cmake", "kconfig"})
    assert module["build"]["kconfig"] in files and all(
        any(p.startswith(f"{s}/") for p in files) for s in module["samples"]
    )
    ((identifier, test),) = yaml.safe_load(files["samples/demo/testcase.yaml"])["tests"].items()
    assert identifier == f"edgekc.{name}.demo" and set(test) <= {"tags", "min_ram", "harness", "harness_config"}
    assert test["harness_config"]["type"] == "one_line" and len(test["harness_config"]["regex"]) == 1
    assert f"config EDGEKC_{name.upper()}\n" in files["Kconfig"].decode()
    assert f"CONFIG_EDGEKC_{name.upper()}=y\n" in files["samples/demo/prj.conf"].decode()


def test_npm(folder: Path) -> None:
    _, files = made("wasm", folder)
    found = json.loads(files["package.json"])
    assert re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,213}", found["name"]) and found["private"] is True
    places = {
        place
        for entry in found["exports"].values()
        for place in (entry.values() if isinstance(entry, dict) else [entry])
    }
    assert {place.removeprefix("./") for place in places} == set(found["files"])
    assert set(found["files"]) - set(files) == {"digits.wasm"} - set(files)
