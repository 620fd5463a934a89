"""The ``recsys-course`` command: what it prints where, its exit status, and what it leaves behind."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from recsys_course import assets, claims, cli, commands, jupyter, learner, next_step, progress
from recsys_course.assets import Listing
from recsys_course.interview import lint
from test_learner import code, notebook, save, text

ROOT = Path(__file__).parents[1]
RECALL = "### Exercise 2.1 - recall  |  easy  |  8 min"


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A clone with two lessons, an empty cache, and an empty record; the current folder is in it."""
    save(tmp_path / "notebooks" / learner.FIRST, text("a", "### Exercise 0.1 - liked_share  |  easy  |  4 min"))
    save(
        tmp_path / "notebooks" / "01_the_problem.ipynb",
        text("a", "### Exercise 1.1 - build  |  medium  |  10 min\n\nText."),
        text("b", "Text.\n\n### Exercise 1.2 - tail  |  stretch  |  6 min"),
    )
    save(tmp_path / "notebooks" / "02_measuring.ipynb", text("a", RECALL), text("b", "## Spot the bug"))
    monkeypatch.setenv("RECSYS_COURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments):
    """Exit status of the command, a wrong option's too."""
    try:
        return cli.main(list(arguments))
    except SystemExit as exit:
        return exit.code


def test_help_has_a_line_for_each_command_in_groups_and_an_example(capsys):
    assert run("--help") == 0
    shown = capsys.readouterr().out
    for title, group in cli.GROUPS.items():
        assert f"\n{title}:\n" in shown
        for command in group:
            assert f"\n  {command.name:<10}{command.help}\n" in shown
    assert "example: recsys-course reset 02" in shown
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize("command", [command.name for group in cli.GROUPS.values() for command in group])
def test_each_command_explains_itself(command, capsys):
    assert run(command, "--help") == 0
    assert f"usage: recsys-course {command}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [[], ["play"], ["lab", "--port", "0"], ["lab", "--port", "70000"], ["lab", "--port", "x"], ["reset"]]
)
def test_a_wrong_option_exits_with_2_and_says_so_on_stderr(arguments, capsys):
    assert run(*arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and "recsys-course" in shown.err and "Traceback" not in shown.err


def test_the_version_is_that_of_the_package(capsys):
    assert run("--version") == 0
    assert capsys.readouterr().out == "recsys-course 0.1.0\n"


def test_an_expected_error_is_one_line_on_stderr_and_exits_with_1(course, capsys):
    assert run("reset", "7") == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "recsys-course: there is no lesson '7': the lessons are 00, 01, 02\n"


def test_an_unexpected_error_keeps_its_traceback(course, monkeypatch):
    monkeypatch.setattr(learner, "reset", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run("reset", "02")


def test_ctrl_c_exits_with_130(course, monkeypatch, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(learner, "reset", interrupt)
    assert run("reset", "02") == 130
    assert "Stopped." in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--list", "--path"])
def test_a_reader_that_has_enough_is_no_error(option):
    script = f"import sys; from recsys_course import cli; sys.exit(cli.main(['data', '{option}']))"
    writer = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)
    writer.stdout.close()
    assert writer.stderr.read() == b""
    writer.wait()


# next


def test_next_begins_with_make_lab_and_then_names_one_exercise_at_a_time(course, capsys):
    run("next")
    learner.copy_new(course)
    ids = ["00.liked_share", "02.recall", "02.review", "01.build", "01.tail"]
    for id in ids:
        run("next")
        progress.record(id, "failed")
        progress.record(id.replace("_", "-"), "passed")
    run("next")
    assert capsys.readouterr().out.splitlines() == [
        "Type `make lab`: it opens JupyterLab, and lesson 00 in it.",
        "Open my/00_start_here.ipynb, exercise 0.1, liked_share (4 min).",
        "Open my/02_measuring.ipynb, exercise 2.1, recall (8 min).",
        "Open my/02_measuring.ipynb, spot the bug (10 min).",
        "Open my/01_the_problem.ipynb, exercise 1.1, build (10 min).",
        "Open my/01_the_problem.ipynb, exercise 1.2, tail (6 min, a stretch: only if you like).",
        "Every exercise is solved. `git pull`, then `recsys-course update`, brings what is new.",
    ]


def test_a_failed_exercise_is_still_the_next_one(course, capsys):
    learner.copy_new(course)
    progress.record("00.liked_share", "failed")
    run("next")
    assert "liked_share" in capsys.readouterr().out


def test_next_names_the_newest_copy_of_a_lesson(course, capsys):
    learner.copy_new(course)
    first = course / "my" / learner.FIRST
    first.write_text(first.read_text("utf-8").replace("Exercise", "My exercise"), "utf-8")
    save(course / "notebooks" / learner.FIRST, text("b", "### Exercise 0.2 - other  |  easy  |  4 min"))
    learner.update(course)
    run("next")
    assert f"Open my/{learner.current(course, '00').name}, exercise 0.2, other" in capsys.readouterr().out


def test_next_knows_every_exercise_of_the_course():
    known = {step.id for step in next_step.steps(ROOT)}
    recorded = {id.replace("-", "_") for ids in progress.exercise_ids().values() for id in ids}
    assert recorded | set(next_step.FIRST_EVENING) <= known


def test_the_command_answers_within_a_second_and_without_torch(course):
    script = "import sys; from recsys_course import cli; cli.main(['next']); sys.exit('torch' in sys.modules)"
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", script], cwd=course, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert done.returncode == 0
    assert time.perf_counter() - started < 1


# the learner's record


def test_progress_prints_what_lesson_00_shows(course, capsys):
    progress.record("02.recall", "passed")
    assert run("progress") == 0
    assert capsys.readouterr().out == progress.report() + "\n"


def test_a_record_moves_to_another_computer(course, capsys, monkeypatch):
    progress.record("02.recall", "passed")
    assert run("progress", "--export", "record.jsonl") == 0
    monkeypatch.setenv("RECSYS_COURSE_STATE", str(course / "other computer"))
    assert progress.events() == []
    assert run("progress", "--import", "record.jsonl") == 0
    assert [event["exercise"] for event in progress.events()] == ["02.recall"]
    assert capsys.readouterr().out.splitlines() == [
        "record.jsonl holds your 1 events: `recsys-course progress --import` reads it elsewhere.",
        "1 events of record.jsonl were new to your record.",
    ]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--import", "nowhere.jsonl"], "nowhere.jsonl: No such file or directory"),
        (["--import", "notebooks/00_start_here.ipynb"], "holds no events"),
        (["--export", "nowhere/record.jsonl"], "No such file or directory"),
    ],
)
def test_a_record_that_cannot_be_moved_is_named(course, capsys, arguments, expected):
    assert run("progress", *arguments) == 1
    err = capsys.readouterr().err
    assert expected in err and err.count("\n") == 1


