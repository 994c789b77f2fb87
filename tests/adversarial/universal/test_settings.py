from genviz.adversarial.universal.settings import UniversalSettings


def test_the_defaults_are_those_of_the_yaml(compose):
    config = compose("data=photos", name="universal")
    for name in ("norm", "method", "at_once", "enough", "fooled", "passes"):
        assert UniversalSettings.model_fields[name].default == config[name], name
