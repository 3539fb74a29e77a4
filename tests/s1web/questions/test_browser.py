"""The page of a question in a real browser: mathematics, traces, keys, decisions, and texts that mean harm."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, Request, expect

from curation.hashing import question_hash
from tests.browser import SIZES, THEMES, Site, Visitor, assert_accessible, assert_no_sideways_scroll, running_site
from tests.processes import ROOT, Project
from tests.s1web.pools import write_lines
from tests.s1web.questions.conftest import CLERKS, FERRY, TEXT, full_row

MATHEMATICS = "Let $x_1=3$, \\(y\\) and \\[\\frac{a}{b}\\] hold; it costs $5 and $10, or \\$7. Is $$\\sqrt{2}$$ real?"
HOSTILE_NAME = "<svg onload=window.owned=1>\u202e"
# each in a question, a solution, a trace, an attempt; what it would do is set `window.owned`, or ask another host
HOSTILE = "\n\n".join(
    [
        "<script>window.owned=2</script><img src=https://evil.example/i.png onerror='window.owned=3'>",
        "<a href='javascript:window.owned=4'>x</a> <iframe srcdoc='<script>parent.owned=5</script>'></iframe>",
        "\\(\\href{javascript:window.owned=6}{click}\\) $\\url{https://evil.example}$ $\\htmlStyle{color:red}{x}$",
        "\\[\\includegraphics{https://evil.example/x.png}\\] $\\htmlData{hx-get=/}{y}$ $\\htmlId{content}{z}$",
        "abc \u202edrowssap\u202c \u0007 \u200b end",
        "$\\rule{500em}{500em}$ $\\kern-999em X$ $\\raisebox{-99em}{Y}$ $\\smash{\\rule{1em}{-90em}}$",
        f"${'{' * 1_500}x{'}' * 1_500}$ $${'x^{ ' * 500}x{'} ' * 500}$$ ${'[' * 3_000}",
        "$\\def\\a{xxxxxxxxxx}\\def\\b{\\a\\a\\a\\a\\a\\a\\a\\a\\a\\a}\\b\\b\\b$ $\\def\\loop{\\loop}\\loop$",
        "$\\color{white}hidden$ $\\pmb{x}\\fcolorbox{red}{blue}{z}$ $\\frac{1$ $\\undefined{1}$",
        "Z\u0335\u0321\u0334\u0353" * 30,
    ]
)
BIG = "B" * 2**20
LONG_THINKING = "\n\n".join(
    f"{'Wait, line' if n % 9 == 0 else 'Line'} {n}: $x_{{{n}}} = \\frac{{{n}}}{{7}}$ needs more care than {n % 7}."
    for n in range(1_300)
)


@pytest.fixture(scope="module")
def live_site(make_project: Callable[[str], Project], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site with a question of each kind that these tests look at."""
    folder = tmp_path_factory.mktemp("questions")
    project = make_project("sqlite")
    assert project.run("migrate", "--verbosity", "0").returncode == 0
    second = {"deepseek_thinking_trajectory": "A second thought.\n\nAnd the end.", "deepseek_attempt": "It is 9."}
    evil = full_row(
        HOSTILE,
        solution=HOSTILE,
        answer=HOSTILE,
        attempt=HOSTILE,
        metadata=HOSTILE,
        source_type=HOSTILE_NAME,
        cot_type=HOSTILE_NAME,
        domain=HOSTILE_NAME,
        qwen7b_attempt=HOSTILE,
        thinking_trajectories=[f"{HOSTILE}\n\n{BIG}"],
    )
    rows = [
        full_row(**second),
        full_row(MATHEMATICS),
        evil,
        full_row(BIG, solution=BIG),
        full_row("A long trace?", thinking_trajectories=[LONG_THINKING]),
    ]
    problems = [{"id": "p0", "problem": FERRY, "answer": "7"}, {"id": "p1", "problem": CLERKS, "answer": "7"}]
    project.json("load_pool", write_lines(folder / "<img src=x onerror=owned=7>.jsonl", rows))
    project.json("load_benchmark", write_lines(folder / "problems.jsonl", problems), "--name", "evaluation")
    project.json("annotate", "contamination")
    with running_site(project, folder) as site:
        yield site


