"""Turns outcome tables in Parquet (prompt_id, model, task, quality, cost_usd) into the compact
form that the binary `coverage` reads: `coverage_tables.py OUT_DIR TABLE.parquet ...`.

Two counts (prompts, models) as 64-bit integers, then grades, costs and the number of the task as
64-bit floats. Models that miss a tenth of the prompts are left out, and then prompts that a model
misses. Needs numpy and pyarrow.
"""

import pathlib
import struct
import sys

import numpy
from pyarrow import parquet

NEEDED_SHARE = 0.9


def columns(path):
    table = parquet.read_table(path, columns=["prompt_id", "model", "task", "quality", "cost_usd"])
    lists = [table[name].to_pylist() for name in table.column_names]
    prompts, row = numpy.unique([str(it) for it in lists[0]], return_inverse=True)
    models, column = numpy.unique([str(it) for it in lists[1]], return_inverse=True)
    tasks, task = numpy.unique([str(it) for it in lists[2]], return_inverse=True)
    cells = numpy.full((2, len(prompts), len(models)), numpy.nan)
    for layer, values in zip(cells, lists[3:]):
        layer[row, column] = [numpy.nan if it is None else it for it in values]
    task_of = numpy.zeros(len(prompts))
    task_of[row] = task
    present = ~numpy.isnan(cells).any(axis=0)
    cells = cells[:, :, present.mean(axis=0) > NEEDED_SHARE]
    complete = ~numpy.isnan(cells).any(axis=(0, 2))
    return cells[:, complete], task_of[complete]


def main(out_dir, paths):
    for path in map(pathlib.Path, paths):
        cells, task = columns(path)
        with open(pathlib.Path(out_dir, path.stem + ".bin"), "wb") as out:
            out.write(struct.pack("<QQ", *cells.shape[1:]))
            for numbers in (*cells, task):
                out.write(numbers.astype("<f8").tobytes())
        print(path.stem, cells.shape[1:])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
