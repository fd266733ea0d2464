"""The nets of `zoo.py` in PyTorch, as its users write them: channels first."""

import contend_torch
import torch
from contend_torch import Last
from torch import nn
from torch.nn import functional


class Residual(nn.Sequential):
    """x + f(x)."""

    def forward(self, x):
        return x + super().forward(x)


class Order(nn.Module):
    """The axes in another order."""

    def __init__(self, *axes):
        super().__init__()
        self.axes = axes

    def forward(self, x):
        return x.permute(self.axes)


def mlp():
    parts = []
    for n in (100, 256, 256):
        parts += [nn.Linear(n, 256, bias=False), normalized(nn.BatchNorm1d, 256), nn.ReLU()]
    return nn.Sequential(*parts, nn.Linear(256, 10))


def normalized(kind, n):
    return kind(n, eps=1e-3, momentum=0.01)


def conv(channels, filters, taps=3, strides=1, groups=1):
    """A convolution with batch normalization."""
    options = {"padding": taps // 2, "groups": groups, "bias": False}
    layer = nn.Conv2d(channels, filters, taps, strides, **options)
    return nn.Sequential(layer, normalized(nn.BatchNorm2d, filters))


def pooled(channels):
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))


class ResBlock(nn.Module):
    def __init__(self, channels, filters, strides):
        super().__init__()
        self.first = conv(channels, filters, 3, strides)
        # in the order of a graph's layers: those of one depth after each other
        self.short, projects = nn.Identity(), strides > 1
        if projects:
            self.short = nn.Conv2d(channels, filters, 1, strides, bias=False)
        self.second = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
        self.short_norm = normalized(nn.BatchNorm2d, filters) if projects else nn.Identity()
        self.norm = normalized(nn.BatchNorm2d, filters)

    def forward(self, x):
        y = self.norm(self.second(functional.relu(self.first(x))))
        return functional.relu(y + self.short_norm(self.short(x)))


def resnet():
    blocks = [ResBlock(*sizes) for sizes in ((16, 16, 1), (16, 32, 2), (32, 64, 2))]
    return nn.Sequential(conv(3, 16), nn.ReLU(), *blocks, pooled(64))


class DenseBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = normalized(nn.BatchNorm2d, channels)
        self.conv = nn.Conv2d(channels, 12, 3, padding=1, bias=False)

    def forward(self, x):
        return torch.cat([x, self.conv(functional.relu(self.norm(x)))], 1)


def densenet():
    return nn.Sequential(*[DenseBlock(24 + 12 * i) for i in range(4)], pooled(72))


class Gate(nn.Module):
    """Squeeze and excitation."""

    def __init__(self, channels, inner):
        super().__init__()
        self.inner, self.outer = nn.Conv2d(channels, inner, 1), nn.Conv2d(inner, channels, 1)

    def forward(self, x):
        gate = functional.silu(self.inner(x.mean((2, 3), keepdim=True)))
        return x * torch.sigmoid(self.outer(gate))


def mbconv():
    def block():
        wide = conv(32, 128, 1), nn.SiLU(), conv(128, 128, groups=128), nn.SiLU()
        return Residual(*wide, Gate(128, 8), conv(128, 32, 1))

    return nn.Sequential(block(), block(), pooled(32))


def norm(n):
    return nn.LayerNorm(n, eps=1e-6)


def convnext():
    def block():
        depthwise = nn.Conv2d(48, 48, 7, padding=3, groups=48)
        dense = norm(48), nn.Linear(48, 192), nn.GELU(), nn.Linear(192, 48)
        return Residual(depthwise, Order(0, 2, 3, 1), *dense, Order(0, 3, 1, 2))

    first = nn.Conv2d(3, 48, 4, 4), Order(0, 2, 3, 1), norm(48), Order(0, 3, 1, 2)
    pool = nn.AdaptiveAvgPool2d(1), nn.Flatten(), norm(48), nn.Linear(48, 10)
    return nn.Sequential(*first, block(), block(), block(), *pool)


class UNet(nn.Module):
    def __init__(self):
        super().__init__()

        def twice(channels, n):
            first, second = nn.Conv2d(channels, n, 3, padding=1), nn.Conv2d(n, n, 3, padding=1)
            return nn.Sequential(first, nn.ReLU(), second, nn.ReLU())

        self.first, self.second, self.inner = twice(1, 16), twice(16, 32), twice(32, 64)
        self.up, self.third = nn.ConvTranspose2d(64, 32, 2, 2), twice(64, 32)
        self.top, self.last = nn.ConvTranspose2d(32, 16, 2, 2), twice(32, 16)
        self.out = nn.Conv2d(16, 3, 1)

    def forward(self, x):
        first = self.first(x)
        second = self.second(functional.max_pool2d(first, 2))
        x = self.inner(functional.max_pool2d(second, 2))
        x = self.third(torch.cat([self.up(x), second], 1))
        x = self.last(torch.cat([self.top(x), first], 1))
        return self.out(x).permute(0, 2, 3, 1)


def unet():
    return UNet()


