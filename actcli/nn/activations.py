"""Activation functions: they turn the pre-activation z of a unit into its activation y = f(z).

Without one, layers collapse into a single linear map. With one, the error that flows back through a
layer is multiplied by f'(z), so that f' decides what the earlier layers learn: at most a quarter of
the error passes a sigmoid, all of it passes an active ReLU, and nothing passes a silent one.

Each function acts on every element separately. `value` writes y = f(z). `derivative` writes f'(z),
from z or from y, whichever is cheaper. `out` and `scratch` have the shape of z and are overwritten.
"""

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from actcli.nn import normal
from actcli.nn.arrays import Array
from actcli.registry import Registry

INFINITY = math.inf


class Activation(ABC):
    """An activation function, its derivative, and its properties for rules and help texts."""

    formula: ClassVar[str]
    summary: ClassVar[str]
    range: ClassVar[tuple[float, float]]
    bound: ClassVar[float] = 1.0  # the supremum of |f'|
    can_die: ClassVar[bool] = False  # f' is exactly 0 on a half-line: a unit there gets no gradient
    initializer: ClassVar[str] = "glorot-uniform"  # keeps the scale of the signal
    source: ClassVar[str]

    @abstractmethod
    def value(self, z: Array, out: Array, scratch: Array) -> None:
        """Write f(z) to `out`."""

    @abstractmethod
    def derivative(self, z: Array, y: Array, out: Array, scratch: Array) -> None:
        """Write f'(z) to `out`, given y = f(z)."""

    def __call__(self, z: Array) -> Array:
        """Return f(z) as a new array."""
        out = np.empty_like(z)
        self.value(z, out, np.empty_like(z))
        return out

    def slope(self, z: Array) -> Array:
        """Return f'(z) as a new array."""
        out = np.empty_like(z)
        self.derivative(z, self(z), out, np.empty_like(z))
        return out


ACTIVATIONS: Registry[type[Activation]] = Registry("activation")


@ACTIVATIONS.register("identity", "linear", "none")
class Identity(Activation):
    formula = "z"
    summary = "No activation: the layer stays linear, and so does a whole net of such layers."
    range = (-INFINITY, INFINITY)
    source = "Goodfellow, Bengio, Courville, Deep Learning (2016), section 6.3.3"

    def value(self, z: Array, out: Array, scratch: Array) -> None:
        np.copyto(out, z)

    def derivative(self, z: Array, y: Array, out: Array, scratch: Array) -> None:
        out.fill(1)


@ACTIVATIONS.register("sigmoid", "logistic")
class Sigmoid(Activation):
    formula = "1 / (1 + e^-z)"
    summary = "Squashes into (0, 1); at most a quarter of the error passes back."
    range = (0.0, 1.0)
    bound = 0.25
    source = "Rumelhart, Hinton, Williams, Nature 323 (1986), equation 2"

    def value(self, z: Array, out: Array, scratch: Array) -> None:
        # Below z = -64, σ(z) is less than 1e-27. Smaller outputs would make the products of the
        # backward pass denormal numbers, on which many processors are a hundred times slower.
        _sigmoid(z, out, -64)

    def derivative(self, z: Array, y: Array, out: Array, scratch: Array) -> None:
        np.subtract(1, y, out=out)  # σ' = σ (1 - σ)
        out *= y


@ACTIVATIONS.register("tanh")
class Tanh(Activation):
    formula = "(e^z - e^-z) / (e^z + e^-z)"
    summary = "A sigmoid centred on zero: its slope is 1 in the middle and fades to both sides."
    range = (-1.0, 1.0)
    source = "LeCun, Bottou, Orr, Müller, Efficient BackProp (1998), section 4.4"

    def value(self, z: Array, out: Array, scratch: Array) -> None:
        np.tanh(z, out=out)

    def derivative(self, z: Array, y: Array, out: Array, scratch: Array) -> None:
        np.multiply(y, y, out=out)  # tanh' = 1 - tanh²
        np.subtract(1, out, out=out)


@ACTIVATIONS.register("relu")
class ReLU(Activation):
    """The derivative at the kink, z = 0, is taken as 0, as in PyTorch and JAX."""

    formula = "max(0, z)"
    summary = "Passes the whole error where it is active, none where it is silent; it can die."
    range = (0.0, INFINITY)
    can_die = True
    initializer = "he-normal"
    source = "Nair, Hinton, Rectified Linear Units Improve RBMs (ICML 2010), section 2"

    def value(self, z: Array, out: Array, scratch: Array) -> None:
        scratch.fill(0)  # np.maximum is five times as fast with an array as with a scalar
        np.maximum(z, scratch, out=out)

    def derivative(self, z: Array, y: Array, out: Array, scratch: Array) -> None:
        np.greater(z, 0, out=out)


