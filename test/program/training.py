# SPDX-License-Identifier: MIT
"""`unfold train` from outside: it learns, it is stopped and goes on to the same last bit, it refuses to mix trainings."""

import os
import pathlib
import pty
import re
import signal
import sys
import tempfile

from program import PROGRAM, Report, Run, refused, start, write_images

STOPPED = re.compile(r"stopped after (\d+) of (\d+) batches of epoch (\d+); go on with: unfold train --resume (.*)")


def stop(arguments, after, number):
    """Sends the signal once a line begins with `after`; gives the process's status and all it said."""
    process = start(*arguments)
    out = ""
    for line in process.stdout:
        out += line
        if line.startswith(after):
            process.send_signal(number)
            break
    rest, err = process.communicate(timeout=300)
    return process.returncode, out + rest, err


def rows(path):
    """metrics.csv without the seconds."""
    return [line.rsplit(",", 1)[0] for line in path.read_text().splitlines()]


def check_resume(report, folder, data, *options):
    """Trains at one go, and with two stops in the middle of epochs: the last checkpoints must be the same bytes."""
    name = " ".join(options)
    options = ["--data", data, "--epochs", 3, "--batch", 8, *options]
    whole, parts = folder / "whole", folder / "parts"
    run = Run("train", *options, "--threads", 2, "--out", whole)
    report.check(run.good(), f"{name}: trains", str(run))
    checkpoint = parts / "checkpoint.safetensors"
    # The head of the table comes right before the first batch, the first row right before the second epoch.
    stops = [
        (["train", *options, "--threads", 2, "--out", parts], "epoch", signal.SIGINT),
        (["train", "--resume", checkpoint, "--threads", 1], "    1", signal.SIGTERM),
    ]
    for arguments, after, number in stops:
        status, out, err = stop(arguments, after, number)
        said = STOPPED.search(out)
        report.check(status == 0 and err == "" and said, f"{name}: {number.name} stops it in order", out + err)
        if not said:
            return
        done, batches = int(said[1]), int(said[2])
        report.check(0 < done < batches, f"{name}: it was stopped in the middle of an epoch", said[0])
        report.check(said[4] == str(checkpoint), f"{name}: it says how to go on", said[0])
    run = Run("train", "--resume", checkpoint, "--threads", 2)
    report.check(run.good(), f"{name}: goes on to the end", str(run))
    same = (whole / "checkpoint.safetensors").read_bytes() == checkpoint.read_bytes()
    report.check(same, f"{name}: stopped twice, it ends in the same bytes as at one go")
    report.check(rows(whole / "metrics.csv") == rows(parts / "metrics.csv"), f"{name}: and with the same table")
    run = Run("train", "--resume", checkpoint)
    report.check(run.good() and run.out == "all epochs are done already\n", f"{name}: then nothing is left", str(run))


def check_learning(report, folder, data):
    """It learns what is easy to learn, with each schedule, and leaves the table as CSV."""
    for schedule in ("constant", "step", "poly", "cosine"):
        out = folder / schedule
        run = Run("train", "--data", data, "--epochs", 4, "--shift", 0, "--schedule", schedule, "--out", out)
        last = rows(out / "metrics.csv")[-1].split(",") if run.good() else ["0"] * 5
        report.check(last[0] == "4" and float(last[4]) >= 0.9, f"{schedule}: learns bars", str(run))
    head = "epoch,learning_rate,loss,training_accuracy,held_out_accuracy"
    report.check(rows(out / "metrics.csv")[0] == head, "metrics.csv names its columns")
    report.check(sorted(os.listdir(out)) == ["checkpoint.safetensors", "metrics.csv"], "no other file is left")


def check_refusals(report, folder, data):
    """A checkpoint goes on only as what it began as, on the images it began with."""
    Run("train", "--data", data, "--epochs", 1, "--out", folder / "run")
    checkpoint = folder / "run" / "checkpoint.safetensors"
    differs = rf"differs from the .* that {checkpoint} was trained with; leave it out, or begin anew"
    for option, value in (("epochs", 2), ("batch", 7), ("model", "mobile-mini"), ("precision", "double"), ("seed", 9)):
        refused(report, 2, f"--{option} {value} {differs}", "train", "--resume", checkpoint, f"--{option}", value)
    other = write_images(folder / "other", 200, seed=2)
    refused(report, 2, f"{checkpoint} was trained on other images than these of {other}",
            "train", "--resume", checkpoint, "--data", other)
    whole = checkpoint.read_bytes()
    cut = folder / "cut.safetensors"
    cut.write_bytes(whole[:-1])
    refused(report, 1, rf"{cut}: the header must be followed by \d+ bytes of data, got \d+", "train", "--resume", cut)
    foreign = folder / "foreign.safetensors"
    header = b'{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'
    foreign.write_bytes(len(header).to_bytes(8, "little") + header + b"\0")
    refused(report, 1, f'{foreign}: metadata "model" must be there, got none', "train", "--resume", foreign)
    refused(report, 1, r"the loss is no longer finite in batch \d+ of epoch 1; a smaller --learning-rate may help",
            "train", "--data", data, "--learning-rate", "1e30", "--out", folder / "diverged")
    small = write_images(folder / "small", 20, extent=15)
    refused(report, 2, r"images must be at least 16 pixels high and wide for lenet, got \{15, 15\}",
            "train", "--data", small, "--out", folder / "none")
    (folder / "file").write_text("in the way")
    refused(report, 1, f".*{folder / 'file'}.*", "train", "--data", data, "--out", folder / "file")


def check_terminal(report, folder, data):
    """On a terminal there is a bar that redraws itself, and lines that stay."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm"
        os.execv(PROGRAM, [PROGRAM, "train", "--data", data, "--epochs", "3", "--batch", "4", "--out", folder / "run"])
    seen = b""
    try:
        while part := os.read(terminal, 4096):
            seen += part
    except OSError:  # the program has closed the terminal
        pass
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    text = seen.decode()
    bar = re.search(r"\repoch \d/3 \[#*\.*\] +\d+%  [\d,]+ img/s  \d+:\d\d left\x1b\[K", text)
    report.check(status == 0 and bar, "a terminal shows a bar", text)
    lines = [line.rsplit("\x1b[K", 1)[-1] for line in text.split("\r\n")]
    report.check(any(re.match(r" +3  +\d", line) for line in lines), "and rows without a rest of the bar", text)


def main():
    report = Report()
    with tempfile.TemporaryDirectory(prefix="unfold-test-") as scratch:
        folder = pathlib.Path(scratch)

        def new(name):
            (folder / name).mkdir()
            return folder / name

        bars = write_images(folder / "bars", 1000)
        few = write_images(folder / "few", 400)
        check_resume(report, new("1"), bars, "--model", "lenet", "--precision", "float")
        check_resume(report, new("2"), bars, "--model", "lenet", "--precision", "double")
        check_resume(report, new("3"), few, "--model", "resnet-mini", "--precision", "float")
        check_resume(report, new("4"), few, "--model", "mobile-mini", "--precision", "double", "--schedule", "step")
        check_learning(report, new("5"), bars)
        check_refusals(report, new("6"), few)
        check_terminal(report, new("7"), bars)
    return report.close()


if __name__ == "__main__":
    sys.exit(main())
