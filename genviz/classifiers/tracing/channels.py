"""Which dimensions of a tensor its channels lie in, followed from operation to operation."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.weak import WeakTensorKeyDictionary

Dims = frozenset[int]

_CONVOLUTION = re.compile(r"conv(?:_transpose)?(\d)d")
_LAST = ("linear", "bilinear", "embedding", "addmm", "multi_head_attention_forward", "native_multi_head_attention")
_SECOND = ("batch_norm", "instance_norm", "group_norm", "local_response_norm", "pixel_shuffle", "pixel_unshuffle")
_RECURRENT = re.compile(r"(?:lstm|gru|rnn_(?:tanh|relu))(?:_cell)?")
_PRODUCTS = ("matmul", "bmm", "mm", "rmatmul")
_JOINED = ("cat", "concat", "concatenate")
_RESIZED = ("pad", "interpolate", "upsample", "grid_sample")
_REORDERED = (
    *("transpose", "permute", "swapaxes", "swapdims", "movedim", "moveaxis", "t", "adjoint", "rot90", "einsum"),
    *("get", "as_strided"),  # ``x.T`` is the property's ``__get__``
)
"""They can move channels and leave the shape as it was."""


class _Input(NamedTuple):
    """A tensor as it was before an operation, which may have changed it in place."""

    value: Tensor
    dims: Dims
    shape: torch.Size
    stride: tuple[int, ...]


class Channels(TorchFunctionMode):
    """Notes, while it is active, the dimensions that hold the channels of each tensor that torch computes.

    Convolutions, dense layers and norms say where theirs are. What keeps the shape keeps the place. What moves values
    (permute, reshape, an index) is run once more on numbered channels, to see where they arrive: attention spreads them
    over two dimensions and puts them together again. Where channels are mixed with positions, they are unknown.

    >>> import torch
    >>> images = torch.rand(1, 3, 4, 4)
    >>> with Channels(images) as channels:
    ...     tokens = torch.nn.Conv2d(3, 8, 2)(images).flatten(2).transpose(1, 2)
    >>> tokens.shape, channels.of(tokens)
    (torch.Size([1, 9, 8]), frozenset({2}))

    Args:
        images: (n, 3, h, w).
    """

    def __init__(self, images: Tensor) -> None:
        super().__init__()
        self._dims: Any = WeakTensorKeyDictionary()
        self.note(images, frozenset({1}))

    def of(self, value: Tensor) -> Dims:
        """The dimensions that the channels of ``value`` lie in; none if unknown."""
        return self._dims.get(value, frozenset())

    def note(self, value: Tensor, dims: Dims) -> None:
        """Note that the channels of ``value`` lie in ``dims``."""
        self._dims[value] = dims

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run ``func``, and note where the channels of its results are."""
        kwargs = kwargs or {}
        inputs = [self._input(value) for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)]
        result = func(*args, **kwargs)
        outputs = [value for value in tree_leaves(result) if isinstance(value, Tensor)]
        if outputs:
            for value, dims in zip(outputs, _places(func, args, kwargs, inputs, outputs), strict=True):
                self.note(value, dims)
        return result

    def _input(self, value: Tensor) -> _Input:
        return _Input(value, self.of(value), value.shape, value.stride() if value.layout is torch.strided else ())


def _places(
    func: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    inputs: Sequence[_Input],
    outputs: Sequence[Tensor],
) -> list[Dims]:
    """The dimensions that the channels of each of the ``outputs`` lie in."""
    name = getattr(func, "__name__", "").strip("_")
    first, known = outputs[0], [given for given in inputs if given.dims]
    if convolution := _CONVOLUTION.match(name):
        return [frozenset({first.ndim - 1 - int(convolution[1])})]
    if name in _LAST or (name in ("layer_norm", "rms_norm") and _of_last(args, kwargs)):
        return [frozenset({first.ndim - 1}), *(frozenset[int]() for _ in outputs[1:])]
    if _RECURRENT.fullmatch(name):  # and their states
        return [frozenset({value.ndim - 1}) for value in outputs]
    if name in _SECOND:
        return [frozenset({1}) for _ in outputs]
    if name in _PRODUCTS:
        return [_of_product(inputs, first.ndim)]
    if not known:
        return [frozenset() for _ in outputs]
    if name == "einsum" and isinstance(args[0], str) and (dims := _of_einsum(args[0], inputs)) is not None:
        return [dims]
    if name == "scaled_dot_product_attention":
        return [inputs[2].dims]
    if name in _JOINED or name in _RESIZED or "pool" in name:
        return [known[0].dims if value.ndim == len(known[0].shape) else frozenset() for value in outputs]
    if name == "stack":
        at = (args[1] if len(args) > 1 else kwargs.get("dim", 0)) % first.ndim
        return [frozenset(dim + (dim >= at) for dim in known[0].dims)]
    if name not in _REORDERED and (kept := _elementwise(inputs, known, outputs)) is not None:
        return kept
    return _moved(func, args, kwargs, known[0], outputs)


