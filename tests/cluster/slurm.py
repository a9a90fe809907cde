"""Slurm on one machine, in plain processes: two nodes, one with a GPU; and a pair, both with one.

All its files are in one folder. A GPU is the null device: Slurm schedules it like any other.
"""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scancel", "squeue", "scontrol")
INSTALL = "apt-get install munge slurmctld slurmd slurm-client"
NODES = ("n1", "n2", "n3", "n4")

CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/controller
SlurmdSpoolDir={folder}/spool_%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd_%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd_%n.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
MpiDefault=none
ReturnToService=2
SlurmdTimeout=20
KillWait=20
MinJobAge=600
SchedulerParameters=sched_interval=2,batch_sched_delay=1
GresTypes=gpu
NodeName=n1 {node} Port={ports[1]} Gres=gpu:1
NodeName=n2 {node} Port={ports[2]}
NodeName=n3 {node} Port={ports[3]} Gres=gpu:1
NodeName=n4 {node} Port={ports[4]} Gres=gpu:1
PartitionName=all Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
PartitionName=pair Nodes=n3,n4 MaxTime=INFINITE State=UP OverSubscribe=NO
"""
CGROUP = "ConstrainCores=no\nConstrainRAMSpace=no\nConstrainDevices=no\n"
# Snakemake drops SLURM_CONF before it calls srun inside a job.
WRAPPER = '#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {program} "$@"\n'


def missing() -> str | None:
    """Return why Slurm cannot run here; None if it can."""
    search = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])
    absent = [name for name in PROGRAMS if shutil.which(name, path=search) is None]
    if absent:
        return f"no {', '.join(absent)}: {INSTALL}"
    return None if os.geteuid() == 0 else "slurmd starts jobs as root alone"


class Slurm:
    """A running cluster; `environment` points Slurm's commands at it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        path = [str(folder / "bin"), os.environ["PATH"], "/usr/sbin", "/sbin"]
        self.environment = os.environ | {
            "SLURM_CONF": str(folder / "slurm.conf"),
            "PATH": os.pathsep.join(path),
        }

    def configure(self) -> None:
        """Write the configuration, a key, and the wrappers of Slurm's commands."""
        host = socket.gethostname()
        node = f"NodeHostname={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=64000"
        values = {"folder": self.folder, "host": host, "user": getpass.getuser(), "node": node}
        text = CONFIGURATION.format(ports=_free_ports(1 + len(NODES)), **values)
        (self.folder / "slurm.conf").write_text(text)
        (self.folder / "gres.conf").write_text("NodeName=n[1,3,4] Name=gpu File=/dev/null\n")
        (self.folder / "cgroup.conf").write_text(CGROUP)
        (self.folder / "munge.key").write_bytes(os.urandom(128))
        (self.folder / "munge.key").chmod(0o400)
        for name in ("bin", "controller", *(f"spool_{node}" for node in NODES)):
            (self.folder / name).mkdir()
        for name in ("srun", "sbatch", "squeue", "scancel", "scontrol", "sinfo"):
            wrapper = self.folder / "bin" / name
            wrapper.write_text(WRAPPER.format(folder=self.folder, program=shutil.which(name)))
            wrapper.chmod(0o755)

    def start(self, name: str, *command: str) -> None:
        """Start a program in the foreground, its output in a file of its name."""
        with (self.folder / f"{name}.out").open("ab") as out:
            self.processes[name] = subprocess.Popen(
                command, env=self.environment, stdout=out, stderr=out, start_new_session=True
            )

    def start_node(self, node: str) -> None:
        """Start the program of a node."""
        self.start(node, "slurmd", "-D", "-N", node)

    def crash(self, node: str, job: str) -> None:
        """End a node and its job at once, as a power cut does."""
        self.processes[node].kill()
        self.processes[node].wait()
        for process in _processes_of(job):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def say(self, *command: str) -> str:
        """Return what a command of Slurm's prints."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=60
        )
        return done.stdout + done.stderr

    def wait_for_nodes(self, seconds: float = 60) -> None:
        """Wait until all nodes take jobs."""
        limit = time.monotonic() + seconds
        ready = ("idle", "mixed", "allocated")
        while True:
            states = self.say("sinfo", "-h", "-N", "-o", "%T").split()
            if len(states) == len(NODES) and all(state in ready for state in states):
                return
            if time.monotonic() > limit:
                raise TimeoutError(f"nodes are {states}\n{self._logs()}")
            time.sleep(0.5)

    def jobs(self) -> list[tuple[str, str, str]]:
        """Return number, state and comment (which names the rule) of jobs that have not ended."""
        lines = self.say("squeue", "-h", "-o", "%i|%T|%k").splitlines()
        return [tuple(line.split("|", 2)) for line in lines if line.count("|") >= 2]

    def _logs(self) -> str:
        files = sorted([*self.folder.glob("*.log"), *self.folder.glob("*.out")])
        return "\n".join(f"{file.name}: {file.read_text()[-1500:]}" for file in files)


@contextmanager
def running(folder: Path) -> Iterator[Slurm]:
    """Run a cluster in a folder; jobs and programs end with the context."""
    slurm = Slurm(folder)
    slurm.configure()
    folder.chmod(0o755)  # munged refuses a socket in a folder that others can write to
    key = [f"--{name}={folder}/munge.{end}" for name, end in MUNGE_FILES.items()]
    try:
        slurm.start("munged", "munged", "--foreground", "--force", *key)
        _wait_for(folder / "munge.socket")
        slurm.start("slurmctld", "slurmctld", "-D", "-c")
        for node in NODES:
            slurm.start_node(node)
        slurm.wait_for_nodes()
        yield slurm
    finally:
        _stop(slurm)


MUNGE_FILES = {
    "socket": "socket",
    "key-file": "key",
    "pid-file": "pid",
    "log-file": "log",
    "seed-file": "seed",
}


def _processes_of(job: str) -> list[int]:
    """Return the processes of a job: first Slurm's, which watch the job's own."""
    watching, own = [], []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            if (folder / "cmdline").read_bytes().startswith(f"slurmstepd: [{job}.".encode()):
                watching.append(int(folder.name))
            elif f"SLURM_JOB_ID={job}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                own.append(int(folder.name))
    return watching + own


def _stop(slurm: Slurm) -> None:
    if {"slurmctld", *NODES} <= set(slurm.processes):
        slurm.say("scancel", "--me")
        limit = time.monotonic() + 60
        while slurm.jobs() and time.monotonic() < limit:
            time.sleep(0.5)
    for process in reversed(slurm.processes.values()):
        process.terminate()
    for process in slurm.processes.values():
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def _wait_for(path: Path, seconds: float = 20) -> None:
    limit = time.monotonic() + seconds
    while not path.exists():
        if time.monotonic() > limit:
            raise TimeoutError(f"{path} does not appear")
        time.sleep(0.1)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(closing(socket.socket())) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
