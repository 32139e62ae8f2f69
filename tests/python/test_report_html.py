"""The HTML report: what is in the page, and what a browser makes of it."""

import html.parser
import json
import re
import shutil
import subprocess
import time

import pytest

import log_maker as log
from browser import Browser
from conftest import BUILD, REPOSITORY, clean_environment
from test_report import HOSTILE, hostile_log

FTSAN = BUILD / "ftsan"
pytestmark = pytest.mark.skipif(not FTSAN.exists(), reason=f"{FTSAN} is not built")

VOID = {"meta", "br", "input"}
TAGS = {"html", "head", "meta", "title", "style", "body", "header", "main", "footer", "h1", "h2",
        "h3", "p", "div", "span", "b", "i", "code", "ul", "ol", "li", "dl", "dt", "dd", "table",
        "tr", "th", "td", "details", "summary", "section", "label", "input", "select", "option",
        "button", "script", "br", "a", "svg", "rect"}
ATTRIBUTES = {"lang", "charset", "http-equiv", "content", "name", "class", "id", "role", "hidden",
              "type", "autocomplete", "value", "aria-live", "data-kind", "data-confidence",
              "data-baseline", "data-modules", "open", "href", "data-copy", "data-number", "width", "height",
              "aria-label"}


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.open, self.texts, self.tags, self.modules = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        assert tag in TAGS, tag
        assert {name for name, _ in attributes} <= ATTRIBUTES, attributes
        # Nothing of a log's becomes the target of a link.
        assert all(value.startswith("#f-") for name, value in attributes if name == "href"), attributes
        self.tags.append(tag)
        self.modules += [value for name, value in attributes if name == "data-modules"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.texts.append(data)


@pytest.fixture
def make(tmp_path):
    def call(name, *options):
        result = log.call(FTSAN, "report", "--format", "html", "-o", tmp_path / "page.html",
                          *options, name, environment=clean_environment({}), cwd=tmp_path)
        assert result.returncode in (0, 66), result.stderr
        return tmp_path / "page.html"
    return call


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


def campaign(path):
    """Findings of several kinds in several modules."""
    cython = log.stack("call", log.native("__pyx_find", "/m/_mcp.so"), log.python("graph"))
    return log.write(path, *log.run(
        log.finding("1" * 16, title="first race"), log.finding("2" * 16, "hazard", "latent",
                                                               title="second hazard"),
        log.finding("3" * 16, "bad-code", "probable", stacks=[cython], title="third code"),
        log.finding("4" * 16, title="f" * 300, stacks=[log.stack(
            "write", log.native("n" * 300, "/m/" + "m" * 200), log.python("p" * 300, "/" + "d/" * 200))]),
        log.finding("5" * 16, title="suppressed one"), duplicates={"1" * 16: 7}))


def test_hostile_names_are_text(make, tmp_path):
    hostile_log(tmp_path / "h")
    text = make("h").read_text(encoding="utf-8")
    page = Page(text)
    assert page.tags.count("script") == page.tags.count("style") == 1
    words = "\n".join(page.texts)
    for name in HOSTILE:
        shown = re.sub("[\x00-\x08\x0b-\x1f\ufffe]", "?", name.replace("\r", "\n").replace("\n\n", "\n"))
        assert shown in words.replace("\r\n", "\n").replace("\r", "\n"), name
    assert page.modules


def test_the_page_asks_for_nothing(make, tmp_path):
    campaign(tmp_path / "log")
    text = make("log").read_text()
    assert "://" not in text.split("</style>")[1]
    assert "url(" not in text and "@import" not in text
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text).group(1)
    assert policy.startswith("default-src 'none'; base-uri 'none'; form-action 'none';")
    assert "unsafe" not in policy


