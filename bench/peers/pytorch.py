"""The training step and the rendering of bench/step.ts in PyTorch, as its best user would write them: the first layer of all
fields as one product, batched products for the rest, fused loops over the parameters in Adam and EMA. Prints one JSON
object; every figure is in milliseconds and of the fastest number of threads."""

import json
import sys
import time

import torch
import torch.nn.functional as F

B, P, LATENT, MAPPING, WIDTHS = 64, 1024, 128, [256, 256], [128, 64, 64, 64, 3]
IMAGES = 1400


def median(values):
    values = sorted(values)
    return values[len(values) // 2]


class Generator:
    def __init__(self):
        torch.manual_seed(0)
        make = lambda *shape: (torch.randn(*shape) / shape[0] ** 0.5).requires_grad_()
        sizes = [LATENT, *MAPPING]
        self.mapping = [(make(i, o), torch.zeros(o, requires_grad=True)) for i, o in zip(sizes, sizes[1:])]
        self.shared = [(make(i, o), torch.zeros(o, requires_grad=True)) for i, o in zip(WIDTHS, WIDTHS[1:])]
        small = lambda *shape: (0.01 * torch.randn(*shape)).requires_grad_()
        self.heads = [(small(MAPPING[-1], i * o), small(MAPPING[-1], o)) for i, o in zip(WIDTHS, WIDTHS[1:])]
        self.table = (0.1 * torch.randn(IMAGES, LATENT)).requires_grad_()

    def parameters(self):
        return [t for pair in self.mapping + self.shared + self.heads for t in pair]

    def weights(self, latents):
        h = latents
        for w, b in self.mapping:
            h = F.relu(torch.addmm(b, h, w))
        result = []
        for (w, b), (hw, hb), i, o in zip(self.shared, self.heads, WIDTHS, WIDTHS[1:]):
            result.append(((h @ hw).view(-1, i, o) + w, h @ hb + b))
        return result


def field(weights, features):
    (w, b), *rest = weights
    n = w.shape[0]
    # [P,F] x [F,B*H]: one large product instead of a batch of small ones.
    x = features @ w.permute(1, 0, 2).reshape(w.shape[1], -1)
    x = x.view(features.shape[0], n, -1).transpose(0, 1) + b[:, None]
    for w, b in rest:
        x = torch.baddbmm(b[:, None], F.relu(x), w)
    return torch.sigmoid(x)


def step_milliseconds(steps):
    g = Generator()
    parameters = g.parameters()
    averages = [p.detach().clone() for p in parameters]
    try:
        adam = torch.optim.Adam(parameters, lr=1e-3, betas=(0.9, 0.99), foreach=True)
    except TypeError:
        adam = torch.optim.Adam(parameters, lr=1e-3, betas=(0.9, 0.99))
    rows = torch.optim.SparseAdam([g.table], lr=1e-2)
    features, targets = torch.rand(P, WIDTHS[0]) * 2 - 1, torch.rand(B, P, 3)
    times = []
    for step in range(steps + 2):
        start = time.perf_counter()
        index = (torch.arange(B) * 7 + step) % IMAGES
        latents = F.embedding(index, g.table, sparse=True)
        loss = F.mse_loss(field(g.weights(latents), features), targets) + 1e-4 * latents.square().sum(1).mean()
        adam.zero_grad(set_to_none=True)
        rows.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()
        rows.step()
        with torch.no_grad():
            torch._foreach_mul_(averages, 0.999)
            torch._foreach_add_(averages, [p.detach() for p in parameters], alpha=0.001)
        loss.item()
        times.append(1000 * (time.perf_counter() - start))
    return median(times[2:])


def render_milliseconds(size, chunk=2**15):
    g = Generator()
    with torch.no_grad():
        weights = g.weights(torch.zeros(1, LATENT))
        frequencies = 5 * torch.randn(WIDTHS[0] // 2, 2) * 2 * torch.pi
        start = time.perf_counter()
        centres = (torch.arange(size) + 0.5) / size
        image = torch.empty(size * size, 3, dtype=torch.uint8)
        for first in range(0, size * size, chunk):
            index = torch.arange(first, min(first + chunk, size * size))
            points = torch.stack([centres[index % size], centres[index // size]], 1)
            phase = points @ frequencies.T
            x = torch.cat([phase.sin(), phase.cos()], 1)
            for l, (w, b) in enumerate(weights):
                x = torch.addmm(b[0], x, w[0])
                x = torch.relu_(x) if l + 1 < len(weights) else torch.sigmoid_(x)
            image[first : first + chunk] = (x * 255).round_().to(torch.uint8)
        return 1000 * (time.perf_counter() - start)


def main():
    steps, render_size, most_threads = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    result = {"version": f"PyTorch {torch.__version__}"}
    for threads in range(1, most_threads + 1):
        if threads not in (1, 2, 4, 8, 16, most_threads):
            continue
        torch.set_num_threads(threads)
        milliseconds = step_milliseconds(steps)
        if milliseconds < result.get("step", float("inf")):
            result.update(step=milliseconds, threads=threads)
    torch.set_num_threads(result["threads"])
    if render_size:
        result["render"] = render_milliseconds(render_size)
    print(json.dumps(result))


main()
