"""Make ``.venv``, install the course into it, and start it or prove it.

    python tools/setup.py lab [options]       then runs: recsys-course lab [options]
    python tools/setup.py test [options]      adds what testing needs, then runs: ruff check; pytest [options]
    python tools/setup.py run FILE [options]  adds what testing needs, then runs: python FILE [options]

Every call goes on where the last one stopped, and installs nothing where nothing is missing: a stamp in ``.venv``
holds a hash of all it is made from. Only the standard library is imported, and the syntax is that of Python 3.6, so
that an old Python can read this file and say what it lacks.
"""

import hashlib
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WINDOWS = os.name == "nt"
OLDEST, NEWEST = (3, 11), (3, 13)
CORE_GB, CUDA_GB, REST_GB = 3.0, 10.0, 0.6  # free space for everything, for it with CUDA, without PyTorch
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
CUDA_INDEX = "https://download.pytorch.org/whl/cu130"  # for Windows: elsewhere the default index has CUDA


class Problem(Exception):
    """Something that stops the set-up, as one sentence for the person at the keyboard."""


class Environment:
    """The folder ``.venv`` of a clone: its Python, its log and its stamps."""

    def __init__(self, root):
        self.root = root
        self.folder = root / ".venv"
        self.python = self.folder / ("Scripts/python.exe" if WINDOWS else "bin/python")
        self.log = self.folder / "setup.log"

    def stamp(self, extra):
        """The file that says that `extra` is installed, and from what."""
        return self.folder / f"recsys-course-{extra}.stamp"

    def digest(self, extra):
        """Hash of the requirements, the extra and the place: a moved clone is installed anew."""
        made_from = [(self.root / name).read_bytes() for name in ("pyproject.toml", "constraints.txt")]
        return hashlib.sha256(b"\0".join([*made_from, extra.encode(), str(self.root).encode()])).hexdigest()

    def is_ready(self, extra):
        """Whether `extra` is wholly installed, from these very requirements."""
        stamp = self.stamp(extra)
        return stamp.exists() and stamp.read_text("utf-8") == self.digest(extra) and self.says("") is not None

    def says(self, code):
        """What the environment's Python prints when it runs `code`; None where it fails."""
        return self.output(["-c", code])

    def output(self, arguments):
        """What the environment's Python prints; None where it fails, is not there or takes two minutes."""
        command = [str(self.python), *arguments]
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=120)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else None


def prepare(extra, environment):
    """Install `extra` (``core`` or ``test``) where it is not installed yet."""
    if environment.is_ready(extra):
        return
    make_environment(environment)
    forget_torn_packages(environment)
    install_torch(environment)
    check_disk(environment, REST_GB)
    target = ".[test]" if extra == "test" else "."
    pip(environment, ["-c", "constraints.txt", "-e", target], "Installing the course and its packages")
    for done in {"core", extra}:
        part = environment.folder / "stamp.part"
        part.write_text(environment.digest(done), encoding="utf-8")
        os.replace(str(part), str(environment.stamp(done)))


def check_python(version, executable):
    """Say so when this Python is not one that the course runs on."""
    if OLDEST <= tuple(version[:2]) <= NEWEST:
        return
    names = [f"python3.{minor}" for minor in range(NEWEST[1], OLDEST[1] - 1, -1)]
    found = next((name for name in names if shutil.which(name)), None)
    get = "install one from python.org or with your package manager, then type: make lab PYTHON=python3.13"
    advice = f"you have {found}, so type: make lab PYTHON={found}" if found else get
    have = ".".join(str(part) for part in version[:3])
    raise Problem(f"This course needs Python 3.{OLDEST[1]} to 3.{NEWEST[1]}, and {executable} is {have}: {advice}")


def check_disk(environment, need):
    """Say so when the disk has not `need` gigabytes for what is to be installed."""
    free = shutil.disk_usage(str(environment.root)).free / 1e9
    if free < need:
        where = f"The disk with {environment.root} has {free:.1f} GB free"
        raise Problem(f"{where} and the installation needs about {need:g} GB: free some space and try again")


