"""Small wrong changes of a module, as a person might make them: for mutants.py.

A change is made in the parsed code, so docstrings, comments, messages, annotations and imports
stay, and the rest of the text byte by byte. One that leaves the same code, or the same
instructions, is none.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType
from typing import NamedTuple

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
PAIRS = (
    ("min", "max"),
    ("minimum", "maximum"),
    ("nanmin", "nanmax"),
    ("argmin", "argmax"),
    ("any", "all"),
    ("floor", "ceil"),
    ("mean", "median"),
    ("first", "last"),
    ("head", "tail"),
    ("union", "intersection"),
    ("ffill", "bfill"),
    ("cumsum", "cumprod"),
    ("rows", "columns"),
)
OTHER = {a: b for pair in PAIRS for a, b in (pair, pair[::-1])}
WORDS = {"left": "right", "right": "left", "inner": "outer", "outer": "inner", "C": "F"}
# the order of what they are given does not matter, or a wrong one cannot pass once
ORDERLESS = {"min", "max", "minimum", "maximum", "hypot", "isinstance", "getattr", "array_equal"}
SILENT = {"warn", "cast", "TypeVar", "print", "debug", "info", "warning"}


@dataclass(frozen=True)
class Mutant:
    """One change of one module.

    module : path below the repository
    line : where it is
    kind : comparison, arithmetic, logic, constant, default, axes, arguments, extremes, return or
        left out
    before, after : what is changed, as code
    text : the changed module
    lines : of the statement; of the whole function where the change is in its head; empty for one
        outside of functions
    """

    module: str
    line: int
    kind: str
    before: str
    after: str
    text: str
    lines: frozenset[int]

    @property
    def key(self) -> str:
        return "\t".join((self.module, str(self.line), self.kind, self.before, self.after))


class Site(NamedTuple):
    """What may be changed: the node, one in its place, and lines as of `Mutant`."""

    kind: str
    old: ast.expr | ast.stmt
    new: ast.AST
    lines: frozenset[int]


def sites(text: str) -> list[Site]:
    """All that may be changed in a module's text, in the order of its lines."""
    return sorted(_Finder(ast.parse(text)).found, key=lambda site: (site.old.lineno, site.kind))


def mutant(module: str, text: str, site: Site) -> Mutant | None:
    """The module with one change; None if that leaves the same code, or gives none."""
    changed = _replaced(text, site.old, site.new)
    try:
        tree, other = ast.parse(text), ast.parse(changed)
        codes = [_instructions(compile(each, module, "exec")) for each in (tree, other)]
    except SyntaxError:
        return None
    if ast.dump(tree) == ast.dump(other) or codes[0] == codes[1]:
        return None
    before, after = (" ".join(ast.unparse(node).split()) for node in (site.old, site.new))
    return Mutant(module, site.old.lineno, site.kind, before, after, changed, site.lines)


