"""A Python process with the heavy libraries imported, which forks for every program that tests ask for.

Most of the time of a small Snakemake run is the import of torch and others, once a job. A fork of a process that has
imported them starts in milliseconds. The project's own package is not imported here: every fork imports it anew, from
the folder that it runs in.

    python tests/forkserver.py serve SOCKET     serves until its standard input closes
    python tests/forkserver.py SOCKET ARGUMENTS runs `python ARGUMENTS` in a fork: a script, -c or -m
"""

import os
import runpy
import select
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

PRELOADED = [
    "torch",
    "torch.distributed.nn.functional",
    "monai.data",
    "monai.losses",
    "monai.networks.blocks",
    "monai.networks.nets",
    "monai.transforms",
    "kornia.enhance",
    "kornia.filters",
    "kornia.geometry",
    "lightning",
    "lightning.pytorch.loggers",
    "captum.attr",
    "safetensors.torch",
    "anndata",
    "h5py",
    "pandas",
    "pyarrow.compute",
    "pyarrow.csv",
    "pyarrow.parquet",
    "zstandard",
    "scipy.linalg",
    "scipy.optimize",
    "scipy.sparse.csgraph",
    "scipy.special",
    "scipy.stats",
    "sklearn.cluster",
    "sklearn.covariance",
    "sklearn.linear_model",
    "sklearn.metrics",
    "sklearn.model_selection",
    "sklearn.pipeline",
    "statsmodels.api",
    "bed_reader",
    "cbgen",
    "pgenlib",
    "PIL.Image",
    "pydicom.pixels",
    "nibabel",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_pdf",
    "matplotlib.figure",
    "matplotlib.ticker",
    "jinja2",
    "jsonschema",
    "tqdm",
    "bokeh.embed",
    "bokeh.plotting",
    "itables",
    "msprime",
    "umap",
    "snakemake.cli",
]
LIMIT = 1 << 20  # bytes of arguments and environment


def serve(address: str) -> None:
    """Answer requests until the standard input closes, which is when the tests end."""
    import importlib

    for name in PRELOADED:
        with suppress(ImportError):
            importlib.import_module(name)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(16)
    print("ready", flush=True)
    while True:
        readable, _, _ = select.select([listener, 0], [], [])
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if 0 in readable:
            return
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            answer(connection)
        connection.close()


def answer(connection: socket.socket) -> None:
    """Run one program in a fork of this process, and send its status; it gets the signals that the client gets."""
    request, files, _, _ = socket.recv_fds(connection, LIMIT, 3)
    size, _, text = request.partition(b"\0")
    while len(text) < int(size):
        text += connection.recv(LIMIT)
    folder, count, *words = os.fsdecode(text).split("\0")
    arguments, variables = words[: int(count)], words[int(count) :]
    child = os.fork()
    if child == 0:
        connection.close()
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        start(folder, arguments, dict(one.split("=", 1) for one in variables))
        sys.exit()
    for file in files:
        os.close(file)
    watched = os.pidfd_open(child)
    while watched not in select.select([connection, watched], [], [])[0]:
        signals = connection.recv(16)
        for number in signals or [signal.SIGKILL]:
            os.kill(child, number)
        if not signals:
            break
    _, status = os.waitpid(child, 0)
    with suppress(OSError):
        connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def start(folder: str, arguments: list[str], environment: dict[str, str]) -> None:
    """Become the program: its folder, environment and threads, then its code, up to the end of this process."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    threads = int(environment.get("OMP_NUM_THREADS", "1"))
    import threadpoolctl
    import torch

    torch.set_num_threads(threads)
    threadpoolctl.threadpool_limits(threads)
    sys.path[0:1] = [one for one in environment.get("PYTHONPATH", "").split(os.pathsep) if one]
    sys.executable = environment["FORKSERVER_PYTHON"]  # what the program starts in its turn is a fork, too
    if arguments[0] == "-m":
        sys.path.insert(0, folder)
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    elif arguments[0] == "-c":
        sys.argv = ["-c", *arguments[2:]]
        exec(compile(arguments[1], "<string>", "exec"), {"__name__": "__main__"})
    else:
        sys.path.insert(0, str(Path(arguments[0]).resolve().parent))
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")


def ask(address: str, arguments: list[str]) -> int:
    """Let the server run a program with the files, folder and environment of this process; its status."""
    words = [
        str(Path.cwd()),
        str(len(arguments)),
        *arguments,
        *(f"{name}={value}" for name, value in os.environ.items()),
    ]
    text = os.fsencode("\0".join(words))
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(address)
    socket.send_fds(connection, [f"{len(text)}\0".encode()], [0, 1, 2])
    connection.sendall(text)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: connection.sendall(bytes([number])))
    status = int(connection.recv(16) or 1)
    return 128 - status if status < 0 else status


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    else:
        sys.exit(ask(sys.argv[1], sys.argv[2:]))
