"""A stranger's `.tflite` crashes nothing, fills no memory and takes no time: it runs, or is one line."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from converters import compiler
from converters.tflite.reader import layer_names, read_model
from converters.tflite.writer import strip_metadata
from sqz_tf import bench, classify, evaluate, fit
from sqz_tf.base.spec import PreprocessSpec
from sqz_tf.inference import apart, interpreters, worker
from sqz_tf.inference.classifier import Classifier
from sqz_tf.inference.interpreters import InterpreterError
from sqz_tf.runtime import ModelError
from tests.helpers import colour_network
from tests.helpers.compiled_networks import edited, simple
from tests.helpers.damaged_models import mutants
from tests.helpers.echo_models import model
from tests.helpers.hostile_models import CHAINS, SIDE, chained, classifier
from tests.helpers.int8_networks import Net
from tests.helpers.needs import ROOT

PIXELS = np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE, 3), np.uint8)
CRASHES = ["depthwise_without_bias"]
BOMBS = ["pads_far", "tiles", "grows"]


@pytest.fixture
def save(tmp_path: Path) -> Callable[[bytes], Path]:
    def write(content: bytes) -> Path:
        path = tmp_path / "model.tflite"
        path.write_bytes(content)
        return path

    return write


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    """Return the only line on stderr."""
    line = capsys.readouterr().err
    assert line.startswith("error: ")
    assert line.count("\n") == 1
    return line


# Crashes -----------------------------------------------------------------------------------------------------


def test_what_runs_in_a_worker_gives_the_same(save):
    path = save(classifier("plain"))
    expected = Classifier(path, isolated=False).scores(PIXELS)
    np.testing.assert_array_equal(Classifier(path).scores(PIXELS), expected)


@pytest.mark.parametrize("build", CRASHES)
def test_a_model_that_crashes_its_interpreter_is_one_line(build, save, capsys, tmp_path):
    path = save(classifier(build))
    colour_network.write_pictures(tmp_path / "data", 1)
    picture = next((tmp_path / "data").rglob("*.png"))
    assert classify.main([str(path), str(picture), "--quiet"]) == 1
    assert "ended by signal 11 (SIGSEGV" in one_line(capsys)
    assert evaluate.main([str(path), str(tmp_path / "data"), "--quiet"]) == 1
    assert "ended by signal 11 (SIGSEGV" in one_line(capsys)


def test_reference_runs_and_timing_survive_a_crash(capsys, tmp_path):
    content = strip_metadata(classifier(CRASHES[0]))
    for runtime in ("litert-builtin", "litert-xnnpack"):
        with pytest.raises(InterpreterError, match=f"{runtime} failed on the model: it was ended by signal 11"):
            interpreters.run(content, (PIXELS ^ 0x80).view(np.int8), runtime)
    net = Net()  # 600 equal scores, which the reference kernels' softmax takes for a fault
    with pytest.raises(InterpreterError, match="litert-ref failed on the model: it was ended by signal 6"):
        interpreters.run(net.bytes(net.softmax(net.input(600))), np.zeros((1, 600), np.int8), "litert-ref")
    for name in ("model_f32.tflite", "model_int8.tflite"):
        (tmp_path / name).write_bytes(content)
    assert bench.main([str(tmp_path), "--quiet", "--runs", "1"]) == 1
    assert "signal 11" in one_line(capsys)


def test_a_crash_on_one_picture_does_not_cost_the_next(save):
    subject = Classifier(save(classifier("plain")))
    expected = subject.scores(PIXELS)
    engine: Any = subject._engine
    engine._worker._process.handle.kill()
    with pytest.raises(ModelError, match="ended by signal 9"):
        subject.scores(PIXELS)
    np.testing.assert_array_equal(subject.scores(PIXELS), expected)


@pytest.mark.parametrize(
    "reply",
    [b"", b"\x02\0\0\0{}", b"\xff\xff\xff\xff", b"\x04\0\0\0nope", b'\x10\0\0\0{"arrays": [[]]}', b"\x02\0\0\0[]"],
)
def test_a_worker_that_answers_nonsense_is_an_error(reply, monkeypatch, tmp_path, save):
    python = tmp_path / "python"
    python.write_text(f"#!{sys.executable}\nimport sys; sys.stdout.buffer.write({reply!r})\n")
    python.chmod(0o755)
    monkeypatch.setattr(apart.Worker.__init__, "__defaults__", (str(python),))
    with pytest.raises(ModelError, match="it ended with exit code 0"):
        Classifier(save(classifier("plain")))


def test_without_a_process_the_model_is_not_run_here(monkeypatch, save, tmp_path):
    monkeypatch.setattr(apart.Worker.__init__, "__defaults__", (str(tmp_path / "missing"),))
    with pytest.raises(ModelError, match=r"has no process to run in: .*cannot be started.*isolated=False"):
        Classifier(save(classifier("plain")))


def test_workers_end_with_what_started_them(save):
    subject = Classifier(save(classifier("plain")))
    engine: Any = subject._engine
    process = engine._worker._process.handle
    assert process.poll() is None
    del subject, engine
    assert process.poll() is not None


# Time and memory ----------------------------------------------------------------------------------------------


RUN = """
import resource, sys
import numpy as np
from sqz_tf.runtime import Classifier, ModelError
try:
    Classifier(sys.argv[1]).scores(np.zeros((1, 8, 8, 3), np.uint8))