def test_order_and_numbers(make, tmp_path):
    campaign(tmp_path / "log")
    log.write(tmp_path / "old", *log.run(log.finding("1" * 16), log.finding("9" * 16)))
    (tmp_path / "s").write_text("fingerprint:5555555555555555\nrace:unheard\n")
    text = make("log", "--baseline", "old", "--suppressions", "s").read_text()
    words = "\n".join(Page(text).texts)
    titles = ["third code", "f" * 300, "second hazard", "first race"]
    assert sorted(titles, key=words.index) == titles
    assert re.search(r"4\nfindings\n.*3\nnew\n.*1\nknown\n.*1\ngone\n.*1\nsuppressed",
                     re.sub("\n+", "\n", words), re.DOTALL)
    assert "8 times" in words and "suppressed one" not in words
    assert "Gone since the baseline" in words and "9" * 16 in words
    assert re.sub("\n+", "\n", words).count("unused") == 1


def test_the_operation_of_a_hazard(make, tmp_path):
    record = log.finding(kind="hazard", object={"description": "x", "operation": "ndarray.<b>repeat"})
    log.write(tmp_path / "log", *log.run(record, log.finding("1" * 16)))
    words = "\n".join(Page(make("log").read_text()).texts)
    assert words.count("Operation\n") == words.count("\nndarray.<b>repeat\n") == 1
    assert "an input of ndarray.<b>repeat." in words


def test_a_silent_run_says_what_its_silence_is_worth(make, tmp_path):
    log.write(tmp_path / "log", log.process(), log.engine(active=False, reason="no memory"),
              log.coverage(gil="on", gil_requested_by=["badmod"]))
    words = "\n".join(Page(make("log").read_text()).texts)
    for sentence in ("NOTHING WATCHED (", "1 process had an engine that was not active", "no memory",
                     "1 process had the GIL on", "badmod", "1 process wrote no end record"):
        assert sentence in words
    log.write(tmp_path / "log", *log.run())
    words = "\n".join(Page(make("log").read_text()).texts)
    assert "NOT ACTIVE" not in words and "had the GIL on" not in words
    log.write(tmp_path / "log", b"")
    assert "NOTHING WATCHED (the logs tell of no process" in "\n".join(Page(make("log").read_text()).texts)


# --- in a browser ---

def test_no_name_runs_in_a_browser(make, tmp_path, browser):
    hostile_log(tmp_path / "h")
    browser.open(make("h"))
    assert browser.run("document.querySelectorAll('img, iframe, object, embed').length") == 0
    assert browser.run("document.scripts.length") == 1
    assert browser.seen("Page.javascriptDialogOpening") == []
    assert browser.seen("Log.entryAdded") == []  # violations of the policy, too
    assert browser.run("performance.getEntriesByType('resource').length") == 0
    assert len(browser.seen("Network.requestWillBeSent")) == 1


def test_the_policy_stops_other_scripts(make, tmp_path, browser):
    """A hole in the escaping would still run nothing."""
    campaign(tmp_path / "log")
    page = make("log")
    page.write_text(page.read_text().replace("first race", "<script>document.title = 'owned'</script>"
                                             "<img src=x onerror=\"document.title = 'owned'\">"))
    browser.open(page)
    assert browser.run("document.title") == "ftsan report"
    assert browser.seen("Log.entryAdded")


VISIBLE = """[...document.querySelectorAll('details.finding')]
    .filter(element => element.offsetHeight > 0)
    .map(element => element.querySelector('h3').textContent.slice(0, 20))"""


def test_filter(make, tmp_path, browser):
    campaign(tmp_path / "log")
    browser.open(make("log"))
    everything = browser.run(VISIBLE)
    assert len(everything) == 5
    assert browser.run("document.getElementById('filter').offsetHeight") > 0

    def choose(name, value):
        browser.run(f"""(() => {{ const e = document.getElementById('filter-{name}');
            e.value = {json.dumps(value)}; e.dispatchEvent(new Event('change'));
            e.dispatchEvent(new Event('input')); }})()""")
        return browser.run(VISIBLE)

    assert choose("kind", "bad-code") == ["third code"]
    assert browser.run("document.getElementById('filter-shown').textContent") == "1 of 5 shown"
    choose("kind", "")
    assert choose("module", "_mcp.so") == ["third code"]
    choose("module", "")
    assert choose("confidence", "latent") == ["second hazard"]
    assert choose("text", "FIRST race") == []
    choose("confidence", "")
    assert "second hazard" not in choose("text", "FIRST race")
    assert choose("text", "") == everything
    # There is but one state of the baseline: no choice.
    assert browser.run("document.getElementById('filter-baseline').parentElement.hidden")
    browser.run("document.getElementById('filter-close').click()")
    assert browser.run("document.querySelectorAll('details[open]').length") == 0
    browser.run("document.getElementById('filter-open').click()")
    assert browser.run("document.querySelectorAll('details[open]').length") == 5


