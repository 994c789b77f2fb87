def test_detectors_have_layers(called):
    listed = called("layers", "ssdlite320_mobilenet_v3_large", "--input-size", "160")
    assert listed.returncode == 0
    assert listed.stdout.splitlines()[0].split() == 2 * ["backbone.features.0.0.0"] + ["16", "x", "80", "x", "80"]
    assert listed.stdout.splitlines()[-1].split() == ["scores", "scores", "91"]
    assert "objectness" not in listed.stdout


def test_a_misspelt_name_is_told(called):
    ended = called("layers", "ssdlite")
    assert ended.returncode == 2
    assert ended.stderr.startswith("genviz: torchvision has no classification model or detector called 'ssdlite'")


def test_the_networks_of_2012_to_2014_have_the_papers_names(called):
    listed = called("layers", "vgg_m")
    assert listed.returncode == 0
    assert listed.stdout.splitlines()[2].split() == ["norm1", "norm1", "96", "x", "109", "x", "109"]
    assert listed.stdout.splitlines()[-1].split() == ["scores", "scores", "1000"]
