"""Write docs/config.md from the config schema. Run by `make docs`."""

import sys
from pathlib import Path

import yaml

from contigwas.config.models import read_schema

ROOT = Path(__file__).resolve().parents[1]

INTRODUCTION = """# Config reference

This page is generated from `contigwas/config/config.schema.yaml` by `make docs`. Do not edit it.

A config is a YAML file with one block per stage. `config/config.yaml` is the config of the demo. `config/examples/`
contains other configs.

- A file given with `--configfile` replaces the demo config completely. Missing keys get the defaults of this page.
- Paths are relative to the working directory of snakemake.
- Unknown keys are errors.
- YAML reads `5e-8` as text. Write `5.0e-8`.
- A rule depends only on the keys that it reads. If a key changes, the rules that read it and the rules that depend on
  these run again ([list of reruns](dev/reruns.md)).

"""


def kind(schema: dict) -> str:
    """Return the type of a key in words."""
    if "enum" in schema:
        return " or ".join(f"`{'null' if one is None else one}`" for one in schema["enum"])
    kinds = ["list" if one == "array" else one for one in as_list(schema.get("type", ""))]
    items = schema.get("items", {})
    if kinds == ["list"] and "enum" in items:
        return f"list of {', '.join(f'`{one}`' for one in items['enum'])}"
    if kinds == ["list"] and "type" in items:
        return f"list of {' or '.join(f'{one}s' for one in as_list(items['type']))}"
    return " or ".join(kinds)


def as_list(value: str | list[str]) -> list[str]:
    """Return a single name as a list of one."""
    return [value] if isinstance(value, str) else value


def shown(value: object) -> str:
    """Return a default value as YAML in one line."""
    return f"`{yaml.safe_dump(value, default_flow_style=True).removesuffix(chr(10)).removesuffix('...').strip()}`"


def sentence(text: str) -> str:
    """Return `text` with exactly one full stop at the end."""
    return text.rstrip(".") + "."


def rows(schema: dict, definitions: dict, prefix: str = "") -> list[str]:
    """Return one table row per key. Keys of nested blocks have their path as prefix."""
    lines = []
    for key, sub in schema.get("properties", {}).items():
        sub = {**definitions.get(sub.get("$ref", "").rsplit("/", 1)[-1], {}), **sub}
        if "properties" in sub:
            lines += rows(sub, definitions, f"{prefix}{key}.")
            continue
        default = shown(sub["default"]) if "default" in sub else "required" if key in schema.get("required", []) else ""
        lines.append(f"| `{prefix}{key}` | {kind(sub)} | {default} | {sub.get('description', '')} |")
    return lines


def page() -> str:
    """Return the text of the page."""
    schema = read_schema()
    definitions = schema["$defs"]
    head = ["| key | type | default | meaning |", "|---|---|---|---|"]
    single = {"properties": {k: v for k, v in schema["properties"].items() if "type" in v and v["type"] == "integer"}}
    text = INTRODUCTION + "## Global settings\n\n" + "\n".join([*head, *rows(single, definitions)]) + "\n"
    for name, block in schema["properties"].items():
        block = {**definitions.get(block.get("$ref", "").rsplit("/", 1)[-1], {}), **block}
        if name in ("models", "downstream") or block.get("type") != "object":
            continue
        text += f"\n## {name}\n\n{sentence(block['description']) + chr(10) if 'description' in block else ''}"
        if "properties" in block:
            text += "\n" * ("description" in block) + "\n".join([*head, *rows(block, definitions)]) + "\n"
    text += f"\n## downstream\n\n{sentence(schema['properties']['downstream']['description'])}\n"
    for task in definitions["task"]["properties"]["task"]["enum"]:
        text += f"\n### `task: {task}`\n\n{definitions[task]['description']}\n\n"
        text += "\n".join([*head, *rows(definitions[task], definitions)]) + "\n"
    text += "\n### Keys of `arms`\n\n" + "\n".join([*head, *rows(definitions["arm"], definitions)]) + "\n"
    text += (
        "\n## models\n\nEach key is the name of a model. Its value has one of four forms: a training recipe with a"
        " `method`, precomputed embeddings, a frozen model of another run, or user-supplied phenotypes.\n"
    )
    titles = {
        "shared": "Keys of all methods",
        "image": "Image encoder keys",
        "training": "Training keys",
        "projection": "Projection head keys",
    }
    shared = {name: definitions[name]["properties"] for name in ("shared", "image", "training", "projection")}
    for method in shared["shared"]["method"]["enum"]:
        recipe = definitions[method]
        parts = [name for name, keys in shared.items() if set(keys) <= set(recipe["properties"])]
        own = {
            key: value for key, value in recipe["properties"].items() if all(key not in shared[part] for part in parts)
        }
        also = ", ".join(f"[{titles[part].lower()}](#{titles[part].lower().replace(' ', '-')})" for part in parts)
        text += f"\n### `method: {method}`\n\n{sentence(recipe['description'])} Further keys: {also}.\n\n"
        if own:
            text += "\n".join([*head, *rows({**recipe, "properties": own}, definitions)]) + "\n"
    for name, keys in shared.items():
        text += f"\n### {titles[name]}\n\n"
        text += "\n".join([*head, *rows({"properties": keys}, definitions)]) + "\n"
    text += (
        "\n### Precomputed embeddings\n\n"
        "`embeddings: features.h5ad` uses embeddings that were computed by another program (samples x features;"
        " `obs_names` are IIDs). `phenotypes:` may override the block `phenotypes`.\n"
        "\n### Frozen model of another run\n\n"
        "`apply: ../discovery/results/models/contig` embeds this cohort with the networks in that folder, and applies"
        " its alignment and principal components. `phenotypes: {transform: …}` and `embed:` may override the blocks"
        " `phenotypes` and `embed`.\n"
        "\n### User-supplied phenotypes\n\n"
        "`phenotypes: traits.tsv` tests the columns of a table (TSV or Parquet: IID, optionally FID, then one column"
        " per feature). `transform: inverse-normal` applies a rank-based inverse normal transformation. With the"
        " default, `none`, the values are not transformed. This form needs no images, no modalities and no training.\n"
    )
    return text


if __name__ == "__main__":
    target = ROOT / "docs/config.md"
    target.write_text(page())
    sys.stdout.write(f"{target.relative_to(ROOT)}\n")
