"""Prints what TensorBoard itself finds in a log folder: `pip install tensorboard`, then `python readback.py LOGDIR`.

The series are read as TensorBoard's server reads them (which drops the steps that a resumed run went back behind), and
once more by `event_accumulator.EventAccumulator`, the class that scripts use (which doesn't); hyperparameters come from
the code of the hparams dashboard. Not part of the test suite, which needs no Python.
"""

import os
import sys

from tensorboard import context
from tensorboard.backend.event_processing import data_provider, event_accumulator
from tensorboard.backend.event_processing import plugin_event_multiplexer
from tensorboard.plugins import base_plugin
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import api_pb2, backend_context, get_experiment, list_session_groups
from tensorboard.util import tensor_util


def describe(plugin, tag, step, value):
    if plugin == "histograms":
        if not len(value):
            return f"histogram  {tag} step {step}: no buckets"
        edges = f"from {value[0, 0]:.4g} to {value[-1, 1]:.4g}"
        return f"histogram  {tag} step {step}: {len(value)} buckets {edges}, {value[:, 2].sum():.0f} values"
    if plugin == "images":
        width, height, *pngs = value
        return f"image      {tag} step {step}: {int(width)}x{int(height)}, {len(pngs[0])} bytes"
    if plugin == "text":
        return f"text       {tag} step {step}: {value[0].decode()!r}"
    if plugin == "custom_scalars":
        charts = [
            f"{category.title}/{chart.title}: {', '.join(chart.multiline.tag)}"
            for category in layout_pb2.Layout.FromString(value.item()).category
            for chart in category.chart
        ]
        return f"charts     {'; '.join(charts)}"
    return f"{plugin}    {tag}"


def show_run(name, run, folder):
    print(f"run {name}")
    for tag in sorted(run.Tags()["tensors"]):
        plugin = run.SummaryMetadata(tag).plugin_data.plugin_name
        series = [(event.step, tensor_util.make_ndarray(event.tensor_proto)) for event in run.Tensors(tag)]
        if plugin == "scalars":
            first, last = series[0], series[-1]
            points = f"{first[1]:.6g} at step {first[0]} … {last[1]:.6g} at step {last[0]}"
            print(f"  scalar     {tag}: {len(series)} points, {points}")
        else:
            for step, value in series:
                print(f"  {describe(plugin, tag, step, value)}")
    accumulator = event_accumulator.EventAccumulator(folder, size_guidance={"tensors": 0, "images": 0})
    accumulator.Reload()
    tags = {kind: len(found) for kind, found in accumulator.Tags().items() if isinstance(found, list) and found}
    print(f"  EventAccumulator finds {tags} tags")


def show_hparams(runs, logdir):
    provider = data_provider.MultiplexerDataProvider(runs, logdir)
    plugin = backend_context.Context(base_plugin.TBContext(data_provider=provider, logdir=logdir))
    request = context.RequestContext()
    query = api_pb2.GetExperimentRequest(include_metrics=True)
    experiment = get_experiment.Handler(request, plugin, "", query).run()
    print("hparams")
    for info in sorted(experiment.hparam_infos, key=lambda info: info.name):
        print(f"  {info.name}: {api_pb2.DataType.Name(info.type)}")
    metrics = [info.name for info in experiment.metric_infos]
    print(f"  metrics: {', '.join(metric.tag for metric in metrics)}")
    query = api_pb2.ListSessionGroupsRequest(
        start_index=0,
        slice_size=1000,
        allowed_statuses=api_pb2.Status.values(),
        include_metrics=True,
        col_params=[
            *(api_pb2.ColParams(hparam=info.name) for info in experiment.hparam_infos),
            *(api_pb2.ColParams(metric=metric) for metric in metrics),
        ],
    )
    for group in list_session_groups.Handler(request, plugin, "", query).run().session_groups:
        values = {name: getattr(value, value.WhichOneof("kind")) for name, value in sorted(group.hparams.items())}
        for session in group.sessions:
            scores = {value.name.tag: value.value for value in session.metric_values}
            print(f"  run {session.name or '.'}, {api_pb2.Status.Name(session.status)}: {values} → {scores}")


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: python readback.py LOGDIR")
    logdir = sys.argv[1]
    runs = plugin_event_multiplexer.EventMultiplexer(tensor_size_guidance={"scalars": 0, "histograms": 0, "text": 0})
    runs.AddRunsFromDirectory(logdir)
    runs.Reload()
    if not runs.Runs():
        sys.exit(f"{logdir} holds no event files")
    for name in sorted(runs.Runs()):
        show_run(name, runs.GetAccumulator(name), os.path.join(logdir, name))
    show_hparams(runs, logdir)


if __name__ == "__main__":
    main()
