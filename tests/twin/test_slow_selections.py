"""The twin's whole selections, worked out by hand."""

import pytest

from tests.twin.rows import AIME, GPQA, MATH, make_picks, make_row, name_questions

from . import slow_recipe as twin

# --- whole selections -----------------------------------------------------------------------------------

FOUR = [
    make_row("C", domain="05", gemini_length=100),
    make_row("A", domain="05", gemini_length=300),
    make_row("D", domain="11", gemini_length=50),
    make_row("B", domain="05", gemini_length=200),
]


def test_a_diversity_draw_by_hand() -> None:
    # 1: floor(0.63696·2) = 1, domain 11, its one question D; 11 is empty and leaves
    # 2: domain 05 of [05]; n=3: 1 - 0.01653·7/8 = 0.9855, -log2 = 0.02, rank 0 of A B C: A
    # 3: domain 05; n=2: 1 - 0.91276·3/4 = 0.3154, -log2 = 1.66, rank 1 of B C: C
    # 4: domain 05; n=1: B
    assert name_questions(twin.select(FOUR, [], "paper", size=4), FOUR) == ["D", "A", "C", "B"]
    assert name_questions(twin.select(FOUR, [], "paper", size=3), FOUR) == ["D", "A", "C"]
    assert name_questions(twin.select(FOUR, [], "released", size=3), FOUR) == ["D", "A", "C"]


def test_a_pool_that_runs_out_gives_fewer() -> None:
    result = twin.select(FOUR, [], "paper", size=9)
    assert name_questions(result, FOUR) == ["D", "A", "C", "B"]
    assert result["ledger"][-1] == {"stage": "selection", "in": 4, "out": 4, "dropped": {}}


def test_picks_leave_their_domains_before_the_first_draw() -> None:
    # C is correct and from GPQA: taken first. D's domain is emptied in draw 1, as above; draw 2 sees A and B
    # in 05: n=2, 1 - 0.01653·3/4 = 0.9876, rank 0: A
    rows = [{**row, "source_type": GPQA, "isgeminicorrect": row["question"] == "C"} for row in FOUR]
    assert name_questions(twin.select(rows, [], "paper", size=3), rows) == ["C", "D", "A"]
    # D taken whole empties domain 11 before the first draw: draw 1 is in 05, n=3: 1 - 0.26979·7/8 = 0.7639,
    # -log2 = 0.39, rank 0: A; draw 2 is rank 0 of B C: B
    rows = [{**row, "source_type": GPQA, "isgeminicorrect": row["question"] == "D"} for row in FOUR]
    assert name_questions(twin.select(rows, [], "paper", size=3), rows) == ["D", "A", "B"]


def test_diverse_draws_evenly_within_the_domain_and_takes_nothing_whole() -> None:
    rows = [make_row(name, domain="05", gemini_length=1000 - ord(name)) for name in "ABCDEF"]  # A is longest
    rows.append(make_row("G", source_type=GPQA, isgeminicorrect=True, domain="05", gemini_length=1))
    # ranks: floor(0.26979·7) = 1 of ABCDEFG: B; floor(0.01653·6) = 0: A; floor(0.91276·5) = 4 of CDEFG: G;
    # floor(0.72950·4) = 2 of CDEF: E
    assert name_questions(twin.select(rows, [], "diverse", size=4), rows) == ["B", "A", "G", "E"]


def test_random_gives_keys_in_the_order_of_the_hashes() -> None:
    rows = [make_row(name) for name in "ABC"]
    low, middle, high = sorted(twin.question_hash(name) for name in "ABC")
    # keys in this order: 0.63696, 0.26979, 0.04097
    assert twin.select(rows, [], "random", size=3)["hashes"] == [high, middle, low]
    assert twin.select(rows, [], "random", size=2)["hashes"] == [high, middle]


def test_longest_and_full() -> None:
    assert name_questions(twin.select(FOUR, [], "longest", size=3), FOUR) == ["A", "B", "C"]
    everything = sorted(twin.question_hash(name) for name in "ABCD")
    assert twin.select(FOUR, [], "full", size=1)["hashes"] == everything