def _instructions(code: CodeType) -> tuple[object, ...]:
    """What a code object does, without places in the file."""
    inner = [_instructions(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts]
    return (code.co_code, tuple(inner), code.co_names, code.co_varnames, code.co_freevars)


def _replaced(text: str, old: ast.expr | ast.stmt, new: ast.AST) -> str:
    """The text with a node in place of another one."""
    lines = text.encode().splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    assert old.end_lineno is not None
    assert old.end_col_offset is not None
    first = starts[old.lineno - 1] + old.col_offset
    last = starts[old.end_lineno - 1] + old.end_col_offset
    code = ast.unparse(new)
    bare = isinstance(
        new, ast.stmt | ast.Name | ast.Constant | ast.Attribute | ast.Call | ast.Tuple
    )
    if not bare:
        code = f"({code})"
    whole = text.encode()
    return (whole[:first] + code.encode() + whole[last:]).decode()


class _Finder:
    """Collects the sites of a tree."""

    def __init__(self, tree: ast.Module) -> None:
        self.found: list[Site] = []
        self.parameters: list[str] = []
        self.in_function = False
        self.lines: frozenset[int] = frozenset()
        for node in tree.body:
            self.statement(node)

    def add(self, kind: str, old: ast.expr | ast.stmt, new: ast.AST) -> None:
        self.found.append(Site(kind, old, new, self.lines))

    # --- statements

    def statement(self, node: ast.stmt) -> None:
        kept = self.lines, self.parameters, self.in_function
        if isinstance(node, ast.FunctionDef):
            self.function(node)
        elif isinstance(node, ast.ClassDef):
            self.lines = frozenset()
            for each in node.body:
                self.statement(each)
        elif not isinstance(node, ast.Import | ast.ImportFrom | ast.Raise | ast.Assert):
            if self.in_function:
                head = getattr(node, "body", None)
                last = head[0].lineno - 1 if head else node.end_lineno
                self.lines = frozenset(range(node.lineno, max(last or 0, node.lineno) + 1))
            self.simple(node)
        self.lines, self.parameters, self.in_function = kept

    def function(self, node: ast.FunctionDef) -> None:
        self.lines = frozenset(range(node.body[0].lineno, (node.end_lineno or node.lineno) + 1))
        for default in (*node.args.defaults, *node.args.kw_defaults):
            if isinstance(default, ast.Constant):
                self.constant("default", default)
        names = [arg.arg for arg in (*node.args.posonlyargs, *node.args.args)]
        self.parameters = [name for name in names if name not in ("self", "cls")]
        if not any("jit" in ast.unparse(each) for each in node.decorator_list):
            self.in_function = True  # lines of compiled functions cannot be followed
        for each in node.body:
            self.statement(each)

    def simple(self, node: ast.stmt) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and self.in_function:
            self.add("left out", node, ast.Pass())
        if isinstance(node, ast.Break):
            self.add("left out", node, ast.Continue())
        if isinstance(node, ast.Continue):
            self.add("left out", node, ast.Pass())
        if (
            isinstance(node, ast.AugAssign)
            and type(node.op) in OPERATORS
            and not _is_text(node.value)
        ):
            other = copy.deepcopy(node)
            other.op = OPERATORS[type(node.op)]()
            self.add("arithmetic", node, other)
        if isinstance(node, ast.Return) and node.value is not None:
            for name in self.parameters[:2]:
                if not (isinstance(node.value, ast.Name) and node.value.id == name):
                    self.add("return", node.value, ast.Name(name))
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
            self.swapped("axes", node.targets[0])
        self.children(node)

    def children(self, node: ast.AST) -> None:
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "type_comment", "msg"):
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.stmt):
                    self.statement(child)
                elif isinstance(child, ast.expr):
                    self.expression(child)
                elif isinstance(child, ast.AST):  # comprehensions, keywords, handlers, cases
                    self.inner(child)

    def inner(self, node: ast.AST) -> None:
        if isinstance(node, ast.keyword) and node.arg == "axis":
            value = node.value
            if isinstance(value, ast.Constant) and value.value in (0, 1):
                self.add("axes", value, ast.Constant(1 - value.value))
                return
        self.children(node)

    # --- expressions

    def expression(self, node: ast.expr) -> None:
        if isinstance(node, ast.JoinedStr):
            return
        if isinstance(node, ast.Call) and self.is_message(node):
            return
        if isinstance(node, ast.Compare):
            self.comparison(node)
        elif isinstance(node, ast.BinOp):
            self.arithmetic(node)
        elif isinstance(node, ast.BoolOp):
            other = copy.deepcopy(node)
            other.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            self.add("logic", node, other)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.Invert):
            self.add("logic", node, node.operand)
        elif isinstance(node, ast.Constant):
            self.constant("constant", node)
        elif isinstance(node, ast.Call):
            self.call(node)
        elif isinstance(node, ast.Subscript) and not self.in_function:
            return  # of types, nearly always
        elif isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Load):
            self.swapped("axes", node)
        elif isinstance(node, ast.IfExp):
            other = copy.deepcopy(node)
            other.body, other.orelse = other.orelse, other.body
            self.add("logic", node, other)
        self.children(node)

    @staticmethod
    def is_message(node: ast.Call) -> bool:
        name = ast.unparse(node.func).rpartition(".")[2]
        return (
            name in SILENT
            or name.startswith("Bad")
            or {"seen", "do"} <= {keyword.arg for keyword in node.keywords}
        )

    def comparison(self, node: ast.Compare) -> None:
        for i, op in enumerate(node.ops):
            for other_op in COMPARISONS[type(op)]:
                other = copy.deepcopy(node)
                other.ops[i] = other_op()
                self.add("comparison", node, other)

    def arithmetic(self, node: ast.BinOp) -> None:
        sides = (node.left, node.right)
        text = any(map(_is_text, sides))
        union = isinstance(node.op, ast.BitOr) and not self.in_function  # an alias of types
        if type(node.op) in OPERATORS and not text and not union:
            other = copy.deepcopy(node)
            other.op = OPERATORS[type(node.op)]()
            self.add("arithmetic", node, other)

    def constant(self, kind: str, node: ast.Constant) -> None:
        value = node.value
        if isinstance(value, bool):
            self.add(kind, node, ast.Constant(not value))
        elif isinstance(value, int):
            self.add(kind, node, ast.Constant(value + 1))
            if value > 0:
                self.add(kind, node, ast.Constant(value - 1))
        elif isinstance(value, float):
            self.add(kind, node, ast.Constant(2 * value if value else 1.0))
        elif isinstance(value, str) and value in WORDS:
            self.add("extremes", node, ast.Constant(WORDS[value]))

    def call(self, node: ast.Call) -> None:
        name = ast.unparse(node.func).rpartition(".")[2]
        if name in OTHER:
            other = copy.deepcopy(node)
            if isinstance(other.func, ast.Attribute):
                other.func.attr = OTHER[name]
            elif isinstance(other.func, ast.Name):
                other.func.id = OTHER[name]
            self.add("extremes", node, other)
        starred = any(isinstance(arg, ast.Starred) for arg in node.args)
        if name not in ORDERLESS and not starred:
            for i in range(len(node.args) - 1):
                if type(node.args[i]) is not type(node.args[i + 1]):
                    continue  # mostly a fault at once
                other = copy.deepcopy(node)
                other.args[i : i + 2] = other.args[i : i + 2][::-1]
                self.add("arguments", node, other)

    def swapped(self, kind: str, node: ast.Tuple) -> None:
        if len(node.elts) == 2 and not any(isinstance(e, ast.Starred) for e in node.elts):
            other = copy.deepcopy(node)
            other.elts = other.elts[::-1]
            self.add(kind, node, other)


def _is_text(node: ast.expr) -> bool:
    """Whether it is surely text, a list or a tuple: these have a sum and nothing else."""
    if isinstance(node, ast.IfExp):
        return _is_text(node.body)
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Attribute) and node.func.attr == "join"
    text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return text or isinstance(node, ast.JoinedStr | ast.List | ast.ListComp | ast.Tuple)


def imported(text: str) -> Iterator[str]:
    """Paths below the repository of modules that a text imports by name, inside functions too."""
    for node in ast.walk(ast.parse(text)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{each.name}" for each in node.names)]
        for name in names:
            if name.startswith("cellpipe"):
                yield name.replace(".", "/") + ".py"
                yield name.replace(".", "/") + "/__init__.py"
