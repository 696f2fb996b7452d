"""Runtime services of every job: errors, logs, atomic files, disk, memory, SLURM, code digest, training inputs."""
