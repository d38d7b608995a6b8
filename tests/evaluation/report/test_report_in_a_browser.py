"""The page as it is seen: in a browser, at a desk and on a phone, light and dark."""

import pytest
from browser import Browser
from results_for_tests import results

from kerascola.evaluation.report.figures import drawing, drawn
from kerascola.evaluation.report.markup import plain
from kerascola.evaluation.report.page import page

LONG = "a name that goes on and on and on/" * 6 + "x" * 120
PAGES = {
    "few": lambda: results(["<b>owl</b>", '"drum" & rain', "$x$"], points=30),
    "many": lambda: results(
        [f"class {n} {LONG[: n % 240]}" for n in range(100)], given=8, points=3000, path=LONG + "{n}"
    ),
}
SCHEMES = [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def pages(browser, tmp_path_factory):
    """Their files, made when they are asked for; without PNGs, which no page holds."""
    made = {}

    def file(name: str):
        if name not in made:
            data = plain(PAGES[name]())
            for one in data["encoders"] if name == "many" else []:
                one["name"], one["of"] = (f"{name} {LONG}" if name else None for name in (one["name"], one["of"]))
            made[name] = tmp_path_factory.mktemp(name) / "report.html"
            with drawing():
                made[name].write_text(page(data, drawn(data)), encoding="utf-8")
        return made[name]

    return file


@pytest.fixture(autouse=True)
def nothing_heard_yet(browser):
    browser.wrong.clear()
    browser.asked.clear()


def test_the_browser_tells_what_is_wrong(browser, tmp_path):
    """Else the tests below would say nothing."""
    file = tmp_path / "bad.html"
    outside = "https://elsewhere.example/a"
    file.write_text(f"<div style='width:2000px'>x</div><img src='{outside}'><script>console.error(1); no()</script>")
    browser.open(file, 390)
    browser.run("new Promise((done) => setTimeout(done, 100))")
    assert browser.asked == [outside] and len(browser.wrong) == 3
    assert browser.run("document.documentElement.scrollWidth") > 390


@pytest.mark.parametrize("width, scheme", SCHEMES)
@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_wrong_or_asked_for_or_too_wide(browser, pages, name, width, scheme):
    browser.open(pages(name), width, scheme)
    browser.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run(f"matchMedia('(prefers-color-scheme: {scheme})').matches")
    assert browser.run("document.images.length + document.querySelectorAll('svg').length") > 5
    assert not browser.wrong and not browser.asked


TEXTS = """
(() => {
  const found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode.parentElement, look = getComputedStyle(node);
    const seen = node.checkVisibility() && node.getBoundingClientRect().width > 1;
    if (walk.currentNode.data.trim() && seen && !node.closest("script, style")) found.push([node, look]);
  }
  return found;
})()
"""


@pytest.mark.parametrize("name", PAGES)
def test_text_is_large_enough_on_a_phone(browser, pages, name):
    browser.open(pages(name), 390)
    sizes = f"{TEXTS}.filter(([node]) => !node.closest('svg')).map(([node, look]) => parseFloat(look.fontSize))"
    found = browser.run(sizes)
    assert len(found) > 100 and min(found) >= 12
    shown = "text.getScreenCTM().d * parseFloat(getComputedStyle(text).fontSize)"
    figures = browser.run(f"[...document.querySelectorAll('svg text')].map((text) => {shown})")
    assert figures and all(abs(size) < 0.1 or size >= 9 for size in figures)  # what is turned has no height


CONTRAST = """
  const level = (c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * level(r) + 0.7152 * level(g) + 0.0722 * level(b);
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  function behind(node) {
    for (; node; node = node.parentElement) {
      const [r, g, b, a = 1] = numbers(getComputedStyle(node).backgroundColor);
      if (a === 1) return [r, g, b];
    }
  }
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out(browser, pages, scheme):
    browser.open(pages("few"), 1280, scheme)
    browser.run("document.querySelector('.map').focus()")
    pairs = f"""{TEXTS}.map(([node, look]) => {{
      {CONTRAST}
      const [a, b] = [light(numbers(node.closest("svg") ? look.fill : look.color)), light(behind(node))];
      return [node.textContent, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)];
    }})"""
    found = browser.run(pairs)
    assert len(found) > 100 and not [(said, ratio) for said, ratio in found if ratio < 4.5]


def points(browser) -> dict:
    return browser.run("JSON.parse(document.getElementById('points').textContent)")


def move(browser, point: int, kind: str = "pointermove") -> None:
    """The pointer, to that clip."""
    browser.run(f"""(() => {{
      const svg = document.querySelector(".map svg"), frame = svg.getBoundingClientRect(), box = svg.viewBox.baseVal;
      const all = JSON.parse(document.getElementById("points").textContent);
      const clientX = frame.left + all.x[{point}] / box.width * frame.width;
      const clientY = frame.top + all.y[{point}] / box.height * frame.height;
      const target = document.elementFromPoint(clientX, clientY) || svg;
      svg.dispatchEvent(new PointerEvent("{kind}", {{ clientX, clientY, bubbles: true, pointerType: "mouse" }}));
    }})()""")


def told(browser) -> list[str] | None:
    return browser.run(
        "(() => { const tip = document.querySelector('.tip'); "
        "return tip.checkVisibility() ? [...tip.children].map((part) => part.textContent) : null; })()"
    )


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("kind", ["pointermove", "pointerdown"])
def test_pointing_at_a_clip_names_it(browser, pages, width, kind):
    browser.open(pages("few"), width)
    assert told(browser) is None
    found = points(browser)
    apart = [
        i
        for i, (x, y) in enumerate(zip(found["x"], found["y"], strict=True))
        if not any(i != j and (x - found["x"][j]) ** 2 + (y - found["y"][j]) ** 2 < 40 for j in range(len(found["x"])))
    ]
    assert {found["said"][i] is None for i in apart} == {True, False}
    for i in apart:
        move(browser, i, kind)
        said = "" if found["said"][i] is None else f"taken for {found['said'][i]}"
        assert told(browser) == [found["kinds"][found["kind"][i]], said, found["clip"][i]]
        frame, tip, ring = (
            browser.run(f"document.querySelector('{what}').getBoundingClientRect().toJSON()")
            for what in (".map", ".tip", ".here")
        )
        assert frame["left"] - 1 <= tip["left"] and tip["right"] <= frame["right"] + 1
        at = found["x"][i] / 960 * (frame["width"] - 2) + frame["left"] + 1
        assert abs((ring["left"] + ring["right"]) / 2 - at) < 1.5
    browser.run(
        "document.querySelector('.map').dispatchEvent(new PointerEvent('pointerleave', { pointerType: 'mouse' }))"
    )
    assert told(browser) is None
    assert browser.run("document.documentElement.scrollWidth") <= width and not browser.wrong


def press(browser, key: str) -> None:
    for kind in ("keyDown", "keyUp"):
        browser.call("Input.dispatchKeyEvent", type=kind, key=key)


def test_keys_step_from_clip_to_clip(browser, pages):
    browser.open(pages("few"), 1280)
    found = points(browser)
    order = sorted(range(len(found["x"])), key=lambda i: found["x"][i])
    browser.run("document.querySelector('.map').focus()")
    for key, place in (
        ("ArrowRight", 0),
        ("ArrowRight", 1),
        ("ArrowRight", 2),
        ("ArrowLeft", 1),
        ("ArrowLeft", 0),
        ("ArrowLeft", -1),
    ):
        press(browser, key)
        assert told(browser)[2] == found["clip"][order[place]]
    press(browser, "Escape")
    assert told(browser) is None


def test_the_legend_leaves_the_chosen_classes(browser, pages):
    browser.open(pages("few"), 1280)
    found = points(browser)
    buttons = "[...document.querySelectorAll('.legend button')]"
    faint = "[...document.querySelectorAll('.map g')].map((group) => getComputedStyle(group).opacity < 0.5)"
    assert browser.run(f"{buttons}.map((one) => one.querySelector('span').textContent)") == found["kinds"]
    assert browser.run(faint) == [False] * 3
    browser.run(f"{buttons}[1].click()")
    assert browser.run(faint) == [True, False, True]
    assert browser.run(f"{buttons}.map((one) => one.getAttribute('aria-pressed'))") == ["false", "true", "false"]
    here, other = (next(i for i, kind in enumerate(found["kind"]) if (kind == 1) == is_it) for is_it in (True, False))
    move(browser, here)
    assert told(browser)[2] == found["clip"][here]
    move(browser, other)
    assert told(browser) is None or told(browser)[0] == found["kinds"][1]  # never one that is left out
    browser.run(f"{buttons}[2].click()")
    assert browser.run(faint) == [True, False, False]
    browser.run(f"{buttons}[1].click(); {buttons}[2].click()")
    assert browser.run(faint) == [False] * 3


def test_sounds_can_be_played(browser, pages):
    browser.open(pages("few"), 1280)
    seconds = """Promise.all([...document.querySelectorAll("audio")].map((sound) => new Promise((done, failed) => {
      sound.onloadedmetadata = () => done(sound.duration);
      sound.onerror = () => failed(sound.error.message);
      sound.preload = "metadata";
      sound.load();
    })))"""
    found = browser.run(seconds)
    assert len(found) == 8 * 5 + 3 * 3 and all(abs(duration - 0.1) < 0.01 for duration in found)


def test_without_scripts_all_is_there_but_hovering(browser, pages):
    browser.open(pages("few"), 390, scripts=False)
    tree = browser.call("DOMSnapshot.captureSnapshot", computedStyles=[])
    said = "\n".join(tree["strings"])
    for words in ("taken for", "Every metric", "<b>owl</b>", "Learning curves", "effective rank"):
        assert words in said
    assert browser.call("Page.getLayoutMetrics")["cssContentSize"]["width"] <= 390
    assert not browser.wrong and not browser.asked


def test_headings_are_in_order_and_parts_are_named(browser, pages):
    browser.open(pages("few"), 1280)
    levels = browser.run("[...document.querySelectorAll('h1, h2, h3, h4')].map((one) => Number(one.tagName[1]))")
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b - a <= 1 for a, b in zip(levels, levels[1:], strict=False))
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    named = {"image", "region", "button", "Audio", "link", "table"}
    for node in nodes:
        if not node.get("ignored") and node["role"]["value"] in named - {"table"}:
            assert node.get("name", {}).get("value"), node
    roles = [node["role"]["value"] for node in nodes if not node.get("ignored")]
    assert {"image", "region", "button", "Audio", "columnheader", "rowheader", "navigation", "main"} <= set(roles)
