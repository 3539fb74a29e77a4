"""The thinking tokens that a method promises to keep to, as the paper counts Control (s1 §3.2, appendix E.1)."""

from inference.controls import TOKENS_PER_STEP
from inference.methods.base import Method
from inference.methods.single import BudgetForced, StepConditional, TokenConditional


def thinking_limit(method: Method) -> int | None:
    """Mean thinking tokens at most, `at_most` of `metrics.control`; None where the method promises nothing.

    Token-conditional: the tokens asked for; step-conditional: 100 for each step asked for; both also under budget
    forcing, whose own cap may be another one; budget forcing: its cap. Class-conditional prompts are held against the
    mean without a prompt, and methods of several samples spend the sum of them: these have no limit of their own.
    """
    if isinstance(method, TokenConditional):
        return method.num_tokens
    if isinstance(method, StepConditional):
        return TOKENS_PER_STEP * method.num_steps
    if isinstance(method, BudgetForced):
        return method.forcing.max_thinking_tokens
    return None
