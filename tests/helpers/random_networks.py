"""Random small int8 networks from the operators that the compiler knows, for property tests."""

from __future__ import annotations

import math
from collections.abc import Callable

from hypothesis import strategies as st

from tests.helpers.int8_networks import Map, Net

Draw = Callable[[st.SearchStrategy], int]


class RandomNet:
    """A network and what it was drawn as.

    No dataclass: Hypothesis prints all fields of one, and objects to so many bytes.
    """

    def __init__(self, model: bytes, layers: tuple[str, ...]) -> None:
        self.model, self.layers = model, layers

    def __repr__(self) -> str:
        return " → ".join(self.layers)


@st.composite
def random_nets(draw: st.DrawFn) -> RandomNet:
    """Draw an int8 network of up to eight parts."""
    return _Builder(draw).net()


class _Builder:
    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        seed = draw(st.integers(0, 2**32 - 1))
        self.net_ = Net(seed)
        self.told = [f"seed {seed}"]

    def pick(self, *values):
        return self.draw(st.sampled_from(values))

    def number(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def net(self) -> RandomNet:
        x = self._input()
        for _ in range(self.number(1, 5)):
            x = self._part(x)
        inside = x
        outputs = [self._end(x)]
        for _ in range(self.pick(0, 0, 0, 1, 2) if math.prod(inside.shape) < 20_000 else 0):  # together in 65,534 bytes
            self.told.append("and")
            other = self.pick(lambda: inside, lambda: outputs[0], lambda: self._end(inside))
            outputs.insert(self.number(0, 1), other())
        return RandomNet(self.net_.bytes(*outputs), tuple(self.told))

    def _input(self) -> Map:
        height, width, channels = self.number(1, 14), self.number(1, 11), self.number(1, 5)
        zero_point = self.pick(-128, 0, -3)
        edge = self.pick("int8", "int8", "int8", "float32", "uint8")
        self.told.append(f"{edge} {height}x{width}x{channels}")
        if edge == "int8":
            return self._int8_input((height, width, channels), zero_point)
        offset = zero_point + 128 if edge == "uint8" else 0
        x = self.net_.input(height, width, channels, zero_point=offset, dtype=edge)
        return self.net_.requantize(x, 1 / 64, zero_point)

    def _int8_input(self, shape: tuple[int, ...], zero_point: int) -> Map:
        """Draw an input of this shape, or of its bytes in one row, reshaped."""
        if self.pick(True, True, False):
            return self.net_.input(*shape, zero_point=zero_point)
        self.told.append("reshape")
        flat = self.pick((math.prod(shape),), (shape[0], shape[1] * shape[2]))
        return self.net_.reshape(self.net_.input(*flat, zero_point=zero_point), 1, *shape)

    def _part(self, x: Map) -> Map:
        parts = [self._conv, self._conv, self._depthwise, self._max_pool, self._average_pool, self._bypass]
        parts += [self._fire, self._branches, self._reduction, self._dense_block, self._pad, self._requantize]
        parts += [self._reshape, self._tall, self._elementwise, self._binary, self._squeeze_excite, self._turn]
        parts += [self._prelu, self._reduce, self._groups, self._dilated, self._joined, self._pad_channels]
        parts += [self._sliced, self._split, self._transposed, self._resized, self._blocks, self._each, self._scores]
        part = self.pick(*parts)
        self.told.append(part.__name__.strip("_"))
        return part(x)

    def _end(self, x: Map) -> Map:
        end = self.pick("mean", "mean", "conv mean", "dense", "flatten dense", "map", "mean conv", "flatten")
        if math.prod(x.shape) > 65_534 and "flatten" in end:  # more than a vector may have
            end = "mean"
        self.told.append(end)
        if end == "conv mean":
            x = self.net_.conv(x, self._channels(), (1, 1), per_channel=self.pick(True, False))
        if "mean" in end:
            x = self.net_.mean(x, keep_dims=end == "mean conv")
        if end == "mean conv":
            x = self.net_.conv(x, self.number(1, 6), (1, 1))
        if end in ("flatten", "flatten dense"):
            x = self.net_.reshape(x, 1, x.shape[1] * x.shape[2] * x.shape[3])
        if end.endswith("dense"):
            how = {"per_channel": self.pick(True, False), "dead": self._dead()}
            x = self.net_.dense(x, self.number(1, 7), self.pick("NONE", "RELU"), **how)
            if self.pick(True, False):
                x = self.net_.dense(x, self.number(1, 7))
        if x.channels < 512 and self.pick(True, False):  # of more that are nearly equal TFLite ends the program
            self.told.append("softmax")
            logarithm = self.pick(False, False, True)
            x = self.net_.log_softmax(x) if logarithm else self.net_.softmax(x, self.pick(1.0, 0.5))
        if self.pick(False, False, True):
            self.told.append("dequantize")
            x = self.net_.requantize(x, x.scale, x.zero_point, "float32", "DEQUANTIZE")
        return x

    # Parts.

    def _channels(self) -> int:
        """Draw few channels, or as many as fast kernels take at a time, one more or less."""
        return self.pick(*range(1, 10), 15, 16, 17, 32)

    def _dead(self) -> bool:
        """Draw whether a channel of a layer has no weights."""
        return self.pick(False, False, False, True)

    def _conv(self, x: Map) -> Map:
        kernel = (self.number(1, 5), self.number(1, 5))
        dilation = self.pick((1, 1), (1, 1), (1, 2), (2, 1), (2, 3))
        spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
        stride = (1, 1) if dilation != (1, 1) else (self.number(1, 3), self.number(1, 3))
        return self.net_.conv(
            x,
            self._channels(),
            kernel,
            stride,
            self._padding(x, spans),
            self.pick("NONE", "RELU", "RELU6"),
            dilation,
            per_channel=self.pick(True, False),
            power_of_two=self.pick(False, False, True),
            dead=self._dead(),
        )

    def _padding(self, x: Map, spans: list[int]) -> str:
        fits = all(side >= span for side, span in zip(x.shape[1:3], spans, strict=True))
        return self.pick("SAME", "VALID") if fits else "SAME"

    def _depthwise(self, x: Map) -> Map:
        kernel = (self.number(1, 4), self.number(1, 4))
        stride = self.pick((1, 1), (2, 2), (1, 2))
        padding = self._padding(x, list(kernel))
        return self.net_.conv(x, self.number(1, 2), kernel, stride, padding, depthwise=True, dead=self._dead())

    def _max_pool(self, x: Map) -> Map:
        filter_ = (self.number(1, 4), self.number(1, 4))
        stride = (self.number(1, 3), self.number(1, 3))
        return self.net_.pool(x, filter_, stride, self._padding(x, list(filter_)), activation=self.pick("NONE", "RELU"))

    def _average_pool(self, x: Map) -> Map:
        if self.pick(False, True) and x.shape[1] <= 16:
            return self.net_.pool(x, (min(x.shape[1], 255), min(x.shape[2], 255)), (1, 1), "VALID", average=True)
        filter_ = (self.number(1, 3), self.number(1, 3))
        stride = (self.number(1, 3), self.number(1, 3))
        return self.net_.pool(x, filter_, stride, self._padding(x, list(filter_)), average=True)

    def _bypass(self, x: Map) -> Map:
        y = self.net_.conv(x, x.channels, (self.number(1, 3), 3))
        pair = (x, y) if self.pick(True, False) else (y, x)
        return self.net_.add(*pair, self.pick("NONE", "RELU"))

    def _fire(self, x: Map) -> Map:
        return self.net_.fire(x, self.number(1, 4), self.number(1, 6))

    def _branches(self, x: Map) -> Map:
        """Concatenate two to four branches of different depth, all of one scale."""
        first = self.net_.conv(x, self.number(1, 4), (1, 1))
        maps = [first] + [self._branch(x, first) for _ in range(self.number(1, 3))]
        if self.pick(False, True):
            inner = self.net_.concat(maps[:2])
            maps = [inner, *maps[2:], self._branch(x, first)]
        return self.net_.concat(maps, self.pick(3, -1))

    def _branch(self, x: Map, like: Map) -> Map:
        out = (like.scale, like.zero_point)
        kind = self.pick("3x3", "1x1 3x3", "pool 1x1", "5x5", "pad 3x3", "reuse", "two", "constant")
        if kind == "reuse":
            return like
        if kind == "constant":
            shape = (*like.shape[:3], self.number(1, 3))
            return Map(self.net_.constant(shape, *out), shape, *out)
        if kind == "1x1 3x3":
            x = self.net_.conv(x, 2, (1, 1))
        elif kind == "pool 1x1":
            x = self.net_.pool(x, (3, 3), (1, 1))
        elif kind == "two":
            x = self.net_.conv(x, 2, (3, 3))
        kernel = {"pool 1x1": (1, 1), "5x5": (5, 5)}.get(kind, (3, 3))
        if kind == "pad 3x3":
            padded = self.net_.pad(x, value=self._outside())
            return self.net_.conv(padded, self.number(1, 4), kernel, padding="VALID", out=out)
        return self.net_.conv(x, self.number(1, 4), kernel, out=out)

    def _scores(self, x: Map) -> Map:
        """Concatenate scores of each pixel with another map."""
        x = self.net_.conv(x, self._channels(), (1, 1))
        scores = self.net_.softmax(x) if self.pick(True, False) else self.net_.log_softmax(x)
        other = self.net_.conv(x, self.number(1, 4), out=(scores.scale, scores.zero_point))
        return self.net_.concat(self.pick([scores, other], [other, scores, other]))

    def _reduction(self, x: Map) -> Map:
        """Concatenate two or three branches that halve the map, in different places."""
        return self.net_.concat([self._halved(x) for _ in range(self.number(2, 3))])

    def _halved(self, x: Map) -> Map:
        out = (x.scale, x.zero_point)
        kind = self.pick("pool", "conv", "before", "after", "around")
        if kind == "pool":
            return self.net_.pool(x, (self.number(2, 4), 3), (2, 2))
        for _ in range(self.number(1, 2) if kind in ("before", "around") else 0):
            x = self.net_.conv(x, 2, (self.number(1, 5), 1))
        x = self.net_.conv(x, self.number(1, 3), (self.number(1, 7), 3), (2, 2), out=out)
        for _ in range(self.number(1, 2) if kind in ("after", "around") else 0):
            x = self.net_.conv(x, 2, (self.number(1, 5), 1), out=out)
        return x

    def _dense_block(self, x: Map) -> Map:
        """Concatenate a map with what is made of it, whose readers are two."""
        y = self.net_.conv(x, 3, (3, 3), out=(x.scale, x.zero_point))
        return self.net_.concat([x, y] if self.pick(True, False) else [y, x])

    def _pad(self, x: Map) -> Map:
        return self.net_.pad(x, *(self.number(0, 2) for _ in range(4)), value=self._outside())

    def _pad_channels(self, x: Map) -> Map:
        sides = (self.number(0, 1), 0, 0, self.number(0, 1))
        padded = self.net_.pad(x, *sides, channels=(self.number(0, 3), self.number(0, 3)), value=self._outside())
        return self.net_.conv(padded, self._channels(), (1, 1))

    def _joined(self, x: Map) -> Map:
        """Concatenate along height or width, two or three maps that differ there."""
        axis = self.pick(1, 2, -3, -2)
        stride = {1: (2, 1), 2: (1, 2)}[axis % 4]
        others = [
            self.net_.conv(x, x.channels, (3, 3), self.pick((1, 1), stride), out=(x.scale, x.zero_point)),
            self.net_.pool(x, (2, 2), self.pick((1, 1), stride)),
        ]
        maps = [x, *others[: self.number(1, 2)]]
        return self.net_.concat(maps if self.pick(True, False) else maps[::-1], axis)

    def _sliced(self, x: Map) -> Map:
        """Take every so many rows, columns and channels between random bounds."""
        begin, end, step = [0], [0], [1]
        for size in x.shape[1:]:
            first = self.number(0, size - 1)
            last = self.number(first + 1, size)
            begin.append(self.pick(first, first - size))
            end.append(0 if last == size else self.pick(last, last - size))
            step.append(self.number(1, 3))
        return self.net_.strided_slice(x, begin, end, step)

    def _split(self, x: Map) -> Map:
        """Split channels, convolve one part, and join them again; or one part alone goes on."""
        x = self.net_.conv(x, self.pick(4, 6, 8), (1, 1))
        first = self.number(1, x.channels - 1)
        a, b = self.net_.split(x, self.pick(2, (first, x.channels - first)), self.pick(3, -1))
        if self.pick(True, False):
            return a
        b = self.net_.conv(b, b.channels, (3, 3), out=(x.scale, x.zero_point))
        return self.net_.concat(self.pick([a, b], [b, a, a]))

    def _each(self, x: Map) -> Map:
        activation = self.pick("NONE", "RELU")
        return self.net_.dense(x, self._channels(), activation, per_channel=self.pick(True, False), each=True)

    def _transposed(self, x: Map) -> Map:
        """Convolve back to a larger map, of at most some 40 rows."""
        stride = (self.number(1, 3) if x.shape[1] <= 12 else 1, self.number(1, 3) if x.shape[2] <= 12 else 1)
        kernel = (self.number(1, 5), self.number(1, 5))
        how = {"per_channel": self.pick(True, False), "bias": self.pick(True, False), "less": self.number(0, 2)}
        activation = self.pick("NONE", "RELU")
        return self.net_.transposed(x, self.number(1, 6), kernel, stride, self.pick("SAME", "VALID"), activation, **how)

    def _resized(self, x: Map) -> Map:
        operator = self.pick("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")
        sizes = [
            side * self.pick(1, 2, 4) if side <= 10 and self.pick(True, False) else self.number(1, 20)
            for side in x.shape[1:3]
        ]
        align_corners, half_pixels = self.pick((False, False), (False, True), (True, False))
        return self.net_.resize(operator, x, (sizes[0], sizes[1]), align_corners, half_pixels)

    def _blocks(self, x: Map) -> Map:
        """Make pixels of channels, or channels of pixels."""
        block = self.pick(2, 3)
        if self.pick(True, False):
            return self.net_.blocks(
                "DEPTH_TO_SPACE", self.net_.conv(x, block * block * self.number(1, 2), (1, 1)), block
            )
        sizes = [max(side // block, 1) * block for side in x.shape[1:3]]
        x = self.net_.resize("RESIZE_NEAREST_NEIGHBOR", x, (sizes[0], sizes[1]))
        return self.net_.conv(self.net_.blocks("SPACE_TO_DEPTH", x, block), self._channels(), (1, 1))

    def _outside(self) -> int | None:
        """Return the byte of a PADV2, or None for a PAD."""
        return self.number(-128, 127) if self.number(0, 1) else None

    def _reshape(self, x: Map) -> Map:
        """Make other rows of the same bytes, of at most 32 channels."""
        x = self.net_.conv(x, self._channels(), (1, 1))
        size = math.prod(x.shape)
        channels = self.pick(*_divisors(size, 32))
        height = self.pick(*_divisors(size // channels, 24))
        return self.net_.reshape(x, 1, height, size // channels // height, channels)

    def _tall(self, x: Map) -> Map:
        """See more rows at once than the engine has room for on its stack."""
        kernel = (self.number(16, 20), self.number(1, 2))
        if self.pick(True, False):
            return self.net_.pool(x, kernel, (1, 1), average=self.pick(True, False))
        return self.net_.conv(x, self.number(1, 4), kernel, (self.number(1, 2), 1))

    def _groups(self, x: Map) -> Map:
        groups = self.pick(*_divisors(x.channels, 8))
        kernel = (self.number(1, 3), self.number(1, 3))
        return self.net_.conv(x, groups * self.number(1, 4), kernel, groups=groups, per_channel=self.pick(True, False))

    def _dilated(self, x: Map) -> Map:
        block = (self.number(1, 3), self.number(1, 3))
        fits = all(side > 2 * step for side, step in zip(x.shape[1:3], block, strict=True))
        return self.net_.dilated(x, self.number(1, 5), block, self.pick("SAME", "VALID") if fits else "SAME")

    def _elementwise(self, x: Map) -> Map:
        operator = self.pick("LOGISTIC", "TANH", "EXP", "HARD_SWISH", "LEAKY_RELU", "ABS", "LOG", "GELU")
        slope = self.pick(0.1, 0.3, 1.7)
        return self.net_.elementwise(operator, x, x.scale * self.pick(0.9, 1.0, 1.7), self.pick(-128, 4), slope)

    def _prelu(self, x: Map) -> Map:
        slopes = self._constant(x, self.pick(0.01, 0.02), self.pick(0, -128, 3))
        return self.net_.prelu(x, slopes, x.scale * self.pick(0.9, 1.7), self.pick(-128, 4))

    def _constant(self, x: Map, scale: float, zero_point: int) -> int:
        """Draw a constant of one value, of one a channel, a row or a value."""
        shape = self.pick((), (1,), (1, 1, 1, 1), (x.channels,), (1, 1, 1, x.channels), x.shape, (x.shape[1], 1, 1))
        return self.net_.constant(shape, scale, zero_point)

    def _binary(self, x: Map) -> Map:
        """Combine a map with a constant, one of its shape or one of its pixels, in either order."""
        operator = self.pick("ADD", "SUB", "MUL", "MINIMUM", "MAXIMUM")
        extreme = operator in ("MINIMUM", "MAXIMUM")
        scale, zero_point = (x.scale, x.zero_point) if extreme else (x.scale * self.pick(0.5, 1.0, 1.6), 7)
        other: Map | int = self._constant(x, scale, zero_point)
        if self.pick(True, False):
            other = self.net_.conv(x, x.channels, (1, 1), out=(scale, zero_point))
            if self.pick(True, False):
                pooled = self.net_.reduce("MEAN", other, self.pick((1, 2), (1, 2), (1,), (2,), (3,)))
                other = self.net_.requantize(pooled, scale, zero_point)
        a, b = self.pick((x, other), (other, x))
        if extreme:
            return self.net_.binary(operator, a, b, x, scale, zero_point)
        out = {"MUL": x.scale * scale * 60}.get(operator, 1.6 * max(x.scale, scale))
        return self.net_.binary(operator, a, b, x, out, self.pick(-128, 3), self.pick("NONE", "RELU", "RELU6"))

    def _squeeze_excite(self, x: Map) -> Map:
        """Scale a map's channels by what its mean says; the map may be read again."""
        gate = self.net_.conv(self.net_.reduce("MEAN", x, (1, 2)), x.channels, (1, 1))
        gate = self.net_.elementwise(self.pick("LOGISTIC", "HARD_SWISH"), gate, gate.scale, -128)
        a, b = self.pick((x, gate), (gate, x))
        y = self.net_.binary("MUL", a, b, x, x.scale * gate.scale * 60, self.pick(-128, 3))
        return self.net_.add(y, x) if self.pick(True, False) else y

    def _turn(self, x: Map) -> Map:
        """Transpose, to few channels again."""
        x = self.net_.transpose(x, 0, *self.pick((1, 3, 2), (2, 1, 3), (2, 3, 1), (3, 1, 2), (3, 2, 1), (1, 2, 3)))
        return self.net_.conv(x, self._channels(), (1, 1))

    def _reduce(self, x: Map) -> Map:
        operator, axes = self.pick("MEAN", "REDUCE_MAX"), self.pick((1,), (2,), (1, 2), (-3,), (-2,), (-1,))
        y = self.net_.reduce(operator, x, [axis % 4 for axis in axes], self.pick(True, False))
        return y if len(y.shape) == 4 else self.net_.reshape(y, 1, *[1] * (4 - len(y.shape)), *y.shape[1:])

    def _requantize(self, x: Map) -> Map:
        operator = self.pick("QUANTIZE", "RELU", "RELU6", "RELU_N1_TO_1")
        return self.net_.requantize(x, x.scale * self.pick(0.7, 1.0, 1.9), self.pick(-128, 4), operator=operator)


def _divisors(number: int, most: int) -> list[int]:
    return [each for each in range(1, most + 1) if number % each == 0]
