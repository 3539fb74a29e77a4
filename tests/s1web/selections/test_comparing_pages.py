"""Pages that compare two runs."""

import re

import pytest

from tests.s1web.jobs.conftest import SignedIn
from tests.s1web.selections.pages import get, text_of

# --- comparing --------------------------------------------------------------------------------------------


def test_a_comparison_counts_lists_and_downloads(two_runs, signed_in: SignedIn):
    a, b = two_runs
    client = signed_in("viewer")
    address = f"/compare/?a={a.pk}&b={b.pk}"
    page = get(client, address)
    old, new = (set(run.selection.members.values_list("question__question_hash", flat=True)) for run in (a, b))
    assert f"{len(new - old)} added" in text_of(page)
    assert f"{len(old & new)} kept" in text_of(page)
    assert set(re.findall(r"data-row>(\w+)<", page)) == new - old
    assert set(re.findall(r"data-row>(\w+)<", get(client, f"{address}&show=removed"))) == old - new
    answer = client.get(f"/compare/csv/?a={a.pk}&b={b.pk}")
    assert answer["Content-Disposition"] == f'attachment; filename="runs-{a.pk}-{b.pk}.csv"'
    assert len(answer.content.decode().splitlines()) == len(old | new) + 1


@pytest.mark.parametrize("query", ["?a=1&b=999", "?a=x&b=1", "?a=1", "?a=%00&b=%F0", "?a=" + "9" * 40])
def test_a_comparison_with_what_is_none_says_so(two_runs, signed_in: SignedIn, query):
    client = signed_in("viewer")
    page = get(client, f"/compare/{query}")
    assert "added" not in text_of(page).lower().replace("what one added", "")
    assert client.get(f"/compare/csv/{query}").status_code == 404


def test_a_page_of_a_comparison_beyond_its_end_is_empty(two_runs, signed_in: SignedIn):
    a, b = two_runs
    page = get(signed_in("viewer"), f"/compare/?a={a.pk}&b={b.pk}&after=500&show=kept")
    assert re.findall(r"data-row>", page) == []
