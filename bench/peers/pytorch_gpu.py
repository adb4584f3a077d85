"""The training step and the rendering of the bench in PyTorch on a GPU, as its best user would write them: eager, compiled,
and each as one CUDA graph; in float32, TF32 and under bfloat16 autocast.

    pytorch_gpu.py --model NAME=FILE… [--render SIZE] [--seconds 240] [--allow-cpu]

FILE (safetensors, written by bench/webgpu/training.ts) holds the parameters that our own training starts from, its features
and targets, and its settings: both train the same model from the same start, and their losses must agree. Prints one JSON
line once all is measured, and another for every line that it reads: the figures measured anew, nothing compiled again. A
mode that fails says why under "absent" and leaves the others alone; so does one that the time no longer allows."""

import argparse
import json
import sys
import time

import torch
import torch.nn.functional as F

MODES = ["eager", "compile", "graph", "compile_graph"]
PRECISIONS = ["tf32", "bf16", "f32"]
WARM, LATER = 3, 2  # steps whose losses are reported: before and after a graph is captured


def load(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = bytearray(file.read())
    settings = json.loads(header.pop("__metadata__")["settings"])
    read = lambda at, shape: torch.frombuffer(data[at[0] : at[1]], dtype=torch.float32).reshape(shape)
    return {name: read(entry["data_offsets"], entry["shape"]) for name, entry in header.items()}, settings


class Training:
    """One model on its way. `step` changes everything in place, so that it can be captured."""

    def __init__(self, model, device, precision, one_product, capturable):
        tensors, settings = model
        take = lambda name: tensors[name].to(device, copy=True)
        layers = lambda name: sum(key.startswith(f"parameter/{name}.") and key.endswith("kernel") for key in tensors)
        pairs = lambda name: [
            tuple(take(f"parameter/{name}.{l}.{part}").requires_grad_() for part in ("kernel", "bias"))
            for l in range(layers(name))
        ]
        self.mapping, self.shared, self.heads = pairs("mapping"), pairs("field"), pairs("head")
        self.features, self.targets, self.table = take("features"), take("targets"), take("parameter/latents")
        self.first, self.second = torch.zeros_like(self.table), torch.zeros_like(self.table)
        self.index = torch.arange(len(self.targets), device=device) * 7 % len(self.table)
        self.settings, self.device, self.precision, self.one_product = settings, device, precision, one_product
        self.compiled = False
        self.parameters = [t for pair in self.mapping + self.shared + self.heads for t in pair]
        self.averages = [t.detach().clone() for t in self.parameters]
        betas = (settings["beta1"], settings["beta2"])
        fused = {"fused": True, "capturable": capturable} if device.type == "cuda" else {}
        self.adam = torch.optim.Adam(self.parameters, settings["learningRate"], betas, settings["epsilon"], **fused)

    def weights(self, latents):
        h = latents
        for w, b in self.mapping:
            h = F.relu(torch.addmm(b, h, w))
        return [((h @ hw).view(-1, *w.shape) + w, h @ hb + b) for (w, b), (hw, hb) in zip(self.shared, self.heads)]

    def field(self, weights, features):
        (w, b), *rest = weights
        if self.one_product:  # [P,F] x [F,B*H]
            x = features @ w.permute(1, 0, 2).reshape(w.shape[1], -1)
            x = x.view(len(features), len(w), -1).transpose(0, 1) + b[:, None]
        else:
            x = torch.bmm(features.expand(len(w), -1, -1), w) + b[:, None]
        for w, b in rest:
            # By itself PyTorch adds the bias within the product; the compiler fuses it with the rectifier instead.
            x = torch.bmm(F.relu(x), w) + b[:, None] if self.compiled else torch.baddbmm(b[:, None], F.relu(x), w)
        return torch.sigmoid(x.float())

    def autocast(self):
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16")

    def loss_of(self, latents):
        with self.autocast():
            output = self.field(self.weights(latents), self.features)
        return F.mse_loss(output, self.targets) + self.settings["latentPenalty"] * latents.square().sum(1).mean()

    @torch.no_grad()
    def update_rows(self, rows, gradient):
        """Adam on the latents of the batch, with the bias correction of a first visit, as ours has it here."""
        s, i = self.settings, self.index
        m = s["beta1"] * self.first[i] + (1 - s["beta1"]) * gradient
        v = s["beta2"] * self.second[i] + (1 - s["beta2"]) * gradient.square()
        change = m / (1 - s["beta1"]) / ((v / (1 - s["beta2"])).sqrt() + s["epsilon"])
        self.table.index_copy_(0, i, rows - s["latentLearningRate"] * change)
        self.first.index_copy_(0, i, m)
        self.second.index_copy_(0, i, v)
        i.add_(1).remainder_(len(self.table))

    def step(self):
        rows = self.table[self.index].requires_grad_()
        loss = self.loss_of(rows)
        self.adam.zero_grad(set_to_none=True)
        loss.backward()
        self.adam.step()
        self.update_rows(rows.detach(), rows.grad)
        with torch.no_grad():
            decay = self.settings["emaDecay"]
            if hasattr(torch, "_foreach_lerp_"):
                torch._foreach_lerp_(self.averages, self.parameters, 1 - decay)
            else:
                torch._foreach_mul_(self.averages, decay)
                torch._foreach_add_(self.averages, self.parameters, alpha=1 - decay)
        return loss.detach()


def reason(error):
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}"


def set_precision(precision):
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"