def test_groups_come_first_and_lead_to_their_findings(make, tmp_path, browser):
    records = log.run(
        log.finding("1" * 16, culprit={"function": "first", "module": "one"}),
        log.finding("2" * 16, "hazard", "latent", culprit={"function": "second<b>", "module": "two"}))
    for record in records:
        if record["type"] == "coverage":
            record["modules"] = [{"module": "/x/one.so", "functions": 10, "seen": 5, "shared": 2},
                                 {"module": "/x/unheard.so", "functions": 7, "seen": 0, "shared": 0}]
    log.write(tmp_path / "log", *records)
    browser.open(make("log"))
    rows = browser.run("[...document.querySelectorAll('.groups tr')].map(e => e.innerText)")
    assert sorted(row.split("\t")[1:3] for row in rows[1:]) == [["first", "one"],
                                                                ["second<b>", "two"]], rows
    assert browser.run("document.querySelector('.groups').getBoundingClientRect().bottom <= "
                       "document.querySelector('details.finding').getBoundingClientRect().top")
    browser.run("document.getElementById('filter-close').click()")
    browser.run("document.querySelectorAll('.groups a')[1].click()")
    time.sleep(0.2)
    assert browser.run("document.querySelectorAll('details.finding[open]').length") == 1
    pictures = browser.run("[...document.querySelectorAll('svg')].map(e => e.getAttribute('aria-label'))")
    assert pictures == ["5 of 10 functions, 2 on shared memory",
                        "0 of 7 functions, 0 on shared memory"], pictures


# Texts that stick out of their boxes, and boxes of one parent that lie on each other.
LAYOUT = """(() => {
    const wrong = [];
    const name = e => e.tagName + '.' + e.className + ' ' + e.textContent.slice(0, 30);
    document.querySelectorAll('details').forEach(e => e.open = true);
    if (document.documentElement.scrollWidth > innerWidth)
        wrong.push('the page is ' + document.documentElement.scrollWidth + ' wide');
    for (const e of document.querySelectorAll('main *, header *')) {
        const box = e.getBoundingClientRect();
        if (box.width === 0 || e.closest('.wide'))
            continue;
        if (box.right > innerWidth + 1 || box.left < -1)
            wrong.push(name(e) + ' leaves the page');
        if (e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0 && !e.matches('.badge, select, input, option'))
            wrong.push(name(e) + ' is cut off');
    }
    for (const e of document.querySelectorAll('main, header, .stacks, .stack li, .filter, .numbers, .columns')) {
        const boxes = [...e.children].map(c => [c, c.getBoundingClientRect()])
            .filter(([c, b]) => b.width > 0 && c.tagName !== 'BR');
        for (let i = 0; i < boxes.length; i++)
            for (let j = i + 1; j < boxes.length; j++) {
                const [a, b] = [boxes[i][1], boxes[j][1]];
                if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
                    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1)
                    wrong.push(name(boxes[i][0]) + ' overlaps ' + name(boxes[j][0]));
            }
    }
    return wrong;
})()"""

# Contrast of every text with the nearest painted ground (WCAG 2), the least of them.
CONTRAST = """(() => {
    const parts = c => c.match(/[0-9.]+/g).map(Number);
    const light = c => parts(c).slice(0, 3).map(v => v / 255)
        .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const painted = c => parts(c).length < 4 || parts(c)[3] > 0;
    let least = 21, where = '';
    for (const e of document.querySelectorAll('body *')) {
        if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) ||
            e.offsetHeight === 0)
            continue;
        let ground = e;
        while (!painted(getComputedStyle(ground).backgroundColor))
            ground = ground.parentElement;
        const [a, b] = [getComputedStyle(e).color, getComputedStyle(ground).backgroundColor]
            .map(light).sort();
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < least)
            [least, where] = [ratio, e.className + ' ' + e.textContent.slice(0, 30)];
    }
    return [least, where];
})()"""


