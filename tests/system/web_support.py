"""A browser and a run to look at, for tests of the status page; the tools are those of tests/support/get-web-tools."""

import base64
import contextlib
import functools
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

from film_support import CLIP, PROGRAM, SOURCE

TOOLS = SOURCE / ".deps/web-tools"
SELENIUM = SOURCE / ".deps/selenium"
DEMO = PROGRAM.parent / "status_page_demo"
# More than a machine ten times slower takes for any one thing.
PATIENCE_S = 60
KINDS = ["before", "after", "detail-before", "detail-after"]


def tools_environment():
    """For the tools themselves; the libraries there are only those that the system does not have."""
    libraries = [str(path) for lib in ("usr/lib", "lib") for path in TOOLS.glob(f"{lib}/*-linux-gnu")]
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(libraries), "PATH": f"{TOOLS}/usr/bin:{os.environ['PATH']}"}


def tool(name):
    """Full path of a program, unpacked or of the system; skips the test where there is none."""
    path = shutil.which(name, path=tools_environment()["PATH"])
    if path is None:
        raise unittest.SkipTest(f"no {name}: tests/support/get-web-tools could not fetch it")
    return path


def until(what, condition):
    """Waits for what `condition` returns to be true, and returns it."""
    end = time.monotonic() + PATIENCE_S
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {PATIENCE_S} s: {what}")
        time.sleep(0.05)


class DemoRun:
    """A made-up run behind a real server (tests/status/status_page_demo.cpp)."""

    def __init__(self, *options):
        self.process = subprocess.Popen([str(DEMO), *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if not select.select([self.process.stdout], [], [], PATIENCE_S)[0]:
            raise AssertionError(f"no word of the demo within {PATIENCE_S} s")
        line = self.process.stdout.readline()
        if not line.startswith("status page: "):
            raise AssertionError(f"the demo did not start: {line}")
        self.url = line.split(": ", 1)[1].strip()

    def tell(self, line):
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def close(self):
        """It ends with its input."""
        self.process.stdin.close()
        self.process.stdout.close()
        try:
            self.process.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


def get(url, token=None):
    """(status, headers, body)"""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def make_pictures(folder):
    """Previews of each kind, of a real clip: before is what a bicubic filter makes of a quarter of the size."""
    whole = "scale=1280:720"
    detail = "crop=400:300:300:200"
    blur = "scale=iw/4:ih/4:flags=area,scale=iw*4:ih*4:flags=bicubic"
    for kind in KINDS:
        filters = [whole, *([blur] if "before" in kind else []), *([detail] if "detail" in kind else [])]
        for name, seconds in ((kind, "0"), (f"worst-{kind}", "0.4")):
            subprocess.run(["ffmpeg", "-v", "error", "-y", "-ss", seconds, "-i", str(CLIP), "-vf", ",".join(filters),
                            "-frames:v", "1", str(folder / f"{name}.jpg")], check=True, stdin=subprocess.DEVNULL)


class Browser:
    """Chromium without a window, by Selenium; with what it loads, says on its console, and how it is emulated."""

    def __init__(self):
        if not SELENIUM.is_dir():
            raise unittest.SkipTest("no Selenium: tests/support/get-web-tools could not fetch it")
        sys.path.insert(0, str(SELENIUM))
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        self.folder = tempfile.TemporaryDirectory(prefix="vsr-browser-")
        options = webdriver.ChromeOptions()
        # The wrapper beside it looks for things that only an installation has.
        unpacked = TOOLS / "usr/lib/chromium/chromium"
        options.binary_location = str(unpacked) if unpacked.exists() else tool("chromium")
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                         "--disable-background-networking", "--disable-component-update", "--no-first-run",
                         f"--user-data-dir={self.folder.name}"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        service = Service(tool("chromedriver"), env={**tools_environment(), "SE_OFFLINE": "true"})
        self.driver = webdriver.Chrome(options=options, service=service)
        self.driver.set_script_timeout(PATIENCE_S)

    def close(self):
        self.driver.quit()
        self.folder.cleanup()

    def open(self, url):
        self.driver.get("about:blank")
        for log in ("browser", "performance"):
            self.driver.get_log(log)
        self.driver.get(url)

    def js(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def text(self, element_id):
        return self.js("return document.getElementById(arguments[0]).textContent", element_id)

    def click(self, element_id):
        self.js("document.getElementById(arguments[0]).click()", element_id)

    def size(self, width, height):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                    dict(width=width, height=height, deviceScaleFactor=1, mobile=width < 600))

    def theme(self, scheme, motion="no-preference"):
        features = [dict(name="prefers-color-scheme", value=scheme), dict(name="prefers-reduced-motion", value=motion)]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", dict(features=features))

    def picture(self, path, whole=True):
        """Of the whole page, or of what is to be seen of it."""
        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", dict(format="png", captureBeyondViewport=whole))
        Path(path).write_bytes(base64.b64decode(shot["data"]))

    def press(self, *keys):
        from selenium.webdriver.common.action_chains import ActionChains

        for key in keys:
            ActionChains(self.driver).send_keys(key).perform()

    @functools.cached_property
    def keys(self):
        from selenium.webdriver.common.keys import Keys

        return Keys

    def console(self):
        """What it complained of since open()."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]

    def requests(self):
        """Addresses that were asked for since open()."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [message["params"]["request"]["url"] for message in messages
                if message["method"] == "Network.requestWillBeSent"]

    def accessible(self):
        """[(role, name)…] as a screen reader has them."""
        self.driver.execute_cdp_cmd("Accessibility.enable", {})
        nodes = self.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        return [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if not node["ignored"]]


@contextlib.contextmanager
def closing_all(*things):
    try:
        yield things
    finally:
        for thing in reversed(things):
            thing.close()
