"""The pool at a glance: every count is that of the rows that it leads to."""

import re
from pathlib import Path

from s1web.browse.queries import read_page
from s1web.browse.summary import read_summary
from tests.factories import make_job
from tests.s1web.browse.conftest import listing
from tests.s1web.jobs.conftest import SignedIn, make_user, signed_in
from tests.s1web.pools import load_rows

__all__ = ["make_user", "signed_in"]


def test_every_count_is_that_of_its_rows(pool: None) -> None:
    summary = read_summary()
    assert {spread.title for spread in summary.spreads} == {"Source", "Domain", "Difficulty verdicts", "Quality rule"}
    for spread in summary.spreads:
        for share in spread.shares:
            assert share.count == read_page(listing(share.query)).total > 0, share
    assert summary.num_questions == read_page(listing("")).total
    lengths = [read_page(listing(bar.url.removeprefix("?"))).total for bar in summary.bars]
    assert sum(lengths) + summary.num_without_length == summary.num_questions
    assert [bar.label.partition(": ")[2] for bar in summary.bars] == [f"{count:,}" for count in lengths]


def test_the_overview_links_them(pool: None, signed_in: SignedIn) -> None:
    page = signed_in().get("/").content.decode()
    shown = dict(re.findall(r'href="/pool/\?([^"]*)"[^>]*title="[^"]*"><bdi>[^<]*</bdi><span>([\d,]+)<', page))
    expected = {
        share.query.replace("&", "&amp;"): f"{share.count:,}"
        for spread in read_summary().spreads
        for share in spread.shares
    }
    assert shown == expected
    assert 'href="/pool/?contamination=evidence"' not in page  # the last rows were not compared yet
    assert "Jobs at work" not in page
    make_job("running", done=5, total=10)
    make_job("queued")
    page = signed_in().get("/").content.decode()
    assert "Jobs at work" in page
    assert "1 running, 1 waiting" in page


def test_a_pool_of_bare_questions_shows_what_there_is(db: None, tmp_path: Path, signed_in: SignedIn) -> None:
    load_rows(tmp_path, [{"question": "Bare?"}])
    summary = read_summary()
    assert summary.bars == ()
    assert {share.label for share in summary.spreads[-1].shares} == {"without a 7B verdict", "without a 32B verdict"}
    assert signed_in().get("/").status_code == 200
