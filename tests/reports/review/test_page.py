import html
import os
import re
from urllib.parse import unquote

from made_up import NASTY, data_of, make_run
from PIL import Image

from genviz.reports.review import write_review


def test_the_page_names_everything_by_its_place_in_the_folder(tmp_path):
    folder = make_run(tmp_path, "class:a", setting="em#bed ded/sm%20all?", folder="class-ä&'\"<b>+@")
    page = write_review(tmp_path)
    [target] = data_of(page)["targets"]
    [run] = target["runs"]
    assert re.fullmatch(r"[\w%+.~/-]+", run["folder"], re.ASCII)
    assert tmp_path / unquote(run["folder"]) == folder
    [sheet] = data_of(page)["settings"][0]["sheets"]
    assert (tmp_path / unquote(sheet)).exists()
    assert str(tmp_path) not in page.read_text()


def test_no_name_ends_the_script(tmp_path):
    make_run(tmp_path, NASTY, folder="x", explanation=NASTY, top_classes=[{"label": NASTY}], note=NASTY)
    text = write_review(tmp_path).read_text(encoding="utf-8")
    assert text.count("<script") == text.count("</script") == 2
    assert "fired('name')</" not in text
    assert data_of(tmp_path / "index.html")["targets"][0]["name"] == " ".join(NASTY.split())


def test_the_roots_name_is_only_text_too(tmp_path):
    root = tmp_path / "</title><script>{{data}}".replace("/", "\N{FRACTION SLASH}")
    make_run(root, "class:a")
    text = write_review(root).read_text(encoding="utf-8")
    assert text.count("<script") == 2
    assert "&lt;script&gt;{{data}}" in text.partition("</title>")[0]
    assert data_of(root / "index.html")["root"] == root.name


def test_a_folder_whose_name_is_no_text(tmp_path):
    folder = make_run(tmp_path)
    folder.rename(folder.with_name(os.fsdecode(b"class-\xff\xfe")))
    [target] = data_of(write_review(tmp_path))["targets"]
    assert target["runs"][0]["folder"].endswith("class-%FF%FE")


def test_numbers_that_are_none_are_json(tmp_path):
    make_run(tmp_path, activation=float("nan"), seconds_per_update=float("inf"), measures={"score": float("-inf")})
    run = data_of(write_review(tmp_path))["targets"][0]["runs"][0]
    assert run["judged"][0]["activation"] is run["seconds"] is run["judged"][0]["measures"]["score"] is None


def test_two_settings_are_side_by_side(tmp_path):
    make_run(tmp_path, "class:tench", setting="embedded/pretrained")
    for target in ("class:tench", "class:zebra"):
        make_run(tmp_path, target, setting="embedded/untrained", note="not vgg16")
    data = data_of(write_review(tmp_path))
    assert [setting["name"] for setting in data["settings"]] == ["embedded/pretrained", "embedded/untrained"]
    assert [setting["note"] for setting in data["settings"]] == [None, "not vgg16"]
    folders = {target["name"]: [run and run["folder"] for run in target["runs"]] for target in data["targets"]}
    assert folders == {
        "class:tench": ["embedded/pretrained/class-tench", "embedded/untrained/class-tench"],
        "class:zebra": [None, "embedded/untrained/class-zebra"],
    }


def test_what_many_runs_share_is_told_once(tmp_path):
    for number in range(20):
        make_run(tmp_path, f"filter:relu:{number}")
    data = data_of(write_review(tmp_path))
    assert len(data["facts"]) == len(data["configs"]) == 1
    assert "target" not in data["configs"][0]


def test_a_large_picture_is_shown_small_among_others(tmp_path):
    large = make_run(tmp_path, "layer:large", size=(1000, 500))
    make_run(tmp_path, "layer:small", size=(320, 320))
    data = data_of(write_review(tmp_path))
    shown = {target["name"]: target["runs"][0]["small"] for target in data["targets"]}
    assert shown == {"layer:large": "thumbnail.jpg", "layer:small": "final.png"}
    assert Image.open(large / "thumbnail.jpg").size == (320, 160)
    Image.new("RGB", (600, 600), "blue").save(large / "final.png")
    write_review(tmp_path)
    assert Image.open(large / "thumbnail.jpg").size == (320, 320)


def test_the_page_needs_nothing_from_elsewhere(tmp_path):
    make_run(tmp_path)
    text = write_review(tmp_path).read_text(encoding="utf-8")
    assert set(re.findall(r"https?://[^\"']+", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"@import|<link|src=|url\(", text.partition("<script")[0])


def test_what_is_known_without_a_script_is_there_without_one(tmp_path):
    make_run(tmp_path, "class:a", setting="embedded/one", note=NASTY)
    (make_run(tmp_path, "class:<b>half") / "result.json").unlink()
    text = write_review(tmp_path).read_text(encoding="utf-8").partition("<dialog")[0]
    note = html.unescape(re.search('<p class="note">(.*?)</p>', text)[1])
    assert note == f"embedded/one: {' '.join(NASTY.split())}"
    assert '<a href="embedded/one/sheet-1.png">1</a>' in text
    assert "Left out: 1 unfinished (embedded/small/class-&lt;b&gt;half)" in text
    assert '<a href="index.csv">' in text


def test_pages_of_explained_pictures_are_linked(tmp_path):
    make_run(tmp_path, "class:a")
    pages = [tmp_path / "explain" / "small" / target / "a&b" / "report.html" for target in ("class-c", "top1")]
    for page in pages:
        page.parent.mkdir(parents=True)
        page.write_text("a page")
    text = write_review(tmp_path).read_text()
    found = re.findall(r'<a href="([^"]*)">a&amp;b \(([\w-]+), small\)</a>', text)
    assert [(tmp_path / unquote(link), target) for link, target in found] == [(pages[0], "class-c"), (pages[1], "top1")]
