"""The page in a browser: what a person does, from choosing a picture to the download."""

import importlib.util
import pathlib

import pytest

_SPEC = importlib.util.spec_from_file_location("webdriver", pathlib.Path(__file__).with_name("webdriver.py"))
webdriver = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(webdriver)

pytestmark = pytest.mark.skipif(not webdriver.is_there(), reason="no Chromium with chromedriver")

READY = "document.querySelectorAll('#styles .pick').length == 5 && !document.querySelector('#strength').disabled"
OUTPUT = "document.querySelector('#output').toDataURL()"


@pytest.fixture(scope="module")
def browser():
    with webdriver.Browser(1280, 1000) as opened:
        yield opened


@pytest.fixture
def page(browser, address):
    """The page, with its first example translated."""
    browser.open(address)
    browser.wait(READY)
    return browser


def changed(page, before: str) -> str:
    """What is shown once it is another picture and all is done."""
    page.wait(f"({OUTPUT} != {before!r}) && {READY}")
    return page.run(f"return {OUTPUT}")


def text(page, selector: str) -> str:
    return page.run(f"return document.querySelector({selector!r}).innerText")


def test_a_change_is_seen_at_first_sight_and_each_target_is_a_click(page, studio):
    example = next(iter(studio.shelf.examples.values()))
    shown = studio.targets(example)
    held = page.run(
        "return [...document.querySelectorAll('#attributes input:checked')].map(i => i.value).filter(Boolean)"
    )
    assert set(held) == set(shown["targets"][shown["boldest"]]["attributes"]) != set(example.seen)
    tiles = "[...document.querySelectorAll('#targets .pick')]"
    pressed = f"return {tiles}.findIndex(tile => tile.ariaPressed == 'true')"
    assert page.run(f"return {tiles}.length") == len(shown["targets"]) and page.run(pressed) == shown["boldest"]
    other = (shown["boldest"] + 1) % len(shown["targets"])
    before = page.run(f"return {OUTPUT}")
    page.click(f"#targets .pick:nth-child({other + 1})")
    changed(page, before)
    assert page.run(pressed) == other
    assert text(page, "#target") == page.run(f"return {tiles}[{other}].title")


def test_what_was_switched_is_said_and_what_was_not(page, studio):
    example = next(iter(studio.shelf.examples.values()))
    for name in studio.schema.names:
        page.run(
            "const i = document.querySelector(`#attributes input[value=" + name + "]`);"
            "if (i.type == 'checkbox' && i.checked != " + str(name in example.seen).lower() + ") i.click()"
        )
    page.click("#attributes [type=radio][value='Blond_Hair']")
    page.click("#attributes [role=switch][value=Young]")
    page.wait(READY)
    young = "Young off" if "Young" in example.seen else "Young on"
    assert text(page, "#target").startswith("Blond Hair") is ("Blond_Hair" not in example.seen)
    assert young in text(page, "#target") and "Male" not in text(page, "#target")
    assert ("Male" if "Male" in example.seen else "not Male") in text(page, "#stays")


def test_before_and_after_are_one_picture_with_a_line_between(page):
    page.type("#divider", "\ue011")  # Home
    assert page.run("return getComputedStyle(document.querySelector('#input')).clipPath") == "inset(0px 100% 0px 0px)"
    page.type("#divider", "\ue010")  # End
    assert page.run("return document.querySelector('#divider').ariaValueText") == "100 % before, 0 % after"


def test_the_square_of_a_picture_is_chosen_by_keys(page, picture, tmp_path):
    (tmp_path / "wide.png").write_bytes(picture(80, 40, seed=8))
    before = page.run(f"return {OUTPUT}")
    page.type("#file", str(tmp_path / "wide.png"))
    before = changed(page, before)
    page.click("#crop")
    page.type("#square", "\ue012" * 60 + "-" * 10)  # Left
    page.click("#cut")
    changed(page, before)
    described = (
        "const r = new XMLHttpRequest(); r.open('GET', document.querySelector('#input').src.slice(0, -4), false);"
    )
    assert page.run(described + "r.send(); return JSON.parse(r.responseText).box") == [10, 10, 30, 30]


def test_fingers_meet_targets_of_44_pixels(address):
    with webdriver.Browser(390, 840) as phone:
        phone.open(address)
        phone.wait(READY)
        phone.run("document.querySelector('#several').open = true")
        small = phone.run(
            "return [...document.querySelectorAll('button, a, summary, .choice, .drop, [type=range]')]"
            ".map(e => [e.outerHTML, e.getBoundingClientRect()])"
            ".filter(([, r]) => r.width && (r.height < 44 || r.width < 44)).map(([e]) => e)"
        )
        assert small == []