def make_environment(environment):
    """Make ``.venv``, or mend what an interruption or a removed Python has left of it."""
    folder = environment.folder
    fits = f"import sys; sys.exit(not {OLDEST} <= sys.version_info[:2] <= {NEWEST})"
    get_pip = "try:\n import pip\nexcept ImportError:\n import ensurepip; ensurepip.bootstrap()"
    if environment.says(fits) is not None and environment.says(get_pip) is not None:
        return
    check_python(sys.version_info, sys.executable)
    strange = folder.exists() and not (folder / "pyvenv.cfg").exists() and any(folder.iterdir())
    if strange or folder.is_symlink():
        raise Problem(f"{folder} is not a Python environment of this course: rename or delete it and try again")
    if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
        raise Problem(f"{sys.executable} lacks venv: sudo apt install python3.{sys.version_info[1]}-venv brings it")
    check_disk(environment, CORE_GB)
    print("Mending .venv" if folder.exists() else "Making .venv", flush=True)
    command = [sys.executable, "-m", "venv", "--clear", str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        lines = done.stdout.decode("utf-8", "replace").split("\n")
        raise Problem(f"{sys.executable} could not make .venv: " + " ".join(lines).strip()[-300:])


def forget_torn_packages(environment):
    """Drop the metadata of packages whose installation was cut short, which pip would take for installed."""
    site = environment.says("import sysconfig; print(sysconfig.get_path('purelib'))")
    for info in Path(site).glob("*.dist-info"):
        if not (info / "RECORD").exists():
            shutil.rmtree(str(info))


def install_torch(environment):
    """Install the pinned PyTorch, without CUDA where there is no NVIDIA GPU to use it."""
    constraints = (environment.root / "constraints.txt").read_text("utf-8")
    pin = re.search(r"(?m)^torch==(\S+)", constraints).group(1)
    have = environment.says("import torch; from importlib.metadata import version; print(version('torch'))")
    if have and have.split("+")[0] == pin:
        return
    if sys.platform == "darwin" and platform.machine() == "x86_64":
        raise Problem(f"PyTorch {pin} is not made for Macs with an Intel processor: use Colab or another computer")
    index, what, need = torch_source(environment, pin)
    check_disk(environment, need)
    if index:
        try:
            pip(environment, ["--no-deps", "--index-url", index, f"torch=={pin}"], what)
            return
        except Problem as problem:
            print(f"{problem}.", flush=True)
            what = "Installing PyTorch from the default index instead"
    pip(environment, ["-c", "constraints.txt", f"torch=={pin}"], what)


def torch_source(environment, pin):
    """Where the PyTorch for this machine is: its package index (None: pip's own), a sentence, the gigabytes."""
    if has_gpu():
        return (CUDA_INDEX if WINDOWS else None), "Installing PyTorch for the NVIDIA GPU (about 3 GB)", CUDA_GB
    if not sys.platform.startswith("linux") or finds_cpu_build(environment, pin):
        return None, "Installing PyTorch", CORE_GB
    if answers(CPU_INDEX):
        return CPU_INDEX, "Installing PyTorch without GPU libraries", CORE_GB
    why = f"{CPU_INDEX} does not answer"
    return None, f"Installing PyTorch with its GPU libraries, a download of about 3 GB, because {why}", CUDA_GB


def has_gpu():
    """Whether this machine shows an NVIDIA GPU."""
    devices = Path("/proc/driver/nvidia").exists() or any(Path("/dev").glob("nvidia[0-9]*"))
    return devices or shutil.which("nvidia-smi") is not None


def finds_cpu_build(environment, pin):
    """Whether pip, as it is configured on this machine, has a build without CUDA, which it then prefers."""
    options = ["--quiet", "--dry-run", "--no-deps", "--ignore-installed", "--retries", "1"]
    return environment.output(["-m", "pip", "install", *options, f"torch=={pin}+cpu"]) is not None


def answers(url, timeout=3):
    """Whether a server answers at `url` within `timeout` seconds."""
    try:
        urllib.request.urlopen(f"{url}/torch/", timeout=timeout).close()
    except (OSError, ValueError):
        return False
    return True


def pip(environment, arguments, what):
    """Run ``pip install``: a line of status for the person, every line of pip's in the log."""
    options = ["install", "--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
    command = [str(environment.python), "-m", "pip", *options, *arguments]
    lines, over = [], threading.Event()
    teller = threading.Thread(target=tell, args=(what, lines, over), daemon=True)
    teller.start()
    try:
        with open(str(environment.log), "a", encoding="utf-8") as log:
            log.write(f"\n$ {' '.join(command)}\n")
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
            process = subprocess.Popen(command, cwd=str(environment.root), **pipes)
            for raw in process.stdout:
                lines.append(raw.decode("utf-8", "replace").rstrip())
                log.write(lines[-1] + "\n")
            process.wait()
    finally:
        over.set()
        teller.join()
    if process.returncode:
        raise Problem(f"{explain(lines)} (all that pip said is in {environment.log})")


def tell(what, lines, over):
    """Say what goes on: one line, on a terminal rewritten with the latest of `lines` until it is `over`."""
    started = time.time()
    if not sys.stdout.isatty():
        print(what, flush=True)
        return
    while True:
        done = over.wait(0.5)
        width = shutil.get_terminal_size().columns - 1
        detail = "" if done or not lines else lines[-1].strip()
        line = f"{what}: {time.time() - started:.0f} s {detail}"
        print("\r" + line[:width].ljust(width), end="\n" if done else "", flush=True)
        if done:
            return


def explain(lines):
    """Why pip failed, in words; its own last error where the reason is not a known one."""
    text = "\n".join(lines)
    if re.search(r"No space left on device|Errno 28\b|Errno 122\b|WinError 112\b", text):
        return "The disk, or the folder for temporary files, is full: free about 3 GB and try again"
    if re.search(r"NewConnectionError|NameResolution|ConnectTimeout|ProxyError|Max retries|[Rr]ead timed out", text):
        return "The package index cannot be reached: check the network or the proxy, then type the same command again"
    errors = [line for line in lines if line.startswith("ERROR:")] or list(filter(None, lines))
    return "pip could not install the packages: " + (errors or ["it did not say why"])[-1].replace("ERROR: ", "")


def run_ruff(environment):
    """Hold the whole project to ruff's rules."""
    print("ruff check", flush=True)
    if subprocess.call([str(environment.python), "-m", "ruff", "check", "."], cwd=str(environment.root)):
        raise Problem("ruff found something: mend it and try again")


def hand_over(command, environment):
    """Run `command` in this process's place; on Windows, which cannot, as a child."""
    os.chdir(str(environment.root))
    if not WINDOWS:
        os.execv(command[0], command)
    child = subprocess.Popen(command)
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:  # the child has it too, and ends in its own way
            continue


# command: what must be installed, and what the environment's Python then runs
COMMANDS = {
    "lab": ("core", ["-m", "recsys_course.cli", "lab"]),
    "test": ("test", ["-m", "pytest", "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]),
    "run": ("test", []),
}


def main(arguments, root=ROOT):
    """Run one command and return the exit status."""
    if arguments[:1] in (["-h"], ["--help"]):
        print(__doc__)
        return 0
    if not arguments or arguments[0] not in COMMANDS:
        print("usage: python tools/setup.py {lab,test,run} [options]; --help says more", file=sys.stderr)
        return 2
    extra, program = COMMANDS[arguments[0]]
    environment = Environment(root)
    try:
        prepare(extra, environment)
        if arguments[0] == "test":
            run_ruff(environment)
        return hand_over([str(environment.python), *program, *arguments[1:]], environment)
    except Problem as problem:
        print(f"\n{problem}.", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"\n{error.filename or root}: {error.strerror}; mend that and try again.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped: the same command goes on from here.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
