"""A learner's first ten minutes, in a real browser: the lab is opened, a wrong and a right answer are typed.

Everything is started by the ``recsys-course lab`` command itself. Without Chromium the test is skipped, unless CI=true.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import TimeoutError, sync_playwright

ROOT = Path(__file__).parents[1]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run"]
WITHOUT_NEWS = ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
WRONG = "def liked_share(ratings):\n    return float((ratings > 4).float().mean())\n\n\ncheck(liked_share)"
RIGHT = WRONG.replace(">", ">=")
UNWRITTEN = "raise NotImplementedError"
IDLE = r"() => /\| Idle/.test(document.querySelector('#jp-main-statusbar')?.textContent ?? '')"
PROMPTS = "[...document.querySelectorAll('.jp-Notebook .jp-CodeCell .jp-InputPrompt')]"
SOMETHING_RUNS = rf"() => {PROMPTS}.some(prompt => /\[(\*|\d+)\]/.test(prompt.textContent))"
ALL_RAN = rf"() => {PROMPTS}.every(prompt => /^\[\d+\]:$/.test(prompt.textContent.trim()))"
RAN_AGAIN = r"([{textContent: now}, before]) => /^\[\d+\]:$/.test(now.trim()) && now.trim() !== before"

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """What ``recsys-course lab --no-browser`` prints in a clone where a learner has never worked."""
    clone = tmp_path_factory.mktemp("clone")
    for folder in ("notebooks", "solutions"):
        shutil.copytree(ROOT / folder, clone / folder)
    ours = {"RECSYS_COURSE_STATE": "state", "JUPYTER_CONFIG_DIR": "config", "JUPYTER_RUNTIME_DIR": "runtime"}
    ours |= {"JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "spaces", "IPYTHONDIR": "ipython"}
    environment = os.environ | {name: str(clone / ".private" / folder) for name, folder in ours.items()}
    lab = subprocess.Popen(
        [sys.executable, "-m", "recsys_course.cli", "lab", "--no-browser"],
        cwd=clone,
        env=environment | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        printed = next((line.strip() for line in lab.stdout if "http://127.0.0.1" in line), None)
        assert printed, "recsys-course lab ended without an address"
        yield printed
    finally:
        lab.terminate()
        lab.communicate(timeout=60)


@pytest.fixture(scope="module")
def page(address):
    """The address, opened in the browser; the kernel is connected and idle."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS + WITHOUT_NEWS)
        page = browser.new_page(viewport={"width": 1280, "height": 1500})
        page.set_default_timeout(60_000)
        page.strangers = []
        page.on("request", lambda request: is_ours(request.url) or page.strangers.append(request.url))
        page.goto(address)
        page.wait_for_selector(".jp-NotebookPanel .jp-Notebook .jp-Cell")
        wait_for_kernel(page, address)
        yield page
        browser.close()


@pytest.fixture(autouse=True, scope="module")
def _chromium():
    if CHROMIUM is None:
        missing = "no Chromium on this machine (Debian: apt install chromium)"
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)


def is_ours(url):
    return urlsplit(url).scheme not in ("http", "https", "ws", "wss") or urlsplit(url).hostname == "127.0.0.1"


def wait_for_kernel(page, address):
    """The toolbar says idle before the kernel is connected, and what is run then is lost: ask the server as well."""
    server, token = address.split("/lab/")[0], address.split("token=")[1]
    for _ in range(240):
        with suppress(OSError):  # while a kernel starts, the server's answer can be an error
            kernels = json.load(urllib.request.urlopen(f"{server}/api/kernels?token={token}"))
            if kernels and kernels[0]["execution_state"] == "idle" and kernels[0]["connections"]:
                break
        page.wait_for_timeout(250)
    page.wait_for_function(IDLE)


def run_all(page):
    """Run All Cells, and a second time where the first was lost."""
    for _ in range(2):
        page.get_by_role("menuitem", name="Run", exact=True).first.click()
        page.get_by_text("Run All Cells", exact=True).click()
        try:
            page.wait_for_function(SOMETHING_RUNS, timeout=8_000)
            break
        except TimeoutError:
            continue
    page.wait_for_function(ALL_RAN, timeout=180_000)


def last_cell_with(page, words):
    """The last code cell whose source holds `words` now, whatever will be typed into it."""
    cells = page.locator(".jp-Notebook .jp-CodeCell")
    sources = cells.locator(".jp-Editor").all_text_contents()
    return cells.nth(max(number for number, source in enumerate(sources) if words in source))


def run_cell(page, cell, source=None):
    """Click into a cell, type `source` over what stands there, press Shift+Enter; return what is printed below it."""
    before = cell.locator(".jp-InputPrompt").text_content()
    cell.scroll_into_view_if_needed()
    cell.locator(".cm-content").click()
    if source:
        page.keyboard.press("ControlOrMeta+a")
        page.keyboard.insert_text(source)
    page.keyboard.press("Shift+Enter")
    prompt = cell.locator(".jp-InputPrompt").element_handle()
    changed = (
        r"([prompt, before]) => /^\[\d+\]:$/.test(prompt.textContent.trim()) && prompt.textContent.trim() != before"
    )
    page.wait_for_function(changed, arg=[prompt, before.strip()])
    return printed(cell)


def printed(cell):
    """The text below a cell; one that is out of sight has no inner text."""
    return cell.locator(".jp-OutputArea").text_content()


def row_of_lesson(table, lesson):
    """The line of the progress table with a lesson's numbers, its time left out."""
    return re.search(rf"^{lesson} +(\d+ of \d+)", table, re.M)[1]


def test_lesson_00_is_answered_by_hand(page):
    from recsys_course.exercises import l00  # with torch: not where Chromium is missing

    run_all(page)
    exercise = last_cell_with(page, UNWRITTEN)
    record = last_cell_with(page, "progress.report()")
    assert "not written yet" in printed(exercise)
    assert row_of_lesson(run_cell(page, record), "00") == "0 of 1"

    _, message = l00.LIKED_SHARE.mistakes[0]
    assert message in " ".join(run_cell(page, exercise, WRONG).split())
    assert row_of_lesson(run_cell(page, record), "00") == "0 of 1"

    said = run_cell(page, exercise, RIGHT)
    assert said.startswith("✓") and message not in said
    assert row_of_lesson(run_cell(page, record), "00") == "1 of 1"


def test_the_browser_asked_this_machine_alone_and_nobody_asked_about_news(page):
    assert page.strangers == []
    assert page.locator(".Toastify__toast, .jp-Dialog").count() == 0


def test_the_model_answer_to_a_question_is_one_click_away_and_read_only(page):
    link = page.locator(".jp-RenderedMarkdown a", has_text="model answer").first
    link.scroll_into_view_if_needed()
    link.click()
    page.get_by_text("notebook is read-only").wait_for()
    assert "/solutions/00_start_here.ipynb" in page.url
