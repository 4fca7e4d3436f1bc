"""The package of the library: what pip installs is whole, imports by itself, and says under what licence."""

import subprocess
import sys
import sysconfig
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow

# Imports each module of the folder in the first argument, with the packages of the second one and nothing else.
IMPORT_ALL = """
import sys
from importlib import import_module
from pathlib import Path

installed, packages = map(Path, sys.argv[1:])
sys.path += [str(installed), str(packages)]
for file in sorted(installed.glob("itool/**/*.py")):
    if file.stem not in ("gguf", "vllm"):  # which need packages that are optional
        import_module(".".join(file.relative_to(installed).with_suffix("").parts).removesuffix(".__init__"))
print(sum(name.startswith("itool.") for name in sys.modules))
"""


def pip(*arguments: str | Path) -> None:
    done = subprocess.run([sys.executable, "-m", "pip", *arguments, "--quiet"], capture_output=True, text=True)
    assert not done.returncode, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel that is built from the files that git knows, so that nothing left over from another build is in it."""
    folder = tmp_path_factory.mktemp("wheel")
    listed = ["git", "ls-files", "-z", "itool", "pyproject.toml", "README.md", "LICENSE"]
    for name in filter(None, subprocess.check_output(listed, cwd=ROOT, text=True).split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((ROOT / name).read_bytes())
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder / "dist", folder)
    (built,) = (folder / "dist").glob("itool-*.whl")
    return built


def test_every_file_of_the_package_is_in_the_wheel_and_nothing_else(wheel: Path) -> None:
    names = [name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name]
    known = subprocess.check_output(["git", "ls-files", "itool"], cwd=ROOT, text=True).split()
    assert sorted(names) == sorted(known)


def test_the_wheel_says_its_licence_and_which_python_it_needs(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    fields = message_from_bytes(archive.read(metadata))
    assert fields["License-Expression"] == "Apache-2.0"
    assert fields["Requires-Python"] == ">=3.11"
    assert any(name.endswith("licenses/LICENSE") for name in archive.namelist())


def test_the_wheel_installs_and_each_module_imports_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    pip("install", "--no-deps", "--target", tmp_path / "installed", wheel)
    command = [sys.executable, "-I", "-S", "-c", IMPORT_ALL, tmp_path / "installed", sysconfig.get_path("purelib")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert not done.returncode, done.stderr
    assert int(done.stdout) > 20
