"""Titles of clusters: words that tell one cluster from the others."""

import pytest

from curation.titles import TermCounts, terms_of, title


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("Find the area of the triangle.", {"area", "triangle"}),
        (r"Let $\triangle ABC$ have \angle{A} = \frac{1}{2}", {"abc", "triangle", "angle"}),
        (r"$\log_2 x + \ln y = \sqrt{\mathbf{3}}$ \unknowncommand", {"logarithm", "root"}),
        (r"\begin{align*} x &= 1 \end{align*} parabola", {"parabola"}),
        (r"a length of 3 \text{metres}", {"length", "metres"}),
        ("A circle. [asy] draw(circle((0,0),1)); label(x); [/asy] Its radius?", {"circle", "radius"}),
        ("A circle. [asy] draw(unitsquare); never closed", {"circle"}),
        ("质数的个数", {"质数", "数的", "的个", "个数"}),
        ("x y z 12 345 a_b", set()),
        ("Prime PRIME prime", {"prime"}),
        ("w" * 1_000_000, set()),
        ("\u202eesrever\u0000 <script>alert</script>", {"esrever", "script", "alert"}),
    ],
)
def test_terms_are_words_that_say_what_a_question_is_about(text: str, terms: set[str]) -> None:
    assert terms_of(text) == terms


def counted(*clusters: list[str]) -> list[list[str]]:
    counts = TermCounts(len(clusters))
    for number, texts in enumerate(clusters):
        counts.add(number, texts)
    return counts.most_telling()


def test_the_terms_of_a_cluster_are_those_that_others_lack() -> None:
    common = "integer number"
    found = counted(
        [f"{common} triangle radius", f"{common} triangle", f"{common} circle radius"],
        [f"{common} prime divisor", f"{common} prime", f"{common} prime divisor"],
    )
    assert found[0][:2] == ["radius", "triangle"]
    assert found[1][:2] == ["prime", "divisor"]


def test_no_term_titles_two_clusters_and_none_has_more_than_four() -> None:
    words = ["angle", "circle", "radius", "chord", "sphere", "vertex", "tangent"]
    found = counted([" ".join(words)] * 5, [" ".join(words[::-1])] * 3, [" ".join(words[2:])] * 4)
    flat = [term for terms in found for term in terms]
    assert len(flat) == len(set(flat))
    # a term is where it weighs most: all of the first cluster's questions hold these, few of the others'
    shares = counted(["angle"] * 4 + ["circle"], ["angle"] + ["circle"] * 4, ["angle", "angle sum", "sum", "sum"])
    assert shares == [["angle"], ["circle"], ["sum"]]
    assert max(map(len, found)) == 4


def test_a_word_of_one_question_does_not_title_a_cluster() -> None:
    assert counted(["zebra prime", "prime", "prime"], ["circle", "circle"])[0] == ["prime"]


def test_a_rare_word_titles_a_cluster_only_where_others_are_too_few() -> None:
    rare = ["zebra prime sum digit", "zebra prime sum digit"]
    assert set(counted(rare + ["prime sum digit"] * 300, ["circle", "circle"])[0]) == {"prime", "sum", "digit"}
    assert counted(["zebra prime"] * 2 + ["prime"] * 300, ["circle", "circle"])[0] == ["prime", "zebra"]


def test_a_plural_is_the_same_term_under_the_more_common_name() -> None:
    assert counted(["triangles", "triangle", "triangles area", "area triangles"], ["prime"] * 2)[0] == [
        "triangles",
        "area",
    ]


def test_the_order_of_texts_decides_nothing() -> None:
    texts = [["circle radius", "circle chord", "chord radius area"], ["prime sum", "sum divisor", "divisor prime"]]
    assert counted(*texts) == counted(*[list(reversed(part)) for part in texts])


def test_a_cluster_without_terms_has_its_number() -> None:
    assert counted(["1 + 1", "2 + 2"], ["prime", "prime"]) == [[], ["prime"]]
    assert title([], 7) == "cluster 7"
    assert title(["prime", "sum"], 0) == "prime, sum"
