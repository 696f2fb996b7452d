# Untested: no container engine was at hand. docs/slurm.md says how it is meant to be used.
FROM python:3.11-slim
ENV MPLBACKEND=Agg
WORKDIR /opt/contigwas
COPY . .
RUN python -m pip install --no-cache-dir --constraint envs/constraints.txt --editable ".[demo,mgi]"
WORKDIR /study
ENTRYPOINT ["snakemake", "--snakefile", "/opt/contigwas/Snakefile"]
CMD ["--help"]