def test_a_click_on_an_attribute_changes_the_picture(page, studio):
    before = page.run(f"return {OUTPUT}")
    page.click("#attributes [role=switch][value=Male]")
    after = changed(page, before)
    page.click("#attributes [role=switch][value=Male]")
    assert changed(page, after) == before
    assert page.complaints() == []


def test_groups_exclude_and_can_be_left_empty(page):
    for value in ("Black_Hair", "Blond_Hair", ""):
        page.click(f"#attributes [type=radio][value='{value}']")
        page.wait(READY)
        radios = "return [...document.querySelectorAll('[type=radio]:checked')].map(i => i.value)"
        assert page.run(radios) == [value]


def test_an_uploaded_picture_is_shown_translated_and_can_be_had(page, picture, tmp_path):
    (tmp_path / "my photo.png").write_bytes(picture(64, 48, seed=7))
    before = page.run(f"return {OUTPUT}")
    page.type("#file", str(tmp_path / "my photo.png"))
    changed(page, before)
    assert "A square of 64 × 48 pixels" in page.run("return document.querySelector('#size').innerText")
    download = page.run("const a = document.querySelector('#download'); return [a.download, a.href]")
    assert download[0].startswith("my photo.") and download[1].startswith("data:image/png")
    status = page.run(
        "const a = document.querySelector('#photograph');"
        "const r = new XMLHttpRequest(); r.open('GET', a.href, false); r.send();"
        "return [r.status, r.getResponseHeader('Content-Type'), a.hidden]"
    )
    assert status == [200, "image/jpeg", False]


def test_the_slider_shows_the_way(page):
    last = page.run(f"return {OUTPUT}")
    page.type("#strength", "\ue011")  # Home
    first = changed(page, last)
    assert page.run("return document.querySelector('#share').innerText") == "0 %"
    assert "reconstruction" in page.run("return document.querySelector('#strength').ariaValueText")
    assert "strength=0" in page.run("return document.querySelector('#photograph').href")
    page.type("#strength", "\ue010")  # End
    assert changed(page, first) == last


def test_other_styles_are_drawn_and_chosen(page):
    typical = page.run(f"return {OUTPUT}")
    page.click("#draw")
    page.wait("document.querySelector('[data-seed=\"7\"]') && " + READY)
    drawn = changed(page, typical)
    assert page.run("return document.querySelector('#styles [aria-pressed=true]').innerText") == "Style 5"
    page.click("#styles [data-seed=null]")
    assert changed(page, drawn) == typical


def test_what_goes_wrong_is_said_and_the_page_goes_on(page, tmp_path, studio, monkeypatch):
    (tmp_path / "notes.png").write_bytes(b"no picture")
    page.type("#file", str(tmp_path / "notes.png"))
    page.wait("!document.querySelector('#error').hidden")
    assert "cannot be read as a picture" in page.run("return document.querySelector('#error').innerText")
    before = page.run(f"return {OUTPUT}")
    with monkeypatch.context() as broken:
        broken.setattr(studio.model.networks, "translate", lambda *inputs: 1 / 0)
        page.click("#attributes [role=switch][value=Male]")
        page.wait("document.querySelector('#error').innerText.startsWith('The model could not do this')")
    page.click("#attributes [role=switch][value=Young]")
    changed(page, before)
    assert page.run("return document.querySelector('#error').hidden")


def test_every_control_has_a_name_and_every_picture_a_description(page):
    nameless = page.run(
        "return [...document.querySelectorAll('button, a, input')].filter(e => !e.hidden && !(e.innerText"
        " || e.labels?.[0]?.innerText || e.ariaLabel || e.querySelector('img[alt]')?.alt)).map(e => e.outerHTML)"
    )
    assert nameless == []
    undescribed = "return [...document.querySelectorAll('main img')].filter(e => !e.hasAttribute('alt')).length"
    assert page.run(undescribed) == 0
    assert page.run("return document.querySelector('#output').ariaLabel").startswith("After: ")
    assert "the model sees" in page.run("return document.querySelector('#input').alt")
    assert "seen as" in page.run("return document.querySelector('#neighbors img').alt")


def test_a_phone_shows_all_of_it_without_scrolling_sideways(address):
    with webdriver.Browser(360, 740) as phone:
        phone.open(address)
        phone.wait(READY)
        assert phone.run("return document.documentElement.scrollWidth") == 360
        bottom = "return document.querySelector('#output').getBoundingClientRect().bottom"
        assert phone.run(bottom) < 740
