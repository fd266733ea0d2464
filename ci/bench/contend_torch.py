"""PyTorch, eager, written as its tutorials do; "fused" is its Adam of one call on the CPU."""

import torch
from torch import nn
from workloads import EPOCHS, EPSILON, RATES, batches, split

ACTIVATIONS = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid}
LOSSES = {"mse": nn.MSELoss, "bce": nn.BCELoss, "ce": nn.CrossEntropyLoss}


class Contender:
    def __init__(self, workload, x, y, weights, threads, variant=""):
        torch.set_num_threads(threads)
        parts = []
        for n, m in zip(workload.sizes, workload.sizes[1:], strict=False):
            parts += [nn.Linear(n, m), ACTIVATIONS[workload.hidden]()]
        parts[-1:] = [] if workload.loss == "ce" else [nn.Sigmoid()]
        self.model = nn.Sequential(*parts)
        with torch.no_grad():
            for p, w in zip(self.model.parameters(), weights, strict=True):
                p.copy_(torch.from_numpy(w.T.copy()))
        self.loss = LOSSES[workload.loss]()
        rate, parameters = RATES[workload.optimizer], self.model.parameters()
        if workload.optimizer == "sgd":
            self.optimizer = torch.optim.SGD(parameters, rate)
        else:
            self.optimizer = torch.optim.Adam(
                parameters, rate, eps=EPSILON, fused=True if variant == "fused" else None
            )
        self.numpy_x = x
        self.x, self.y = torch.from_numpy(x), torch.from_numpy(y)
        self.batches = batches(self.x, self.y, workload.batch)
        self.kind, self.batch = workload.kind, workload.batch

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
