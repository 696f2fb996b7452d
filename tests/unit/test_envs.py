"""The pins of pip, of conda and the dependencies of pyproject.toml agree."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins() -> dict[str, str]:
    lines = (ROOT / "envs/constraints.txt").read_text().splitlines()
    return {canonical(name): number for name, number in (line.split("==") for line in lines if "==" in line)}


def dependencies() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = [
        *project["dependencies"],
        *(one for extra in ("demo", "mgi") for one in project["optional-dependencies"][extra]),
    ]
    return {canonical(re.split(r"[<>=\[ ]", name)[0]) for name in names}


def test_every_dependency_is_pinned_and_conda_installs_the_same():
    environment = yaml.safe_load((ROOT / "envs/contigwas.yaml").read_text())
    packages = next(item["pip"] for item in environment["dependencies"] if isinstance(item, dict))
    conda = {canonical(name): number for name, number in (one.split("==") for one in packages)}
    assert conda == {name: pins()[name] for name in dependencies()}


def test_this_environment_is_the_pinned_one():
    different = {}
    for name in dependencies():
        try:
            installed = version(name).split("+")[0]
        except PackageNotFoundError:
            installed = "absent"
        if installed != pins()[name]:
            different[name] = installed
    assert not different
