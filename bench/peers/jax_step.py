"""The training step of bench/step.ts in JAX, compiled as one program with its state donated. Prints one JSON object; figures
are in milliseconds."""

import json
import sys
import time

import jax
import jax.numpy as jnp

B, P, LATENT, MAPPING, WIDTHS = 64, 1024, 128, [256, 256], [128, 64, 64, 64, 3]
IMAGES = 1400


def init(key):
    keys = iter(jax.random.split(key, 32))
    dense = lambda i, o: (jax.random.normal(next(keys), (i, o)) / i**0.5, jnp.zeros(o))
    sizes = [LATENT, *MAPPING]
    small = lambda o: 0.01 * jax.random.normal(next(keys), (MAPPING[-1], o))
    return {
        "mapping": [dense(i, o) for i, o in zip(sizes, sizes[1:])],
        "shared": [dense(i, o) for i, o in zip(WIDTHS, WIDTHS[1:])],
        "heads": [(small(i * o), small(o)) for i, o in zip(WIDTHS, WIDTHS[1:])],
    }


def loss_of(parameters, latents, features, targets):
    h = latents
    for w, b in parameters["mapping"]:
        h = jax.nn.relu(h @ w + b)
    x = None
    for l, ((w, b), (hw, hb)) in enumerate(zip(parameters["shared"], parameters["heads"])):
        kernel, bias = (h @ hw).reshape(-1, *w.shape) + w, h @ hb + b
        if l == 0:
            # One large product instead of a batch of small ones.
            x = (features @ kernel.transpose(1, 0, 2).reshape(w.shape[0], -1)).reshape(P, B, -1).transpose(1, 0, 2)
        else:
            x = jax.nn.relu(x) @ kernel
        x = x + bias[:, None]
    error = jnp.mean((jax.nn.sigmoid(x) - targets) ** 2)
    return error + 1e-4 * jnp.mean(jnp.sum(latents**2, 1))


def adam(p, m, v, g, rate, t):
    m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g * g
    return p - rate * (m / (1 - 0.9**t)) / (jnp.sqrt(v / (1 - 0.99**t)) + 1e-8), m, v


def train_step(state, features, targets, index, t):
    parameters, m, v, average, table, tm, tv = state
    rows = table[index]
    loss, (g, gz) = jax.value_and_grad(loss_of, (0, 1))(parameters, rows, features, targets)
    moved = jax.tree.map(lambda *x: adam(*x, 1e-3, t), parameters, m, v, g)
    pick = lambda i: jax.tree.map(lambda x: x[i], moved, is_leaf=lambda x: isinstance(x, tuple) and len(x) == 3)
    parameters, m, v = pick(0), pick(1), pick(2)
    average = jax.tree.map(lambda a, p: 0.999 * a + 0.001 * p, average, parameters)
    row, rm, rv = adam(rows, tm[index], tv[index], gz, 1e-2, t)
    table, tm, tv = table.at[index].set(row), tm.at[index].set(rm), tv.at[index].set(rv)
    return (parameters, m, v, average, table, tm, tv), loss


def main():
    steps = int(sys.argv[1])
    key = jax.random.PRNGKey(0)
    parameters = init(key)
    zeros = lambda: jax.tree.map(jnp.zeros_like, parameters)
    table = 0.1 * jax.random.normal(key, (IMAGES, LATENT))
    copy = jax.tree.map(jnp.array, parameters)
    state = (parameters, zeros(), zeros(), copy, table, jnp.zeros_like(table), jnp.zeros_like(table))
    features = jax.random.uniform(key, (P, WIDTHS[0]), minval=-1)
    targets = jax.random.uniform(key, (B, P, 3))
    compiled = jax.jit(train_step, donate_argnums=0)
    times = []
    for step in range(steps + 2):
        start = time.perf_counter()
        state, loss = compiled(state, features, targets, (jnp.arange(B) * 7 + step) % IMAGES, jnp.float32(step + 1))
        loss.block_until_ready()
        jax.block_until_ready(state)
        times.append(1000 * (time.perf_counter() - start))
    times = sorted(times[2:])
    print(json.dumps({"version": f"JAX {jax.__version__}", "step": times[len(times) // 2]}))


main()
