#!/usr/bin/env bash
# Build the image of the Dockerfile and run a small study in it, which trains networks and tests their features.
#
#     tests/container.sh [CONFIG]        # CONFIG: tests/config/small.yaml; it must simulate its own input
#
# Needs a Debian machine with Python 3.11 or later, root, and: apt-get install buildah debootstrap
# It needs no container engine and no container registry. The base image is a minimal Debian, made with the mirror and
# the keyring of this machine's apt. pip uses the settings and local folders of this machine's pip: they are mounted
# during the build and leave only empty mount points in the image.
# It takes about 20 minutes on 2 busy cores and leaves two local images, contigwas-base (the next run uses it again) and
# contigwas. To remove them: buildah rmi contigwas contigwas-base
set -euo pipefail
cd "$(dirname "$0")/.."
config=${1:-tests/config/small.yaml}
cores=$(nproc)
user=1000:1000 # the image must not need root

work=$(mktemp -d)
container=
finish() {
  [ -z "$container" ] || buildah rm "$container" >/dev/null
  rm -rf --one-file-system "$work"
}
trap finish EXIT
fail() {
  echo "container.sh: $*" >&2
  exit 1
}
seconds() {
  echo "container.sh: $1 took $((SECONDS - started)) seconds"
  started=$SECONDS
}
started=$SECONDS

if ! buildah images contigwas-base >/dev/null 2>&1; then
  suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
  # the pipes read to their end: with pipefail, a writer that loses its reader would end this script
  mirror=$(apt-get indextargets --format '$(CODENAME) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
    awk -v suite="$suite" '$1 == suite && $2 == "main" && !found++ { print $3 }')
  [ -n "$mirror" ] || fail "apt lists no mirror of $suite main. Run: apt-get update"
  keyring=$({ grep -rlsF "${mirror%/}" /etc/apt/sources.list /etc/apt/sources.list.d || true; } |
    xargs -r grep -hoiE 'signed-by(:|=) *[^] ]+' | awk '!found++ { sub(/^[^:=]*[:=] */, ""); print }') || true
  debootstrap --variant=minbase --include=ca-certificates,python3,python3-venv \
    ${keyring:+"--keyring=$keyring"} "$suite" "$work/base" "$mirror" >"$work/debootstrap.log" 2>&1 ||
    { tail -n 20 "$work/debootstrap.log" >&2; fail "debootstrap failed"; }
  rm -rf "$work"/base/var/cache/apt/archives/*.deb "$work"/base/var/lib/apt/lists/*
  container=$(buildah from scratch)
  buildah copy --quiet "$container" "$work/base" / >/dev/null
  buildah commit --quiet "$container" contigwas-base >/dev/null
  buildah rm "$container" >/dev/null
  container=
  seconds "the base image"
fi

# pip.conf for the build, and every local file or folder that it names
python3 - "$work/pip.conf" >"$work/volumes" <<'PYTHON'
import ast, subprocess, sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], check=True, capture_output=True, text=True)
settings = {}
for line in sorted(listed.stdout.splitlines(), key=lambda line: line.startswith(":env:")):  # the environment wins
    name, _, value = line.partition("=")
    section, _, key = name.replace(":env:", "global").partition(".")
    settings.setdefault(section, {})[key] = ast.literal_eval(value)
mounted = set()
for keys in settings.values():
    for value in keys.values():
        for word in value.split():
            path = Path(unquote(urlsplit(word).path) if word.startswith("file:") else word)
            if path.is_absolute() and path.exists():
                mounted.add(path.parent if word.startswith("file:") else path)  # an index links to the folders next to it
text = "".join(
    f"[{section}]\n" + "".join(f"{key} = {' '.join(value.split())}\n" for key, value in keys.items())
    for section, keys in settings.items()
)
Path(sys.argv[1]).write_text(text)
print(f"{sys.argv[1]}:/etc/pip.conf:ro")
for path in sorted(mounted):
    print(f"{path}:{path}:ro")
PYTHON
volumes=()
while read -r volume; do volumes+=(--volume "$volume"); done <"$work/volumes"

buildah rmi contigwas >/dev/null 2>&1 || true # of an earlier run
buildah bud --quiet --isolation chroot --pull-never --build-arg BASE=localhost/contigwas-base "${volumes[@]}" \
  --tag contigwas . >"$work/build.log" 2>&1 || { tail -n 40 "$work/build.log" >&2; fail "the image was not built"; }
seconds "the image"

container=$(buildah from --pull-never contigwas)
mkdir "$work/study"
cp "$config" "$work/study/study.yaml"
chown -R "$user" "$work/study"
# buildah run ignores the entry point of the image, so it is read from there
mapfile -t command < <(buildah inspect "$container" |
  python3 -c 'import json, sys; print(*json.load(sys.stdin)["OCIv1"]["config"]["Entrypoint"], sep="\n")')
inside() {
  buildah run --isolation chroot --user "$user" --volume "$work/study:/study" "$container" -- "$@"
}
inside sh -c '! find / -xdev \( -path /proc -o -path /sys \) -prune -o -path "*/contigwas/tests*" -print 2>/dev/null | grep .' ||
  fail "the image holds tests"
inside sh -c '! grep -q . /etc/pip.conf 2>/dev/null' || fail "the image holds this machine's pip.conf"
inside "${command[@]}" --cores "$cores" --configfile study.yaml >"$work/run.log" 2>&1 ||
  { tail -n 60 "$work/run.log" >&2; fail "the study failed"; }
for output in results/report.html results/evaluation/models.tsv; do
  [ -s "$work/study/$output" ] || fail "the study has no $output"
done
grep -E "steps? .*done" "$work/run.log" | tail -n 1
seconds "the study"