@ACTIVATIONS.register("leaky-relu")
class LeakyReLU(Activation):
    """The derivative at the kink, z = 0, is taken as 0.01, as in PyTorch."""

    formula = "max(0.01 z, z)"
    summary = "A ReLU that lets a hundredth through when it is silent, so that it cannot die."
    range = (-INFINITY, INFINITY)
    initializer = "he-normal"
    source = "Maas, Hannun, Ng, Rectifier Nonlinearities (ICML 2013), equation 2"

    def value(self, z: Array, out: Array, scratch: Array) -> None:
        np.multiply(z, 0.01, out=out)
        np.maximum(z, out, out=out)

    def derivative(self, z: Array, y: Array, out: Array, scratch: Array) -> None:
        np.greater(z, 0, out=out)
        np.maximum(out, 0.01, out=out)


@ACTIVATIONS.register("elu")
class ELU(Activation):
    formula = "z if z > 0 else e^z - 1"
    summary = "A ReLU that bends smoothly down to -1, which keeps the mean output near zero."
    range = (-1.0, INFINITY)
    initializer = "he-normal"
    source = "Clevert, Unterthiner, Hochreiter, ELUs (ICLR 2016), equation 15, α = 1"

    def value(self, z: Array, out: Array, scratch: Array) -> None:
        np.minimum(z, 0, out=out)
        np.expm1(out, out=out)
        np.maximum(z, 0, out=scratch)
        out += scratch

    def derivative(self, z: Array, y: Array, out: Array, scratch: Array) -> None:
        np.minimum(z, 0, out=out)  # computed from z, because y + 1 would round the tail to 0
        np.exp(out, out=out)


@ACTIVATIONS.register("selu")
class SELU(Activation):
    """The derivative at the kink, z = 0, is taken as λα, as in PyTorch."""

    formula = "1.0507 z if z > 0 else 1.7581 (e^z - 1)"
    summary = "An ELU scaled so that deep layers keep mean 0 and variance 1 by themselves."
    scale = 1.0507009873554805  # λ
    alpha = 1.6732632423543772
    range = (-scale * alpha, INFINITY)
    bound = scale * alpha  # just left of 0
    initializer = "lecun-normal"
    source = "Klambauer et al., Self-Normalizing Neural Networks (NIPS 2017), equation 2"

    def value(self, z: Array, out: Array, scratch: Array) -> None:
        np.minimum(z, 0, out=out)
        np.expm1(out, out=out)
        out *= self.alpha
        np.maximum(z, 0, out=scratch)
        out += scratch
        out *= self.scale

    def derivative(self, z: Array, y: Array, out: Array, scratch: Array) -> None:
        np.minimum(z, 0, out=out)
        np.exp(out, out=out)
        out *= self.scale * self.alpha
        np.greater(z, 0, out=scratch)
        scratch *= self.scale - self.scale * self.alpha
        out += scratch


@ACTIVATIONS.register("gelu")
class GELU(Activation):
    formula = "z Φ(z), Φ the standard normal CDF"
    summary = "A smooth ReLU: z is kept with the probability that a standard normal stays below it."
    range = (-0.16997120747990369, INFINITY)
    bound = 1.1289041451851548  # at z = √2
    initializer = "he-normal"
    source = "Hendrycks, Gimpel, Gaussian Error Linear Units (2016), section 2"

    def value(self, z: Array, out: Array, scratch: Array) -> None:
        normal.distribution(z, out, scratch)
        # Below z = -10, Φ(z) is 0 except for rounding errors, which a large z would amplify.
        np.maximum(z, -10, out=scratch)
        out *= scratch

    def derivative(self, z: Array, y: Array, out: Array, scratch: Array) -> None:
        normal.distribution(z, out, scratch)  # Φ(z) + z φ(z)
        np.clip(z, -38, 38, out=scratch)  # where φ is 0 to within 1e-300, and z² cannot overflow
        scratch *= scratch
        scratch *= -0.5
        np.exp(scratch, out=scratch)
        scratch *= z
        scratch *= 1 / math.sqrt(2 * math.pi)
        out += scratch


