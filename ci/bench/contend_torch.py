"""PyTorch, eager, written as its tutorials do; "fused" is its Adam of one call on the CPU."""

import torch
from torch import nn
from torch.nn import functional
from workloads import EPOCHS, EPSILON, NORM, batches, split

LOSSES = {"mse": nn.MSELoss, "bce": nn.BCELoss}


class Last(nn.Module):
    """A module that gives several results, of which the first is wanted."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x)[0]


class Tokens(nn.Module):
    """Tokens and their positions as vectors."""

    def __init__(self, tokens, positions):
        super().__init__()
        self.tokens = holding(nn.Embedding(*tokens.shape), tokens)
        self.positions = holding(nn.Embedding(*positions.shape), positions)

    def forward(self, x):
        return self.tokens(x) + self.positions(torch.arange(x.shape[1]))


class Block(nn.Module):
    """A block of GPT: one product for queries, keys and values, and PyTorch's own attention."""

    def __init__(self, heads, given):
        super().__init__()
        q, qb, k, kb, v, vb, out, out_b = [next(given) for _ in range(8)]
        n = len(q)
        together = torch.cat([w.reshape(n, n) for w in (q, k, v)], 1)
        biases = torch.cat([b.reshape(n) for b in (qb, kb, vb)])
        self.heads = heads
        self.qkv = holding(nn.Linear(n, 3 * n), together.T, biases)
        self.out = holding(nn.Linear(n, n), out.reshape(n, n).T, out_b)
        self.first = holding(nn.LayerNorm(n), next(given), next(given))
        w, b = next(given), next(given)
        self.inner = holding(nn.Linear(*w.shape), w.T, b)
        w, b = next(given), next(given)
        self.outer = holding(nn.Linear(*w.shape), w.T, b)
        self.second = holding(nn.LayerNorm(n), next(given), next(given))

    def forward(self, x):
        b, t, n = x.shape
        q, k, v = [
            part.view(b, t, self.heads, -1).transpose(1, 2)
            for part in self.qkv(self.first(x)).split(n, -1)
        ]
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(b, t, n))
        y = functional.gelu(self.inner(self.second(x)), approximate="tanh")
        return x + self.outer(y)


class CrossEntropy(nn.CrossEntropyLoss):
    """Of logits whose classes are last."""

    def forward(self, out, y):
        return super().forward(out.reshape(-1, out.shape[-1]), y.reshape(-1))


