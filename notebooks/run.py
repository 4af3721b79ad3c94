"""Executes the notebooks, or those that are named, and keeps nothing of their outputs.

    python notebooks/run.py [NOTEBOOK...]

Needs `requirements.txt`, and `pointsman` on the path or in `POINTSMAN`.
"""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).resolve().parent


def main():
    paths = [Path(name) for name in sys.argv[1:]] or sorted(HERE.glob("*.ipynb"))
    for path in paths:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        for cell in notebook.cells:
            if cell.get("outputs") or cell.get("execution_count"):
                sys.exit(f"{path.name} has outputs; strip them")
        client = NotebookClient(
            notebook, timeout=900, kernel_name="python3", resources={"metadata": {"path": str(HERE)}}
        )
        client.execute()
        printed = [
            output.text.strip()
            for cell in notebook.cells
            for output in cell.get("outputs", [])
            if output.output_type == "stream"
        ]
        print(f"{path.name}: {len(notebook.cells)} cells" + "".join(f"\n  {text}" for text in printed if text.startswith("skipped")))


if __name__ == "__main__":
    main()
