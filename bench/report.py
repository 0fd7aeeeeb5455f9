#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Turns the figures of bench-conv and bench-train into tables and plots.

usage: report.py CSV... --out FOLDER

Prints the geometric means; writes FOLDER/report.md with every row, and with gnuplot FOLDER/conv-*.svg.
"""

import argparse
import collections
import csv
import math
import os
import pathlib
import platform
import shutil
import subprocess

PEERS = ("onednn", "torch", "openblas", "eigen")
DIRECTIONS = ("forward", "backward_input", "backward_weights")


def lines_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def tables_of(lines):
    """{(set, precision, threads): {(shape, direction): {contender: its line}}}, a library's better way as its line."""
    tables = collections.defaultdict(lambda: collections.defaultdict(dict))
    for line in lines:
        for field in ("seconds", "gflop", "fraction_of_peak"):
            line[field] = float(line[field])
        row = tables[line["set"], line["precision"], int(line["threads"])][line["shape"], line["direction"]]
        name = line["contender"].partition("-")[0]
        if name not in row or line["seconds"] < row[name]["seconds"]:
            row[name] = line
    return tables


def mean(ratios):
    return math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else math.nan


def ratio(row, peer):
    """How many times our time the peer takes."""
    return row[peer]["seconds"] / row["ours"]["seconds"]


def best_peer(row):
    peers = [peer for peer in PEERS if peer in row]
    return min(peers, key=lambda peer: row[peer]["seconds"]) if peers else None


def both_ways(table, peer):
    """{shape: the peer's time over ours, of the three products together}"""
    sums = collections.defaultdict(lambda: [0.0, 0.0, 0])
    for (shape, _), row in table.items():
        if peer in row and "ours" in row:
            entry = sums[shape]
            entry[0] += row[peer]["seconds"]
            entry[1] += row["ours"]["seconds"]
            entry[2] += 1
    return {shape: theirs / ours for shape, (theirs, ours, count) in sums.items() if count == len(DIRECTIONS)}


def title(key):
    name, precision, threads = key
    return f"{name}, {precision}, {threads} thread{'s' if threads > 1 else ''}"


def means(key, table):
    """Markdown: the geometric mean of each peer's time over ours, and the row where we stand worst."""
    rows = [(place, row) for place, row in table.items() if "ours" in row]
    lines = [f"Time of a peer over ours, geometric means: {title(key)}, {len(rows)} rows", "",
             "| peer | " + " | ".join(DIRECTIONS) + " | all rows | forward + backward | worst row |",
             "|---|" + "---:|" * (len(DIRECTIONS) + 2) + "---|"]
    for peer in (*PEERS, "best peer"):
        chosen = [(place, row, best_peer(row) if peer == "best peer" else peer) for place, row in rows]
        ratios = [(ratio(row, name), place) for place, row, name in chosen if name in row]
        if not ratios:
            continue
        cells = [f"{mean([r for r, (_, d) in ratios if d == direction]):.2f}" for direction in DIRECTIONS]
        together = both_ways(table, peer)
        worst, (shape, direction) = min(ratios)
        lines.append(f"| {peer} | {' | '.join(cells)} | **{mean([r for r, _ in ratios]):.2f}** | "
                     f"{f'{mean(list(together.values())):.2f} (least {min(together.values()):.2f})' if together else ''} | "
                     f"{worst:.2f}: {shape} {direction} |")
    return lines


def threads_gain(tables, key):
    """Our time on one thread over that on several, for rows of at least 0.2 GFLOP."""
    name, precision, threads = key
    single = tables.get((name, precision, 1))
    if threads == 1 or not single:
        return []
    gains = [(single[place]["ours"]["seconds"] / row["ours"]["seconds"], place) for place, row in tables[key].items()
             if "ours" in row and row["ours"]["gflop"] >= 0.2 and "ours" in single.get(place, {})]
    if not gains:
        return []
    least, (shape, direction) = min(gains)
    return ["", f"{threads} threads over one, ours, rows of at least 0.2 GFLOP: geometric mean "
            f"{mean([g for g, _ in gains]):.2f}, least {least:.2f} ({shape} {direction})"]