def test_the_header_says_what_ran_and_when(make, tmp_path):
    paths = ("/v/lib/python3.14t/site-packages/numpy/_core/_umath.cpython-314t-x86_64-linux-gnu.so",
             "/v/lib/python3.14t/site-packages/numpy/random/mt.so", "/src/tally.cpython-314t.so",
             "/v/lib/python3.14t/lib-dynload/_json.so")
    modules = [{"module": path, "functions": 2, "seen": 1, "shared": 1} for path in paths]
    log.write(tmp_path / "log", log.process(), log.engine(), log.coverage(modules=modules), log.end())
    page = make("log").read_text()
    header = page[page.index("<header"):page.index("</header>")]
    for words in ("CPython 3.13.5, ftsan 0.1.0, run at 2026-11-22T", "Native code of numpy, tally<",
                  "python -m pytest", "verdict"):
        assert words in header, header


@pytest.mark.parametrize("when, words", [("after", "Native code of numpy 2.5.5, scikit_learn 1.9.1, own<"),
                                         ("before", "Native code of numpy, sklearn, own<")])
def test_versions_are_those_of_what_was_installed_when_it_ran(make, tmp_path, when, words):
    """By the lists of files of the installations; not of one that came after the run."""
    site = tmp_path / "root" / "v" / "lib" / "python3.14t" / "site-packages"
    modules = ("numpy/_core/_umath.so", "numpy.libs/libblas-12ab.so", "sklearn/svm/_libsvm.so", "own.so")
    for name, lines in {"numpy-2.5.5": modules[:2], "scikit_learn-1.9.1": modules[2:3],
                        "numpy_quaternion-1.0": ["quaternion/x.so"], "empty-1": None}.items():
        (site / f"{name}.dist-info").mkdir(parents=True)
        if lines is not None:
            (site / f"{name}.dist-info" / "RECORD").write_text("".join(f"{line},sha256=x,1\n" for line in lines))
    inside = "/" + str(site.relative_to(tmp_path / "root"))
    seen = [{"module": f"{inside}/{name}", "functions": 2, "seen": 1, "shared": 1} for name in modules]
    # Mode latent samples no module: what it names are those of its findings.
    named = [log.module(entry["module"]) for entry in seen[2:]] + [log.module("/lib/libc.so.6")]
    began = time.time() + (60 if when == "after" else -60)
    log.write(tmp_path / "log", log.process(time=began), log.engine(), *named,
              log.coverage(modules=seen[:2] if when == "after" else seen), log.end(time=began + 1))
    page = make("log", "--sysroot", tmp_path / "root").read_text()
    header = page[page.index("<header"):page.index("</header>")]
    if when == "before":
        words = words.replace("numpy,", "numpy, numpy.libs,")
    assert words in header, header


@pytest.mark.parametrize("width", [1280, 800, 400])
@pytest.mark.parametrize("dark", [False, True])
def test_layout(make, tmp_path, browser, width, dark):
    campaign(tmp_path / "log")
    (tmp_path / "s").write_text("fingerprint:5555555555555555\n" + "race:" + "x" * 300 + "\n")
    log.write(tmp_path / "old", *log.run(log.finding("9" * 16)))
    browser.open(make("log", "--suppressions", "s", "--baseline", "old"), width=width, dark=dark)
    assert browser.run(LAYOUT) == []
    least, where = browser.run(CONTRAST)
    assert least >= 4.5, where
    ground = browser.run("getComputedStyle(document.body).backgroundColor")
    assert (max(map(int, re.findall(r"\d+", ground))) < 64) == dark
    stacks = browser.run("""[...document.querySelectorAll('.stacks')].map(e =>
        [...e.children].slice(0, 2).map(c => Math.round(c.getBoundingClientRect().top)))""")
    beside = [tops[0] == tops[1] for tops in stacks if len(tops) == 2]
    assert beside and all(beside) == (width > 720)


def test_the_script_is_sound(make, tmp_path):
    if shutil.which("node") is None:
        pytest.skip("no node to check the script's syntax")
    subprocess.run(["node", "--check", REPOSITORY / "tools" / "command" / "report" / "page" / "page.js"], check=True)