# the copies in my/


def test_update_tells_what_it_did_and_exits_with_1_where_a_copy_is_damaged(course, capsys):
    assert run("update") == 0
    assert run("update") == 0
    (course / "my" / "02_measuring.ipynb").write_text("{", "utf-8")
    save(course / "notebooks" / "02_measuring.ipynb", text("a", RECALL + " and more"))
    assert run("update") == 1
    shown = capsys.readouterr()
    assert shown.out.splitlines()[:3] == [f"my/{path.name}: new" for path in learner.shipped(course)]
    assert shown.out.splitlines()[3:] == ["Everything in my/ is up to date."]
    assert shown.err.startswith("my/02_measuring.ipynb is damaged at line 1: it stays as it is;")


def test_reset_tells_where_the_backup_is(course, capsys):
    learner.copy_new(course)
    assert run("reset", "2") == 0
    backup, fresh = capsys.readouterr().out.splitlines()
    assert (course / backup.split(":")[0]).is_file()
    assert fresh.startswith("my/02_measuring.ipynb: fresh")


def test_a_shipped_notebook_that_is_damaged_is_named_with_the_way_back(course, capsys):
    learner.copy_new(course)
    (course / "notebooks" / "02_measuring.ipynb").write_text("{", "utf-8")
    assert run("update") == 1
    assert "notebooks/02_measuring.ipynb is damaged at line 1: `git checkout notebooks`" in capsys.readouterr().err
    assert run("next") == 1
    assert "02_measuring.ipynb is damaged at line 1" in capsys.readouterr().err


