# SPDX-License-Identifier: MIT
"""The command line from outside: help, wrong use, broken files, `unfold info` and `unfold gradcheck`."""

import gzip
import json
import pathlib
import struct
import sys
import tempfile

from program import Report, Run, idx, refused, write_images

COMMANDS = ("train", "gradcheck", "info")


def check_help(report):
    for command in ((), *((c,) for c in COMMANDS)):
        run = Run(*command, "--help")
        holds = run.good() and "Usage: unfold" in run.out and "\nExamples:\n  unfold" in run.out
        report.check(holds, f"unfold {' '.join(command)} --help has examples", str(run))
        report.check(max(map(len, run.out.splitlines())) <= 120, f"unfold {' '.join(command)} --help fits 120 columns")
    run = Run("--version")
    report.check(run.good() and run.out.startswith("unfold 0."), "--version", str(run))


def check_wrong_use(report):
    number = r"must be an integer in \[1, 1000000000\]"
    amount = "must be a finite number >= 0"
    unexpected = "The following argument was not expected"
    for arguments, message in (
        ((), "a command is needed: train, gradcheck or info; see unfold --help"),
        (("fly",), f"{unexpected}: fly"),
        (("--fly",), f"{unexpected}: --fly"),
        (("train", "--fly"), f"{unexpected}: --fly"),
        (("train", "extra"), f"{unexpected}: extra"),
        (("info",), "FILE is required"),
        (("train", "--out"), ".*--out.*"),
        (("train", "--epochs", "0"), f"--epochs {number}, got 0"),
        (("train", "--batch", "2x"), f"--batch {number}, got 2x"),
        (("train", "--batch", "99999999999999999999"), f"--batch {number}, got 9+"),
        (("train", "--seed", "-1"), r"--seed must be an integer in \[0, 18446744073709551615\], got -1"),
        (("train", "--threads", "0"), r"--threads must be an integer in \[1, 1024\], got 0"),
        (("train", "--learning-rate", "nan"), f"--learning-rate {amount}, got nan"),
        (("train", "--momentum", "-0.5"), f"--momentum {amount}, got -0.5"),
        (("train", "--decay", "1e999"), f"--decay {amount}, got 1e999"),
        (("train", "--model", "alexnet"), r"--model must be lenet\|resnet-mini\|mobile-mini, got alexnet"),
        (("train", "--precision", "half"), r"--precision must be float\|double, got half"),
        (("train", "--schedule", "never"), r"--schedule must be constant\|step\|poly\|cosine, got never"),
        (("gradcheck", "--kernel", "3x3x3"), "--kernel must be N or HxW, got 3x3x3"),
        (("gradcheck", "--padding", "1,2"), "--padding must be N or T,B,L,R, got 1,2"),
        (("gradcheck", "--layer", "lstm"), "--layer must be conv.*, got lstm"),
        (("gradcheck", "--activation", "sine"), "--activation must be linear.*, got sine"),
        (("gradcheck", "--groups", "2"), ".*in_channels.*"),
        (("gradcheck", "--kernel", "9"), ".*kernel.*"),
        (("gradcheck", "--layer", "maxpool", "--padding", "3"), ".*padding.*"),
        (("gradcheck", "--engine", "guess"), "--engine must be auto.*, got guess"),
        (("gradcheck", "--engine", "complex", "--layer", "maxpool"),
         "--engine complex is not for maxpool, which compares numbers"),
        (("gradcheck", "--engine", "complex", "--layer", "softmax"),
         "--engine complex is not for softmax, which compares numbers"),
        (("gradcheck", "--engine", "complex", "--activation", "relu"), ".*the scalar type has, got relu"),
    ):
        refused(report, 2, message, *arguments)


def npy(dtype, shape, elements):
    literal = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape!r}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(literal)) + literal.encode() + elements


