"""Write docs/config.md from the schema, which is the truth: `make docs`."""

import sys
from pathlib import Path

import yaml

from contigwas.recipes import read_schema

ROOT = Path(__file__).resolve().parents[1]

INTRODUCTION = """# Config reference

Made from `contigwas/config.schema.yaml` by `make docs`; do not edit.

A config is a YAML file with one block a stage. `config/config.yaml` is the demo; `config/examples/` holds others.
A file given with `--configfile` stands alone: no key of the demo leaks into it, and the defaults below fill the rest.
Paths are relative to the folder that snakemake runs in. Unknown keys are refused.
In YAML `5e-8` is text: write `5.0e-8`.
Each rule reads only its own keys: change one, and only the rules that read it, and those after them, run again.

"""


def kind(schema: dict) -> str:
    """The type of a key, in words."""
    if "enum" in schema:
        return " or ".join(f"`{'null' if one is None else one}`" for one in schema["enum"])
    kinds = schema.get("type", "")
    text = " or ".join(kinds) if isinstance(kinds, list) else kinds
    return f"list of {schema['items'].get('type', 'names')}" if text == "array" and "items" in schema else text


def shown(value: object) -> str:
    """A default as YAML, in one line."""
    return f"`{yaml.safe_dump(value, default_flow_style=True).removesuffix(chr(10)).removesuffix('...').strip()}`"


def rows(schema: dict, definitions: dict, prefix: str = "") -> list[str]:
    """One line a key, blocks inside blocks with their path."""
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
    """The whole page."""
    schema = read_schema()
    definitions = schema["$defs"]
    head = ["| key | type | default | meaning |", "|---|---|---|---|"]
    single = {"properties": {k: v for k, v in schema["properties"].items() if "type" in v and v["type"] == "integer"}}
    text = INTRODUCTION + "## Whole run\n\n" + "\n".join([*head, *rows(single, definitions)]) + "\n"
    for name, block in schema["properties"].items():
        block = {**definitions.get(block.get("$ref", "").rsplit("/", 1)[-1], {}), **block}
        if name == "models" or "properties" not in block:
            continue
        text += f"\n## {name}\n\n{block['description'] + chr(10) + chr(10) if 'description' in block else ''}"
        text += "\n".join([*head, *rows(block, definitions)]) + "\n"
    text += f"\n## downstream\n\n{schema['properties']['downstream']['description']}.\n"
    for task in definitions["task"]["properties"]["task"]["enum"]:
        text += f"\n### `task: {task}`\n\n{definitions[task]['description']}\n\n"
        text += "\n".join([*head, *rows(definitions[task], definitions)]) + "\n"
    text += "\n### An arm of `arms`\n\n" + "\n".join([*head, *rows(definitions["arm"], definitions)]) + "\n"
    text += "\n## models\n\nEach key is a model's name, its value one of four things.\n"
    shared = {name: definitions[name]["properties"] for name in ("shared", "image", "training", "projection")}
    for method in shared["shared"]["method"]["enum"]:
        recipe = definitions[method]
        parts = [name for name, keys in shared.items() if set(keys) <= set(recipe["properties"])]
        own = {
            key: value for key, value in recipe["properties"].items() if all(key not in shared[part] for part in parts)
        }
        also = ", ".join(f"*{part}*" for part in parts)
        text += f"\n### `method: {method}`\n\n{recipe['description']}. It also takes the keys {also} below.\n\n"
        if own:
            text += "\n".join([*head, *rows({**recipe, "properties": own}, definitions)]) + "\n"
    titles = {
        "shared": "of every method",
        "image": "the image encoder",
        "training": "for methods that learn",
        "projection": "the space in which embeddings are compared",
    }
    for name, keys in shared.items():
        text += f"\n### Keys *{name}*: {titles[name]}\n\n"
        text += "\n".join([*head, *rows({"properties": keys}, definitions)]) + "\n"
    text += (
        "\n### Embeddings made elsewhere\n\n"
        "`embeddings: features.h5ad` (people x features, `obs_names` are IIDs);"
        " `phenotypes:` may override that block.\n"
        "\n### A frozen model of another run\n\n"
        "`apply: ../discovery/results/models/contig` embeds this cohort with the networks of that folder, and applies"
        " its alignment and components; `phenotypes: {transform: …}` and `embed:` may override those blocks.\n"
        "\n### Phenotypes made elsewhere\n\n"
        "`phenotypes: traits.tsv` (TSV or Parquet: IID, perhaps FID, then one column a feature);"
        " `transform: inverse-normal` ranks them, the default `none` leaves them as they are.\n"
        "No image, modality or training is then needed.\n"
    )
    return text


if __name__ == "__main__":
    target = ROOT / "docs/config.md"
    target.write_text(page())
    sys.stdout.write(f"{target.relative_to(ROOT)}\n")