# data


@pytest.fixture
def store(monkeypatch, course):
    """Assets of a few bytes each; fetching "large-one" fails."""
    fetched = []

    def fetch(name, *, progress=True):
        fetched.append(name)
        if name == "large-one":
            raise assets.AssetError("large-one could not be fetched (no route): run the command again")
        folder = course / "cache" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "data").write_bytes(b"x" * 1000)
        return folder

    groups = {"ml-100k": "core", "model": "later", "large-one": "large"}
    records = {name: type("Asset", (), {"name": name, "group": group}) for name, group in groups.items()}
    listing = [Listing(name, f"What {name} is", group, 10**6, "CC0", "here", False) for name, group in groups.items()]
    monkeypatch.setattr(assets, "ASSETS", records)
    monkeypatch.setattr(assets, "fetch", fetch)
    monkeypatch.setattr(assets, "list_assets", lambda: listing)
    return fetched


def test_data_fetches_what_the_lessons_need_or_what_is_named(store, capsys):
    assert run("data") == 0
    assert run("data", "model") == 0
    assert store == ["ml-100k", "model"]


def test_one_source_out_of_reach_does_not_keep_the_others_from_being_fetched(store, capsys):
    assert run("data", "large-one", "model") == 1
    assert run("data", "--all") == 1
    assert store == ["large-one", "model", "ml-100k", "model", "large-one"]
    assert capsys.readouterr().err.count("large-one could not be fetched") == 2


def test_data_list_shows_name_size_licence_and_source_of_everything(store, capsys):
    assert run("data", "--list") == 0
    shown = capsys.readouterr().out
    for part in ("ml-100k", "What large-one is", "1.0", "CC0", "from here", "no"):
        assert part in shown
    assert store == []


def test_data_path_is_that_of_the_cache_or_of_one_asset(store, course, capsys):
    run("data", "--path")
    run("data", "--path", "ml-100k")
    assert capsys.readouterr().out.splitlines() == [str(course / "cache"), str(course / "cache" / "ml-100k")]


def test_a_bundle_holds_what_the_lessons_need_and_says_how_it_is_used(store, course, capsys, monkeypatch):
    bundled = []
    monkeypatch.setattr(assets, "bundle", lambda folder, names: [bundled.append((folder, names)) or folder])
    assert run("data", "--bundle", "stick") == 0
    assert bundled == [(Path("stick"), ["ml-100k"])]
    assert "RECSYS_COURSE_CACHE" in capsys.readouterr().out


def test_list_path_and_bundle_exclude_each_other(store, capsys):
    assert run("data", "--list", "--path") == 2


def test_clean_names_sizes_and_paths_and_removes_them_only_when_told_to(store, course, capsys, monkeypatch):
    run("data")
    progress.record("02.recall", "passed")
    (course / "cache" / "not ours").write_text("keep")
    (course / "cache" / ".ml-100k.work").mkdir()
    (course / "cache" / "vectors").mkdir()
    (course / "cache" / ".ml-100k.lock").write_text("")
    monkeypatch.setattr("builtins.input", lambda question: "n")
    assert run("clean") == 0
    assert (course / "cache" / "ml-100k").exists() and progress.events()
    shown = capsys.readouterr().out
    assert f"0.0 MB  {course / 'cache' / 'ml-100k'}" in shown
    assert str(progress.JOURNAL.path) in shown and "Nothing was removed." in shown
    monkeypatch.setattr("builtins.input", lambda question: "y")
    assert run("clean") == 0
    assert not progress.events()
    assert [path.name for path in (course / "cache").iterdir()] == ["not ours"]


