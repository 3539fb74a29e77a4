"""A second opinion on worked equations: reads `work` as a program would, with exact fractions."""

import ast
import math
import operator
import re
from collections.abc import Callable
from fractions import Fraction

OPERATORS: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: lambda base, power: base ** int(power),
    ast.BitXor: lambda one, other: Fraction(int(one) ^ int(other)),
}
FUNCTIONS: dict[str, Callable[..., int]] = {"C": math.comb, "gcd": math.gcd, "factorial": math.factorial}


def evaluate(work: str) -> Fraction:
    """Evaluate `3 · (4 - 1)^2 / 7`, `C(5,2)`, `4! / 2!`, `gcd(4,6)` or `5 xor 3`."""
    text = re.sub(r"(\d+)!", r"factorial(\1)", work)
    # the bit operator binds less tightly than + in Python, and no text mixes the two
    text = text.replace("·", "*").replace("^", "**").replace(" xor ", " ^ ")
    return _value(ast.parse(text, mode="eval").body, text)


def _value(node: ast.expr, text: str) -> Fraction:
    if isinstance(node, ast.Constant):
        return Fraction(ast.get_source_segment(text, node) or "")
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand, text)
    if isinstance(node, ast.BinOp):
        return OPERATORS[type(node.op)](_value(node.left, text), _value(node.right, text))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return Fraction(FUNCTIONS[node.func.id](*(int(_value(argument, text)) for argument in node.args)))
    raise AssertionError(f"{text!r} holds {ast.dump(node)}, which is no arithmetic")
