"""Start JupyterLab in a learner's ``my/``, on this machine only, and quietly.

It listens on the loopback address behind a random token, asks no server for news, updates or extensions, and says
nothing on the terminal: its log is ``my/.jupyter/server.log``. It opens in ``my/``, and the rest of the clone is
read-only in it (`recsys_course.contents`). The learner's own JupyterLab settings (theme, keys) stay in force.
"""

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
PORTS = range(8888, 8938)
START_SECONDS = 90
QUIET = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}
SETTINGS = {  # jupytext is there for the build: a learner needs none of its menus
    "default_setting_overrides": {
        "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}
    },
    "page_config": {"disabledExtensions": {"jupyterlab-jupytext": True}},
}


class JupyterError(Exception):
    """Why JupyterLab did not start, in one sentence."""


@dataclass
class Server:
    """A running JupyterLab.

    Attributes:
        process: the server; it ends with `stop`.
        port: on the loopback address.
        token: the secret that opens it.
    """

    process: subprocess.Popen
    port: int
    token: str

    def url(self, notebook: str) -> str:
        """The address that opens a notebook of ``my/`` in a browser."""
        return f"http://{HOST}:{self.port}/lab/tree/my/{notebook}?token={self.token}"

    def ask(self, path: str, method: str = "GET") -> bytes:
        """The answer to one request to the server's interface, such as ``api/kernels``.

        Raises:
            OSError: the server does not answer.
        """
        headers = {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(f"http://{HOST}:{self.port}/{path}", method=method, headers=headers)
        with _direct().open(request, timeout=10) as answer:
            return answer.read()

    def stop(self) -> None:
        """End the server and its kernels; return when they are gone."""
        with suppress(OSError):  # it may be on its way out already
            self.ask("api/shutdown", "POST")
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start(course: Path, port: int | None = None) -> Server:
    """Start JupyterLab in the clone `course` and return when it answers.

    Args:
        course: top folder of the clone; ``my/`` must be there.
        port: None takes the first free one from 8888.

    Raises:
        JupyterError: the port is taken, or JupyterLab does not start.
    """
    port = _free_port() if port is None else port
    if not is_free(port):
        raise JupyterError(f"port {port} is taken by another program: leave --port out and a free one is found")
    token = secrets.token_hex(24)
    folder = course / "my" / ".jupyter"
    _write_settings(folder)
    with (folder / "server.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            _command(course, port), env=_environment(folder, token), stdout=log, stderr=subprocess.STDOUT
        )
    server = Server(process, port, token)
    try:
        _wait_until_ready(server, folder / "server.log")
    except BaseException:
        process.kill()
        raise
    return server


def has_screen() -> bool:
    """Whether a browser opened here would be seen by the person at the keyboard."""
    if sys.platform in ("win32", "darwin"):
        return "SSH_CONNECTION" not in os.environ
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def is_free(port: int) -> bool:
    """Whether nobody listens on this port of the loopback address."""
    with socket.socket() as probe:
        if os.name == "posix":  # so that a connection that just ended does not keep the port; Windows would share it
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError):
            return False
    return True


def _free_port() -> int:
    free = next((port for port in PORTS if is_free(port)), None)
    if free is None:
        raise JupyterError(f"all ports from {PORTS[0]} to {PORTS[-1]} are taken: name a free one with --port")
    return free


def _command(course: Path, port: int) -> list[str]:
    options = {
        "ServerApp.ip": HOST,
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "ServerApp.base_url": "/",
        "ServerApp.open_browser": False,
        "ServerApp.root_dir": course,
        "ServerApp.contents_manager_class": "recsys_course.contents.LearnersContents",
        "FileContentsManager.preferred_dir": course / "my",
        "ServerApp.answer_yes": True,  # Ctrl+C stops it without a question
        "LabApp.news_url": None,
        "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        "LabApp.extension_manager": "readonly",
        "ServerApp.jpserver_extensions": {"jupyterlab_jupytext": False},
    }
    if os.name == "posix":  # no login shell, which may reset the PATH that leads to the `recsys-course` command
        options["ServerApp.terminado_settings"] = {"shell_command": [os.environ.get("SHELL") or "/bin/sh"]}
        options["ServerApp.allow_root"] = os.geteuid() == 0
    return [sys.executable, "-m", "jupyterlab", *(f"--{name}={value}" for name, value in options.items())]


def _environment(folder: Path, token: str) -> dict[str, str]:
    """The token goes through the environment, which other users of the machine cannot read."""
    ours = {"PATH": str(Path(sys.executable).parent), "JUPYTER_CONFIG_PATH": str(folder)}
    ahead = {name: os.pathsep.join(filter(None, [value, os.environ.get(name)])) for name, value in ours.items()}
    return {**os.environ, **QUIET, **ahead, "JUPYTER_TOKEN": token, "PYTHONUTF8": "1"}


def _write_settings(folder: Path) -> None:
    """Defaults below the learner's own settings: without them JupyterLab asks whether to fetch news."""
    try:
        (folder / "labconfig").mkdir(parents=True, exist_ok=True)
        for name, settings in SETTINGS.items():
            (folder / "labconfig" / f"{name}.json").write_text(json.dumps(settings, indent=1), encoding="utf-8")
    except OSError as error:
        raise JupyterError(f"{folder} cannot be written ({error.strerror}): mend that and try again") from error


def _wait_until_ready(server: Server, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["it did not say why"]
            raise JupyterError(f"JupyterLab ended at once ({lines[-1].strip()}): the whole story is in {log}")
        try:
            server.ask("api/status")
            return
        except OSError:
            time.sleep(0.1)
    raise JupyterError(f"JupyterLab did not answer within {START_SECONDS} seconds: see {log}")


def _direct() -> urllib.request.OpenerDirector:
    """An opener that asks no proxy for this machine's own address."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))
