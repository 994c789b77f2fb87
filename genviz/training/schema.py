"""The settings of a command: type, range, unit and a line of help for each, stated once.

The command line's checks, its ``--help`` and the reference pages come from it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction as _Exact
from typing import Annotated, Any, NamedTuple

from omegaconf import DictConfig, OmegaConf
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StringConstraints,
    ValidationError,
)
from pydantic.fields import FieldInfo

from genviz.errors import UserError

LARGEST = 2**32 - 1
"""The largest seed that every random number generator takes."""


class Kind(NamedTuple):
    """What a value has to be, as the end of a sentence: ``a whole number from 1 to 4294967295``."""

    what: str


class Ask(NamedTuple):
    """The message for a missing setting."""

    line: str


def fraction(value: Any) -> float:
    """A number, or a fraction as people write it: ``8/255``.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("neither a number nor a fraction")
    try:
        return float(_Exact(value.replace(" ", ""))) if isinstance(value, str) else float(value)
    except (ZeroDivisionError, OverflowError) as error:
        raise ValueError(str(error)) from error


Count = Annotated[StrictInt, Field(ge=1, le=LARGEST), Kind(f"a whole number from 1 to {LARGEST}")]
Index = Annotated[StrictInt, Field(ge=0, le=LARGEST), Kind(f"a whole number from 0 to {LARGEST}")]
Share = Annotated[float, Field(ge=0, le=1), Kind("a number from 0 to 1")]
Fraction = Annotated[
    float, BeforeValidator(fraction), Field(gt=0, le=1), Kind("a number above 0 and at most 1, or a fraction: 8/255")
]
"""Its text stays in the configuration; `fraction` gives the number."""
Number = Annotated[float, Field(ge=0, allow_inf_nan=False), Kind("a number from 0 up")]
Flag = Annotated[StrictBool, Kind("true or false")]
Text = Annotated[str, StringConstraints(min_length=1)]
Folder = Annotated[Text, Kind("a folder")]
File = Annotated[Text, Kind("a file")]
Group = Annotated[dict[str, Any], Kind("a group of settings")]
LayerName = Annotated[Text, Kind("a layer; genviz layers CLASSIFIER lists them")]
RunName = Annotated[
    str, StringConstraints(pattern=r"^\w[\w.+-]*$"), Kind("a folder name of letters, digits, and . _ + -")
]
Precision = Annotated[str, StringConstraints(pattern="^(auto|32-true|bf16-mixed|16-mixed|64-true)$"), Kind(
    "auto, 32-true, bf16-mixed, 16-mixed or 64-true"
)]  # fmt: skip


class Setting(NamedTuple):
    """A setting as it is listed in the help."""

    name: str
    """As typed: ``data.workers``."""
    kind: str
    help: str


class Settings(BaseModel):
    """Settings of a command, or of a group of them, except those that constructors check themselves."""

    model_config = ConfigDict(strict=True, extra="ignore", arbitrary_types_allowed=True)

    @classmethod
    def check(cls, config: DictConfig) -> None:
        """Check that each setting in ``config`` is valid, and every other number in it finite.

        Raises:
            UserError: one is missing or invalid.
        """
        given = {}
        for name, field in cls.model_fields.items():
            if name in config and not OmegaConf.is_missing(config, name):
                value = config[name]
                if value is None and field.is_required() and _said(field, Ask) is not None:
                    continue  # what another file has as null was to be given
                if OmegaConf.is_dict(value) and not _is_settings(field.annotation):
                    value = {}  # its constructor checks the contents
                given[name] = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
        try:
            cls.model_validate(given)
        except ValidationError as error:
            raise UserError(cls._told(error, config)) from None
        for name, value in _numbers(OmegaConf.to_container(config)):
            if not math.isfinite(value):
                raise UserError(f"{name}={value} must be a finite number")

    @classmethod
    def _told(cls, error: ValidationError, config: DictConfig) -> str:
        first = error.errors()[0]
        path, field = [str(first["loc"][0])], cls.model_fields[str(first["loc"][0])]
        for step in first["loc"][1:]:
            inner: Any = field.annotation
            if not _is_settings(inner) or step not in inner.model_fields:
                break
            path.append(str(step))
            field = inner.model_fields[str(step)]
        name = ".".join(path)
        if (ask := _said(field, Ask)) is not None and first["type"] == "missing":
            return ask.line
        value = OmegaConf.select(config, ".".join(path), throw_on_missing=False)
        if _is_settings(field.annotation) or field.annotation == dict[str, Any]:
            return f"{name} is a group of settings: {name}.SETTING=VALUE; --help lists them"
        if first["type"] == "string_unicode":
            shown = str(value).encode(errors="backslashreplace").decode()
            return f"{name}={shown}: the name is not UTF-8; rename it, or give a folder or a pattern above it"
        return f"{name}={'null' if value is None else value} must be {kind_of(field)}"

    @classmethod
    def listed(cls, prefix: str = "") -> Iterator[Setting]:
        """Every setting, including those in groups."""
        for name, field in cls.model_fields.items():
            inner: Any = field.annotation
            if _is_settings(inner):
                yield from inner.listed(f"{prefix}{name}.")
            else:
                yield Setting(prefix + name, kind_of(field), field.description or "")


def _numbers(value: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """Every number in a configuration, with its name."""
    if isinstance(value, float):
        yield name, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _numbers(inner, f"{name}[{key}]" if isinstance(value, list) else f"{name}.{key}".lstrip("."))


def _is_settings(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Settings)


def kind_of(field: FieldInfo) -> str:
    """What the values of ``field`` have to be."""
    kind = _said(field, Kind)
    return "valid" if kind is None else kind.what


def _said(field: FieldInfo, what: type[Any]) -> Any:
    """The field's annotation of the class ``what``: the last, which precedes those of the types in it."""
    own = [said for said in field.metadata if isinstance(said, what)]
    return own[-1] if own else None
