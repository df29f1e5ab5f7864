"""Where a web page can hold text."""

from collections.abc import Callable

from tests.places import Place


def _page(template: str, head: str = "") -> Callable[[str], bytes]:
    source = f"<!doctype html><html><head>{head}</head><body><p>Seen.</p>{template}</body></html>"
    return lambda word: source.replace("WORD", word).encode()


def _place(where: str, template: str, omitted: str = "") -> Place:
    return Place("html", where, _page(template), omitted)


_TAKEN = {
    "a paragraph": "<p>WORD</p>",
    "a heading": "<h3>WORD</h3>",
    "a heading by its role": "<div role=heading>WORD</div>",
    "a button in a heading": "<h3><button aria-expanded=false>WORD</button></h3><div hidden>x</div>",
    "a button that opens a panel": "<button aria-controls=x>WORD</button><div id=x hidden>y</div>",
    "a panel that a button opens": "<button aria-controls=x>y</button><p>z</p><div id=x hidden>WORD</div>",
    "a hidden panel under a heading": "<h2>x</h2><div hidden>WORD</div>",
    "a collapsed panel": "<div class=panel style='display:none'>WORD</div>",
    "a tab's panel": "<div role=tabpanel aria-hidden=true hidden>WORD</div>",
    "a target of a link": "<a href='#x'>y</a><p>z</p><div hidden id=x>WORD</div>",
    "details": "<details><summary>x</summary>WORD</details>",
    "a summary": "<details><summary>WORD</summary>x</details>",
    "a dialog": "<dialog>WORD</dialog>",
    "a popover": "<button popovertarget=p>x</button><div popover id=p>WORD</div>",
    "text hidden from screen readers": "<p aria-hidden=true>WORD</p>",
    "noscript": "<noscript><p>WORD</p></noscript>",
    "an article": "<article><p>x</p></article><article><p>WORD</p></article>",
    "beside a lone article": "<article><h2>x</h2></article><p>WORD</p>",
    "an aside": "<main>x</main><aside>WORD</aside>",
    "the footer": "<main>x</main><footer>WORD</footer>",
    "the header": "<header>WORD</header><main>x</main>",
    "a caption": "<table><caption>WORD</caption><tr><th>a<th>b<tr><td>1<td>2</table>",
    "a header cell": "<table><tr><th>a<th>WORD<tr><td>1<td>2</table>",
    "a cell": "<table><tr><th>a<th>b<tr><td>1<td>WORD</table>",
    "a table's foot": "<table><tr><th>a<th>b<tr><td>1<td>2<tfoot><tr><td>x<td>WORD</table>",
    "a table in a cell": "<table><tr><th>a<th>b<tr><td>1<td><table><tr><td>x<td>WORD</table></table>",
    "a table that places things": "<table><tr><td><h2>x</h2><td>WORD</table>",
    "an item": "<ul><li>WORD</ul>",
    "an item's second paragraph": "<ol><li>x<p>WORD</ol>",
    "a term": "<dl><dt>WORD<dd>x</dl>",
    "a definition": "<dl><dt>x<dd>y<dd>WORD</dl>",
    "a figure's caption": "<figure><img alt=x src=y><figcaption>WORD</figcaption></figure>",
    "alt text": "<img src=x alt=WORD>",
    "alt text of a linked picture": "<a href=/x><img src=x alt=WORD></a>",
    "preformatted text": "<pre>a\nWORD</pre>",
    "a quotation": "<blockquote>WORD</blockquote>",
    "an option": "<select><option>x<option>WORD</select>",
    "a field's value": "<input value=WORD>",
    "a field's label": "<label>WORD <input></label>",
    "a text field": "<textarea>WORD</textarea>",
    "a legend": "<fieldset><legend>WORD</legend></fieldset>",
    "a drawing's title": "<svg><title>WORD</title></svg>",
    "a drawing's text": "<svg><g><text>WORD</text></g></svg>",
    "a page in a frame": "<iframe srcdoc='<p>WORD'></iframe>",
    "a formula": "<math><mi>WORD</mi></math>",
    "a reading": "<ruby>x<rt>WORD</rt></ruby>",
    "an abbreviation's meaning": "<abbr title=WORD>x</abbr>",
    "superscript": "<p>x<sup>WORD</sup></p>",
    "subscript": "<p>x<sub>WORD</sub></p>",
    "deleted text": "<p><del>WORD</del></p>",
    "an e-mail address": "<a href='mailto:WORD@x.org'>x</a>",
    "the target of a bare link": "<a href='https://x.org/WORD'>here</a>",
    "an address": "<address>WORD</address>",
    "an element of its own": "<my-box>WORD</my-box>",
    "a shadow tree": "<div><template shadowrootmode=open>WORD</template></div>",
    "fallback of an object": "<object data=x.swf>WORD</object>",
}
_NAMED = {
    "navigation": ("<nav>WORD</nav>", "navigation"),
    "a menu": ("<ul role=menubar><li>WORD</ul>", "navigation"),
    "hidden text": ("<div style='display:none'>WORD</div>", "hidden text"),
    "a cookie banner": ("<div class='cookie-banner'>WORD <button>x</button></div>", "cookie banner"),
    "a template": ("<template>WORD</template>", "template"),
    "a note to browsers without scripts": ("<noscript>Enable JavaScript WORD</noscript>", "note to browsers without scripts"),
    "a button that sends": ("<form><button>WORD</button></form>", "button"),
    "a button of a form": ("<input type=submit value=WORD>", "button"),
    "a placeholder": ("<input placeholder=WORD>", "example in an empty field"),
    "a frame": ("<iframe src='WORD.html'></iframe>", "embedded page"),
    "a video": ("<video src=x.mp4>WORD</video>", "video"),
    "a canvas": ("<canvas>WORD</canvas>", "drawing by script"),
    "a picture": ("<img src='WORD.png'>", "image without a description"),
    "many choices": (f"<select>{'<option>x' * 99}<option>WORD</select>", "long list of choices"),
}  # fmt: skip

PLACES = [
    *(_place(where, template) for where, template in _TAKEN.items()),
    *(_place(where, template, kind) for where, (template, kind) in _NAMED.items()),
    Place("html", "the title", _page("<h1>x</h1>", "<title>WORD</title>")),
    Place("html", "the description", _page("", "<meta name=description content=WORD>")),
    Place("html", "the author", _page("", "<meta name=author content=WORD>")),
]