def rows_as_markdown(table):
    peers = [peer for peer in PEERS if any(peer in row for row in table.values())]
    native = any("native" in row for row in table.values())
    head = ["shape", "direction", "GFLOP", "ours, ms", "ours", *peers, "best peer / ours", "workspace, KiB"]
    lines = ["| " + " | ".join(head + ["-O3 native / ours"] * native) + " |",
             "|---|---|" + "---:|" * (len(head) - 2 + native)]
    for (shape, direction), row in table.items():
        if "ours" not in row:
            continue
        ours = row["ours"]
        best = best_peer(row)
        cells = [shape, direction, f"{ours['gflop']:.3g}", f"{1e3 * ours['seconds']:.4g}",
                 f"{100 * ours['fraction_of_peak']:.1f}%"]
        cells += [f"{100 * row[peer]['fraction_of_peak']:.1f}%" if peer in row else "" for peer in peers]
        cells += [f"{ratio(row, best):.2f} {best}" if best else "", f"{int(ours['workspace_bytes']) / 1024:.0f}"]
        if native:
            cells.append(f"{ratio(row, 'native'):.3f}" if "native" in row else "")
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def training_as_markdown(lines):
    """The lines of bench-train: ours, and libtorch's where it was measured."""
    rows = collections.defaultdict(dict)
    for line in lines:
        place = line["model"], line["what"], line["precision"], line["threads"], line["batch"]
        rows[place][line["contender"]] = float(line["seconds"])
    page = ["| model | what | precision | threads | batch | ours, ms | torch, ms | torch / ours |",
            "|---|---|---|---:|---:|---:|---:|---:|"]
    for place, seconds in rows.items():
        cells = [*place, f"{1e3 * seconds['ours']:.4g}"]
        cells += ([f"{1e3 * seconds['torch']:.4g}", f"{seconds['torch'] / seconds['ours']:.2f}"]
                  if "torch" in seconds else ["", ""])
        page.append("| " + " | ".join(cells) + " |")
    return page


def plot(key, table, file):
    """Rows downwards, fraction of the peak to the right, one mark a contender."""
    names = ["ours", *(peer for peer in PEERS if any(peer in row for row in table.values()))]
    rows = list(table.items())[::-1]
    script = [f"set terminal svg size 900,{120 + 15 * len(rows)} font 'sans,10' background 'white'",
              f"set output '{file}'", f"set title '{title(key)}: fraction of the FMA peak of the same moment'",
              "set key outside top horizontal", "set grid", "set xrange [0:*]", f"set yrange [-1:{len(rows)}]",
              "set format x '%.0f%%'", "set xtics mirror", "set lmargin 48"]
    for name in names:
        script.append(f"${name} << END")
        for y, ((shape, direction), row) in enumerate(rows):
            if name in row:
                label = f"{shape} {direction}".replace('"', "'").replace("_", " ")
                script.append(f"{100 * row[name]['fraction_of_peak']:.2f} {y} \"{label}\"")
        script.append("END")
    marks = {"ours": "pt 7 ps 0.9 lc rgb '#c00000'", "onednn": "pt 6 lc rgb '#0050a0'", "torch": "pt 4 lc rgb '#d07000'",
             "openblas": "pt 8 lc rgb '#208020'", "eigen": "pt 2 lc rgb '#808080'"}
    script.append("plot " + ", ".join(f"${n} using 1:2:yticlabels(3) title '{n}' with points {marks[n]}" for n in names))
    subprocess.run(["gnuplot"], input="\n".join(script) + "\n", text=True, check=True)


def machine():
    """One line: processor, cores, commit of the source, load of the machine."""
    processor = platform.processor() or platform.machine()
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    for line in cpuinfo.read_text().splitlines() if cpuinfo.exists() else []:
        if line.startswith("model name"):
            processor = line.partition(":")[2].strip()
    done = subprocess.run(["git", "-C", os.path.dirname(__file__), "describe", "--always", "--dirty"], text=True,
                          capture_output=True, check=False)
    return (f"{processor}, {os.cpu_count()} cores; commit {done.stdout.strip() or 'unknown'}; load average now "
            f"{os.getloadavg()[0]:.1f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("csv", nargs="+")
    parser.add_argument("--out", required=True, type=pathlib.Path)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    lines = [line for path in options.csv for line in lines_of(path)]
    training = [line for line in lines if "model" in line]
    tables = tables_of(line for line in lines if "shape" in line)
    page = [machine(), ""]
    for key, table in tables.items():
        summary = means(key, table) + threads_gain(tables, key)
        print("\n".join(summary) + "\n")
        page += [f"## {title(key)}", "", *summary, "", *rows_as_markdown(table), ""]
        if shutil.which("gnuplot"):
            file = options.out / ("conv-" + "-".join(map(str, key)) + ".svg")
            plot(key, table, file)
            page += [f"![{title(key)}]({file.name})", ""]
    if training:
        page += ["## Training", "", *training_as_markdown(training), ""]
    (options.out / "report.md").write_text("\n".join(page))
    print(f"written: {options.out / 'report.md'}" + ("" if shutil.which("gnuplot") else "; no gnuplot, so no plot"))


main()
