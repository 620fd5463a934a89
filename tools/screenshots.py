"""Take the README's two pictures: lesson 02 in JupyterLab, as a learner sees it.

    python tools/setup.py run tools/screenshots.py

It needs Chromium, works in a temporary copy of the notebooks, and writes docs/images/.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from playwright.sync_api import Page, sync_playwright  # noqa: E402

import test_browser as browser_test  # noqa: E402
from recsys_course import jupyter, learner  # noqa: E402

PICTURES = ROOT / "docs" / "images"
WRONG = "def recall(hits, n_relevant):\n    return hits.sum(dim=1) / hits.shape[1]\n\n\ncheck(recall)"
FOLDERS = ("RECSYS_COURSE_STATE", "JUPYTER_CONFIG_DIR", "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")


def main() -> None:
    clone = Path(tempfile.mkdtemp())
    for folder in ("notebooks", "solutions"):
        shutil.copytree(ROOT / folder, clone / folder)
    os.environ.update({name: str(clone / name) for name in FOLDERS})
    learner.copy_new(clone)
    server = jupyter.start(clone)
    try:
        with sync_playwright() as playwright:
            options = browser_test.OPTIONS + browser_test.WITHOUT_NEWS
            browser = playwright.chromium.launch(executable_path=browser_test.CHROMIUM, args=options)
            page = browser.new_page(viewport={"width": 1200, "height": 760}, device_scale_factor=1.25)
            take(page, server.url("02_measuring.ipynb"))
            browser.close()
    finally:
        server.stop()
        shutil.rmtree(clone, ignore_errors=True)


def take(page: Page, url: str) -> None:
    page.set_default_timeout(60_000)
    page.goto(url)
    page.wait_for_selector(".jp-NotebookPanel .jp-Notebook .jp-Cell")
    browser_test.wait_for_kernel(page, url)
    browser_test.run_all(page)
    exercise = browser_test.last_cell_with(page, "def recall(")
    browser_test.run_cell(page, exercise, WRONG)
    exercise.evaluate("cell => cell.previousElementSibling.scrollIntoView({block: 'center'})")
    save(page, "lesson.png")
    board = browser_test.last_cell_with(page, "plots.intervals(panel, rows")
    page.set_viewport_size({"width": 1200, "height": 1250})
    board.scroll_into_view_if_needed()
    page.wait_for_timeout(1500)  # cells out of sight are not laid out, so that the first jump falls short
    board.locator("img").evaluate("picture => picture.scrollIntoView({block: 'end'})")
    save(page, "leaderboard.png")


def save(page: Page, name: str) -> None:
    page.wait_for_timeout(1500)
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / name)
    print(f"docs/images/{name}")


if __name__ == "__main__":
    main()
