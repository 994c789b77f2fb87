def test_a_detectors_labels_are_cocos(called):
    assert called("labels", "person", "--detector", "ssdlite320_mobilenet_v3_large").stdout.split() == ["1", "person"]
    ended = called("labels", "--detector", "vgg16")
    assert ended.returncode == 2
    assert "no detector called 'vgg16'" in ended.stderr


def test_a_file_of_labels_takes_imagenets_place(called, tmp_path):
    (tmp_path / "mine.txt").write_text("cat\n silver fish\n\ndog\n")
    (tmp_path / "mine.json").write_text('{"2": "dog", "0": "cat", "1": "silver fish"}')
    for file in ("mine.txt", "mine.json"):
        done = called("labels", "--labels", file)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "   0  cat\n   1  silver fish\n   2  dog\n"
        assert called("labels", "Silver-F", "--labels", file).stdout == "   1  silver fish\n"
        ended = called("labels", "tench", "--labels", file)
        assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
        assert "no label contains 'tench'" in ended.stderr
    ended = called("labels", "--labels", "none.txt")
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert "cannot read the labels in none.txt" in ended.stderr
