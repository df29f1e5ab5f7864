"""What a person sees on a web page comes out, and what does not is named."""

import pytest

from ingest.load import load


def page(body: str, head: str = "") -> str:
    return load(f"<html><head>{head}</head><body>{body}</body></html>".encode(), "a.html").text


def omitted(body: str) -> dict[str, int]:
    loaded = load(f"<p>Seen.</p>{body}".encode(), "a.html")
    assert "secret" not in loaded.text
    return {omission.kind: omission.count for omission in loaded.omissions}


FARES = """<table><caption>Valid from 1 March</caption>
<thead><tr><th rowspan=2>Zone<th colspan=2>Adult<th colspan=2>Child<tr><th>Single<th>Day<th>Single<th>Day</thead>
<tr><td rowspan=2>Inner<td>2.10<td>6.00<td>1.00<td>3.00<tr><td>2.40&nbsp;*<td>6.60<td>1.20<td>3.30
<tr><td>Outer<td colspan=2>4.80 flat<td>2.20<td>4.40</table>"""


def test_spans_are_filled_and_levels_joined() -> None:
    assert page(FARES) == (
        "Valid from 1 March\n\n"
        "| Zone | Adult › Single | Adult › Day | Child › Single | Child › Day |\n"
        "| --- | --- | --- | --- | --- |\n"
        "| Inner | 2.10 | 6.00 | 1.00 | 3.00 |\n"
        "| Inner | 2.40 * | 6.60 | 1.20 | 3.30 |\n"
        "| Outer | 4.80 flat | 4.80 flat | 2.20 | 4.40 |"
    )


def test_foot_of_a_table_comes_last_and_lists_in_cells_are_parted() -> None:
    assert page(
        "<table><tfoot><tr><td>Sum<td>9</tfoot><tr><th>Part<th>Note"
        "<tr><th scope=row>Cup<td>in<ul><li>blue<li>red</ul></table>"
    ) == ("| Part | Note |\n| --- | --- |\n| Cup | in blue; red |\n| Sum | 9 |")


def test_rows_that_head_a_group_and_single_rows() -> None:
    assert page(
        "<table><tr><th>Item<th>2030<th>2031<tr><td colspan=3>Assets<tr><td>Cash<td>5<td>6</table>"
    ) == ("| Item | 2030 | 2031 |\n| --- | --- | --- |\n| Assets |  |\n| Cash | 5 | 6 |")
    assert page("<table><tr><td>Total<td>49</table>") == "Total: 49"


def test_nested_tables_and_tables_for_layout() -> None:
    inner = "<table><tr><th>Size<th>Left<tr><td>S<td>1<tr><td>L<td>2</table>"
    assert page(f"<table><tr><th>Item<th>Stock<tr><td>Plate<td>{inner}</table>") == (
        "| Item | Stock |\n| --- | --- |\n| Plate | Size: S, Left: 1; Size: L, Left: 2 |"
    )
    assert page("<table role=presentation><tr><td><h2>A</h2><p>b</p><td>c</table>") == "## A\n\nb\n\nc"
    assert page("<table><tr><td>Open<tr><td>Mon 9-5</table>") == "Open\n\nMon 9-5"


@pytest.mark.parametrize(
    "panel",
    [
        "<h2>Fees</h2><div class=panel>7 crowns.</div>",
        "<h2>Fees</h2><div hidden>7 crowns.</div>",
        "<h2>Fees</h2><div style='display:none' aria-hidden=true role=tabpanel>7 crowns.</div>",
        "<h2><button aria-expanded=false>Fees</button></h2><p class=answer hidden>7 crowns.</p>",
        "<a href='#f'>Fees</a><p>between</p><section id=f hidden>7 crowns.</section>",
        "<button popovertarget=f>Fees</button><div popover id=f>7 crowns.</div>",
        "<details><summary>Fees</summary>7 crowns.</details>",
        "<button class=acc>Fees</button><div hidden='until-found'>7 crowns.</div>",
        "<button aria-controls=f>Fees</button><dialog id=f>7 crowns.</dialog>",
        "<dl><dt>Fees<dd hidden>7 crowns.</dl>",
        "<div onclick='f()'>Fees</div><div style='display:none'>7 crowns.</div>",
        "<p>What are the Fees?</p><p hidden>7 crowns.</p>",
        "<iframe srcdoc='&lt;h2&gt;Fees&lt;/h2&gt;7 crowns.'></iframe>",
        "<noscript><h2>Fees</h2>7 crowns.</noscript>",
        "<noscript><h2>Fees</h2>Enable JavaScript to see more. A card costs 7 crowns.</noscript>",
        "<h2>Fees</h2><svg><text>7 crowns.</text></svg>",
        "<label>Fees <input value='7 crowns.'></label>",
        "<label>Fees <select><option>7 crowns.</select></label>",
        "<article><h2>Lone teaser</h2></article><p>Fees: 7 crowns.</p>",
        "<main><h1>Other</h1></main><footer>Fees: 7 crowns.</footer>",
        "<p>Fees</p><p aria-hidden=true>7 crowns.</p>",
        "<p>Fees</p><img alt='7 crowns.'>",
    ],
)
def test_what_a_person_can_open_is_taken(panel: str) -> None:
    text = page(panel)
    assert "Fees" in text
    assert text.count("7 crowns.") == 1


