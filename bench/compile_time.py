#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What it costs to compile a program that uses the library, with the header alone and with the compiled instances, beside
one that multiplies two matrices of Eigen.

usage: compile_time.py INCLUDE_FOLDER COMPILER...

Each is compiled five times at -O2, in turn, after once to warm the files; the least processor time counts.
"""

import os
import pathlib
import resource
import subprocess
import sys
import tempfile

LAYER = """
        int main() {
          using namespace unfold;
          Conv2D<float> layer({.in_channels = 3, .out_channels = 8, .kernel = {3, 3}});
          Tensor<float, 4> x({2, 3, 12, 12});
          const Tensor<float, 4> y = layer.forward(x);
          layer.backward(y);
          layer.update({.learning_rate = 0.1});
          return layer.weights()(0, 0, 0, 0) > 0;
        }
        """
PRODUCT = """
        int main() {
          const Eigen::MatrixXf a = Eigen::MatrixXf::Random(50, 40), b = Eigen::MatrixXf::Random(40, 60);
          Eigen::MatrixXf c(50, 60);
          c.noalias() = a * b;
          return c(0, 0) > 0;
        }
        """
SOURCES = {
    "unfold": "#include <unfold/unfold.hpp>" + LAYER,
    "instances": "#include <unfold/instances.hpp>" + LAYER,
    "eigen": "#include <Eigen/Core>" + PRODUCT,
}


def processor_time(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main(include, compiler):
    with tempfile.TemporaryDirectory() as folder:
        commands = {}
        for name, text in SOURCES.items():
            source = os.path.join(folder, name + ".cpp")
            pathlib.Path(source).write_text(text)
            commands[name] = [*compiler, "-std=c++20", "-O2", "-I", include, "-c", source, "-o", source + ".o"]
        least = {name: float("inf") for name in SOURCES}
        for turn in range(6):
            for name, command in commands.items():
                seconds = processor_time(command)
                if turn > 0:
                    least[name] = min(least[name], seconds)
    eigen = least["eigen"]
    print(f"compile time at -O2: a product of Eigen's {eigen:.2f} s; Conv2D<float> {least['unfold']:.2f} s, "
          f"{least['unfold'] / eigen:.2f}x; by instances.hpp {least['instances']:.2f} s, {least['instances'] / eigen:.2f}x")


main(sys.argv[1], sys.argv[2:])
