"""The figures that s1 published: each as the paper has it."""

from curation.pipeline import STAGES
from curation.presets import PRESETS
from curation.published import published_funnels, published_selections


def test_the_funnels_are_those_of_the_paper_and_of_the_notebook():
    funnels = published_funnels()
    stages = ("pool", "annotation", "formatting", "difficulty", "selection")
    assert [funnels["paper"].left[name] for name in stages] == [59_029, 54_116, 51_581, 24_496, 1_000]
    assert [funnels["released"].left[name] for name in stages] == [58_986, 54_116, 51_607, 24_517, 1_000]
    assert (funnels["paper"].num_whole, funnels["released"].num_whole) == (384, 393)


def test_funnels_name_presets_stages_and_where_they_are_from():
    for name, funnel in published_funnels().items():
        assert name in PRESETS
        assert set(funnel.left) < set(STAGES)
        assert list(funnel.left.values()) == sorted(funnel.left.values(), reverse=True)
        assert funnel.source


def test_scores_lie_within_a_hundred_and_intervals_hold_the_difference_to_s1k():
    selections = published_selections()
    base = {score.benchmark: score.accuracy for score in selections["paper"].scores}
    assert base == {"AIME24": 50.0, "MATH500": 93.0, "GPQA Diamond": 57.6}
    for name, selection in selections.items():
        assert name in PRESETS
        for score in selection.scores:
            assert 0 < score.accuracy < 100
            if name == "paper":
                assert (score.low, score.high) == (None, None)
            else:
                assert score.low is not None
                assert score.high is not None
                # the difference itself lies in its interval, which was rounded to a tenth
                assert score.low - 0.1 <= score.accuracy - base[score.benchmark] <= score.high + 0.1