def address(text: str) -> str:
    return f"/questions/{question_hash(text)}/"


def settle(page: Page) -> None:
    """Until the first trace and the neighbours are here, and what is near the window is set."""
    page.wait_for_load_state("networkidle")
    expect(page.locator("main .htmx-request")).to_have_count(0)
    page.wait_for_timeout(300)


def trace_number(page: Page, place: int = 0) -> str:
    number = page.locator("details[data-trace]").nth(place).get_attribute("id")
    assert number
    return number


# --- everyone can use it ------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("text", [TEXT, MATHEMATICS, HOSTILE, BIG], ids=["evidence", "mathematics", "hostile", "big"])
def test_a_page_is_accessible_and_never_scrolls_sideways(visitor: Visitor, text, theme, size):
    page = visitor.open(address(text), role="reviewer", theme=theme, size=size)
    settle(page)
    page.evaluate("document.querySelectorAll('main details').forEach(details => { details.open = true })")
    settle(page)
    assert_accessible(page)
    assert_no_sideways_scroll(page)


def test_without_scripts_everything_can_be_read(visitor: Visitor):
    page = visitor.open(address(MATHEMATICS), scripts=False)
    expect(page.locator("main")).to_contain_text("Let $x_1=3$, \\(y\\)")
    expect(page.get_by_role("button", name="Raw text")).to_be_hidden()
    page.get_by_role("link", name="Read this trace").click()
    expect(page.locator("main")).to_contain_text("First we look at $x^2$.")
    expect(page.locator("main")).to_contain_text("So the answer is $7$.")
    page.go_back()
    page.get_by_role("link", name="Show what is like this question").click()
    expect(page.locator("main")).to_contain_text("annotate embeddings")


# --- texts that mean harm ------------------------------------------------------------


def test_nothing_in_a_hostile_text_runs_or_asks_another_host(visitor: Visitor):
    asked: list[str] = []
    page = visitor.open("/", role="reviewer", size="narrow")
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address(HOSTILE))
    settle(page)
    page.evaluate("document.querySelectorAll('main details').forEach(details => { details.open = true })")
    # past everything, so that all of it is set
    height = page.evaluate("document.documentElement.scrollHeight")
    for place in range(0, height, 600):
        page.evaluate("place => window.scrollTo(0, place)", place)
        page.wait_for_timeout(20)
    settle(page)
    assert page.evaluate("window.owned") is None
    assert [url for url in asked if not url.startswith(visitor.site.address)] == []
    assert page.locator("main :is(script, iframe, object, embed, img)").count() == 0
    assert page.locator("main a[href^='javascript:'], main [style*='url(']").count() == 0
    assert page.locator("[onload], [onerror], .katex a, .katex img, .katex [id], .katex [hx-get]").count() == 0
    expect(page.locator("#question").locator("xpath=..").locator(".passage")).to_contain_text("\\href{javascript:")


def test_what_a_formula_draws_stays_in_its_own_paragraph(visitor: Visitor):
    page = visitor.open(address(HOSTILE))
    settle(page)
    passage = page.locator(".passage").first
    box = passage.bounding_box()
    assert box
    top = page.get_by_role("heading", level=1).bounding_box()
    assert top
    # what lies there is what a reader sees and clicks, not something that the text put over it
    seen = page.evaluate(
        "([x, y]) => document.elementFromPoint(x, y).closest('h1') !== null", [top["x"] + 20, top["y"] + 12]
    )
    assert seen
    assert "paint" in passage.evaluate("element => getComputedStyle(element).contain")
    assert page.evaluate("Math.max(...[...document.querySelectorAll('.katex .rule')].map(r => r.offsetWidth))") < 260


def test_white_text_in_a_formula_is_not_hidden(visitor: Visitor):
    page = visitor.open(address(HOSTILE))
    settle(page)
    colours = page.evaluate(
        "[...document.querySelectorAll('.katex-html .mord[style*=white]')].map(e => getComputedStyle(e).color)"
    )
    text = page.evaluate("getComputedStyle(document.body).color")
    assert colours
    assert set(colours) == {text}


