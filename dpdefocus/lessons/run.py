"""Runs a lesson without anyone watching: parameters checked, results and an HTML report left in one folder.

    dpdefocus run notebooks/04_mpi_optimization.ipynb --out-dir out/demo -p scene 001

papermill executes the notebook; what it only warns of, an unknown parameter, is an error here.
"""

import ast
import difflib
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from dpdefocus.support.errors import InputError
from dpdefocus.support.files import existing_file, replacing, writable_folder

# Plotly's figures reach the HTML report only through a renderer that writes HTML; this one embeds its own
# JavaScript, so that the report needs no network. JupyterLab shows the executed notebook by the other.
RENDERER = "plotly_mimetype+notebook"
TRUTHS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


class NotebookError(RuntimeError):
    """A cell of the notebook raised; the message says which, and what."""


def known_parameters(notebook: Path) -> dict[str, Any]:
    """Name -> default of each parameter in the cell tagged ``parameters``."""
    from papermill import inspect_notebook

    parameters = inspect_notebook(str(notebook))
    if not parameters:
        raise InputError(f"{notebook} has no cell tagged 'parameters': expected a lesson of this project")
    try:
        return {name: ast.literal_eval(parameter["default"]) for name, parameter in parameters.items()}
    except (SyntaxError, ValueError) as error:
        raise InputError(
            f"{notebook}: expected parameters with plain defaults, such as 1 or 'a' ({error})"
        ) from error


def checked_parameters(given: list[tuple[str, str]], known: dict[str, Any]) -> dict[str, Any]:
    """The given (name, text) pairs, each text turned into the type of its parameter's default.

    Scene 001 so stays "001".

    Raises:
        InputError: a name that the notebook does not know (the nearest is suggested), a text of another type.
    """
    values = {}
    for name, text in given:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {nearest[0]}?" if nearest else ""
            raise InputError(f"unknown parameter {name}: expected one of {', '.join(known)}.{hint}")
        kind = type(known[name])
        try:
            if kind is bool:
                values[name] = TRUTHS[text.lower()]
            else:
                values[name] = kind(text) if kind in (int, float) else text
        except (KeyError, ValueError) as error:
            raise InputError(f"parameter {name}: found {text!r}, expected {kind.__name__}") from error
    return values


def run_lesson(notebook: Path, out_dir: Path, given: list[tuple[str, str]], bar: bool = True) -> list[Path]:
    """Execute the notebook into ``out_dir``, and make its HTML report; returns the paths of both.

    ``out_dir`` is also handed to the notebook, where that has a parameter of the name. After a failure the
    notebook, as far as it came, is ``<name>.failed.ipynb``; a notebook and a report from earlier stay as they
    were. ``bar`` shows the progress through the cells on a terminal.

    Raises:
        InputError: something given cannot be used, as found here or by the notebook.
        NotebookError: a cell raised anything else.
    """
    existing_file(notebook, "a notebook")
    known = known_parameters(notebook)
    values = checked_parameters(given, known)
    if "out_dir" in values:
        raise InputError(
            "parameter out_dir: give the folder as --out-dir, where all that the run leaves goes"
        )
    if "out_dir" in known:
        values["out_dir"] = str(out_dir)
    writable_folder(out_dir)

    from nbclient.exceptions import DeadKernelError
    from papermill import execute_notebook
    from papermill.exceptions import PapermillExecutionError
    from papermill.iorw import write_ipynb

    os.environ["DPDEFOCUS_BATCH"] = "1"
    os.environ.setdefault("PLOTLY_RENDERER", RENDERER)
    names = (notebook.name, f"{notebook.stem}.html")
    failed = out_dir / f"{notebook.stem}.failed.ipynb"
    engine = {
        "kernel_name": "python3",
        "progress_bar": bar and sys.stderr.isatty(),
        "kernel_manager_class": _quiet_kernel_manager(),
    }
    with replacing(out_dir, *names) as (executed, report):
        try:
            finished = execute_notebook(str(notebook), str(executed), values, **engine)
        except (PapermillExecutionError, DeadKernelError) as error:
            if getattr(error, "ename", "") == InputError.__name__:
                raise InputError(error.evalue) from error
            os.replace(executed, failed)
            raise NotebookError(f"{_what_failed(error)}\nThe notebook as far as it came: {failed}") from error
        finished.metadata.papermill.output_path = str(out_dir / notebook.name)
        write_ipynb(finished, str(executed))
        report.write_text(_html(executed), encoding="utf-8")
    failed.unlink(missing_ok=True)
    return [out_dir / name for name in names]


def _quiet_kernel_manager() -> type:
    """Starts kernels whose own standard error goes nowhere.

    What cells print, their errors included, travels in messages and is in the notebook. What is left are
    remarks about sockets, and about the interrupt by which every kernel is shut down.
    """
    from jupyter_client.manager import AsyncKernelManager

    class QuietKernelManager(AsyncKernelManager):
        async def start_kernel(self, **options: Any) -> None:
            await super().start_kernel(**options, stderr=subprocess.DEVNULL)

    return QuietKernelManager


def _what_failed(error: Exception) -> str:
    """One readable message of a cell's error: its number, the kind, the text; no traceback, no colours."""
    if not hasattr(error, "exec_count"):
        return "the notebook's kernel died, as it does when memory runs out: try a smaller image or preset"
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error.evalue)).strip()
    return f"cell [{error.exec_count}] stopped: {error.ename}: {text}"


def _html(notebook: Path) -> str:
    """The executed notebook as one HTML page, which needs no network."""
    import nbformat

    from dpdefocus.site.pages import notebook_page

    return notebook_page(nbformat.read(notebook, as_version=4))