def _of_last(args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    """Whether a norm is over the last dimension alone."""
    shape = args[1] if len(args) > 1 else kwargs.get("normalized_shape", ())
    return len(shape) == 1


def _of_product(inputs: Sequence[_Input], ndim: int) -> Dims:
    """Of a matrix product: weights on the right put channels last, on the left second to last."""
    left, right = inputs[0], inputs[1]
    if not right.dims and len(right.shape) == 2:
        return frozenset({ndim - 1})
    if not left.dims and len(left.shape) == 2:
        return _aligned(right, ndim)
    common = frozenset(dim for dim in _aligned(left, ndim) | _aligned(right, ndim) if dim < ndim - 2)
    return common | (_aligned(right, ndim) & {ndim - 1}) | (_aligned(left, ndim) & {ndim - 2})


def _of_einsum(equation: str, inputs: Sequence[_Input]) -> Dims | None:
    """The channels that are left, or if they are summed over, what the weights put in their place; None if unclear."""
    terms, arrow, result = equation.replace(" ", "").partition("->")
    letters = terms.split(",")
    if not arrow or "." in equation or len(letters) != len(inputs):
        return None
    known = [(term, given.dims) for term, given in zip(letters, inputs, strict=True) if given.dims]
    left = {term[dim] for term, dims in known for dim in dims} & set(result)
    new = set(result) - {letter for term, _ in known for letter in term}
    return frozenset(result.index(letter) for letter in left or new)


def _aligned(given: _Input, ndim: int) -> Dims:
    """The dimensions of an input, counted in an output of ``ndim`` dimensions to which it is broadcast."""
    return frozenset(dim + ndim - len(given.shape) for dim in given.dims)


def _elementwise(inputs: Sequence[_Input], known: Sequence[_Input], outputs: Sequence[Tensor]) -> list[Dims] | None:
    """Of an operation that works element by element, as its shapes say; None if they say otherwise."""
    try:
        shape = torch.broadcast_shapes(*(given.shape for given in inputs))
    except RuntimeError:
        return None
    if any(value.shape != shape for value in outputs):
        return None
    widest = max(known, key=lambda given: math.prod(given.shape))
    return [_aligned(widest, len(shape)) for _ in outputs]


def _moved(
    func: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    given: _Input,
    outputs: Sequence[Tensor],
) -> list[Dims]:
    """Where ``func`` puts the channels, found by running it on numbered ones."""
    labels = _numbered(given)
    try:
        with torch.no_grad():
            result = func(
                *tree_map(lambda value: labels if value is given.value else value, tuple(args)),
                **tree_map(lambda value: labels if value is given.value else value, dict(kwargs)),
            )
        found = [value for value in tree_leaves(result) if isinstance(value, Tensor)]
    except Exception:  # such as an index on another device: then the shape has to tell
        found = []
    if [value.shape for value in found] == [value.shape for value in outputs]:
        return [frozenset(dim for dim in range(value.ndim) if _varies(value, dim)) for value in found]
    return [given.dims if _alike(given, value) else frozenset() for value in outputs]


def _numbered(given: _Input) -> Tensor:
    """A tensor with the shape and the memory layout of ``given`` that holds the number of each value's channel."""
    sizes = [size if dim in given.dims else 1 for dim, size in enumerate(given.shape)]
    numbers = torch.arange(math.prod(sizes), dtype=torch.float64, device="cpu").view(sizes).expand(given.shape)
    strides = given.stride if given.stride and 0 not in given.stride else None
    labels = (
        torch.empty(given.shape, dtype=torch.float64, device="cpu")
        if strides is None
        else torch.empty_strided(given.shape, strides, dtype=torch.float64, device="cpu")
    )
    return labels.copy_(numbers)


def _varies(labels: Tensor, dim: int) -> bool:
    size = labels.shape[dim]
    return size > 1 and bool((labels.narrow(dim, 1, size - 1) != labels.narrow(dim, 0, size - 1)).any())


def _alike(given: _Input, value: Tensor) -> bool:
    return value.ndim == len(given.shape) and all(value.shape[dim] == given.shape[dim] for dim in given.dims)
