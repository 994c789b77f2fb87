from classic_files import COLOUR, made, narrowed, simplenn, write_v5


def test_it_says_what_it_wrote_and_which_classifier_takes_it(called, tmp_path, monkeypatch):
    narrowed(monkeypatch, tmp_path)
    write_v5(tmp_path / "imagenet-vgg-m.mat", simplenn(made("vgg_m")))
    ended = called("convert", "imagenet-vgg-m.mat", "vgg_m.safetensors")
    assert (ended.returncode, ended.stderr) == (0, "")
    wrote, norm, _, use = ended.stdout.splitlines()
    assert wrote == f"wrote       vgg_m.safetensors, 0.1 MB: vgg_m, RGB, mean {', '.join(f'{c:.4g}' for c in COLOUR)}"
    assert norm == "norm1       size 3, alpha 0.06 of the mean, beta 0.5, kappa 1.5"
    assert use == "use         classifier=vgg_m classifier.weights=vgg_m.safetensors"


def test_another_file_is_one_line(called, tmp_path):
    (tmp_path / "x.mat").write_bytes(b"?" * 200)
    ended = called("convert", "x.mat", "x.safetensors")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("genviz: x.mat holds no network that can be read (it is not a MATLAB file")
    assert len(ended.stderr.splitlines()) == 1