def test_clean_asks_nobody_when_told_yes_and_removes_nothing_when_nobody_answers(store, course, capsys, monkeypatch):
    def nobody(question):
        raise EOFError

    run("data")
    monkeypatch.setattr("builtins.input", nobody)
    assert run("clean") == 1
    assert "nobody is there to ask" in capsys.readouterr().err
    assert (course / "cache" / "ml-100k").exists()
    assert run("clean", "--yes") == 0
    assert not (course / "cache" / "ml-100k").exists()
    assert run("clean") == 0
    assert "nothing to remove" in capsys.readouterr().out


# claims and lint


def test_claims_lists_id_statement_and_proof(capsys, monkeypatch):
    row = {"id": "02.half", "text": "One half is less than one", "kind": "claim", "where": "lessons/02_x.py"}
    monkeypatch.setattr(claims, "index", lambda: [row])
    assert run("claims") == 0
    shown = capsys.readouterr().out
    assert all(row[key] in shown for key in ("id", "text", "where"))


def test_claims_without_an_index_say_how_to_make_it(capsys, monkeypatch):
    def missing():
        raise FileNotFoundError("claims.json is missing: tools/build.py writes it")

    monkeypatch.setattr(claims, "index", missing)
    assert run("claims") == 1
    assert capsys.readouterr().err == "recsys-course: claims.json is missing: tools/build.py writes it\n"


@pytest.mark.parametrize(("problems", "status"), [([], 0), ([lint.Problem("bank/H02.md", 3, "no rubric")], 1)])
def test_lint_exits_with_1_and_names_file_and_line_of_a_problem(capsys, monkeypatch, problems, status):
    monkeypatch.setattr(lint, "lint", lambda complete: problems)
    assert run("lint") == status
    assert capsys.readouterr().err == "".join(f"{problem}\n" for problem in problems)


# JupyterLab


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """JupyterLab as a learner gets it, without the browser."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("notebooks", "solutions"):
        save(folder / name / learner.FIRST, code("a", "1 + 1"))
    learner.copy_new(folder)
    server = jupyter.start(folder)
    yield server
    server.stop()
    assert server.process.returncode is not None


def test_jupyterlab_lets_nobody_in_without_the_token(server):
    address = f"http://127.0.0.1:{server.port}/api/contents"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(address)
    assert urllib.request.urlopen(f"{address}?token={server.token}").status == 200
    assert server.token not in Path(f"/proc/{server.process.pid}/cmdline").read_text()


def test_jupyterlab_listens_on_this_machine_alone(server):
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    addresses = {row[1].split(":")[0] for row in listening if row[1].endswith(f":{server.port:04X}") and row[3] == "0A"}
    assert addresses == {"0100007F"}


def send(server, file, method, **body):
    """The status of a request to JupyterLab's file manager."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.port}/api/contents/{file}?token={server.token}",
        method=method,
        data=json.dumps(body).encode() if body else None,
    )
    try:
        return urllib.request.urlopen(request).status
    except urllib.error.HTTPError as error:
        return error.code


def test_jupyterlab_opens_in_my_and_shows_the_rest_as_read_only(server):
    assert json.loads(page_configuration(server))["preferredPath"].strip("/") == "my"
    for folder, writable in {"my": True, "notebooks": False, "solutions": False, ".": False}.items():
        model = json.loads(server.ask(f"api/contents/{folder}?content=0"))
        assert model["writable"] is writable, folder
    assert json.loads(server.ask("api/contents/solutions/00_start_here.ipynb"))["writable"] is False