def test_a_selection_depends_on_the_seed_but_not_on_the_load_order() -> None:
    rows = [make_row(f"Q{i}", domain=f"{i % 5:02d}", gemini_length=i // 3) for i in range(60)]
    for preset in ("paper", "released", "random", "diverse"):
        first = twin.select(rows, [], preset, size=20, seed=0)["hashes"]
        assert twin.select(rows[::-1], [], preset, size=20, seed=0)["hashes"] == first
        assert twin.select(rows, [], preset, size=20, seed=1)["hashes"] != first


# --- released: the second part --------------------------------------------------------------------------


def test_released_draws_domains_from_the_benchmark_distribution() -> None:
    rows = [
        *make_picks(700, AIME, "11"),
        make_row("math long", domain="05", gemini_length=20),
        make_row("math short", domain="05", gemini_length=10),
        make_row("physics long", source_type=GPQA, domain="81", gemini_length=20),
        make_row("physics short", source_type=GPQA, domain="81", gemini_length=10),
        make_row("chemistry", source_type=GPQA, domain="92"),
    ]
    # Scale 0.5·700/3 = 116.67: 81 has floor(233.33) = 233, 92 has 116; 11 has 700 but no question left.
    # 1: [05, 81, 92] have [0, 233, 116]/349, borders 0, 0.668, 1: u = 0.637 is 81; n=2, v·3/4 = 0.2: rank 0
    # 2: u = 0.041 is 81 (05 would be the uniform draw's); n=1
    # 3: [05, 92] have [0, 116]: 92
    # 4: [05] has no weight: uniformly, 05; n=2: 1 - 0.7295·3/4 = 0.4529, -log2 = 1.14, rank 1
    drawn = name_questions(twin.select(rows, [], "released", size=704), rows)[700:]
    assert drawn == ["physics long", "physics short", "chemistry", "math short"]
    # `paper` stays uniform. 1: floor(1.91) = 1, 81. 2: floor(0.12) = 0, 05, rank 0. 3: floor(2.44) = 2, 92.
    # 4: [05, 81]: floor(1.21) = 1, 81.
    drawn = name_questions(twin.select(rows, [], "paper", size=704), rows)[700:]
    assert drawn == ["physics long", "math long", "chemistry", "physics short"]


@pytest.mark.parametrize(
    ("num_picks", "expected"),
    [
        (699, "plain"),  # draw 700 is the last uniform one: floor(0.637·2) = 1, 81
        (700, "weighted"),  # the next has only GPQA's 05 to give
    ],
)
def test_released_changes_once_700_are_selected(num_picks: int, expected: str) -> None:
    rows = [
        *make_picks(num_picks, AIME, "11"),
        make_row("weighted", source_type=GPQA, domain="05"),
        make_row("plain", domain="81"),
    ]
    result = twin.select(rows, [], "released", size=num_picks + 1)
    assert name_questions(result, rows)[-1] == expected


def test_draws_count_towards_the_700() -> None:
    # 698 picks, then two uniform draws. 1: floor(0.637·3) = 1, 81, which is empty then.
    # 2: floor(0.041·2) = 0, 05; n=2, rank 0.
    # 3 by weights: of [05, 92] only 05 has any; uniformly, floor(0.813·2) = 1 would be 92.
    rows = [
        *make_picks(698, AIME, "11"),
        make_row("numbers long", source_type=GPQA, domain="05", gemini_length=2),
        make_row("numbers short", source_type=GPQA, domain="05", gemini_length=1),
        make_row("physics", domain="81"),
        make_row("chemistry", domain="92"),
    ]
    drawn = name_questions(twin.select(rows, [], "released", size=702), rows)[698:]
    assert drawn == ["physics", "numbers long", "numbers short", "chemistry"]


def test_the_counts_include_the_picks() -> None:
    # 11 has the weight of 700 picks and one more question; uniformly, floor(0.637·3) = 1 would be 92
    rows = [
        *make_picks(700, AIME, "11"),
        make_row("beside the picks", domain="11"),
        make_row("other", domain="92"),
        make_row("another", domain="93"),
    ]
    drawn = name_questions(twin.select(rows, [], "released", size=701), rows)[700:]
    assert drawn == ["beside the picks"]


def test_the_counts_are_those_of_the_hard_pool() -> None:
    # 700 long MATH picks give no weight. The hard pool has one of AIME, in 05: the draw must go there.
    # Nine more in 92 were solved; counted, they would give borders 0.1 and 1, and u = 0.637 would be 92.
    rows = [
        *make_picks(700, MATH, "11", tokens=5601),
        make_row("hard", source_type=AIME, domain="05"),
        *[make_row(f"easy {i}", source_type=AIME, domain="92", isqwen7bcorrect=True) for i in range(9)],
        make_row("unweighted", domain="92"),
    ]
    drawn = name_questions(twin.select(rows, [], "released", size=701), rows)[700:]
    assert drawn == ["hard"]
