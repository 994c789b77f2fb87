"""Gradients with another rule at the ReLUs: the deconvolutional network, and guided backpropagation.

Both differ from the gradient only in what a ReLU passes back (Springenberg et al. 2015, Figure 1). With R the signal
that arrives from above, and f the ReLU's output:

    gradient                  R where f > 0
    DeconvNet                 R where R > 0            (Zeiler & Fergus 2014)
    guided backpropagation    R where f > 0 and R > 0

Max pooling passes it back to the maximum, which is Zeiler & Fergus' unpooling by switches; a convolution, through its
transpose. The rule is applied to the nodes of autograd's graph. So it does not matter whether a ReLU is a module or a
function, works in place, or is called in several places; and the network is left as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from genviz.errors import UserError

Scores = Callable[[Tensor], Tensor]
"""Maps pictures (n, 3, h, w) to one number each, (n,)."""

_RECTIFIERS = {"Relu": (), "Threshold": ("threshold",), "ClampMin": ("min",), "Clamp": ("min", "max")}
_RECTIFIERS["Hardtanh"] = ("min_val", "max_val")
"""Autograd's names of ReLU, of its older form, of ``clamp`` and of ReLU6, and of the numbers that it keeps."""
_BOUNDS = ((), (0,), (0, None), (0, 6))
"""Those numbers, where what is computed is a ReLU or a ReLU6."""
_APART: dict[str, Callable[..., Tensor]] = {
    **{"relu": torch.relu, "relu6": F.relu6, "hardtanh": F.hardtanh, "threshold": F.threshold},
    **{"clamp": torch.clamp, "clamp_min": torch.clamp_min},
}
"""What they are called, and how to call them out of place."""


def deconvnet(score: Scores, images: Tensor) -> Tensor:
    """The deconvolutional network's projection of ``score`` down to pixels (Zeiler & Fergus 2014, section 2.1).

    Args:
        score: maps pictures to one number each.
        images: RGB in [0, 1], (n, 3, h, w).

    Returns:
        (n, 3, h, w), signed.

    Raises:
        UserError: there is no ReLU on the way to the score.
    """
    return _backward(score, images, gated=False)


def guided_backpropagation(score: Scores, images: Tensor) -> Tensor:
    """Guided backpropagation of ``score`` (Springenberg et al. 2015, section 3.4); as `deconvnet`."""
    return _backward(score, images, gated=True)


def _backward(score: Scores, images: Tensor, *, gated: bool) -> Tensor:
    """The gradient, but ReLUs pass back only what is positive; ``gated``: and only where they fired."""

    def changed(passed: Sequence[Tensor | None], arrived: Sequence[Tensor]) -> tuple[Tensor | None, ...]:
        signal = passed[0] if gated else arrived[0]
        return (None if signal is None else signal.clamp_min(0), *passed[1:])

    with torch.enable_grad():
        images = images.detach().requires_grad_()
        with _CopiedBack():
            scores = score(images)
        found = [node for node in _graph(scores.grad_fn) if _rectifies(node)]
        if not found:
            raise UserError(
                "there is no ReLU on the way to the target, and DeconvNet and guided backpropagation differ from the "
                "gradient only there; choose method=saliency, smoothgrad or integrated_gradients"
            )
        for node in found:
            node.register_hook(changed)
        return torch.autograd.grad(scores.sum(), images)[0]


class _CopiedBack(TorchFunctionMode):
    """ReLUs in place are computed apart, and copied back: on a view, autograd hides them inside a copy's node."""

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        apart = _APART.get(name.strip("_"))
        if apart is None or not (name.endswith("_") or kwargs.get("inplace")) or not args:
            return func(*args, **kwargs)
        kwargs.pop("inplace", None)
        given, *bounds = args
        return given.copy_(apart(given.clone(), *bounds, **kwargs))


def _rectifies(node: Any) -> bool:
    kept = _RECTIFIERS.get(node.name().partition("Backward")[0])
    return kept is not None and tuple(getattr(node, f"_saved_{name}", None) for name in kept) in _BOUNDS


def _graph(root: Any) -> Iterator[Any]:
    """The nodes of autograd's graph above ``root``, each once."""
    waiting, known = [root], {root}
    while waiting:
        node = waiting.pop()
        if node is None:
            continue
        yield node
        for following, _ in node.next_functions:
            if following not in known:
                known.add(following)
                waiting.append(following)
