"""Takes the pictures of the documentation from a running portal, in a real Chromium.

    python docs/pictures.py http://127.0.0.1:8000 cell1 --password-file var/admin-password

Writes overview.png, dashboard-light.png, dashboard-dark.png, phone.png, drawer.png and time-line.png into
docs/pictures/; `--into` writes them elsewhere. The time line is put back by a minute: something should have happened.
"""

import argparse
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

HERE = Path(__file__).resolve().parent
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PICTURES = (  # name, colour scheme, width, height, device pixels per CSS pixel
    ("overview", "light", 1440, 700, 1),
    ("dashboard-light", "light", 1440, 1130, 1),
    ("dashboard-dark", "dark", 1440, 1130, 1),
    ("drawer", "light", 1440, 1000, 1),
    ("time-line", "dark", 1440, 1000, 1),
    ("phone", "light", 390, 844, 2),
)
MINUTE_AGO = 1000 - 1000 * 60 // 900  # of a slider that spans a quarter of an hour


def main() -> int:
    options = _options()
    password = options.password_file.read_text().strip()
    options.into.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.chromium, args=ARGUMENTS)
        for name, scheme, width, height, scale in PICTURES:
            path = options.into / f"{name}.png"
            page = _page(browser, scheme, width, height, scale)
            where = "/" if name == "overview" else f"/cells/{options.cell}/"
            _log_in(page, options.portal, options.user, password, where)
            page.wait_for_selector('#badge[data-status="live"]')
            page.wait_for_timeout(2500)  # until figures are there
            _go(page, name)
            page.screenshot(path=str(path))
            print(f"{path}: {path.stat().st_size // 1024} KiB")
        browser.close()
    return 0


def _go(page: Page, name: str) -> None:
    """To what the picture shows."""
    if name == "drawer":
        page.fill("#filter", "compute")
        page.focus("#map")
        for key in ("Home", "ArrowDown", "ArrowRight", "Enter"):
            page.keyboard.press(key)
        page.wait_for_selector("#drawer .facts code")
        page.fill("#try-vcpus", "500")
        page.press("#try-vcpus", "Enter")
        page.wait_for_selector("#drawer .tester [role=status]:not(:empty)")
        page.wait_for_timeout(1500)
    elif name == "time-line":
        page.locator("#when").fill(str(MINUTE_AGO))
        page.wait_for_selector('#badge[data-status="past"]')
        page.wait_for_timeout(500)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("portal", help="its address")
    parser.add_argument("cell")
    parser.add_argument("--user", default="admin")
    parser.add_argument("--password-file", type=Path, default=Path("var/admin-password"))
    parser.add_argument("--into", type=Path, default=HERE / "pictures")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    return parser.parse_args()


def _page(browser: Browser, scheme: str, width: int, height: int, scale: int) -> Page:
    context = browser.new_context(
        viewport={"width": width, "height": height},
        device_scale_factor=scale,
        color_scheme="dark" if scheme == "dark" else "light",
        has_touch=width < 500,
    )
    return context.new_page()


def _log_in(page: Page, portal: str, user: str, password: str, path: str) -> None:
    page.goto(f"{portal}{path}")
    page.fill("#id_username", user)
    page.fill("#id_password", password)
    page.click("form.login button")
    page.wait_for_url(f"{portal}{path}")


if __name__ == "__main__":
    sys.exit(main())
