"""Stand-ins for Slurm's commands, at the edge where a cluster would be: they keep one job in a folder of files.

Where the job is to run for real, sbatch runs its script, and srun the command once a node, all on this machine.
"""

import os
from pathlib import Path

JOB = "4242"
_COMMANDS = {
    "sbatch": """
test "$1" = --parsable || { echo "sbatch: unknown option $1" >&2; exit 1; }
test -f "$CLUSTER/refuses" && { cat "$CLUSTER/refuses" >&2; exit 1; }
cp "$2" "$CLUSTER/script"
echo PENDING > "$CLUSTER/state"
cat "$CLUSTER/reply"
test -f "$CLUSTER/runs" || exit 0
log=$(sed -n 's/^#SBATCH --output="\\(.*\\)"$/\\1/p' "$2" | sed 's/%%/%/g')
nodes=$(sed -n 's/^#SBATCH --nodes=//p' "$2")
(
    echo RUNNING > "$CLUSTER/state"
    SLURM_JOB_ID=NUMBER SLURM_JOB_NODELIST='n[1-9]' SLURM_NNODES=$nodes setsid bash "$CLUSTER/script" >> "$log" 2>&1
    if test $? = 0; then echo COMPLETED; else echo FAILED; fi > "$CLUSTER/state"
) > /dev/null 2>&1 &
""",
    "srun": """
pids=""
for _ in $(seq "$SLURM_NNODES"); do "$@" & pids="$pids $!"; done
trap 'kill -TERM $pids' TERM
echo $$ > "$CLUSTER/srun"
code=0
for pid in $pids; do
    wait $pid || { while kill -0 $pid 2> /dev/null; do sleep 0.1; done; wait $pid || code=1; }
done
exit $code
""",
    "scontrol": 'test "$1 $2" = "show hostnames" && echo localhost && echo elsewhere',
    "squeue": """
echo "$@" > "$CLUSTER/squeue-asked"
test -f "$CLUSTER/forgotten" && { echo "slurm_load_jobs error: Invalid job id specified" >&2; exit 1; }
cat "$CLUSTER/state"
""",
    "sacct": """
test -f "$CLUSTER/keeps-no-accounts" && { echo "Slurm accounting storage is disabled" >&2; exit 1; }
cat "$CLUSTER/state"
""",
    "scancel": """
echo "$@" >> "$CLUSTER/cancelled"
test -f "$CLUSTER/refuses" && { cat "$CLUSTER/refuses" >&2; exit 1; }
case "$1" in
    --signal=TERM) kill -TERM "$(cat "$CLUSTER/srun")" ;;
    *) echo "CANCELLED by 1000" > "$CLUSTER/state" ;;
esac
""",
}


class Cluster:
    """A cluster's queue with one job."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.commands = folder / "bin"
        self.commands.mkdir(parents=True)
        for name, body in _COMMANDS.items():
            path = self.commands / name
            path.write_text(f"#!/bin/bash\nCLUSTER={folder}\n{body.replace('=NUMBER', f'={JOB}')}", encoding="utf-8")
            path.chmod(0o755)
        self.write("reply", JOB)

    @property
    def path(self) -> str:
        """PATH with the cluster's commands."""
        return f"{self.commands}{os.pathsep}{os.environ['PATH']}"

    def write(self, name: str, text: str = "") -> None:
        """Change how the cluster behaves."""
        (self.folder / name).write_text(text + "\n", encoding="utf-8")

    def read(self, name: str) -> str:
        """What a command left."""
        return (self.folder / name).read_text(encoding="utf-8").strip()
