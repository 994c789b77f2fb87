"""An update's forward pass, compiled once for all batches of a sweep."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch._decomp import get_decompositions
from torch.func import functional_call
from torch.fx.experimental.proxy_tensor import make_fx
from tqdm.auto import tqdm

from genviz.coupling import Coupling
from genviz.errors import one_line
from genviz.objectives.per_image import PerImage
from genviz.targets.others import Others
from genviz.targets.units import Units

_BATCH_NORMS = (
    *(torch.ops.aten.native_batch_norm, torch.ops.aten.cudnn_batch_norm),
    *(torch.ops.aten._native_batch_norm_legit, torch.ops.aten._batch_norm_with_update),
)
"""Operations that change the running averages without saying so, and are recorded as what they consist of."""

Step = Callable[[dict[str, Tensor], list[Tensor], Tensor], tuple[Tensor, Tensor, list[Tensor]]]


class CompiledSteps:
    """Compiles the forward pass of couplings, and keeps it for others that differ only in their targets.

    torch's operations are recorded while a coupling makes a pass (`make_fx`), through hooks and whatever else Python
    does in a network, and compiled with their backward pass (`torch.compile`, on a card also as CUDA graphs). The
    generator's parameters and buffers, the targets and the random numbers are arguments; the classifier's weights are
    part of it. What cannot be recorded or compiled is said in one line, and goes on as it is.

    Args:
        backend: torch.compile's; None: its default.
    """

    def __init__(self, backend: str | None = None) -> None:
        self.backend = backend
        self._steps: dict[Any, Step | None] = {}
        self._pass: _Pass | None = None

    def __call__(self, coupling: Coupling) -> tuple[Tensor, Tensor] | None:
        """The loss and the row of numbers of the coupling's next update; None if it cannot be compiled."""
        if self._pass is None or self._pass.coupling is not coupling:
            self._pass = _Pass(coupling)
            return self._pass.recorded()
        key = self._pass.key
        if key not in self._steps:
            self._steps[key] = self._compile(self._pass)
        step = self._steps[key]
        return None if step is None else self._pass.make(step)

    def forget(self) -> None:
        """Let go of the last coupling; what was compiled stays."""
        self._pass = None

    def _compile(self, own: _Pass) -> Step | None:
        images = len(own.coupling.streams)
        tqdm.write(f"compiling the updates of {images} image{'s' * (images != 1)} ...", file=sys.stderr)
        begun, on_card = time.monotonic(), own.coupling.device.type == "cuda"
        options: dict[str, Any] = {"mode": "reduce-overhead"} if on_card and self.backend is None else {}
        options |= {} if self.backend is None else {"backend": self.backend}
        try:
            decompositions: Any = get_decompositions(_BATCH_NORMS)
            given = own.state, own.drawn, torch.tensor(own.coupling.global_step).to(own.coupling.device)
            recorded = make_fx(lambda *tensors: own.step(*tensors), decompositions)(*given)
            step: Step = torch.compile(recorded, dynamic=False, **options)
            loss, _, _ = step(*given)
            torch.autograd.grad(loss, own.trainable)  # compiles the backward pass
        except Exception as error:  # whatever a network or a compiler raises
            why = one_line(str(error).splitlines()[0] if str(error) else type(error).__name__)
            why = "a part asks for a number that is only known later" if "tracing tensor" in why else why
            tqdm.write(f"not compiled: {why}", file=sys.stderr)
            return None
        finally:
            own.coupling.tell(own.coupling.global_step)  # a number again
        tqdm.write(f"compiled in {time.monotonic() - begun:.0f} s, once for all batches of that size", file=sys.stderr)
        return step


class _Pass:
    """A coupling's forward pass as a function of tensors."""

    def __init__(self, coupling: Coupling) -> None:
        self.coupling = coupling
        tensors = {**dict(coupling.named_parameters()), **dict(coupling.named_buffers())}
        self.state = {name: value for name, value in tensors.items() if not name.startswith("classifier.")}
        self.trainable = [value for value in self.state.values() if value.requires_grad]
        self._changing: list[str] = []  # the names of buffers that a pass changes, as batch norm's
        self.drawn: list[Tensor] = []
        self._draws: list[Callable[[], Tensor]] = []
        self._update: Tensor | None = None

    def recorded(self) -> tuple[Tensor, Tensor]:
        """Make a pass as it is, and note what it draws and changes."""
        buffers = {name: self.state[name] for name, _ in self.coupling.named_buffers() if name in self.state}
        before = {name: value.clone() for name, value in buffers.items()}
        with self.coupling.streams.recorded() as draws:
            made = self.coupling()
        self.drawn, self._draws = [drawn for drawn, _ in draws], [draw for _, draw in draws]
        self._changing = [name for name, value in buffers.items() if not torch.equal(value, before[name])]
        return made

    @property
    def key(self) -> Any:
        """What must be the same for a compiled pass to be another coupling's."""
        tensors = [(name, value.shape, value.dtype, value.device) for name, value in self.state.items()]
        parts = [
            (part.layer, part.kind, part.are_full) if isinstance(part, Units) else (part.exist, part.all_count)
            for part in self.coupling.modules()
            if isinstance(part, Units | Others)
        ]
        precision = torch.is_autocast_enabled(self.coupling.device.type)
        told = self.coupling.metrics.tells_units  # how long a row is
        return *tensors, *parts, *self._changing, len(self._draws), id(self.coupling.classifier), precision, told

    def draw(self) -> list[Tensor]:
        """New random numbers."""
        return [draw() for draw in self._draws]

    def step(
        self, state: dict[str, Tensor], drawn: list[Tensor], update: Tensor
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """The loss, the row of numbers, and the buffers that have changed.

        Raises:
            NotImplementedError: a part cannot be compiled.
        """
        if any(isinstance(part, PerImage) for part in self.coupling.objective.modules()):
            raise NotImplementedError("an objective takes one target")
        own = {name: value.clone() if name in self._changing else value for name, value in state.items()}
        with self.coupling.streams.giving(drawn):
            self.coupling.tell(update)
            loss, row = functional_call(self.coupling, own, ())
        return loss, row.detach(), [own[name] for name in self._changing]

    def make(self, step: Step) -> tuple[Tensor, Tensor]:
        """Make the next pass, compiled."""
        if self._update is None:
            self._update = torch.tensor(self.coupling.global_step).to(self.coupling.device)
        if self.coupling.device.type == "cuda":
            torch.compiler.cudagraph_mark_step_begin()
        loss, row, changed = step(self.state, self.draw(), self._update)
        self._update = self._update + 1
        with torch.no_grad():
            for name, value in zip(self._changing, changed, strict=True):
                self.state[name].copy_(value)
        return loss, row.clone()  # the next pass writes where this one did