def captured(training, losses):
    """The whole step as one CUDA graph, after some steps on another stream."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        losses.extend(training.step() for _ in range(WARM))
    torch.cuda.current_stream().wait_stream(side)
    training.adam.zero_grad(set_to_none=True)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = training.step()

    def step():
        graph.replay()
        return loss

    return step


class Measured:
    """A mode that works, ready to be timed."""

    def __init__(self, model, device, mode, precision, one_product):
        if device.type != "cuda" and ("graph" in mode or precision == "tf32"):
            raise RuntimeError(f"{'CUDA graphs need' if 'graph' in mode else 'TF32 needs'} a CUDA device")
        set_precision(precision)
        training = Training(model, device, precision, one_product, "graph" in mode)
        if "compile" in mode:
            if not hasattr(torch, "compile"):
                raise RuntimeError(f"PyTorch {torch.__version__} has no torch.compile")
            training.compiled = True
            training.loss_of = torch.compile(training.loss_of)
            training.update_rows = torch.compile(training.update_rows)
        losses = []
        if "graph" in mode:
            self.step = captured(training, losses)
        else:
            self.step = training.step
            losses.extend(self.step() for _ in range(WARM))
        self.losses = [loss.item() for loss in losses] + [self.step().item() for _ in range(LATER)]
        self.precision, self.one_product = precision, one_product
        start = time.perf_counter()
        self.step().item()
        seconds = time.perf_counter() - start
        self.block = max(2, min(50, int((0.15 if device.type == "cuda" else 0.02) / seconds)))  # steps between two looks at the loss

    def blocks(self, count=5):
        """Milliseconds of a step, for some blocks of steps."""
        set_precision(self.precision)
        times = []
        for _ in range(count):
            start = time.perf_counter()
            for _ in range(self.block):
                loss = self.step()
            loss.item()
            times.append(1000 * (time.perf_counter() - start) / self.block)
        return times


def figures_of(measured):
    if isinstance(measured, str):
        return {"absent": measured}
    try:
        times = measured.blocks()
    except Exception as error:
        return {"absent": reason(error)}
    return {"milliseconds": times, "losses": measured.losses, "oneProduct": measured.one_product}


def prepare(models, device, deadline):
    """Every mode, built: name → mode_precision → Measured, or the reason why there is none."""
    prepared = {name: {} for name in models}
    for precision in PRECISIONS:
        for name, model in models.items():
            one_product = True
            for mode in MODES:
                try:
                    if time.monotonic() > deadline:
                        raise RuntimeError("the time given to PyTorch was over")
                    if mode == "eager":  # both ways to write the first layer; the other modes take the faster one
                        ways = [Measured(model, device, mode, precision, way) for way in (True, False)]
                        best = min(ways, key=lambda way: min(way.blocks(2)))
                        one_product = best.one_product
                    else:
                        best = Measured(model, device, mode, precision, one_product)
                    prepared[name][f"{mode}_{precision}"] = best
                except Exception as error:
                    prepared[name][f"{mode}_{precision}"] = reason(error)
    return prepared


@torch.no_grad()
def render_milliseconds(model, device, size, precision, chunk):
    """Milliseconds to draw one latent's image as uint8 in the processor's memory."""
    set_precision(precision)
    training = Training(model, device, precision, True, False)
    with training.autocast():
        weights = training.weights(torch.zeros(1, training.table.shape[1], device=device))
    frequencies = 10 * torch.pi * torch.randn(2, len(training.shared[0][0]) // 2, device=device)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        centres = (torch.arange(size, device=device) + 0.5) / size
        image = torch.empty(size * size, 3, dtype=torch.uint8, device=device)
        for first in range(0, size * size, chunk):
            index = torch.arange(first, min(first + chunk, size * size), device=device)
            phase = torch.stack([centres[index % size], centres[index // size]], 1) @ frequencies
            with training.autocast():
                colours = training.field(weights, torch.cat([phase.sin(), phase.cos()], 1))[0]
            image[first : first + chunk] = (colours * 255).round_().to(torch.uint8)
        image.cpu()
        times.append(1000 * (time.perf_counter() - start))
    return times[1:]


def renderings(model, device, size):
    results = {}
    for precision in PRECISIONS:
        try:
            if device.type != "cuda" and precision != "f32":
                raise RuntimeError("drawn in f32 alone without a CUDA device")
            ways = [render_milliseconds(model, device, size, precision, 2**bits) for bits in (16, 19, 21)]
            results[precision] = {"milliseconds": min(ways, key=min)}
        except Exception as error:
            results[precision] = {"absent": reason(error)}
    return results


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", action="append", required=True)
    parser.add_argument("--render", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=240)
    parser.add_argument("--allow-cpu", action="store_true")
    options = parser.parse_args()
    if not torch.cuda.is_available() and not options.allow_cpu:
        sys.exit("RuntimeError: PyTorch finds no CUDA device (--allow-cpu tries the script without one)")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if hasattr(torch, "compile"):
        from torch import _dynamo

        for limit in ("cache_size_limit", "recompile_limit"):  # beyond it torch.compile silently runs eagerly
            if hasattr(_dynamo.config, limit):
                setattr(_dynamo.config, limit, 256)
    models = {name: load(path) for name, path in (model.split("=", 1) for model in options.model)}
    prepared = prepare(models, device, time.monotonic() + options.seconds)
    smallest = next(iter(models.values()))
    while True:
        steps = {name: {key: figures_of(m) for key, m in modes.items()} for name, modes in prepared.items()}
        render = renderings(smallest, device, options.render) if options.render else {}
        name = torch.cuda.get_device_name() if device.type == "cuda" else "the processor"
        result = {"version": f"PyTorch {torch.__version__}", "device": name, "steps": steps, "render": render}
        print(json.dumps(result), flush=True)
        if not sys.stdin.readline():
            return


if __name__ == "__main__":
    main()