def critic():
    parts = []
    for channels, filters in ((1, 64), (64, 128)):
        parts += [nn.Conv2d(channels, filters, 5, 2, 2), nn.LeakyReLU(0.2)]
    return nn.Sequential(*parts, Order(0, 2, 3, 1), nn.Flatten(), nn.Linear(8 * 8 * 128, 2))


def vit():
    layer = nn.TransformerEncoderLayer(64, 4, 128, 0, "gelu", 1e-6, True, norm_first=True)
    blocks = nn.TransformerEncoder(layer, 4, norm(64), enable_nested_tensor=False)
    places = Order(0, 2, 3, 1), nn.Flatten(1, 2)
    mean = Order(0, 2, 1), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(64, 10)
    return nn.Sequential(nn.Conv2d(3, 64, 4, 4), *places, blocks, *mean)


class Gated(nn.Module):
    """A layer of WaveNet."""

    def __init__(self, apart):
        super().__init__()
        self.apart = apart
        self.values = nn.Conv1d(32, 32, 2, dilation=apart)
        self.gates = nn.Conv1d(32, 32, 2, dilation=apart)
        self.out = nn.Conv1d(32, 32, 1)

    def forward(self, x):
        padded = functional.pad(x, (self.apart, 0))
        return x + self.out(torch.tanh(self.values(padded)) * torch.sigmoid(self.gates(padded)))


def wavenet():
    pool = nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(32, 10)
    return nn.Sequential(*[Gated(2**i) for i in range(6)], *pool)


def textcnn():
    convs = nn.Conv1d(64, 64, 7, 3), nn.ReLU(), nn.Conv1d(64, 64, 7, 3), nn.ReLU()
    dense = nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2)
    return nn.Sequential(nn.Embedding(20000, 64), Order(0, 2, 1), *convs, *dense)


class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(5000, 64)
        self.lstm = nn.LSTM(64, 64, 2, batch_first=True, bidirectional=True)
        self.out = nn.Linear(128, 2)

    def forward(self, x):
        lengths = (x != 0).sum(1)
        packed = nn.utils.rnn.pack_padded_sequence(
            self.words(x), lengths, batch_first=True, enforce_sorted=False
        )
        _, (h, _) = self.lstm(packed)
        return self.out(torch.cat([h[-2], h[-1]], 1))


def bilstm():
    return Words()


class LastStep(nn.Module):
    def forward(self, x):
        return x[:, -1]


def lstms():
    return nn.Sequential(Last(nn.LSTM(10, 50, 3, batch_first=True)), LastStep(), nn.Linear(50, 10))


# --- weights, drawn in the order of Keras' layers, in their shapes ---


def filled(module, draw) -> None:
    """Draw the weights of a module and of those in it."""
    if isinstance(module, nn.TransformerEncoderLayer):
        attention = module.self_attn
        n, heads = attention.embed_dim, attention.num_heads
        filled(module.norm1, draw)
        parts = [(draw(n, heads, n // heads), draw(heads, n // heads)) for _ in range(3)]
        put(attention.in_proj_weight, torch.cat([w.reshape(n, n).T for w, _ in parts]))
        put(attention.in_proj_bias, torch.cat([b.reshape(n) for _, b in parts]))
        put(attention.out_proj.weight, draw(heads, n // heads, n).reshape(n, n).T)
        put(attention.out_proj.bias, draw(n))
        for part in (module.norm2, module.linear1, module.linear2):
            filled(part, draw)
    elif isinstance(module, nn.Linear | nn.modules.conv._ConvNd):
        put(module.weight, kernel(module, draw))
        if module.bias is not None:
            put(module.bias, draw(len(module.bias)))
    elif isinstance(module, nn.LayerNorm | nn.modules.batchnorm._BatchNorm | nn.Embedding):
        for w in module.parameters():
            put(w, draw(*w.shape))
        if not isinstance(module, nn.LayerNorm | nn.Embedding):
            put(module.running_mean, draw(module.num_features))
            put(module.running_var, draw(module.num_features))
    elif isinstance(module, nn.LSTM):
        for inner, recurrent, bias, second in module.all_weights:
            for w in (inner, recurrent):
                put(w, draw(*w.shape[::-1]).T)
            put(bias, draw(len(bias)))
            put(second, torch.zeros_like(second))
            second.requires_grad_(False)  # Keras has one bias
    else:
        for child in module.children():
            filled(child, draw)


def kernel(module, draw):
    """The kernel of a dense layer or a convolution."""
    first, second, *taps = module.weight.shape
    if not taps:
        return draw(second, first).T
    axes = range(len(taps))
    if second == 1 < module.groups:  # depthwise
        return draw(*taps, first, 1).permute(-2, -1, *axes)
    return draw(*taps, second, first).permute(-1, -2, *axes)


def put(w, values) -> None:
    with torch.no_grad():
        w.copy_(values)


class Contender(contend_torch.Contender):
    def __init__(self, workload, x, *given):
        if workload.net == ["wavenet"]:
            x = x.transpose(0, 2, 1).copy()
        super().__init__(workload, x, *given)

    def net(self, workload, draw):
        made = globals()[workload.net[0]]()
        filled(made, lambda *shape: torch.from_numpy(draw(*shape)))
        return made.train(workload.kind == "step")