@ACTIVATIONS.register("silu", "swish")
class SiLU(Activation):
    formula = "z σ(z)"
    summary = "A smooth ReLU, z times its own sigmoid; also called swish."
    range = (-0.27846454276107374, INFINITY)
    bound = 1.0998393201288669  # at z = 2.3994
    initializer = "he-normal"
    source = "Elfwing, Uchibe, Doya, Neural Networks 107 (2018), section 2"

    def value(self, z: Array, out: Array, scratch: Array) -> None:
        _sigmoid(z, out, -87)
        out *= z

    def derivative(self, z: Array, y: Array, out: Array, scratch: Array) -> None:
        _sigmoid(z, out, -87)  # σ + y (1 - σ)
        np.subtract(1, out, out=scratch)
        scratch *= y
        out += scratch


@ACTIVATIONS.register("softplus")
class Softplus(Activation):
    formula = "log(1 + e^z)"
    summary = "The smooth ReLU whose derivative is the sigmoid."
    range = (0.0, INFINITY)
    source = "Dugas et al., Incorporating Second-Order Functional Knowledge (NIPS 2000), equation 8"

    def value(self, z: Array, out: Array, scratch: Array) -> None:
        np.abs(z, out=scratch)  # max(0, z) + log(1 + e^-|z|) never overflows
        np.negative(scratch, out=scratch)
        np.exp(scratch, out=scratch)
        np.log1p(scratch, out=scratch)
        np.maximum(z, 0, out=out)
        out += scratch

    def derivative(self, z: Array, y: Array, out: Array, scratch: Array) -> None:
        _sigmoid(z, out, -87)


@ACTIVATIONS.register("mish")
class Mish(Activation):
    formula = "z tanh(softplus(z))"
    summary = "A smooth ReLU like silu, with tanh of softplus as its gate."
    range = (-0.3088434130172504, INFINITY)
    bound = 1.0884981612517279  # at z = 1.4906
    initializer = "he-normal"
    source = "Misra, Mish (BMVC 2020), section 3"

    def value(self, z: Array, out: Array, scratch: Array) -> None:
        Softplus().value(z, out, scratch)
        np.tanh(out, out=out)
        out *= z

    def derivative(self, z: Array, y: Array, out: Array, scratch: Array) -> None:
        Softplus().value(z, scratch, out)  # t + z σ (1 - t²), t = tanh(softplus(z)),
        np.tanh(scratch, out=scratch)
        _sigmoid(z, out, -87)
        out *= z
        np.subtract(1, scratch, out=scratch)  # written with u = 1 - t as (1 - u) + z σ u (2 - u)
        out *= scratch
        np.subtract(2, scratch, out=scratch)
        out *= scratch
        scratch -= 1
        out += scratch


@ACTIVATIONS.register("softsign")
class Softsign(Activation):
    formula = "z / (1 + |z|)"
    summary = "Like tanh, but it saturates slowly: its tails fall as 1/z², not exponentially."
    range = (-1.0, 1.0)
    source = "Bergstra et al., Quadratic Polynomials Learn Better Image Features (2009), section 2"

    def value(self, z: Array, out: Array, scratch: Array) -> None:
        np.abs(z, out=out)
        out += 1
        np.divide(z, out, out=out)

    def derivative(self, z: Array, y: Array, out: Array, scratch: Array) -> None:
        np.abs(y, out=out)  # (1 - |y|)²
        np.subtract(1, out, out=out)
        out *= out


@ACTIVATIONS.register("relu6")
class ReLU6(Activation):
    """The derivative at both kinks, z = 0 and z = 6, is taken as 0, as in PyTorch."""

    formula = "min(max(0, z), 6)"
    summary = "A ReLU with a ceiling at 6: it can die below and saturate above."
    range = (0.0, 6.0)
    can_die = True
    initializer = "he-normal"
    source = "Krizhevsky, Convolutional Deep Belief Networks on CIFAR-10 (2010), section 2"

    def value(self, z: Array, out: Array, scratch: Array) -> None:
        np.clip(z, 0, 6, out=out)

    def derivative(self, z: Array, y: Array, out: Array, scratch: Array) -> None:
        np.greater(z, 0, out=out)
        np.less(z, 6, out=scratch)
        out *= scratch


def _sigmoid(z: Array, out: Array, floor: float) -> None:
    """Write σ(max(z, floor)). The floor must be -87 or more: below -88, e^-z overflows float32."""
    out.fill(floor)  # np.maximum is five times as fast with an array as with a scalar
    np.maximum(z, out, out=out)
    np.negative(out, out=out)
    np.exp(out, out=out)
    out += 1
    np.reciprocal(out, out=out)