@pytest.mark.parametrize("folder", ["solutions", "notebooks", "my/../solutions"])
def test_jupyterlab_changes_no_file_of_the_course(server, folder):
    path, empty = f"{folder}/00_start_here.ipynb", notebook()
    assert send(server, path, "PUT", type="notebook", content=empty) == 403
    assert send(server, path, "PATCH", path="my/moved.ipynb") == 403
    assert send(server, "my/00_start_here.ipynb", "PATCH", path=f"{folder}/moved.ipynb") == 403
    assert send(server, path, "DELETE") == 403
    assert json.loads(server.ask("api/contents/solutions/00_start_here.ipynb"))["content"]["cells"]


def test_jupyterlab_saves_and_renames_and_deletes_what_is_in_my(server):
    assert send(server, "my/new.ipynb", "PUT", type="notebook", content=notebook()) == 201
    assert send(server, "my/new.ipynb", "PATCH", path="my/newer.ipynb") == 200
    assert send(server, "my/newer.ipynb", "DELETE") == 204


def page_configuration(server):
    """What JupyterLab's page is told, as JSON."""
    return (
        server.ask("lab").decode().split('id="jupyter-config-data" type="application/json">')[1].split("</script>")[0]
    )


def test_jupyterlab_asks_no_other_server_for_anything(server):
    settings = json.loads(server.ask("lab/api/settings/@jupyterlab/apputils-extension:notification"))
    assert settings["schema"]["properties"]["fetchNews"]["default"] == "false"
    assert {"--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"} <= {
        *server.process.args
    }
    assert json.loads(server.ask("lab/api/news")) == {"news": []}
    assert json.loads(page_configuration(server))["extensionManager"]["can_install"] is False


def test_what_the_tests_install_changes_no_menu_of_the_learner(server):
    assert json.loads(page_configuration(server))["disabledExtensions"] == ["jupyterlab-jupytext"]


def test_no_kernel_asks_a_model_hub(server):
    environment = jupyter._environment(Path("folder"), "token")
    assert {name: environment[name] for name in jupyter.QUIET} == dict.fromkeys(jupyter.QUIET, "1")


def test_the_command_is_found_in_a_terminal_of_jupyterlab(server):
    from tornado.ioloop import IOLoop
    from tornado.websocket import websocket_connect

    async def ask():
        name = json.loads(server.ask("api/terminals", "POST"))["name"]
        address = f"ws://127.0.0.1:{server.port}/terminals/websocket/{name}?token={server.token}"
        socket, shown = await websocket_connect(address), ""
        socket.write_message(json.dumps(["stdin", "echo FOUND $(command -v recsys-course)\r"]))
        while f"FOUND {Path(sys.executable).parent}" not in shown:
            shown += str(json.loads(await socket.read_message())[-1])
        socket.close()

    IOLoop().run_sync(ask, timeout=20)


def test_a_taken_port_is_said_in_one_sentence_and_without_a_choice_the_next_one_is_used(server, course, capsys):
    assert not jupyter.is_free(server.port)
    assert jupyter._free_port() != server.port
    learner.copy_new(course)
    with pytest.raises(jupyter.JupyterError, match=f"port {server.port} is taken by another program"):
        jupyter.start(course, server.port)


def test_a_port_is_free_again_as_soon_as_its_server_has_ended():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        connection, _ = listener.accept()
        connection.close()
    client.close()
    assert jupyter.is_free(port)


def test_when_no_port_is_free_that_is_said(monkeypatch):
    monkeypatch.setattr(jupyter, "is_free", lambda port: False)
    with pytest.raises(jupyter.JupyterError, match="all ports from 8888 to 8937 are taken"):
        jupyter._free_port()


def test_a_jupyterlab_that_does_not_start_is_quoted_with_its_last_line(course, monkeypatch):
    learner.copy_new(course)
    monkeypatch.setattr(
        jupyter, "_command", lambda root, port: [sys.executable, "-c", "print('noise\\nno such module')"]
    )
    with pytest.raises(jupyter.JupyterError, match=r"ended at once \(no such module\): the whole story is in"):
        jupyter.start(course)