def test_characters_that_cannot_be_seen_are_shown(visitor: Visitor):
    page = visitor.open(address(HOSTILE))
    mark = page.locator(".passage .unseen").first
    expect(mark).to_have_text("U+202E")
    expect(mark).to_have_attribute("title", "U+202E right-to-left override")
    assert "\u202e" not in page.content()


def test_every_command_of_katex_keeps_to_the_content_security_policy(visitor: Visitor):
    source = (ROOT / "node_modules" / "katex" / "dist" / "katex.mjs").read_text(encoding="utf-8")
    commands = sorted(set(re.findall(r'"(\\\\[a-zA-Z]+)"', source)))
    assert len(commands) > 500
    page = visitor.open(address(MATHEMATICS))
    settle(page)
    # with as many arguments as it may want; what it refuses is shown as it is written
    num_set, stopped = page.evaluate(
        """async commands => {
            const stopped = [];
            document.addEventListener('securitypolicyviolation', event => stopped.push(event.violatedDirective));
            const box = document.querySelector('.passage');
            let count = 0;
            for (const command of commands) {
              for (const rest of ['', '{a}', '{a}{b}', '{red}{a}', '{red}{blue}{c}', '[a]{b}{c}', '{1em}{a}']) {
                const part = document.createElement('div');
                part.className = 'mathematics';
                part.textContent = '$' + command.replace('\\\\\\\\', '\\\\') + rest + '$';
                box.append(part);
                window.s1webMath.render(part);
                count += part.querySelector('.katex') !== null;
                part.remove();
              }
              // what was stopped is told later
              await new Promise(done => setTimeout(done));
            }
            await new Promise(done => setTimeout(done, 200));
            return [count, stopped];
        }""",
        [command.replace("\\\\", "\\") for command in commands],
    )
    assert num_set > 1_000
    assert stopped == []


# --- mathematics ------------------------------------------------------------


def test_mathematics_is_set_and_money_is_not(visitor: Visitor):
    page = visitor.open(address(MATHEMATICS))
    settle(page)
    passage = page.locator(".passage").first
    assert passage.locator(".katex").count() == 4
    assert passage.locator(".katex-display").count() == 2
    expect(passage).to_contain_text("it costs $5 and $10, or $7.")
    font = page.evaluate("document.fonts.load('16px KaTeX_Main').then(fonts => fonts.length)")
    assert font > 0


@pytest.mark.parametrize(
    ("text", "formulas"),
    [
        ("$x$", ["x"]),
        ("$ x + 1 $ and $ n $", [" x + 1 ", " n "]),
        ("costs $5 or $6.", []),
        ("costs $5/$10 and $x$", ["x"]),
        ("pay $5 for $x$ of it", ["x"]),
        ("\\$5 and $\\$5$", ["\\$5"]),
        ("$$x$$ \\[y\\] \\(z\\)", ["x", "y", "z"]),
        ("\\\\(no\\\\)", []),
        ("$\\text{if $a$ then}$", ["\\text{if $a$ then}"]),
        ("\\begin{align*}a&=b\\end{align*}", ["\\begin{align*}a&=b\\end{align*}"]),
        ("\\begin{document}x\\end{document}", []),
        ("$x and \\(y and $$z", []),
        ("a $ b $ c", [" b "]),
        ("from $ a long way $ off", []),
        ("$" * 101, []),
        (f"${'x' * 5_000}$", []),
    ],
)
def test_what_is_taken_for_a_formula(visitor: Visitor, text, formulas):
    page = visitor.open(address(MATHEMATICS))
    found = page.evaluate("text => window.s1webMath.pieces(text)", text)
    assert [piece["math"] for piece in found if "math" in piece] == formulas
    assert "".join(piece.get("written", piece.get("text")) for piece in found) == text.replace("\\$", "$") or formulas


def test_a_formula_that_katex_cannot_set_stays_as_it_is_written(visitor: Visitor):
    page = visitor.open(address(HOSTILE))
    settle(page)
    unset = page.locator(".passage").first.locator(".mathematics__unset")
    shown = unset.all_text_contents()
    for part in ("\\href", "\\includegraphics", "\\undefined", "\\def\\a", "x^{ x^{", "{{{{"):
        assert any(part in text for text in shown), part
    titles = [item.get_attribute("title") or "" for item in unset.all()]
    assert any("Undefined control sequence" in title for title in titles)


