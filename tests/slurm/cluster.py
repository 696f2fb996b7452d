"""A real SLURM on one machine: munge, one slurmctld and two slurmd on loopback, in a folder of their own.

Works as root and as an ordinary user; nothing outside the folder is written. `node2` has a GPU by name only.
"""

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

NODES = ("node1", "node2")
GPU_NODE = "node2"
PROGRAMS = ("munged", "slurmctld", "slurmd", "srun", "sbatch", "squeue", "sinfo", "scontrol", "scancel")
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "DEADLINE", "BOOT_FAIL")
FIELDS = ("JobID", "Name", "State", "Partition", "NodeList", "NumCPUs", "MinMemory", "TimeLimit", "Comment")
GPU_FIELDS = ("tres-per-job", "tres-per-node")  # what --gpus and what --gres asked for
SBIN = ("/usr/sbin", "/usr/local/sbin")

SLURM_CONF = """\
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/run/munge.socket
SlurmctldPort={controller}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd-%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd-%n.log
PlugStackConfig={folder}/etc/plugstack.conf
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
MpiDefault=none
SwitchType=switch/none
MailProg=/bin/true
ReturnToService=2
JobRequeue=0
MinJobAge=3600
KillWait=10
SlurmdTimeout=10
SchedulerParameters=sched_min_interval=0,batch_sched_delay=0,bf_interval=1
GresTypes=gpu
NodeName=node1 NodeHostname={host} NodeAddr=127.0.0.1 Port={node1} CPUs=4 RealMemory=64000
NodeName=node2 NodeHostname={host} NodeAddr=127.0.0.1 Port={node2} CPUs=4 RealMemory=64000 Gres=gpu:test:1
PartitionName=cpu Nodes=ALL Default=YES
PartitionName=gpu Nodes=node2
"""
GRES_CONF = "AutoDetect=off\nNodeName=node2 Name=gpu Type=test File=/dev/null\n"


class ClusterError(RuntimeError):
    """The cluster does not do what was asked of it."""


def wait_for(what: str, ready: Callable[[], object], seconds: float = 30) -> None:
    """Poll until `ready()` is true; raises ClusterError that names `what` after `seconds`."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise ClusterError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.1)


def program(name: str) -> str | None:
    """The path of a program; an ordinary user's PATH often lacks the folders of daemons."""
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *SBIN]))