def test_an_answer_that_does_not_come_ends_the_wait(course, monkeypatch):
    learner.copy_new(course)
    monkeypatch.setattr(jupyter, "START_SECONDS", 0.5)
    monkeypatch.setattr(jupyter, "_command", lambda root, port: [sys.executable, "-c", "import time; time.sleep(60)"])
    with pytest.raises(jupyter.JupyterError, match="did not answer within"):
        jupyter.start(course)


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {"DISPLAY": ":0"}, True),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True),
        ("linux", {}, False),
        ("darwin", {}, True),
        ("darwin", {"SSH_CONNECTION": "1.2.3.4 5 6.7.8.9 22"}, False),
        ("win32", {}, True),
    ],
)
def test_a_browser_is_opened_only_where_somebody_sees_it(monkeypatch, platform, environment, expected):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(jupyter.sys, "platform", platform)
    assert jupyter.has_screen() is expected


class Ended:
    """A server that ends as soon as somebody waits for it."""

    port, stopped = 8888, False

    def __init__(self, ends=lambda: 0):
        self.process = type("Process", (), {"wait": staticmethod(ends)})

    def url(self, notebook):
        return f"http://127.0.0.1:8888/lab/tree/my/{notebook}?token=secret"

    def stop(self):
        self.stopped = True


@pytest.fixture
def opened(store, course, monkeypatch):
    """What the lab would start and open in a browser."""
    opened = {"server": Ended(), "urls": []}
    monkeypatch.setattr(jupyter, "start", lambda course, port: opened["server"])
    monkeypatch.setattr(jupyter, "has_screen", lambda: True)
    monkeypatch.setattr(commands.webbrowser, "open", opened["urls"].append)
    monkeypatch.setattr(commands.signal, "signal", lambda *_: None)
    return opened


def test_the_lab_fetches_the_data_copies_the_lessons_and_opens_lesson_00(opened, store, course, capsys):
    assert run("lab") == 0
    assert store == ["ml-100k"]
    assert opened["urls"] == ["http://127.0.0.1:8888/lab/tree/my/00_start_here.ipynb?token=secret"]
    assert opened["server"].stopped
    shown = capsys.readouterr().out
    assert "my/02_measuring.ipynb: new" in shown and "my/00_start_here.ipynb at" in shown
    assert opened["urls"][0] in shown


@pytest.mark.parametrize("screen", [True, False])
def test_without_a_screen_or_a_wish_for_one_the_address_is_printed_and_nothing_opened(
    opened, capsys, monkeypatch, screen
):
    monkeypatch.setattr(jupyter, "has_screen", lambda: screen)
    assert run("lab", *(["--no-browser"] if screen else [])) == 0
    assert opened["urls"] == []
    assert "http://127.0.0.1:8888/lab/tree/my/00_start_here.ipynb?token=secret" in capsys.readouterr().out


def test_the_lab_opens_without_the_data_and_says_that_it_is_missing(opened, capsys, monkeypatch):
    def fetch(name):
        raise assets.AssetError("ml-100k could not be fetched (no route): run the command again")

    monkeypatch.setattr(assets, "fetch", fetch)
    assert run("lab") == 0
    assert "ml-100k could not be fetched (no route)" in capsys.readouterr().err
    assert len(opened["urls"]) == 1


def test_the_lab_tells_of_newer_versions_and_touches_no_copy(opened, course, capsys):
    run("lab")
    save(course / "notebooks" / "02_measuring.ipynb", text("a", RECALL + " and more"))
    before = (course / "my" / "02_measuring.ipynb").read_bytes()
    run("lab")
    assert "There is a new version of 02_measuring.ipynb: `recsys-course update`" in capsys.readouterr().out
    assert (course / "my" / "02_measuring.ipynb").read_bytes() == before


def test_ctrl_c_in_the_lab_stops_the_server(opened, capsys):
    def interrupt():
        raise KeyboardInterrupt

    opened["server"] = Ended(interrupt)
    assert run("lab") == 0
    assert opened["server"].stopped
    assert "your work is in my/" in capsys.readouterr().out
