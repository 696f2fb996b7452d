# An image that runs the workflow:  docker build -t contigwas .
# tests/container.sh tests it: it builds the image with buildah on a Debian base and runs tests/config/small.yaml in it.
# BASE needs Python 3.11 or later with venv. The pins are for Python 3.11.
ARG BASE=docker.io/library/python:3.11-slim
FROM ${BASE}

RUN python3 -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH \
    MPLBACKEND=Agg

WORKDIR /opt/contigwas
COPY pyproject.toml README.md LICENSE ./
COPY envs envs
COPY contigwas contigwas
RUN python -m pip install --no-cache-dir --constraint envs/constraints.txt --editable ".[demo,mgi]"
COPY Snakefile ./
COPY config config
COPY profiles profiles
COPY workflow workflow

# Snakemake needs the name and the home folder of the user. With these, any user ID can run the image.
ENV HOME=/tmp \
    USER=contigwas
WORKDIR /study
ENTRYPOINT ["snakemake", "--snakefile", "/opt/contigwas/Snakefile"]
CMD ["--help"]
