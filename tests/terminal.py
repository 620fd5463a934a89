"""A learner at the keyboard: a script of lines for a `Screen`, and a real terminal kept by tmux."""

import io
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console

from recsys_course.interview.screen import Screen


class Script:
    """A learner who types these lines, or an exception where one is given; the clock advances by minutes a line."""

    def __init__(self, *lines, minutes=1.0):
        self.lines, self.typed, self.minutes = list(lines), 0, minutes
        self.file = io.StringIO()
        self.screen = Screen(Console(file=self.file, width=80, highlight=False), self.read, self.clock)

    def read(self):
        if self.typed == len(self.lines):
            raise EOFError
        self.typed += 1
        self.file.write("\n")
        line = self.lines[self.typed - 1]
        if not isinstance(line, str):
            raise line
        return line

    def clock(self):
        return 60.0 * self.minutes * self.typed

    @property
    def shown(self):
        return self.file.getvalue()


class Terminal:
    """A terminal of 80 columns, kept by tmux."""

    def __init__(self, folder, state):
        self.socket, self.state = str(folder / "tmux"), state

    def tmux(self, *arguments):
        run = subprocess.run(["tmux", "-S", self.socket, *arguments], capture_output=True, encoding="utf-8", timeout=30)
        return run.stdout

    def start(self, command, session="only", folder=".", **environment):
        """Begin ``recsys-course`` with these words in a folder."""
        here = {"RECSYS_COURSE_STATE": str(self.state), "LANG": "C.UTF-8", "PYTHONPATH": str(Path(__file__).parents[1])}
        settings = [word for key, value in (here | environment).items() for word in ("-e", f"{key}={value}")]
        program = f"{sys.executable} -m recsys_course.cli {command}"
        self.session = session
        size = ("-x", "80", "-y", "50", "-c", str(folder))
        self.tmux("-u", "new-session", "-d", "-s", session, *size, *settings, program)
        self.tmux("set-option", "-g", "remain-on-exit", "on")

    def type(self, *keys):
        self.tmux("send-keys", "-t", self.session, *keys)

    def screen(self, escapes=False):
        return self.tmux("capture-pane", "-t", self.session, "-p", "-S", "-500", *(["-e"] if escapes else []))

    def until(self, text):
        began = time.monotonic()
        while text not in (shown := self.screen()):
            assert time.monotonic() < began + 30, shown
            time.sleep(0.05)
        return shown
