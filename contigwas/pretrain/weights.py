"""Read image-encoder weights from files of torchvision, timm, MONAI or contigwas."""

import logging
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from contigwas.pretrain.roles import TRAIN, VALIDATION
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.text import require

log = logging.getLogger(__name__)
WRAPPERS = ("state_dict", "model", "teacher", "model_state_dict")  # keys of a checkpoint that hold the state dict
PREFIXES = ("module.", "backbone.", "encoder.", "trunk.", "model.")
TIMM = [
    (r"^patch_embed\.proj\.", "patch_embedding.patch_embeddings."),
    (r"^pos_embed$", "patch_embedding.position_embeddings"),
    (r"^blocks\.(\d+)\.attn\.proj\.", r"blocks.\1.attn.out_proj."),
    (r"^blocks\.(\d+)\.mlp\.fc", r"blocks.\1.mlp.linear"),
]
TORCHVISION = [
    (r"^conv_proj\.", "patch_embedding.patch_embeddings."),
    (r"^(?:encoder\.)?pos_embedding$", "patch_embedding.position_embeddings"),
    (r"^(?:encoder\.)?layers\.encoder_layer_(\d+)\.ln_", r"blocks.\1.norm"),
    (r"^(?:encoder\.)?layers\.encoder_layer_(\d+)\.self_attention\.in_proj_", r"blocks.\1.attn.qkv."),
    (r"^(?:encoder\.)?layers\.encoder_layer_(\d+)\.self_attention\.out_proj", r"blocks.\1.attn.out_proj"),
    (r"^(?:encoder\.)?layers\.encoder_layer_(\d+)\.mlp\.(?:linear_1|0)\.", r"blocks.\1.mlp.linear1."),
    (r"^(?:encoder\.)?layers\.encoder_layer_(\d+)\.mlp\.(?:linear_2|3)\.", r"blocks.\1.mlp.linear2."),
    (r"^(?:encoder\.)?ln\.", "norm."),
]
CLASSIFIER = re.compile(
    r"^(fc|head|heads|fc_norm|head_drop|classification_head|cls_token|class_token|dist_token|mask_token)(\.|$)"
    r"|^blocks\.\d+\.(norm_)?cross_attn\."  # MONAI creates these but never uses them
)
MAX_LISTED = 5  # names per kind of mismatch in the message


def load_weights(trunk: nn.Module, path: PathLike) -> None:
    """Load weights into the trunk from a .safetensors file, or from a state dict or checkpoint that torch.save wrote.

    The names of torchvision's and timm's ResNets and ViTs are translated. Classifiers and class tokens are skipped and
    counted. Position embeddings of a ViT are interpolated to the grid of the trunk. The weights are loaded completely
    or not at all: raises UserError that lists missing weights, unknown weights and differing shapes.
    """
    stored = {_strip_prefixes(name): value for name, value in read_weights(path).items()}
    dropped = [name for name in stored if CLASSIFIER.match(name)]
    wanted = trunk.state_dict()
    weights = {_monai_name(name): value for name, value in stored.items() if name not in dropped}
    position = "patch_embedding.position_embeddings"
    # timm and torchvision store positions of the class tokens first; MONAI's class token has no position
    tokens = 0 if position in stored else sum(name in stored for name in ("cls_token", "class_token", "dist_token"))
    if position in weights and position in wanted:
        weights[position] = _interpolate(weights[position][:, tokens:], wanted[position])
    for name in wanted:
        if name.endswith("attn.qkv.bias") and name.replace("bias", "weight") in weights:
            weights.setdefault(name, torch.zeros_like(wanted[name]))  # MONAI's attention has no bias by default
    # BatchNorm's counters may be missing: they do not affect the output
    counters = {name for name in wanted if name.endswith("num_batches_tracked")}
    missing = [name for name in wanted if name not in weights and name not in counters]
    extra = [name for name in weights if name not in wanted]
    shapes = [
        f"{name} {tuple(weights[name].shape)} instead of {tuple(wanted[name].shape)}"
        for name in weights
        if name in wanted and weights[name].shape != wanted[name].shape
    ]
    if missing or extra or shapes:
        mismatches = [
            f"{what}: {', '.join(names[:MAX_LISTED])}"
            f"{f' and {len(names) - MAX_LISTED} more' if len(names) > MAX_LISTED else ''}"
            for what, names in (("missing", missing), ("unknown", extra), ("of another shape", shapes))
            if names
        ]
        raise UserError(
            f"{path} does not fit the image encoder ({'; '.join(mismatches)}): correct image_encoder, width, norm or "
            "patch in the recipe, or images.size"
        )
    trunk.load_state_dict({**wanted, **weights})
    log.info("%s: loaded %d weights of the image encoder, skipped %d of a classifier", path, len(weights), len(dropped))


