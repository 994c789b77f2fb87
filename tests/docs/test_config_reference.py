"""The reference is built from the files: what they hold is on the page, and its links lead somewhere."""

import re
from html import unescape

import pytest
from config_files import files
from conftest import CONFIGS

pytest.importorskip("sphinx_click")

CONF = """
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_click", "config_reference"]
html_theme = "basic"
smartquotes = False
"""
PAGES = {
    "index": "# Index\n\n```{toctree}\nsettings\nexperiments\ncommands\n```\n\n{config}`generator/fourier`\n",
    "settings": "# Settings\n\n```{config-groups}\n:exclude: experiment\n```\n",
    "experiments": "# Experiments\n\n```{config-group} experiment\n```\n",
    "commands": "# Commands\n\n```{genviz-commands}\n```\n",
}


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    """The built pages by name, and the warnings."""
    from sphinx.testing.util import SphinxTestApp

    source = tmp_path_factory.mktemp("manual")
    (source / "conf.py").write_text(CONF)
    for name, text in PAGES.items():
        (source / f"{name}.md").write_text(text)
    app = SphinxTestApp(srcdir=source)
    app.build()
    made = {name: (app.outdir / f"{name}.html").read_text() for name in PAGES}
    made["warnings"] = app.warning.getvalue()
    app.cleanup()
    return made


def text(page):
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page)))


def test_links_to_parts_are_resolved(html):
    unknown = [line for line in html["warnings"].splitlines() if "py:class" not in line]  # there is no API here
    assert unknown == []
    assert 'href="settings.html#config-generator-fourier"' in html["index"]
    assert 'href="settings.html#config-generator-fourier"' in html["experiments"]


@pytest.mark.parametrize("group", ["generator", "classifier", "objective", "student", "experiment"])
def test_a_group_shows_each_setting_with_its_comment(html, group):
    page = text(html["experiments" if group == "experiment" else "settings"])
    for file in files(CONFIGS, group):
        assert f"{group}={file.name}" in page
        for setting in file.settings:
            assert setting.name in page
            assert text(setting.comment).strip() in page


def test_a_figure_shows_the_words_of_its_pictures(html):
    assert "target=filter:relu5_1:384" in text(html["experiments"])


def test_every_command_is_there_in_the_order_of_the_help(html):
    from genviz.commands.main import genviz

    titles = re.findall(r"<h2>(genviz \w+)", html["commands"])
    assert titles == [f"genviz {name}" for name in genviz.commands]


def test_a_commands_settings_come_with_the_schemas_help_and_kinds(html):
    from genviz.training.schema import LARGEST
    from genviz.training.settings import TrainSettings

    page = text(html["commands"])
    listed = {setting.name: setting for setting in TrainSettings.listed()}
    assert text(f"{listed['seed'].help} (").strip() in page
    assert "a whole number from 0 up" in page
    assert str(LARGEST) not in page


def test_a_commands_options_are_rendered(html):
    assert 'id="cmdoption-genviz-layers-input-size"' in html["commands"]
    assert "::" not in text(html["commands"])