def test_the_raw_text_is_one_key_away_and_remembered(visitor: Visitor):
    page = visitor.open(address(MATHEMATICS))
    settle(page)
    passage = page.locator(".passage").first
    page.keyboard.press("r")
    expect(page.get_by_role("button", name="Raw text")).to_have_attribute("aria-pressed", "true")
    assert passage.inner_text() == MATHEMATICS
    page.reload()
    settle(page)
    assert passage.inner_text() == MATHEMATICS
    page.get_by_role("button", name="Raw text").click()
    expect(passage.locator(".katex").first).to_be_visible()


# --- traces ------------------------------------------------------------


def test_the_first_trace_is_open_and_others_are_fetched_when_they_are_opened(visitor: Visitor):
    asked: list[str] = []

    def note(request: Request) -> None:
        if "/traces/" in request.url:
            asked.append(request.url)

    page = visitor.open("/")
    page.on("request", note)
    page.goto(address(TEXT))
    settle(page)
    traces = page.locator("details[data-trace]")
    assert traces.count() == 2
    expect(traces.nth(0)).to_contain_text("Wait, that is not it.")
    assert len(asked) == 1
    traces.nth(1).locator("summary").first.click()
    expect(traces.nth(1)).to_contain_text("A second thought.")
    expect(traces.nth(1)).to_contain_text("It is 9.")
    assert len(asked) == 2
    # closed and opened again it is there already
    traces.nth(1).locator("summary").first.click()
    traces.nth(1).locator("summary").first.click()
    settle(page)
    assert len(asked) == 2


def test_brackets_go_from_trace_to_trace(visitor: Visitor):
    page = visitor.open(address(TEXT))
    settle(page)
    page.keyboard.press("]")
    expect(page.locator("details[data-trace]").nth(0).locator("summary").first).to_be_focused()
    page.keyboard.press("]")
    second = page.locator("details[data-trace]").nth(1)
    expect(second.locator("summary").first).to_be_focused()
    expect(second).to_contain_text("A second thought.")


def test_a_search_counts_its_hits_and_n_goes_through_them(visitor: Visitor):
    page = visitor.open(address("A long trace?"))
    settle(page)
    page.keyboard.press("/")
    expect(page.get_by_label("Search in this trace")).to_be_focused()
    page.keyboard.type("WAIT, LINE")
    count = page.locator("[data-count]")
    hits = len(range(0, 1_300, 9))
    expect(count).to_have_text(f"1 of {hits}")
    page.keyboard.press("Enter")
    expect(count).to_have_text(f"2 of {hits}")
    page.keyboard.press("Shift+Enter")
    page.keyboard.press("Shift+Enter")
    expect(count).to_have_text(f"{hits} of {hits}")
    expect(page.locator("mark.is-hit")).to_be_in_viewport()
    expect(page.locator("mark.is-hit").locator("xpath=..")).to_contain_text("Wait, line 1296: $x_{1296}")
    page.locator("body").evaluate("() => document.activeElement.blur()")
    page.keyboard.press("n")
    expect(count).to_have_text(f"1 of {hits}")
    page.keyboard.press("Shift+N")
    expect(count).to_have_text(f"{hits} of {hits}")
    # what is written in a formula is found too, and its paragraph is set again once the search has gone on
    page.get_by_label("Search in this trace").fill("x_{700}")
    expect(count).to_have_text("1 of 1")
    hit = page.locator("mark.is-hit")
    expect(hit).to_have_text("x_{700}")
    page.get_by_label("Search in this trace").press("Escape")
    expect(page.locator("mark")).to_have_count(0)
    number = trace_number(page)
    expect(page.locator(f"#{number}p701 .katex").first).to_be_visible()
    page.get_by_label("Search in this trace").fill("no such words (")
    expect(count).to_have_text("not found")