def check_info(report, folder):
    """The same numbers as text and as JSON, from every kind of file."""
    (folder / "a.npy").write_bytes(npy("<f4", (2, 3), struct.pack("<6f", 1, -2, 3, 4, 5, 7)))
    images = idx((2, 2, 2), (0, 1, 2, 3, 4, 5, 6, 255))
    (folder / "b").write_bytes(images)
    (folder / "c.gz").write_bytes(gzip.compress(images))
    (folder / "d.npy").write_bytes(npy("<f2", (4,), bytes(8)))
    header = json.dumps({"w": {"dtype": "F64", "shape": [2], "data_offsets": [0, 16]}}).ljust(65536)
    (folder / "e").write_bytes(struct.pack("<Q65536s2d", 65536, header.encode(), 1, 4))  # begins with two zeros, as IDX
    for name, kind, packed, dtype, shape, least, largest, mean in (
        ("a.npy", "npy", False, "<f4", [2, 3], -2, 7, 3),
        ("b", "idx", False, "uint8", [2, 2, 2], 0, 255, 34.5),
        ("c.gz", "idx", True, "uint8", [2, 2, 2], 0, 255, 34.5),
        ("e", "safetensors", False, "F64", [2], 1, 4, 2.5),
    ):
        run = Run("info", folder / name, "--json")
        told = json.loads(run.out) if run.good() else {"arrays": [{}]}
        array = told["arrays"][0]
        statistics = array.get("statistics", {})
        numbers = [statistics.get(key) for key in ("least", "largest", "mean", "not_finite")]
        holds = (told.get("kind"), told.get("gzip"), array.get("type"), array.get("shape")) == (kind, packed, dtype, shape)
        report.check(holds and numbers == [least, largest, mean, 0], f"info --json {name}", str(run))
        run = Run("info", folder / name)
        holds = run.good() and all(text in run.out for text in (kind, dtype, str(shape), f" {largest} ", f" {mean} "))
        report.check(holds, f"info {name}", str(run))
    run = Run("info", folder / "d.npy")
    report.check(run.good() and "<f2" in run.out and "?" in run.out, "info of elements that are not read", str(run))


def check_checkpoint_info(report, folder):
    data = write_images(folder / "data", 100)
    Run("train", "--data", data, "--epochs", 1, "--precision", "double", "--seed", 12345, "--out", folder / "run")
    path = folder / "run" / "checkpoint.safetensors"
    run = Run("info", path, "--json")
    told = json.loads(run.out) if run.good() else {"metadata": {}, "arrays": []}
    arrays = {array["name"]: array for array in told["arrays"]}
    wanted = {"model": "lenet", "precision": "double", "seed": "12345", "state.epoch": "1", "state.batch": "0"}
    report.check(wanted.items() <= told["metadata"].items(), "info tells how a checkpoint was trained", str(run))
    first = arrays.get("0.weights", {})
    report.check((first.get("type"), first.get("shape")) == ("F64", [20, 1, 5, 5]), "info tells its arrays", str(run))
    report.check("0.weights.velocity" in arrays, "the velocities among them", str(run))
    generators = {told["metadata"]["state.generator"]}
    for options in (("--seed", 12345, "--epochs", 2), ("--seed", 6, "--epochs", 1)):
        Run("train", "--data", data, *options, "--precision", "double", "--out", folder / "other")
        other = Run("info", folder / "other" / "checkpoint.safetensors", "--json")
        generators.add(json.loads(other.out)["metadata"]["state.generator"])
    report.check(len(generators) == 3, "another epoch, and another seed, has another order of images", str(generators))
    run = Run("info", path)
    holds = run.good() and "safetensors" in run.out and "12345" in run.out and "[20, 1, 5, 5]" in run.out
    report.check(holds, "info tells it as text", str(run))


def check_broken_files(report, folder):
    """Status 1 and one line that names the file and the byte."""
    whole = {
        "x.npy": npy("<f8", (3,), bytes(24)),
        "x.idx": idx((2, 3), range(6)),
        "x.gz": gzip.compress(idx((2, 3), range(6))),
    }
    for name, content in whole.items():
        path = folder / name
        for size in (5, len(content) - 1):
            path.write_bytes(content[:size])
            refused(report, 1, rf"{path}: .*byte.*", "info", path)
    for name, content, message in (
        ("empty", b"", "byte 0: expected a .npy, IDX or safetensors file, got an empty file"),
        ("text", b"hello, world", 'byte 0: expected a .npy, IDX or safetensors file, got "hello, wo"'),
        ("long.npy", whole["x.npy"] + b"\0", r"shape \[3\] of <f8 needs 24 bytes from byte 128 to the end, got 25"),
        ("half.npy", npy("<i2", (3,), bytes(4)), r"byte 128: shape \[3\] needs 3 elements to the end, got 2"),
        ("type.idx", b"\0\0\7\1\0\0\0\1\0", "byte 2: expected an element type 8, 9, 11, 12, 13 or 14, got 7"),
        ("sum.gz", whole["x.gz"][:-8] + b"\0" + whole["x.gz"][-7:], r"byte \d+: damaged gzip data \(.*\)"),
        ("header.safetensors", b"\x0a\0\0\0\0\0\0\0{nonsense}", ".*byte 9: expected .*"),
    ):
        path = folder / name
        path.write_bytes(content)
        refused(report, 1, rf"{path}: {message}", "info", path)
    missing = folder / "missing"
    refused(report, 1, f"cannot open {missing}: No such file or directory", "info", missing)
    refused(report, 1, f"cannot read {folder}: Is a directory", "info", folder)
    refused(report, 1, f"{missing}: Not a directory", "train", "--data", missing)
    refused(report, 1, f"cannot open {missing}: No such file or directory", "train", "--resume", missing)
    data = write_images(folder / "data", 20)
    images = data / "t10k-images-idx3-ubyte"
    images.write_bytes(images.read_bytes()[:-1])
    refused(report, 1, rf"{images}: .* needs 5120 bytes from byte 16 to the end, got 5119", "train", "--data", data)
    (folder / "x.idx").write_bytes(whole["x.idx"])
    if pathlib.Path("/dev/full").exists():
        for arguments in (("info", folder / "x.idx"), ("gradcheck",), ("--version",)):
            with open("/dev/full", "wb") as full:
                refused(report, 1, "cannot write the output: No space left on device", *arguments, stdout=full)


