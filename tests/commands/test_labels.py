def test_a_detectors_labels_are_cocos(called):
    assert called("labels", "person", "--detector", "ssdlite320_mobilenet_v3_large").stdout.split() == ["1", "person"]
    ended = called("labels", "--detector", "vgg16")
    assert ended.returncode == 2
    assert "no detector called 'vgg16'" in ended.stderr