def test_steps_fold_and_a_search_unfolds_the_one_that_it_finds(visitor: Visitor):
    page = visitor.open(address("A long trace?"))
    settle(page)
    steps = page.locator("details.step")
    assert steps.count() > 20
    page.get_by_role("button", name="Unfold all").focus()
    page.get_by_role("button", name="Fold all", exact=True).click()
    assert page.locator("details.step[open]").count() == 0
    expect(steps.nth(1).locator("summary")).to_contain_text("Wait, line")
    assert_accessible(page)
    page.get_by_label("Search in this trace").fill("Line 1000:")
    expect(page.locator("mark.is-hit")).to_be_in_viewport()
    assert page.locator("details.step[open]").count() == 1


def test_an_address_points_at_a_paragraph_of_any_trace(visitor: Visitor):
    page = visitor.open(address("A long trace?"))
    number = trace_number(page)
    page.goto("/")
    page.goto(f"{address('A long trace?')}#{number}p900")
    settle(page)
    expect(page.locator(f"#{number}p900")).to_be_in_viewport()
    assert page.locator(f"#{number}p900:target").count() == 1
    page.goto(address(TEXT))
    second = trace_number(page, 1)
    page.goto("/")
    page.goto(f"{address(TEXT)}#{second}p2")
    expect(page.locator(f"#{second}p2")).to_be_in_viewport()


def test_of_a_trace_of_thirty_thousand_tokens_only_what_is_near_the_window_is_laid_out_and_set(visitor: Visitor):
    page = visitor.open(address("A long trace?"))
    settle(page)
    assert len(LONG_THINKING) > 80_000
    formulas = "[...document.querySelectorAll('.para')].map(p => p.querySelectorAll('.katex').length)"

    def count(script: str) -> list[int]:
        return [place for place, found in enumerate(page.evaluate(script)) if found]

    assert 0 < len(count(formulas)) < 200
    page.locator(f"#{trace_number(page)}p1290").scroll_into_view_if_needed()
    settle(page)
    shown = count(formulas)
    assert 1_289 in shown
    assert len(shown) < 400
    assert 650 not in shown
    # the browser's own word on what it lays out
    inside = page.evaluate(
        "[...document.querySelectorAll('.step')].map(s => s.querySelector('.para__text')"
        ".checkVisibility({contentVisibilityAuto: true}))"
    )
    assert inside[-1]
    assert not inside[len(inside) // 2]


# --- from question to question, and decisions ------------------------------------------------------------


def test_j_and_k_go_through_the_list_and_g_j_still_goes_to_the_jobs(visitor: Visitor):
    page = visitor.open(f"{address(TEXT)}?cot_type=math")
    page.keyboard.press("j")
    page.wait_for_url(f"**{address(MATHEMATICS)}?cot_type=math")
    page.keyboard.press("k")
    page.wait_for_url(f"**{address(TEXT)}?cot_type=math")
    page.keyboard.press("?")
    expect(page.get_by_role("row", name="j Next question of the list")).to_be_visible()
    page.keyboard.press("j")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("j")
    page.wait_for_url("**/jobs/")


def test_evidence_is_overruled_by_keyboard_and_counts_again(visitor: Visitor):
    page = visitor.open(address(TEXT), role="reviewer")
    settle(page)
    button = page.get_by_role("button", name="Overrule 2 pieces of evidence")
    expect(button).to_be_visible()
    page.get_by_label("Overrule this evidence").first.uncheck()
    expect(page.get_by_role("button", name="Overrule 1 piece of evidence")).to_be_visible()
    page.keyboard.press("o")
    expect(page.get_by_label("Why the shared words are no leak")).to_be_focused()
    page.keyboard.type("a turn of phrase, j k r")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 piece of evidence overruled.")).to_be_visible()
    expect(page.get_by_text("1 standing of 2 pieces of evidence")).to_be_visible()
    expect(page.locator(".piece--overruled")).to_contain_text("a turn of phrase, j k r")
    assert_accessible(page)
    page.get_by_role("button", name="Let it count again").click()
    expect(page.get_by_text("2 standing of 2 pieces of evidence")).to_be_visible()
    expect(page.locator(".rulings li").first).to_contain_text("Counts again, by reviewer")