def missing_programs() -> list[str]:
    """The programs that a cluster needs and this machine lacks."""
    return [name for name in PROGRAMS if program(name) is None]


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nothing listens on, all different."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def running() -> Iterator[tuple[int, bytes]]:
    """The process IDs of this machine with their environment, where it may be read."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                yield int(folder.name), (folder / "environ").read_bytes()


@dataclass(frozen=True)
class Job:
    """A job as the controller remembers it."""

    number: int
    name: str
    state: str
    partition: str
    node: str
    cpus: int
    gpus: int
    memory: str
    time_limit: str
    comment: str


@dataclass(frozen=True)
class Cluster:
    """A running cluster in `folder`, which should be short: a socket's path may have 107 characters."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """What a program needs to talk to this cluster and no other.

        `bin` leads PATH because the executor's job step drops SLURM_CONF: our srun supplies it back.
        """
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("SLURM_", "SBATCH_"))}
        path = os.pathsep.join([str(self.folder / "bin"), os.environ.get("PATH", ""), *SBIN])
        return {**kept, "SLURM_CONF": str(self.folder / "etc/slurm.conf"), "PATH": path}

    def call(self, *command: str, check: bool = True, seconds: float = 30) -> str:
        """Run a program of SLURM and return what it printed."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=seconds, check=False
        )
        if check and done.returncode:
            raise ClusterError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout

    def start(self) -> None:
        """Write the configuration, start the daemons and wait until both nodes are idle."""
        write_configuration(self.folder)
        run = self.folder / "run"
        self._daemon(
            "munged",
            f"--socket={run}/munge.socket",
            f"--key-file={self.folder}/etc/munge.key",
            f"--pid-file={run}/munged.pid",
            f"--log-file={self.folder}/log/munged.log",
            f"--seed-file={run}/munged.seed",
            "--force",
        )
        self._daemon("slurmctld", "-c")
        for node in NODES:
            self.start_node(node)
        wait_for("two idle nodes", lambda: len(self.idle()) == len(NODES))

    def start_node(self, node: str) -> None:
        """Start the daemon of a node; a node that was set down comes back."""
        self._daemon("slurmd", "-c", "-N", node)

    def idle(self) -> set[str]:
        """The nodes that wait for work."""
        return set(self.call("sinfo", "-h", "-N", "-t", "idle", "-o", "%N", check=False).split())

    def jobs(self, name: str | None = None) -> list[Job]:
        """The jobs that were submitted, oldest first; only those of one Snakemake run where its `name` is given."""
        wanted = ["--name", name] if name else []
        columns = ",".join(f"{field}:|" for field in (*GPU_FIELDS, *FIELDS))
        lines = self.call("squeue", "-h", "--states=all", *wanted, "-O", columns).splitlines()
        return sorted(map(job, lines), key=lambda one: one.number)

    def active(self) -> list[Job]:
        """The jobs that have not ended."""
        return [one for one in self.jobs() if one.state not in ENDED]

    def kill_node(self, node: str) -> None:
        """Kill the daemon of a node with everything it runs, as a power cut would, and tell the controller."""
        pid_file = self.folder / f"run/slurmd-{node}.pid"
        lost = {one.number for one in self.active() if one.node == node}
        kill(int(pid_file.read_text()))
        pid_file.unlink(missing_ok=True)
        # before its jobs are killed: what watches them would tell the controller that they failed by themselves
        self.call("scontrol", "update", f"nodename={node}", "state=down", "reason=killed by a test")
        self._kill_jobs(lost)

    def revive_node(self, node: str) -> None:
        """Start the daemon of a killed node again and wait until it is idle."""
        self.start_node(node)
        self.call("scontrol", "update", f"nodename={node}", "state=resume", check=False)
        wait_for(f"{node} idle again", lambda: node in self.idle())

    def restore(self) -> None:
        """Cancel what is left in the queue and supply all nodes back."""
        self.call("scancel", f"--user={getpass.getuser()}", check=False)
        wait_for("an empty queue", lambda: not self.active())
        for node in NODES:
            if node not in self.idle():
                self.revive_node(node)

    def stop(self) -> None:
        """Cancel all jobs, stop all daemons and kill what they left."""
        with contextlib.suppress(subprocess.TimeoutExpired):  # the controller may be gone: what it ran is killed below
            self.call("scancel", f"--user={getpass.getuser()}", check=False, seconds=5)
        for name in (*(f"slurmd-{node}" for node in NODES), "slurmctld", "munged"):
            self._stop_daemon(self.folder / f"run/{name}.pid")
        self._kill_jobs(None)

    def _daemon(self, name: str, *arguments: str) -> None:
        # the daemons look at the name they were called by: it must not be slurmd-wlm, where GPUs would vanish
        done = subprocess.run(
            [str(program(name)), *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=30,
            check=False,
        )
        if done.returncode:
            raise ClusterError(f"{name} does not start: {done.stdout.strip()}\n{self.logs()}")

    def _stop_daemon(self, pid_file: Path) -> None:
        if not pid_file.is_file():
            return
        pid = int(pid_file.read_text())
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        with contextlib.suppress(ClusterError):
            wait_for(f"the end of {pid_file.stem}", lambda: not alive(pid), seconds=5)
        kill(pid)

    def _kill_jobs(self, numbers: set[int] | None) -> None:
        """Kill the processes of these jobs of this cluster, of all where None: their environment tells them."""
        conf = f"SLURM_CONF={self.folder}/etc/slurm.conf".encode()
        for pid, environment in running():
            variables = environment.split(b"\0")
            number = next((int(one[13:]) for one in variables if one.startswith(b"SLURM_JOB_ID=")), None)
            if conf in variables and number is not None and (numbers is None or number in numbers):
                kill(pid)

    def logs(self) -> str:
        """The ends of the daemons' logs."""
        files = sorted((self.folder / "log").glob("*.log"))
        return "\n".join(f"{path.name}:\n{path.read_text(errors='replace')[-2000:]}" for path in files)


def job(line: str) -> Job:
    """A line of squeue: GPU_FIELDS, each gres:gpu:1 or N/A, then FIELDS."""
    *requested, number, name, state, partition, node, cpus, memory, limit, comment = line.split("|")[:11]
    gpus = sum(int(one.rsplit(":", 1)[-1]) for one in requested if "gpu:" in one)
    return Job(int(number), name, state, partition, node, int(cpus), gpus, memory, limit, comment)


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def kill(pid: int) -> None:
    """Kill a process that may be gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def write_configuration(folder: Path) -> None:
    """Write the files of a cluster into `folder`."""
    for name in ("etc", "run", "log", "state", "spool", "bin"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name).chmod(0o755)
    key = folder / "etc/munge.key"
    key.touch(mode=0o600)
    key.write_bytes(os.urandom(128))
    controller, node1, node2 = free_ports(3)
    conf = SLURM_CONF.format(
        folder=folder,
        user=getpass.getuser(),
        host=socket.gethostname().split(".")[0],
        controller=controller,
        node1=node1,
        node2=node2,
    )
    (folder / "etc/slurm.conf").write_text(conf)
    (folder / "etc/gres.conf").write_text(GRES_CONF)
    (folder / "etc/plugstack.conf").write_text("")
    srun = folder / "bin/srun"
    srun.write_text(f'#!/bin/sh\nSLURM_CONF={folder}/etc/slurm.conf exec {program("srun")} "$@"\n')
    srun.chmod(0o755)
