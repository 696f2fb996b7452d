"""What every job shares: errors, logs, atomic files, disk, memory, SLURM, code digests and training inputs."""
