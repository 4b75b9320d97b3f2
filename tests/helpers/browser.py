"""A real Chromium without a window, as a person with a keyboard uses it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

BINARY, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
needs_chromium = pytest.mark.skipif(
    not (BINARY and DRIVER),
    reason="Chromium is missing: install Debian's packages chromium and chromium-driver",
)


class Browser:
    """One window, and what a test does and sees in it."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def resize(self, width: int, height: int) -> None:
        """Give the window a size; a phone's is smaller than Chromium lets a window be."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def find(self, selector: str) -> WebElement:
        """The first element that a CSS selector names."""
        return self.driver.find_element("css selector", selector)

    def text(self, selector: str) -> str:
        """The text of an element as it is seen."""
        return self.find(selector).text

    def run(self, script: str) -> Any:
        """Evaluate JavaScript."""
        return self.driver.execute_script(script)

    def press(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        self.driver.switch_to.active_element.send_keys(*keys)

    def tab_to(self, selector: str) -> None:
        """Press the tab key until an element has the focus."""
        for _ in range(20):
            if self.run(f"return document.activeElement.matches({selector!r})"):
                return
            self.press(Keys.TAB)
        raise AssertionError(f"the tab key does not lead to {selector}")

    def until(self, true: Any, seconds: float = 20) -> Any:
        """Wait until something is true."""
        return WebDriverWait(self.driver, seconds, 0.1).until(lambda _: true())

    def overflow(self) -> int:
        """How many pixels the page is wider than the window."""
        width: int = self.run("return document.documentElement.scrollWidth - innerWidth")
        return max(0, width)

    def complaints(self) -> list[str]:
        """What the console holds since it was asked last."""
        return [entry["message"] for entry in self.driver.get_log("browser")]


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Start Debian's Chromium, and end it afterwards; nothing is downloaded."""
    options = webdriver.ChromeOptions()
    options.binary_location = BINARY or ""
    for word in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(executable_path=DRIVER))
    try:
        yield Browser(driver)
    finally:
        driver.quit()
