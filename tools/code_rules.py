"""What the syntax trees of a lesson's code cells say: imports, pictures, predictions, and the learner's own names."""

import ast
import re
import symtable
from collections.abc import Iterator

from lesson import Cell, Lesson

ABOUT_AN_ANSWER = ("check", "hint", "solution")  # they may be called with an answer that is missing or wrong
FIGURE_MAKERS = {"plots.axes", "plt.subplots", "plt.figure"}
PREDICTION = re.compile(r"guess|predict", re.IGNORECASE)


def tree(cell: Cell) -> ast.Module:
    """The code of a cell; lines of IPython's own syntax do nothing."""
    return ast.parse(re.sub(r"(?m)^(\s*)[%!].*$", r"\1pass", cell.solved))


def code_cells(lesson: Lesson) -> list[Cell]:
    """The cells with code, in order."""
    return [cell for cell in lesson.cells if cell.kind == "code"]


def syntax_problems(lesson: Lesson) -> Iterator[str]:
    """Cells that are no Python."""
    for cell in code_cells(lesson):
        try:
            tree(cell)
        except SyntaxError as error:
            yield f"cell {cell.id}: line {error.lineno}: {error.msg}"


def package_modules(lesson: Lesson, modules: set[str]) -> set[str]:
    """Modules of the package that a lesson imports, its own exercises and names of the package itself left out.

    Args:
        lesson: it parses.
        modules: the names of all modules of the package.
    """
    found = set()
    for node in (node for cell in code_cells(lesson) for node in ast.walk(tree(cell))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    used = {name.split(".")[1] for name in found if name.startswith("recsys_course.")}
    return used & (modules - {"exercises"})


def picture_problems(lesson: Lesson) -> Iterator[str]:
    """Pictures that somebody who cannot see them gets nothing from."""
    for cell in code_cells(lesson):
        calls = [(ast.unparse(node.func), node) for node in ast.walk(tree(cell)) if isinstance(node, ast.Call)]
        shown = [node for name, node in calls if name in ("plots.show", "show")]
        for node in shown:
            alt = next((word.value for word in node.keywords if word.arg == "alt"), node.args[1:2])
            if not alt or (isinstance(alt, ast.Constant) and not str(alt.value).strip()):
                yield f"cell {cell.id}: a picture without alternative text: plots.show(figure, alt=...)"
        names = {name for name, _ in calls}
        if "plt.show" in names or (names & FIGURE_MAKERS and not shown):
            yield f"cell {cell.id}: show the figure with plots.show(figure, alt=...)"


def predictions(lesson: Lesson) -> list[str]:
    """Names that hold a learner's prediction (``my_guess = None``) and that a later cell compares with the truth."""
    open_, found = set(), []
    for cell in code_cells(lesson):
        for statement in tree(cell).body:
            found += sorted(open_ & loads(statement) - set(found))
            open_ |= {
                name for name in binds(statement) if PREDICTION.search(name) and isinstance(statement, ast.Assign)
            }
    return found


def defined(cell: Cell) -> set[str]:
    """Functions and classes that a cell defines at its top level."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {node.name for node in tree(cell).body if isinstance(node, kinds)}


def checked(cell: Cell) -> set[str]:
    """Names that a cell hands to ``check``."""
    calls = (node for node in ast.walk(tree(cell)) if isinstance(node, ast.Call))
    return {arg.id for call in calls if _called(call) == "check" for arg in call.args if isinstance(arg, ast.Name)}


def answer_problems(lesson: Lesson) -> Iterator[str]:
    """Cells that use what the learner writes: a missing or wrong answer would break them.

    A name that the lesson binds again, ``recall = metrics.recall``, is the lesson's from there on.
    """
    answers: set[str] = set()
    for cell in code_cells(lesson):
        if cell.has_answer:
            answers |= set().union(*map(binds, tree(cell).body))
            continue
        for statement in tree(cell).body:
            for name in sorted(loads(statement) & answers):
                yield f"cell {cell.id}: uses the learner's {name}: go on with the package's function"
            answers -= binds(statement)


def loads(statement: ast.stmt) -> set[str]:
    """Global names that a statement reads, calls of ``check(answer)`` and its like left out."""
    kept = _WithoutChecks().visit(ast.parse(ast.unparse(statement)))
    return set(_global_reads(_table(kept)))


def binds(statement: ast.stmt) -> set[str]:
    """Names that a statement binds at the top level."""
    symbols = _table(statement).get_symbols()
    return {symbol.get_name() for symbol in symbols if symbol.is_assigned() or symbol.is_imported()}


class _WithoutChecks(ast.NodeTransformer):
    def visit_Call(self, node: ast.Call) -> ast.AST:
        if _called(node) in ABOUT_AN_ANSWER:
            node.args = [ast.Constant(None) if isinstance(arg, ast.Name) else arg for arg in node.args]
        return self.generic_visit(node)


def _called(node: ast.Call) -> str:
    return ast.unparse(node.func)


def _table(node: ast.AST) -> symtable.SymbolTable:
    return symtable.symtable(ast.unparse(node), "cell", "exec")


def _global_reads(table: symtable.SymbolTable) -> Iterator[str]:
    top = table.get_type() == "module"
    for symbol in table.get_symbols():
        if symbol.is_referenced() and (top or symbol.is_global()):
            yield symbol.get_name()
    for child in table.get_children():
        yield from _global_reads(child)
