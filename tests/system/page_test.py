#!/usr/bin/env python3
"""The status page in a real Chromium, of a made-up run that does what the test says."""

import os
import shutil
import tempfile
import unittest
from pathlib import Path

from web_support import Browser, DemoRun, closing_all, make_pictures, until

TOKEN = "a-token-of-some-length"

# Of every element that has words of its own: what it says, and the contrast of these words.
CONTRASTS = """
const rgb = color => color.match(/[\\d.]+/g).map(Number);
const light = color => {
  const [r, g, b] = rgb(color).slice(0, 3).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ground = element => {
  for (; element; element = element.parentElement) {
    const color = getComputedStyle(element).backgroundColor;
    if (rgb(color).length < 4 || rgb(color)[3] > 0) return color;
  }
  return "rgb(255, 255, 255)";
};
return [...document.querySelectorAll("body *")].filter(e => e.offsetParent !== null &&
    [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())).map(e => {
  const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort((x, y) => y - x);
  return [e.textContent.trim().slice(0, 30), (a + 0.05) / (b + 0.05)];
});
"""


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.browser = Browser()
        cls.addClassCleanup(cls.browser.close)
        cls.folder = Path(tempfile.mkdtemp(prefix="vsr-page-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        make_pictures(cls.folder)

    def setUp(self):
        self.browser.size(1280, 900)
        self.browser.theme("light")

    def start(self, *options, progress="0.42"):
        """A run and its server: whatever has a url, takes what tell() says, and ends by close()."""
        run = DemoRun(f"--pictures={self.folder}", *options)
        self.addCleanup(run.close)
        run.tell(f"progress {progress}")
        return run

    def show(self, *options, progress="0.42"):
        """A run, and the page that shows it."""
        run = self.start(*options, progress=progress)
        self.browser.open(run.url)
        self.wait_for("connection", "live")
        self.wait_for("title", f"{int(100 * float(progress))}%")
        self.wait_for_pictures()
        return run

    def wait_for(self, element, words):
        until(f"{words} in {element}", lambda: words in self.browser.text(element))

    def wait_for_pictures(self):
        until("pictures", lambda: self.browser.js(
            "return !compare.hidden && before.naturalWidth > 0 && after.naturalWidth > 0"))

    def keep_picture(self, name):
        folder = os.environ.get("VSR_TEST_PICTURES")
        if folder:
            self.browser.picture(Path(folder) / f"{name}.png")

    def test_tells_of_the_run_and_asks_nobody_else(self):
        run = self.show()
        self.assertEqual(self.browser.text("title"), "42% · film.mkv")
        self.assertEqual(self.browser.driver.title, "42% film.mkv – vsr-dist")
        self.assertIn("54% · 31,449 of 57,600 frames", self.browser.text("bars"))
        for words in ("working", "fps", "Free on disk"):
            self.assertIn(words, self.browser.text("facts"))
        self.assertIn("by the encoders", self.browser.text("limit"))
        self.assertIn("not heard of", self.browser.text("ranks"))
        self.assertIn("38.", self.browser.text("quality"))
        self.assertIn("42 percent", self.browser.text("summary"))
        self.assertEqual(self.browser.console(), [])
        others = [url for url in self.browser.requests() if not url.startswith((run.url, f"blob:{run.url}"))]
        self.assertEqual(others, [])

    def test_follows_the_run(self):
        run = self.show()
        run.tell("progress 0.5")
        self.wait_for("title", "50%")
        run.tell("notice cluster: rank 3 is slow")
        self.wait_for("notices", "cluster: rank 3 is slow")
        run.tell("fail on")
        self.wait_for("connection", "stale")
        self.assertTrue(self.browser.js("return document.querySelector('main').classList.contains('old')"))
        run.tell("fail off")
        self.wait_for("connection", "live")
        self.assertFalse(self.browser.js("return document.querySelector('main').classList.contains('old')"))
        run.tell("message the disk is full")
        run.tell("state failed")
        self.wait_for("connection", "run over: failed")
        self.wait_for("message", "the disk is full")
        run.tell("state done")
        self.wait_for("films", "film_pitchOK.mkv")

    def test_a_server_that_is_gone_is_looked_for_again(self):
        run = self.show()
        port = run.url.rstrip("/").rsplit(":", 1)[1]
        run.close()
        self.wait_for("connection", "does not answer")
        again = DemoRun(f"--listen=127.0.0.1:{port}", "--segments=50")
        with closing_all(again):
            self.wait_for("connection", "live")
            again.tell("state done")
            self.wait_for("connection", "run over: done")
        self.wait_for("connection", "its server is gone")

    def test_shows_before_and_after(self):
        self.show()
        latest = self.browser.text("segment").split(" · ")[0]
        self.browser.js("slider.focus()")
        self.browser.press(*[self.browser.keys.ARROW_RIGHT] * 10)
        self.assertEqual(self.browser.js("return after.style.clipPath"), "inset(0px 0px 0px 60%)")
        self.assertEqual(self.browser.js("return slider.getAttribute('aria-valuetext')"), "60% before, 40% after")
        self.assertEqual(self.browser.js("return before.naturalWidth"), 1280)

        self.browser.click("detail")
        until("the detail", lambda: self.browser.js("return after.naturalWidth") == 400)
        self.assertEqual(self.browser.js("return after.clientWidth"), 400, "pixel by pixel")
        self.browser.click("worst")
        until("the worst frame", lambda: "The worst frame" in self.browser.js("return after.alt"))

        self.browser.click("previous")
        self.assertEqual(self.browser.js("return document.getElementById('latest').getAttribute('aria-pressed')"), "false")
        self.assertNotEqual(self.browser.text("segment").split(" · ")[0], latest)
        self.browser.click("latest")
        self.wait_for("segment", latest)

    def test_the_map_is_walked_by_keys(self):
        self.show()
        keys = self.browser.keys
        self.browser.js("map.focus()")
        self.browser.press(keys.HOME)
        self.wait_for("segment", "Segment 0 ·")
        self.browser.press(keys.ARROW_RIGHT, keys.ARROW_RIGHT, keys.ARROW_LEFT)
        self.wait_for("segment", "Segment 1 · frames 480 to 959 · done")
        self.browser.press(keys.ARROW_DOWN)
        columns = self.browser.js("return getComputedStyle(map).gridTemplateColumns.split(' ').length")
        self.wait_for("segment", f"Segment {1 + columns} ·")
        self.browser.press(keys.END)
        self.wait_for("segment", "Segment 119 · frames 57,120 to 57,599 · waiting")
        self.wait_for("no-picture", "Segment 119 has no such pictures yet")
        selected = self.browser.js("return document.getElementById(map.getAttribute('aria-activedescendant')).ariaLabel")
        self.assertEqual(selected, "Segment 119: waiting")
        self.browser.js("map.children[7].click()")
        self.wait_for("segment", "Segment 7 ·")

    def test_many_segments_share_cells(self):
        self.show("--segments=5000", "--ranks=16")
        self.assertEqual(self.browser.js("return map.children.length"), 1667)
        self.assertEqual(self.browser.js("return map.children[0].ariaLabel"), "Segments 0 to 2: done")
        self.assertEqual(self.browser.js("return map.lastChild.ariaLabel"), "Segments 4998 to 4999: waiting")

    def test_fits_a_phone_in_both_themes_with_contrast(self):
        run = self.show("--segments=312", progress="0.425")
        run.tell("notice " + "a_word_without_an_end" * 10)
        self.wait_for("notices", "a_word")
        for theme in ("light", "dark"):
            for width, height in ((360, 800), (1280, 900)):
                self.browser.theme(theme)
                self.browser.size(width, height)
                until("the size", lambda: self.browser.js("return innerWidth") == width)
                self.assertLessEqual(self.browser.js("return document.documentElement.scrollWidth"), width)
                low = [found for found in self.browser.js(CONTRASTS) if found[1] < 4.5]
                self.assertEqual(low, [], f"{theme}, {width}")
                self.keep_picture(f"{theme}-{width}")
        small = self.browser.js("""return [...document.querySelectorAll("button, input, .map > div")]
            .filter(e => e.offsetParent !== null && Math.min(e.offsetWidth, e.offsetHeight * 1.5) < 24).length""")
        self.assertEqual(small, 0, "too small for fingers")
        grounds = []
        for theme in ("light", "dark"):
            self.browser.theme(theme)
            grounds.append(self.browser.js("return getComputedStyle(document.body).backgroundColor"))
        self.assertNotEqual(*grounds)

    def test_moves_nothing_for_those_who_do_not_want_it(self):
        self.browser.theme("light", motion="reduce")
        self.show()
        moving = self.browser.js("""return [...document.querySelectorAll("*")].filter(
            e => getComputedStyle(e).transitionDuration !== "0s" && getComputedStyle(e).transitionProperty !== "none").length""")
        self.assertEqual(moving, 0)

    def test_is_read_aloud_and_reached_by_tab(self):
        self.show()
        nodes = self.browser.accessible()
        for wanted in [("heading", "42% · film.mkv"), ("heading", "Progress"), ("heading", "Before and after"),
                       ("heading", "Segments"), ("heading", "Ranks"), ("heading", "Rank 0 on pod-0"),
                       ("progressbar", "Upscaled"), ("progressbar", "Encoded"), ("meter", "GPU memory"),
                       ("listbox", "Segments"), ("option", "Segment 0: done"), ("button", "Detail 1:1"),
                       ("slider", "Where before ends and after begins"), ("region", "Speed")]:
            self.assertIn(wanted, nodes)
        pictures = [name for role, name in nodes if role in ("image", "img")]
        self.assertEqual(len(pictures), 4, pictures)  # two pictures, two charts
        self.assertTrue(all(pictures), "every picture says what it is")
        nameless = [node for node in nodes if node[0] in ("button", "slider", "listbox", "option", "meter") and not node[1]]
        self.assertEqual(nameless, [])

        self.browser.js("document.activeElement.blur()")
        reached = []
        for _ in range(8):
            self.browser.press(self.browser.keys.TAB)
            focused = self.browser.js("""const e = document.activeElement;
                return [e.id, e.matches(":focus-visible") && getComputedStyle(e).outlineStyle !== "none"]""")
            reached.append(focused)
        self.assertEqual(reached[:7], [[name, True] for name in
                                       ("slider", "latest", "previous", "next", "detail", "worst", "map")])

    def test_what_the_run_says_is_text_and_nothing_else(self):
        run = self.show()
        evil = '<img src=x onerror="document.title=1"><script>document.title=2</script>'
        run.tell(f"film {evil}")
        run.tell(f"message {evil}")
        run.tell(f"notice {evil}")
        self.wait_for("notices", evil)
        self.assertEqual(self.browser.text("title"), f"42% · {evil}")
        self.assertEqual(self.browser.js("return document.querySelectorAll('img').length"), 2)
        self.assertIn("–", self.browser.driver.title)
        self.assertEqual(self.browser.console(), [])

    def test_scripts_of_others_are_not_run(self):
        self.show()
        self.browser.js("""const script = document.createElement("script");
            script.textContent = "document.body.dataset.evil = 1"; document.body.append(script)""")
        self.assertIsNone(self.browser.js("return document.body.dataset.evil"))

    def test_asks_for_the_token(self):
        run = self.start(f"--token={TOKEN}")
        self.browser.open(run.url)
        until("the question", lambda: self.browser.js("return !ask.hidden && document.activeElement.id === 'token'"))
        self.browser.press("no", self.browser.keys.ENTER)
        self.wait_for("ask-why", "refused")
        self.browser.press(TOKEN, self.browser.keys.ENTER)
        self.wait_for("connection", "live")
        self.wait_for_pictures()
        self.browser.open(run.url)  # the tab remembers it
        self.wait_for("connection", "live")

    def test_takes_the_token_out_of_the_address(self):
        run = self.start(f"--token={TOKEN}")
        self.browser.open(f"{run.url}#token={TOKEN}")
        self.wait_for("connection", "live")
        self.assertEqual(self.browser.driver.current_url, run.url)
        self.wait_for_pictures()
        self.assertFalse([url for url in self.browser.requests() if "token" in url.split("#")[0]])


if __name__ == "__main__":
    unittest.main(verbosity=2)
