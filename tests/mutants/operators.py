"""What a wrong program looks like: one small change a mutant, found in the syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

COMPARE: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
}  # fmt: skip
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.FloorDiv: ast.Mult, ast.Div: ast.Mult,
    ast.Mod: ast.Mult, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr, ast.LShift: ast.RShift,
}  # fmt: skip
SWAPPED = {"min": "max", "max": "min", "any": "all", "all": "any", "takewhile": "dropwhile"}
BUFFER = 4096
NOT_SO = (None, False)


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A module with one change in it; `key` says which, without the number of a line, once in its module."""

    key: str
    line: int
    text: str


def mutants(source: str) -> Iterator[Mutant]:
    """Every mutant of a module, in the order of its lines."""
    tree = ast.parse(source)
    known: dict[str, int] = {}
    for scope, node, parent, field, index in _places(tree, "", tree):
        for changed in _changed(node):
            key = f"{scope}: {_short(node)} -> {_short(changed)}"
            known[key] = known.get(key, 0) + 1
            _put(parent, field, index, changed)
            text = ast.unparse(ast.fix_missing_locations(tree))
            _put(parent, field, index, node)
            number = f" ({known[key]})" if known[key] > 1 else ""
            yield Mutant(key=key + number, line=_line(node), text=text + "\n")


def _places(node: ast.AST, scope: str, tree: ast.AST) -> Iterator[tuple[str, ast.AST, ast.AST, str, int | None]]:
    """Each node that may change, with the function that it is in, its parent and its place there."""
    for field, value in ast.iter_fields(node):
        # What a type says, or a default in a signature of types, runs nowhere.
        if field in ("annotation", "returns", "decorator_list", "bases"):
            continue
        for index, child in enumerate(value) if isinstance(value, list) else ((None, value),):
            if not isinstance(child, ast.AST) or _is_text(child):
                continue
            yield scope, child, node, field, index
            named = isinstance(child, (ast.FunctionDef, ast.ClassDef))
            inner = f"{scope}.{child.name}".lstrip(".") if named else scope  # type: ignore[attr-defined]
            yield from _places(child, inner, tree)


def _is_text(node: ast.AST) -> bool:
    """A docstring, an import, a text for people: mutants of these say nothing."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    return isinstance(node, (ast.Import, ast.ImportFrom, ast.JoinedStr))


def _changed(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Compare(ops=[operator], left=left, comparators=right):
            yield from (ast.Compare(left, [other()], right) for other in COMPARE[type(operator)])
        case ast.Compare(ops=ops, left=left, comparators=right):
            for place, operator in enumerate(ops):
                other = COMPARE[type(operator)][0]
                yield ast.Compare(left, [*ops[:place], other(), *ops[place + 1 :]], right)
        case ast.BoolOp(op=operator, values=values):
            yield ast.BoolOp(ast.Or() if isinstance(operator, ast.And) else ast.And(), values)
            yield from (_less(node, place) for place in range(len(values)) if len(values) > 1)
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield operand
        case ast.Constant(value=bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(value=int() as value) if value < BUFFER:
            yield ast.Constant(value + 1)
        case ast.BinOp(op=operator, left=left, right=right) if type(operator) in ARITHMETIC:
            yield ast.BinOp(left, ARITHMETIC[type(operator)](), right)
        case ast.If(test=test, body=body, orelse=orelse) if not isinstance(test, (ast.Compare, ast.BoolOp)):
            yield ast.If(_negated(test), body, orelse)
        case ast.IfExp(test=test, body=body, orelse=orelse) if not isinstance(test, (ast.Compare, ast.BoolOp)):
            yield ast.IfExp(_negated(test), body, orelse)
        case ast.comprehension(ifs=[_, *_]):
            yield ast.comprehension(node.target, node.iter, node.ifs[1:], node.is_async)
        case ast.Name(id=name) if name in SWAPPED:
            yield ast.Name(SWAPPED[name], node.ctx)
        # Types prove that this is never reached.
        case ast.Expr(value=ast.Call(func=ast.Name(id="assert_never"))):
            return
        case ast.Expr(value=ast.Call()) | ast.Raise() | ast.AugAssign() | ast.Continue() | ast.Break() | ast.Delete():
            yield ast.Pass()
        # Whoever asks whether something is so takes None for False.
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value in NOT_SO):
            yield ast.Return(ast.Constant(None))


def _less(node: ast.BoolOp, place: int) -> ast.AST:
    values = [*node.values[:place], *node.values[place + 1 :]]
    return ast.BoolOp(node.op, values) if len(values) > 1 else values[0]


def _negated(test: ast.expr) -> ast.expr:
    return test.operand if isinstance(test, ast.UnaryOp) else ast.UnaryOp(ast.Not(), test)


def _line(node: ast.AST) -> int:
    """The line of a node, or of the first in it that has one: a comprehension has none."""
    return next((each.lineno for each in ast.walk(node) if isinstance(each, (ast.expr, ast.stmt))), 0)


def _put(parent: ast.AST, field: str, index: int | None, node: ast.AST) -> None:
    if index is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[index] = node


def _short(node: ast.AST) -> str:
    """The change in one line: of a statement with a body the first line, which is what changed."""
    text = ast.unparse(ast.fix_missing_locations(node)).strip()
    return text.splitlines()[0] if isinstance(node, ast.stmt) else " ".join(text.split())
