"""A headless Chromium that is used with the keyboard."""

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
        """Set the size of the viewport; that of a phone is smaller than Chromium's smallest window."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def find(self, selector: str) -> WebElement:
        """Return the first element that matches a CSS selector."""
        return self.driver.find_element("css selector", selector)

    def text(self, selector: str) -> str:
        """Return the visible text of an element."""
        return self.find(selector).text

    def run(self, script: str) -> Any:
        """Evaluate JavaScript."""
        return self.driver.execute_script(script)

    def press(self, *keys: str) -> None:
        """Press keys in the element that has the focus."""
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
        """Return by how many pixels the page is wider than the window."""
        width: int = self.run("return document.documentElement.scrollWidth - innerWidth")
        return max(0, width)

    def complaints(self) -> list[str]:
        """Return the messages of the console since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser")]


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Run the Chromium of Debian; nothing is downloaded."""
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