def test_questions_on_buttons_head_their_answers() -> None:
    text = page("<h2>Help</h2><button aria-controls=a>Who pays?</button><div id=a hidden>You.</div>")
    assert text == "## Help\n\n### Who pays?\n\nYou."


def test_tabs_head_their_panels() -> None:
    assert page(
        "<h2>Prices</h2><ul role=tablist><li role=tab id=a>Plan A<li role=tab aria-controls=q>Plan B</ul>"
        "<div role=tabpanel aria-labelledby=a><p>5 crowns.</div><div role=tabpanel id=q hidden><p>7 crowns.</div>"
    ) == ("## Prices\n\n### Plan A\n\n5 crowns.\n\n### Plan B\n\n7 crowns.")


def test_questions_in_terms_and_titles_of_pages_with_panels() -> None:
    body = (
        "<dl><dt><button>What is the fee?</button><dd hidden>7 crowns.</dl><details><summary>More</summary>x"
    )
    text = "# Help\n\nWhat is the fee? 7 crowns.\n\n## More\n\nx"
    assert page(body, "<title>Help</title>") == text


def test_rows_with_names_and_columns_without() -> None:
    assert page("<table><tr><th>Monday<td>9-12<td>14-18<tr><th>Sunday<td colspan=2>closed</table>") == (
        "|  |  |  |\n| --- | --- | --- |\n| Monday | 9-12 | 14-18 |\n| Sunday | closed | closed |"
    )


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("<nav>secret</nav>", "navigation"),
        ("<div role=navigation>secret</div>", "navigation"),
        ("<div id=cookie-banner><p>secret</p><button>OK</button></div>", "cookie banner"),
        ("<p style='display: none'>secret</p>", "hidden text"),
        ("<template><p>secret</p></template>", "template"),
        ("<noscript>Enable JavaScript, secret</noscript>", "note to browsers without scripts"),
        ("<form><button>secret</button></form>", "button"),
        ("<input placeholder=secret>", "example in an empty field"),
        ("<iframe src=secret></iframe>", "embedded page"),
        ("<video src=secret></video>", "video"),
        ("<canvas>secret</canvas>", "drawing by script"),
        ("<object data=secret></object>", "embedded object"),
        ("<img src=secret>", "image without a description"),
    ],
)
def test_what_nobody_sees_is_named(body: str, kind: str) -> None:
    assert kind in omitted(body)


def test_lists_keep_their_numbers() -> None:
    assert page("<ol start=4 type=a><li>x<li>y<ul><li>z</ul></ol>") == "d. x\ne. y\n  - z"
    assert page("<ol reversed><li>x<li value=9>y<li>z</ol>") == "3. x\n9. y\n8. z"
    assert page("<ol type=I start=3><li>x<li>y</ol>") == "III. x\nIV. y"
    assert page("<dl><dt>When?<dd>Now.<dt>Colour<dt>Color<dd>red</dl>") == "When? Now.\nColour / Color: red"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("5 m<sup>2</sup>, 10<sup>-3</sup>, x<sup>i+1</sup>, CO<sub>2</sub>", "5 m², 10⁻³, x^(i+1), CO₂"),
        ("the 1<sup>st</sup> case<sup><a href=#f3>3</a></sup>", "the 1st case[3]"),
        ("was <span style='text-decoration: line-through'>49</span> 45", "was ~~49~~ 45"),
        ("was <s>49</s> 45 now 39, <q>so</q>", "was ~~49~~ 45 now 39, “so”"),
        ("<ruby>東京<rp>(</rp><rt>とうきょう</rt><rp>)</rp></ruby>へ", "東京(とうきょう)へ"),
        ("<math><mfrac><mi>a</mi><msup><mi>b</mi><mn>2</mn></msup></mfrac></math>", "a/(b^2)"),
        ("Ask <a href=mailto:h@x.org>us</a> or <a href=tel:+4412345>+44 123 45</a>", "Ask us (h@x.org) or +44 123 45"),
        ("<a href=https://x.org/a>In a</a> sentence; <a href=https://x.org/f.pdf>here</a>",
         "In a sentence; here (https://x.org/f.pdf)"),
        ("Donau&shy;dampf&#8203;schiff<br>next<wbr>line", "Donaudampfschiff\nnextline"),
        ("<abbr title='World Health Organization'>WHO</abbr>", "WHO (World Health Organization)"),
        ("<span aria-hidden=true>★</span>4.5", "4.5"),
    ],
)  # fmt: skip
def test_within_a_line(source: str, text: str) -> None:
    assert page(f"<p>{source}</p>") == text


def test_code_keeps_its_lines() -> None:
    source = "<pre><code class='language-py'>a = 1\n\n  b ```</code></pre>"
    assert page(source) == "````py\na = 1\n\n  b ```\n````"


def test_title_heads_a_page_without_a_first_heading() -> None:
    assert page("<h2>Part</h2><p>x</p>", "<title>Whole  page</title>") == "# Whole page\n\n## Part\n\nx"
    assert page("<h1>Head</h1>x", "<title>Whole page</title>") == "# Head\n\nx"


def test_deep_pages_are_read_or_refused() -> None:
    assert page("<div>" * 800 + "deep") == "deep"
