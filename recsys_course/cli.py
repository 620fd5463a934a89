"""The ``recsys-course`` command: reads the arguments and calls one function of `recsys_course.commands`."""

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import recsys_course
from recsys_course import commands
from recsys_course.interview import commands as practice

Parser = argparse.ArgumentParser


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand.

    Args:
        arguments: None takes those of the process.

    Returns:
        0 when all went well, 1 on an error, 130 when it was interrupted; a wrong option exits with 2.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # an old Windows console has no ✓
            stream.reconfigure(errors="replace")
    options = vars(_parser().parse_args(arguments))
    run = options.pop("run")
    try:
        status = run(**options) or 0
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `recsys-course claims | head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if not isinstance(error, commands.expected_errors()):
            raise
        print(f"recsys-course: {error}", file=sys.stderr)
        return 1


def _lab_options(parser: Parser) -> None:
    parser.add_argument("--no-browser", dest="browser", action="store_false", help="print the address, open nothing")
    parser.add_argument("--port", type=_port, help="the port to use; without it the first free one from 8888")


def _data_options(parser: Parser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="without it, what the lessons need so far")
    parser.add_argument("--all", action="store_true", help="everything, the large data sets and the models too")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--list", action="store_true", help="show what there is, its size, licence and source")
    what.add_argument("--path", action="store_true", help="print where it is kept")
    what.add_argument("--bundle", type=Path, metavar="DIR", help="copy it to DIR, for a computer without a network")


def _reset_options(parser: Parser) -> None:
    parser.add_argument("lesson", help="its number, such as 02")


def _progress_options(parser: Parser) -> None:
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--export", type=Path, metavar="FILE", help="write your record to FILE")
    what.add_argument("--import", type=Path, metavar="FILE", dest="merge", help="add the record in FILE to yours")


def _clean_options(parser: Parser) -> None:
    parser.add_argument("--yes", action="store_true", help="do not ask")


def _drill_options(parser: Parser) -> None:
    parser.add_argument("--topic", default="", metavar="C,D", help="only these topics of the bank")
    parser.add_argument("--limit", type=_positive, metavar="N", help="at most N cards")
    parser.add_argument("--lang", choices=("en", "zh", "both"), default="both", help="language of the prompts")
    parser.add_argument("--interview", metavar="DATE", help="the day of your interview: it reshapes the schedule")
    parser.add_argument("--new", type=_positive, metavar="N", help="questions to meet for the first time today; 6")
    parser.add_argument("--estimates", action="store_true", help="capacity estimates instead of questions")


def _show_options(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME", help="an id such as C03, EST02 or SD1, or a term such as retrieval")
    parser.add_argument("--level", choices=("junior", "mid", "senior", "staff"), help="up to which level")


def _lint_options(parser: Parser) -> None:
    parser.add_argument("--complete", action="store_true", help="also demand an answer to every article question")


def _code_options(parser: Parser) -> None:
    parser.add_argument("task", nargs="?", metavar="TASK", help="such as W08; without it, a list of the tasks")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--run", action="store_true", dest="public", help="run the public tests")
    what.add_argument("--submit", action="store_true", help="hand in: hidden tests, growth, edge cases, score")
    what.add_argument("--reference", action="store_true", help="show a right answer, once yours was handed in")
    what.add_argument("--again", action="store_true", help="start afresh; your copy goes to my/backup")
    parser.add_argument("--talk", type=_points, metavar="0-10", help="your own points for readability and talking")
    parser.add_argument("--yes", action="store_true", help="show the right answer before you have handed in")


def _debug_options(parser: Parser) -> None:
    parser.add_argument("task", nargs="?", metavar="TASK", help="such as X16; without it, a list of the tasks")
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--run", dest="test", action="store_true", help="run your test on the code as you found it and on your fix"
    )
    what.add_argument("--submit", action="store_true", help="hand in: marks, explanation, fix and test, score")
    what.add_argument("--reference", action="store_true", help="show a right fix, once yours was handed in")
    what.add_argument("--again", action="store_true", help="start afresh; your copy goes to my/backup")
    parser.add_argument("--hint", action="store_true", help="print the next of three hints; each costs points")
    parser.add_argument("--yes", action="store_true", help="show the right fix before you have handed in")


def _design_options(parser: Parser) -> None:
    parser.add_argument("name", nargs="?", metavar="DESIGN", help="such as SD1; without it, a list of the designs")
    parser.add_argument("--lang", choices=("en", "zh", "both"), default="both", help="language of the prompt")
    parser.add_argument("--show", action="store_true", help="print the whole model answer, without practising")


def _mock_options(parser: Parser) -> None:
    rounds = ("concept", "coding", "debug", "design", "loop")
    parser.add_argument("--round", choices=rounds, help="concept by default; loop has one part of each")
    parser.add_argument("--level", choices=("junior", "mid", "senior", "staff"), help="mid by default")
    parser.add_argument("--minutes", type=_positive, metavar="N", help="length; 45 by default, 120 for a loop")
    parser.add_argument("--seed", type=int, metavar="N", help="the same seed draws the same paper")
    parser.add_argument("--role", choices=("candidate", "interviewer"), default="candidate", help="whose part is yours")
    parser.add_argument("--lang", choices=("en", "zh", "both"), default="both", help="language of the prompts")
    parser.add_argument("--resume", action="store_true", help="go on with the one that was interrupted")


def _grade_options(parser: Parser) -> None:
    parser.add_argument("answer", nargs="?", metavar="ANSWER", help="its id; without it, one that you have not graded")
    parser.add_argument("--list", action="store_true", help="list the answers and your best agreement")
    parser.add_argument("--lang", choices=("en", "zh", "both"), default="both", help="language of the prompts")


def _more_options(parser: Parser) -> None:
    what = parser.add_subparsers(required=True, metavar="WHAT")
    stats = what.add_parser("stats", help="what you have practised, how well, and how well you judge yourself")
    stats.set_defaults(run=practice.stats)
    plan = what.add_parser("plan", help="the days until your interview: one week (14 h) or three (51 h)")
    plan.add_argument("--interview", metavar="DATE", help="the day of your interview, such as 2026-12-24")
    plan.add_argument("--weeks", type=int, choices=(1, 3), help="by default what fits before the interview")
    plan.set_defaults(run=practice.plan)
    anki = what.add_parser("export-anki", help="the key insights as a deck for Anki")
    anki.add_argument("path", type=Path, metavar="FILE.apkg")
    anki.add_argument("--lang", choices=("en", "zh", "both"), default="both", help="language of the cards")
    anki.set_defaults(run=practice.export_anki)
    packet = what.add_parser("export-packet", help="a page to print: for a candidate, or for who interviews one")
    packet.add_argument("ids", metavar="C03,X16,SD1", help="questions, tasks and designs")
    packet.add_argument("path", type=Path, metavar="FILE.md")
    packet.add_argument("--role", choices=("candidate", "interviewer"), default="candidate", help="for whom")
    packet.add_argument("--lang", choices=("en", "zh", "both"), default="both", help="language of the prompts")
    packet.set_defaults(run=practice.export_packet)


@dataclass(frozen=True)
class Command:
    """A subcommand: its name, its line of help, what it calls and how its options are added."""

    name: str
    help: str
    run: Callable[..., int | None] | None
    add_options: Callable[[Parser], None] = lambda parser: None


GROUPS = {
    "learn": (
        Command("lab", "open JupyterLab at lesson 00, data and your own copies in place", commands.lab, _lab_options),
        Command("next", "name the one thing to do now", commands.next_),
        Command("progress", "show what you have solved, or move it", commands.progress, _progress_options),
    ),
    "practise interviews": (
        Command("drill", "answer today's questions, each against two minutes", practice.drill, _drill_options),
        Command("mock", "sit a timed interview, or conduct one", practice.mock, _mock_options),
        Command("code", "list the coding tasks; open, run or hand in one", practice.code, _code_options),
        Command("debug", "list the debugging tasks; open, run or hand in one", practice.debug, _debug_options),
        Command("design", "list the system designs; practise one by the clock", practice.design, _design_options),
        Command("grade", "grade a weak answer, and see how well you grade", practice.grade, _grade_options),
        Command(
            "show",
            "print a question and its answer, a design or a term",
            practice.show,
            _show_options,
        ),
        Command("more", "stats, plan, export-anki, export-packet", None, _more_options),
    ),
    "your copies in my/": (
        Command("update", "bring new versions of lessons, your answers carried over", commands.update),
        Command("reset", "start a lesson afresh; your copy goes to my/backup", commands.reset, _reset_options),
    ),
    "data": (
        Command("data", "fetch or list data sets and models", commands.data, _data_options),
        Command("clean", "remove the fetched data and your record, after asking", commands.clean, _clean_options),
    ),
    "behind the course": (
        Command("claims", "list what the course states and where it is proved", commands.claims),
        Command("lint", "check the interview questions", commands.lint, _lint_options),
    ),
}


def _parser() -> Parser:
    parser = Parser(
        prog="recsys-course",
        usage="recsys-course COMMAND [options]",
        description="A Jupyter course and interview practice on recommender systems.",
        epilog=_overview(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"recsys-course {recsys_course.__version__}")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND", help=argparse.SUPPRESS)
    for command in (command for group in GROUPS.values() for command in group):
        description = f"{command.help[0].upper()}{command.help[1:]}."
        sub = subparsers.add_parser(command.name, prog=f"recsys-course {command.name}", description=description)
        sub.set_defaults(run=command.run)
        command.add_options(sub)
    return parser


def _overview() -> str:
    lines = []
    for title, group in GROUPS.items():
        lines += [f"{title}:", *(f"  {command.name:<10}{command.help}" for command in group), ""]
    return "\n".join([*lines, "example: recsys-course reset 02", "`recsys-course COMMAND --help` says more."])


def _points(text: str) -> int:
    if not text.isdecimal() or int(text) > 10:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 10")
    return int(text)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1")
    return int(text)


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: it is a number from 1 to 65535")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