def seen_samples(path: PathLike | None) -> list[int]:
    """Return hashes of the samples whose genetics a contigwas checkpoint, or its initial weights, were trained with.

    Empty for other files, and for training without genetics.
    """
    state = None if path is None else _read(path)
    if not isinstance(state, Mapping) or not {"settings", "roles"} <= state.keys():
        return []
    trained_on = [*state["roles"].get(TRAIN, []), *state["roles"].get(VALIDATION, [])]
    return sorted({*(trained_on if state["settings"].get("modalities") else []), *state.get("seen", [])})


def refuse_leak(path: PathLike | None, seen: Iterable[int], samples: Iterable[int], fold: int) -> None:
    """Raise UserError if `samples` (hashes), which fold `fold` will test, include some of `seen` by the weights."""
    leaked = set(seen) & set(samples)
    if leaked:
        raise UserError(
            f"{path} was trained with the genetics of {len(leaked)} samples that the network of fold {fold} is to be "
            "tested on, so that their features would leak their genetics: use weights that were trained without "
            "genetics, or on other samples"
        )


def _read(path: PathLike) -> object:
    """Return the content of the file; None where it cannot be read. Only tensors and plain values are unpickled."""
    path = Path(require(path, "the weights"))
    try:
        return load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception:  # the readers raise many types for files of other formats
        return None


def read_weights(path: PathLike) -> dict[str, Tensor]:
    """Return names and tensors of a weights file. Raises UserError when it has none, or when a value is not finite."""
    state = _read(path)
    while isinstance(state, Mapping):
        inner = next((state[name] for name in WRAPPERS if isinstance(state.get(name), Mapping)), None)
        if inner is None:
            break
        state = inner
    items = state.items() if isinstance(state, Mapping) else ()
    tensors = {name: value for name, value in items if isinstance(value, Tensor)}
    if not tensors:
        raise UserError(f"{path} holds no weights: supply a state dict saved by torch.save, or a .safetensors file")
    invalid = [name for name, value in tensors.items() if not bool(value.isfinite().all())]
    if invalid:
        raise UserError(
            f"{path}: {invalid[0]} and {len(invalid) - 1} other weights hold values that are not finite: supply "
            "another file"
        )
    trunk = {name: value for name, value in tensors.items() if name.startswith("trunk.")}
    return trunk or tensors


def _strip_prefixes(name: str) -> str:
    """Return the name without the prefixes of wrappers; `encoder.layers` is part of torchvision's own names."""
    while name.startswith(PREFIXES) and not name.startswith(("encoder.layers.", "encoder.ln.", "encoder.pos_")):
        name = name.partition(".")[2]
    return name


def _monai_name(name: str) -> str:
    """Return MONAI's name of a weight of timm or torchvision."""
    for pattern, into in (*TIMM, *TORCHVISION):
        name = re.sub(pattern, into, name)
    return name


def _interpolate(embeddings: Tensor, wanted: Tensor) -> Tensor:
    """Interpolate position embeddings (1, tokens, width) of a square grid bicubically to another square grid."""
    have, want = (round(one.shape[1] ** 0.5) for one in (embeddings, wanted))
    square = have**2 == embeddings.shape[1] and want**2 == wanted.shape[1]
    if embeddings.shape == wanted.shape or not square or embeddings.shape[2] != wanted.shape[2]:
        return embeddings
    grid = embeddings.reshape(1, have, have, -1).permute(0, 3, 1, 2).float()
    grid = functional.interpolate(grid, (want, want), mode="bicubic", antialias=True)
    log.info("interpolated position embeddings from %d x %d to %d x %d patches", have, have, want, want)
    return grid.permute(0, 2, 3, 1).reshape(1, want**2, -1)