def check_gradcheck(report):
    geometry = "--in-channels 4 --out-channels 6 --groups 2 --kernel 3x2 --stride 2x1 --padding 1,0,2,1 --dilation 1x2"
    for arguments, status, words in (
        ("", 0, "conv: gradient check: pass (integers, step 1, seed 1)"),
        (geometry + " --size 8x7 --batch 3", 0, "conv: gradient check: pass (integers"),
        (geometry + " --batch-norm standard --activation leaky --seed 5", 0, "pass (central differences, seed 5)"),
        ("--layer dense --in-channels 7 --activation gelu", 0, "dense: gradient check: pass"),
        ("--layer maxpool --kernel 2 --stride 2", 0, "maxpool: gradient check: pass"),
        ("--layer avgpool --kernel 3x2 --padding 1", 0, "avgpool: gradient check: pass"),
        ("--layer batchnorm", 0, "batchnorm: gradient check: pass"),
        ("--layer softmax --out-channels 10 --batch 5", 0, "softmax: gradient check: pass"),
        # The listing's batch norm is kept as it is, and its gradient is not that of its forward.
        ("--layer batchnorm --batch-norm darknet", 1, "batchnorm: gradient check: FAIL"),
        ("--batch-norm darknet", 1, "conv: gradient check: FAIL"),
    ):
        run = Run("gradcheck", *arguments.split())
        report.check(run.status == status and run.err == "" and words in run.out, f"gradcheck {arguments}", str(run))

    exact = ("integers, step 1", "adjoint")  # for what is linear
    engines = {"differences": "central differences", "integers": "integers, step 1", "adjoint": "adjoint",
               "taylor": "Taylor remainders", "dual": "dual numbers", "complex": "complex step"}
    for engine, name in engines.items():
        for arguments in (geometry, "--layer dense", "--activation tanh --batch-norm standard", "--layer batchnorm",
                          "--layer avgpool --kernel 2", "--layer maxpool --kernel 2", "--layer softmax"):
            if engine == "complex" and arguments.endswith(("maxpool --kernel 2", "softmax")):
                continue
            curved = not arguments.startswith(("--in-channels", "--layer dense", "--layer avgpool"))
            good = not (curved and name in exact)
            run = Run("gradcheck", "--engine", engine, *arguments.split())
            holds = run.status == (0 if good else 1) and run.err == "" and f"({name}, seed 1)" in run.out
            holds = holds and (good or "take another engine" in run.out)
            report.check(holds, f"gradcheck --engine {engine} {arguments}", str(run))
    for status, kind in ((0, "standard"), (1, "darknet")):
        run = Run("gradcheck", "--layer", "batchnorm", "--batch-norm", kind, "--engine", "dual", "--seed", 3, "--json")
        told = json.loads(run.out)
        holds = run.status == status and run.err == "" and (told["engine"], told["seed"]) == ("dual numbers", 3)
        holds = holds and told["verdict"] == ("FAIL" if status else "pass")
        holds = holds and [tensor["name"] for tensor in told["tensors"]] == ["x", "scales", "bias"]
        holds = holds and len(told["tensors"][0]["entries"]) == 2 * 3 * 7 * 6
        report.check(holds, f"gradcheck --json of {kind}", str(run))


def main():
    report = Report()
    check_help(report)
    check_wrong_use(report)
    check_gradcheck(report)
    with tempfile.TemporaryDirectory(prefix="unfold-test-") as scratch:
        for check in (check_info, check_checkpoint_info, check_broken_files):
            folder = pathlib.Path(scratch) / check.__name__
            folder.mkdir()
            check(report, folder)
    return report.close()


if __name__ == "__main__":
    sys.exit(main())
