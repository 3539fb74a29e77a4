"""Plans over the ids of an invented tokenizer, and machines driven by the ids that are drawn."""

from dataclasses import replace

from inference.budget_forcing import BudgetForcingMachine
from inference.delimiters import Delimiters
from inference.forcing_plan import BudgetForcing, ForcingPlan

# ids of an invented tokenizer; 1 to 9 are words
END, END_TOO, START, ANSWER, STOP, NEWLINE, TEXT, FINAL = 20, 21, 22, 23, 24, 25, 26, 27
WAIT, HMM = (30,), (31, 32)
# </think> as three ids, and a start and a stop of two
SPLIT_END, SPLIT_START, SPLIT_STOP = (40, 41, 42), (50, 51), (60, 61)
DELIMITERS = Delimiters(
    profile="invented",
    start=(START,),
    ends=((END,), (END_TOO,)),
    answer=(END, ANSWER),
    stops=((STOP,),),
    reopens=((START,),),
    separator=(NEWLINE,),
    forced_answer=(END, ANSWER, TEXT, FINAL),
    line_ends=frozenset({NEWLINE}),
)
SPLIT = replace(
    DELIMITERS,
    ends=(SPLIT_END, (END_TOO,)),
    answer=SPLIT_END,
    stops=(SPLIT_STOP,),
    reopens=(SPLIT_START,),
    forced_answer=(*SPLIT_END, FINAL),
)


def make_plan(*, delimiters=DELIMITERS, ignore=(WAIT,), **options):
    strings = tuple(" ".join(map(str, ids)) for ids in ignore)
    return ForcingPlan(
        delimiters=delimiters,
        options=BudgetForcing(ignore_strings=strings, **({"answer_reserve": 4} | options)),
        ignore_ids=tuple(ignore),
        natural_end=delimiters.answer,
        forced_end=delimiters.forced_answer,
    )


def drive(plan, drawn, *, max_new_tokens=100, last_prompt_id=None):
    """The machine after these ids were drawn, and the context as an engine would have it."""
    machine = BudgetForcingMachine(plan, max_new_tokens=max_new_tokens, last_prompt_id=last_prompt_id)
    context = []

    def feed():
        while machine.next_forced is not None:
            context.append(machine.take())

    feed()
    for id_ in drawn:
        move = machine.observe(id_)
        assert move.phase == machine.phase
        if move.take_back:
            del context[-move.take_back :]
        assert list(move.next_ids) == list(machine._pending)
        feed()
        if not machine.is_finished:
            assert context == machine.ids + machine.held
    return machine


def kinds(machine):
    return [event.kind for event in machine.events]