def net(words, shape, weights):
    """The modules, with the weights in them; images have their channels first."""
    given = (torch.from_numpy(w.copy()) for w in weights)
    made = []
    for name, *args in words:
        if name == "dense":
            w = next(given)
            if isinstance(made[-1] if made else None, nn.Flatten):  # rows, columns, channels there
                w = w.reshape(*shape, -1).permute(2, 0, 1, 3).reshape(w.shape)
            made.append(holding(nn.Linear(*w.shape), w.T, next(given)))
        elif name == "conv":
            w, same = next(given).permute(3, 2, 0, 1), args[1:] == ["same"]
            made.append(
                holding(nn.Conv2d(w.shape[1], w.shape[0], 3, padding=int(same)), w, next(given))
            )
            cut = 0 if same else 2
            shape = (shape[0] - cut, shape[1] - cut, args[0])
        elif name == "norm":
            gamma, beta, _, _ = [next(given) for _ in range(4)]
            norm = nn.BatchNorm2d(len(gamma), NORM["epsilon"], 1 - NORM["momentum"])
            made.append(holding(norm, gamma, beta))
        elif name == "pool":
            made.append(nn.MaxPool2d(2))
            shape = (shape[0] // 2, shape[1] // 2, shape[2])
        elif name == "embed":
            made.append(holding(nn.Embedding(*args), next(given)))
        elif name == "tokens":
            made.append(Tokens(next(given), next(given)))
        elif name == "block":
            made.append(Block(args[0], given))
        elif name == "layernorm":
            gamma, beta = next(given), next(given)
            made.append(holding(nn.LayerNorm(len(gamma)), gamma, beta))
        elif name == "lstm":
            kernel, recurrent, bias = next(given), next(given), next(given)
            inner = nn.LSTM(len(kernel), len(recurrent), batch_first=True)
            holding(inner, kernel.T, recurrent.T, bias, torch.zeros_like(bias))
            inner.bias_hh_l0.requires_grad_(False)  # Keras has one bias
            made.append(Last(inner))
        elif name == "gru":
            w, recurrent, bias = [swapped(next(given)) for _ in range(3)]
            inner = nn.GRU(len(w), len(recurrent), batch_first=True)
            made.append(Last(holding(inner, w.T, recurrent.T, *bias)))
        else:
            made.append({"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "flatten": nn.Flatten}[name]())
    return nn.Sequential(*made)


def holding(module, *weights):
    """The module with these weights."""
    with torch.no_grad():
        for parameter, w in zip(module.parameters(), weights, strict=True):
            parameter.copy_(w)
    return module


def swapped(w):
    """A GRU's gates z, r, g as r, z, g."""
    z, r, g = w.chunk(3, -1)
    return torch.cat([r, z, g], -1)


class Contender:
    def __init__(self, workload, x, y, weights, threads, variant=""):
        torch.set_num_threads(threads)
        self.model = self.net(workload, weights)
        self.loss = LOSSES.get(workload.loss, CrossEntropy)()
        rate = workload.rate
        parameters = [p for p in self.model.parameters() if p.requires_grad]
        if workload.optimizer == "sgd":
            self.optimizer = torch.optim.SGD(parameters, rate)
        else:
            self.optimizer = torch.optim.Adam(
                parameters, rate, eps=EPSILON, fused=True if variant == "fused" else None
            )
        if x.ndim == 4:
            x = x.transpose(0, 3, 1, 2).copy()
        self.numpy_x = x
        self.x, self.y = torch.from_numpy(x), torch.from_numpy(y)
        self.batches = batches(self.x, self.y, workload.batch)
        self.kind, self.batch = workload.kind, workload.batch

    def net(self, workload, weights):
        return net(workload.layers, workload.shape, weights)

    def train(self, x, y):
        self.optimizer.zero_grad()
        out = self.model(x)
        loss = self.loss(out, y)
        loss.backward()
        self.optimizer.step()
        return loss, out

    def losses(self, steps):
        if self.kind == "predict":
            return self.answer().reshape(-1).tolist()
        if self.kind == "fit":
            return self.epoch(shuffle=False)
        return [self.train(*self.batches[i % len(self.batches)])[0].item() for i in range(steps)]

    def step(self, times):
        given = self.batches
        for i in range(times):
            self.train(*given[i % len(given)])

    def epoch(self, shuffle=True):
        """An epoch with its validation, as [loss, validation loss]; accuracies as fit has them."""
        (x, y), (vx, vy) = split(self.x, self.y)
        order = torch.randperm(len(x)) if shuffle else torch.arange(len(x))
        total = right = 0.0
        for i in range(0, len(x), self.batch):
            at = order[i : i + self.batch]
            xb, yb = x[at], y[at]
            loss, out = self.train(xb, yb)
            total += loss.detach() * len(xb)
            right += ((out > 0.5) == yb).sum()
        results = [float(total) / len(x), float(right) / len(x)]
        total = right = 0.0
        with torch.no_grad():
            for i in range(0, len(vx), self.batch):
                xb, yb = vx[i : i + self.batch], vy[i : i + self.batch]
                out = self.model(xb)
                total += self.loss(out, yb) * len(xb)
                right += ((out > 0.5) == yb).sum()
        results += [float(total) / len(vx), float(right) / len(vx)]
        return results[::2]

    def fit(self, times):
        for _ in range(times * EPOCHS):
            self.epoch()

    def answer(self):
        with torch.no_grad():
            return self.model(torch.from_numpy(self.numpy_x)).numpy()

    def predict(self, times):
        for _ in range(times):
            self.answer()
