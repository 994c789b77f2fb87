"""Oxford's VGG16 and VGG19, which Caffe, MatConvNet and Keras distribute, recognised by their first filter."""

from __future__ import annotations

import torch
from torch import Tensor

from genviz.classifiers.input_space import OXFORD_MEAN, InputSpace, caffe, rgb

_ROUNDING = 2.0**-8  # relative, of bfloat16, which is coarser than half precision

# K. Simonyan and A. Zisserman 2014, Visual Geometry Group, University of Oxford, CC BY 4.0; rounded to five digits
FIRST_FILTERS = {
    "vgg16": (
        (0.42944, 0.37354, -0.06137, 0.27466, 0.03867, -0.36719, -0.05746, -0.26221, -0.3501),
        (0.55029, 0.44019, -0.08136, 0.3457, 0.04062, -0.45361, -0.05862, -0.33057, -0.48511),
        (0.47998, 0.40845, -0.06512, 0.31055, 0.0502, -0.40332, -0.05087, -0.28516, -0.41846),
    ),
    "vgg19": (
        (0.3412, 0.33999, -0.04484, 0.23216, 0.08978, -0.30331, -0.07261, -0.24668, -0.33683),
        (0.46418, 0.41811, -0.04807, 0.30511, 0.10385, -0.37314, -0.07647, -0.31071, -0.46454),
        (0.39417, 0.3774, -0.04595, 0.26713, 0.09986, -0.34101, -0.07574, -0.28034, -0.41602),
    ),
}
"""Of conv1_1: three rows each for blue, green and red."""


def recognise(first: Tensor) -> InputSpace | None:
    """The input space of Oxford's network with the first kernels ``first``, (64, 3, 3, 3); None for other networks.

    It is Caffe's or, if the channels are reversed as in MatConvNet and torchvision's ``IMAGENET1K_FEATURES``, the same
    in RGB.
    """
    if first.shape[1:] != (3, 3, 3) or not len(first):
        return None
    for filters in FIRST_FILTERS.values():
        known = torch.tensor(filters).view(3, 3, 3)
        if _alike(first[0], known):
            return caffe(OXFORD_MEAN)
        if _alike(first[0], known.flip(0)):
            return rgb(OXFORD_MEAN)
    return None


def _alike(kernel: Tensor, known: Tensor) -> bool:
    return torch.allclose(kernel.float(), known, rtol=_ROUNDING, atol=1e-5)