except ModelError as error:
    print(error)
most = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
assert most < 1_000_000, f"{most} kB"
"""


@pytest.mark.parametrize("build", BOMBS)
def test_a_model_that_grows_when_it_runs_is_refused(build, save):
    # Through a shell: the maximum of a process begins with that of the one which started it.
    shell = ["sh", "-c", '"$@"; exit $?', "sh"]
    command = [*shell, sys.executable, "-c", RUN, str(save(classifier(build)))]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert any(word in said for word in ("memory", "signal", "allocate", "prepare", "gave", "without a message"))


def test_a_model_that_takes_for_ever_is_stopped(monkeypatch):
    monkeypatch.setattr(worker, "SECONDS", 1)
    with pytest.raises(InterpreterError, match="litert-ref failed on the model: it took over 1 s of processor time"):
        interpreters.run(classifier("stalls"), (PIXELS ^ 0x80).view(np.int8), "litert-ref")


@pytest.mark.parametrize(("each", "ends"), [(0.6, 0), (2.0, -signal.SIGPROF)])
def test_each_request_has_its_time_anew(each, ends):
    code = (
        "import time; from sqz_tf.inference import worker\n"
        "for _ in range(3):\n"
        "    worker._limit_time(1); start = time.process_time()\n"
        f"    while time.process_time() < start + {each}: pass"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == ends


def test_where_processor_time_is_not_limited_the_caller_waits_no_longer(monkeypatch):
    monkeypatch.setattr(apart, "PATIENCE", 2)
    with pytest.raises(InterpreterError, match="litert-ref failed on the model: it took over 2 s"):
        interpreters.run(classifier("stalls"), (PIXELS ^ 0x80).view(np.int8), "litert-ref")


def test_a_system_without_limits_runs_models_all_the_same(monkeypatch):
    monkeypatch.setattr(worker, "resource", None)
    worker._limit_memory(1)
    worker._limit_time(0)


LARGE = {
    "an input of 10 GB": ((1, 60_000, 60_000, 3), "int8"),
    "an input of 2 GB of floats": ((1, 23_000, 23_000, 1), "float32"),
    "nearly 300 MB": ((1, 10_000, 10_000, 3), "int8"),
    "sizes that overflow": ((2**31 - 1,) * 8, "int8"),
}


@pytest.mark.parametrize("what", LARGE)
def test_sizes_are_checked_before_memory_is_taken(what, save, capsys):
    shape, dtype = LARGE[what]
    content = model(dtype, shape, (1, 4))
    assert len(content) < 2000
    with pytest.raises(ValueError, match=r"takes [\d,]+ bytes, expected at most 268,435,456"):
        read_model(content)
    assert fit.main([str(save(content)), "--all"]) == 1
    assert "takes " in one_line(capsys)
    for call in (lambda: interpreters.arena_bytes(content), lambda: interpreters.run(content, PIXELS, "tflm")):
        with pytest.raises(InterpreterError, match="takes "):
            call()


def test_many_tensors_that_are_allowed_are_too_much_together():
    def edit(form: schema.ModelT, graph: schema.SubGraphT) -> None:
        for _ in range(4):
            tensor = schema.TensorT()
            tensor.name, tensor.shape, tensor.type = "more", [1, 1 << 14, 1 << 14, 1], schema.TensorType.INT8
            graph.tensors.append(tensor)

    with pytest.raises(ValueError, match=r"tensors take [\d,]+ bytes, expected at most 805,306,368"):
        read_model(edited(edit))


def test_a_vector_that_many_tables_share_is_read_a_few_times_only():
    with pytest.raises(ValueError, match="letters do not fit in it"):
        read_model(_many_tensors_of_one_name(simple()))


def _many_tensors_of_one_name(content: bytes) -> bytes:
    """Return a model of 1,000 tensors whose names are one text of 100,000 letters."""
    form = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    builder = flatbuffers.Builder(1 << 20)
    name = builder.CreateString("n" * 100_000)
    tensors = []
    for _ in range(1000):
        schema.TensorStart(builder)
        schema.TensorAddName(builder, name)
        tensors.append(schema.TensorEnd(builder))
    schema.SubGraphStartTensorsVector(builder, len(tensors))
    for each in reversed(tensors):
        builder.PrependUOffsetTRelative(each)
    vector = builder.EndVector()
    schema.SubGraphStart(builder)
    schema.SubGraphAddTensors(builder, vector)
    graph = schema.SubGraphEnd(builder)
    buffers = [buffer.Pack(builder) for buffer in form.buffers]
    parts = []
    for start, each in (("Subgraphs", [graph]), ("Buffers", buffers)):
        getattr(schema, f"ModelStart{start}Vector")(builder, len(each))
        for offset in reversed(each):
            builder.PrependUOffsetTRelative(offset)
        parts.append(builder.EndVector())
    schema.ModelStart(builder)
    schema.ModelAddVersion(builder, 3)
    schema.ModelAddSubgraphs(builder, parts[0])
    schema.ModelAddBuffers(builder, parts[1])
    builder.Finish(schema.ModelEnd(builder), b"TFL3")
    return bytes(builder.Output())


# Chains -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1000, 3000])
@pytest.mark.parametrize("kind", CHAINS)
def test_long_chains_are_compiled_or_refused(kind, count):
    """A process of its own, for a limit of processor time: seconds, where it was minutes."""
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_CPU, (20, 20));"
        "from converters import compiler; from tests.helpers.hostile_models import chained;"
        f"compiler.files(compiler.analyse(chained({count}, {kind!r})), 'm')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1:]
    assert done.returncode == 0 or "expected at most" in last[0], done


@pytest.mark.parametrize("kind", ["tall", "wide", "branches"])
def test_large_maps_and_concatenations_are_reported_on_or_refused(kind):
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_CPU, (20, 20));"
        "from converters import compiler; from tests.helpers import hostile_models;"
        f"compiler.report(compiler.analyse(hostile_models.{kind}()))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    said = done.stderr.strip().splitlines()[-1:]
    assert done.returncode == 0 or "expected at most" in said[0] or "too long to be timed" in said[0], done


@pytest.mark.parametrize(("operators", "tensors"), [(60_000, 0), (0, 1_000_000)])
def test_too_many_operators_or_tensors_are_counted_before_they_are_read(operators, tensors):
    content = _with_vectors(simple(), operators, tensors)
    with pytest.raises(ValueError, match=r"the model has [\d,]+ (operators|tensors), expected at most"):
        read_model(content)


def _with_vectors(content: bytes, operators: int, tensors: int) -> bytes:
    """Return a model whose vectors of tables point to one table again and again."""
    form = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    builder = flatbuffers.Builder(1 << 20)
    graph = form.subgraphs[0]
    vectors = {}
    for name, tables, count in (("Tensors", graph.tensors, tensors), ("Operators", graph.operators, operators)):
        offsets = [each.Pack(builder) for each in tables]
        offsets = [offsets[0]] * count if count else offsets
        getattr(schema, f"SubGraphStart{name}Vector")(builder, len(offsets))
        for offset in reversed(offsets):
            builder.PrependUOffsetTRelative(offset)
        vectors[name] = builder.EndVector()
    schema.SubGraphStart(builder)
    schema.SubGraphAddTensors(builder, vectors["Tensors"])
    schema.SubGraphAddOperators(builder, vectors["Operators"])
    packed = schema.SubGraphEnd(builder)
    schema.ModelStartSubgraphsVector(builder, 1)
    builder.PrependUOffsetTRelative(packed)
    graphs = builder.EndVector()
    schema.ModelStart(builder)
    schema.ModelAddVersion(builder, 3)
    schema.ModelAddSubgraphs(builder, graphs)
    builder.Finish(schema.ModelEnd(builder), b"TFL3")
    return bytes(builder.Output())


def test_names_are_as_before_and_distinct():
    names = ["a/x/b", "a/x/b", "a/x_2/b", "a/x/b", "a/x_3/b", "a/x/b", "plain", "plain"]

    def edit(form: schema.ModelT, graph: schema.SubGraphT) -> None:
        for op, name in zip(graph.operators, names, strict=True):
            graph.tensors[op.outputs[0]].name = name

    content = edited(edit, chained(len(names) - 1, "relus"))
    assert layer_names(read_model(content)) == ["x", "x_2", "x_2_2", "x_3", "x_3_2", "x_4", "relu", "relu_2"]


def test_an_operator_without_its_inputs_is_refused():
    def edit(form: schema.ModelT, graph: schema.SubGraphT) -> None:
        graph.operators[-1].inputs = graph.operators[-1].inputs[:2]

    content = edited(edit, simple(lambda net, x: net.pad(x, value=3)))
    with pytest.raises(ValueError, match="has 2 inputs"):
        compiler.analyse(content)


# Mutants ------------------------------------------------------------------------------------------------------


@pytest.fixture
def shared(monkeypatch):
    """Let classifiers take turns on one worker while it lives: it saves its start, a fifth of a second each."""
    held: list[apart.Worker] = []

    def take() -> apart.Worker:
        if not (held and held[0].alive):
            held[:] = [apart.Worker()]
        return held[0]

    monkeypatch.setattr("sqz_tf.inference.classifier.Worker", take)
    monkeypatch.setattr(worker, "SECONDS", 5)


def tally(count: int, seed: int, path: Path) -> Counter[str]:
    """Classify with damaged models; return how many gave answers, were refused, and ended their worker."""
    found = Counter[str]()
    for mutant in mutants(strip_metadata(classifier("plain")), count, seed):
        path.write_bytes(mutant)
        found[verdict(path)] += 1
    return found


def verdict(path: Path) -> str:
    try:
        Classifier(path, labels=list("abcd"), preprocess=PreprocessSpec(SIDE, SIDE)).scores(PIXELS)
    except ModelError as error:
        said = str(error)
    else:
        return "answered"
    assert "took over" not in said
    assert "\n" not in said
    return "ended" if "ended by signal" in said else "refused"


def test_damaged_models_are_answered_or_refused(tmp_path, shared):
    found = tally(200, 1, tmp_path / "mutant.tflite")
    assert found["answered"] > 20
    assert found["refused"] > 50


@pytest.mark.slow
def test_many_damaged_models_are_answered_or_refused(tmp_path, shared):
    found = tally(2000, 2, tmp_path / "mutant.tflite")
    assert found["answered"] > 200
    assert found["refused"] > 500
