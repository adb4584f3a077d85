"""Trains the model of one of our runs in PyTorch, for as long as our run took: from the same start, on the same images.

    pytorch_train.py --start FILE --images FILE --seconds S --out FILE [--precision tf32|bf16|f32] [--allow-cpu]

`--start` (safetensors, written by bench/results.ts) holds the initial parameters, the features of all pixels and the settings;
`--images` the images, uint8 [N,H*W,3]. The learning rates fall along a cosine of the time that has passed. Writes parameters and
averages under our names; prints one JSON line: steps and the last loss."""

import argparse
import json
import math
import time

import torch

from pytorch_gpu import Training, load, set_precision


class RealTraining(Training):
    def __init__(self, tensors, settings, images, device, precision):
        self.images, self.all_features = images.to(device), tensors["features"].to(device)
        batch, points = min(settings["batch"], len(images)), min(settings["points"], images.shape[1])
        start = dict(tensors, features=tensors["features"][:points], targets=torch.zeros(batch, points, 3))
        super().__init__((start, settings), device, precision, True, False)
        self.table_average = self.table.clone()
        self.count = 0

    def draw_batch(self):
        batch, points = len(self.targets), len(self.features)
        per_epoch = len(self.images) // batch
        if self.count % per_epoch == 0:
            self.order = torch.randperm(len(self.images), device=self.device)
        at = self.count % per_epoch * batch
        self.index = self.order[at : at + batch]
        pixels = torch.randperm(self.images.shape[1], device=self.device)[:points]
        self.features.copy_(self.all_features[pixels])
        self.targets.copy_(self.images[self.index][:, pixels].float() / 255)
        self.visits = self.count // per_epoch + 1

    @torch.no_grad()
    def update_latents(self, rows, gradient, factor):
        s, i = self.settings, self.index
        m = s["beta1"] * self.first[i] + (1 - s["beta1"]) * gradient
        v = s["beta2"] * self.second[i] + (1 - s["beta2"]) * gradient.square()
        corrected = (v / (1 - s["beta2"] ** self.visits)).sqrt() + s["epsilon"]
        change = m / (1 - s["beta1"] ** self.visits) / corrected
        self.table.index_copy_(0, i, rows - factor * s["latentLearningRate"] * change)
        self.first.index_copy_(0, i, m)
        self.second.index_copy_(0, i, v)

    def train(self, fraction):
        s = self.settings
        final = s["schedule"].get("finalFraction", 1.0)
        factor = final + (1 - final) * 0.5 * (1 + math.cos(math.pi * fraction))
        self.adam.param_groups[0]["lr"] = factor * s["learningRate"]
        self.draw_batch()
        rows = self.table[self.index].requires_grad_()
        loss = self.loss_of(rows)
        self.adam.zero_grad(set_to_none=True)
        loss.backward()
        self.adam.step()
        self.update_latents(rows.detach(), rows.grad, factor)
        self.count += 1
        decay = min(s["emaDecay"], (1 + self.count) / (10 + self.count))
        with torch.no_grad():
            for average, value in zip(self.averages + [self.table_average], self.parameters + [self.table]):
                average.lerp_(value, 1 - decay)
        return loss.detach()

    def named(self):
        """Parameters and averages under our names."""
        names = [
            f"{group}.{l}.{part}"
            for group, pairs in (("mapping", self.mapping), ("field", self.shared), ("head", self.heads))
            for l in range(len(pairs))
            for part in ("kernel", "bias")
        ]
        found = {f"parameter/{name}": value for name, value in zip(names, self.parameters)}
        found |= {f"ema/{name}": value for name, value in zip(names, self.averages)}
        return found | {"parameter/latents": self.table, "ema/latents": self.table_average}


def save(path, tensors):
    header, data = {}, bytearray()
    for name, tensor in tensors.items():
        values = tensor.detach().float().cpu().contiguous()
        raw = values.numpy().tobytes()
        header[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + data)


def main():
    parser = argparse.ArgumentParser()
    for name in ("start", "images", "out"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--precision", default="tf32", choices=["tf32", "bf16", "f32"])
    parser.add_argument("--allow-cpu", action="store_true")
    args = parser.parse_args()
    if not torch.cuda.is_available() and not args.allow_cpu:
        raise RuntimeError("PyTorch sees no CUDA device; --allow-cpu trains on the processor")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    set_precision(args.precision)
    tensors, settings = load(args.start)
    with open(args.images, "rb") as file:
        images = torch.frombuffer(bytearray(file.read()), dtype=torch.uint8).reshape(-1, len(tensors["features"]), 3)
    torch.manual_seed(settings["seed"])
    training = RealTraining(tensors, settings, images, device, args.precision)
    if hasattr(torch, "compile") and device.type == "cuda":
        training.compiled = True
        training.loss_of = torch.compile(training.loss_of)
        training.draw_batch()
        training.loss_of(training.table[training.index])  # compiled before the clock starts
    start = time.perf_counter()
    while (passed := time.perf_counter() - start) < args.seconds:
        loss = training.train(passed / args.seconds)
        if training.count % 20 == 0:
            loss.item()  # so that the clock is not far ahead of the device
    save(args.out, training.named())
    print(json.dumps({"steps": training.count, "loss": loss.item(), "version": torch.__version__, "device": str(device)}))


if __name__ == "__main__":
    main()
