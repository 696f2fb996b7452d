"""Weights of image encoders from files that torchvision, timm, MONAI or this program wrote."""

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
WRAPPERS = ("state_dict", "model", "teacher", "model_state_dict")  # under which others store the weights
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
    r"|^blocks\.\d+\.(norm_)?cross_attn\."  # MONAI makes these without ever using them
)
LISTED = 5  # names of a mismatch that are reported


def load_weights(trunk: nn.Module, path: PathLike) -> None:
    """Fill the trunk from a file: .safetensors, or what torch.save wrote (a state dict, or one inside a checkpoint).

    Names of torchvision's and timm's ResNets and ViTs are understood; classifiers and class tokens are left out and
    counted; the position embeddings of a ViT are interpolated to another grid. Raises UserError that lists what is
    missing, what is left over and which shapes differ: weights are loaded whole or not at all.
    """
    found = {_plain(name): value for name, value in read_weights(path).items()}
    dropped = [name for name in found if CLASSIFIER.match(name)]
    wanted = trunk.state_dict()
    known = {_named(name): value for name, value in found.items() if name not in dropped}
    place = "patch_embedding.position_embeddings"
    # MONAI's class token has no position
    tokens = 0 if place in found else sum(name in found for name in ("cls_token", "class_token", "dist_token"))
    if place in known and place in wanted:
        known[place] = _resized(known[place][:, tokens:], wanted[place])
    for name in wanted:
        if name.endswith("attn.qkv.bias") and name.replace("bias", "weight") in known:
            known.setdefault(name, torch.zeros_like(wanted[name]))  # MONAI's attention has none unless asked for
    # BatchNorm's counters may lack: they change nothing
    counters = {name for name in wanted if name.endswith("num_batches_tracked")}
    missing = [name for name in wanted if name not in known and name not in counters]
    extra = [name for name in known if name not in wanted]
    shapes = [
        f"{name} {tuple(known[name].shape)} instead of {tuple(wanted[name].shape)}"
        for name in known
        if name in wanted and known[name].shape != wanted[name].shape
    ]
    if missing or extra or shapes:
        reported = [
            f"{what}: {', '.join(names[:LISTED])}{f' and {len(names) - LISTED} more' if len(names) > LISTED else ''}"
            for what, names in (("missing", missing), ("unknown", extra), ("of another shape", shapes))
            if names
        ]
        raise UserError(
            f"{path} does not fit the image encoder ({'; '.join(reported)}): correct image_encoder, width, norm or patch "
            "in the recipe, or images.size"
        )
    trunk.load_state_dict({**wanted, **known})
    log.info("%d weights of the image encoder from %s; %d of a classifier left out", len(known), path, len(dropped))


def seen(path: PathLike | None) -> list[int]:
    """Hashes of the samples whose genetics the network of a contigwas checkpoint saw, through its own weights too.

    Empty for other files, and where no genetics were seen.
    """
    state = None if path is None else _read(path)
    if not isinstance(state, Mapping) or not {"settings", "roles"} <= state.keys():
        return []
    own = [*state["roles"].get(TRAIN, []), *state["roles"].get(VALIDATION, [])]
    return sorted({*(own if state["settings"].get("modalities") else []), *state.get("seen", [])})


def refuse_leak(path: PathLike | None, saw: Iterable[int], samples: Iterable[int], fold: int) -> None:
    """Raise UserError where the weights `saw` the genetics of some of `samples`, whom fold `fold` will test (hashes)."""
    known = set(saw) & set(samples)
    if known:
        raise UserError(
            f"{path} was trained with the genetics of {len(known)} samples that the network of fold {fold} is to be "
            "tested on, so that their features would know the answer: take weights that saw nobody's genetics, or "
            "those of other samples"
        )


def _read(path: PathLike) -> object:
    """What is in the file; None where it cannot be read. Nothing but tensors and plain values is ever unpickled."""
    path = Path(require(path, "the weights"))
    try:
        return load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception:  # a file of anything raises anything
        return None


def read_weights(path: PathLike) -> dict[str, Tensor]:
    """Names and tensors of a file of weights. Raises UserError where there is none, or a value is no number."""
    state = _read(path)
    while isinstance(state, Mapping):
        inner = next((state[name] for name in WRAPPERS if isinstance(state.get(name), Mapping)), None)
        if inner is None:
            break
        state = inner
    items = state.items() if isinstance(state, Mapping) else ()
    tensors = {name: one for name, one in items if isinstance(one, Tensor)}
    if not tensors:
        raise UserError(f"{path} holds no weights: supply a state dict saved by torch.save, or a .safetensors file")
    odd = [name for name, one in tensors.items() if not bool(one.isfinite().all())]
    if odd:
        raise UserError(
            f"{path}: {odd[0]} (and {len(odd) - 1} others) holds values that are no numbers: supply a sound file"
        )
    trunk = {name: one for name, one in tensors.items() if name.startswith("trunk.")}
    return trunk or tensors


def _plain(name: str) -> str:
    """Without the prefixes of wrappers; `encoder.layers` is torchvision's own."""
    while name.startswith(PREFIXES) and not name.startswith(("encoder.layers.", "encoder.ln.", "encoder.pos_")):
        name = name.partition(".")[2]
    return name


def _named(name: str) -> str:
    for pattern, into in (*TIMM, *TORCHVISION):
        name = re.sub(pattern, into, name)
    return name


def _resized(embeddings: Tensor, wanted: Tensor) -> Tensor:
    """Position embeddings (1, tokens, width) of a square grid, bicubic on another square grid."""
    have, want = (round(one.shape[1] ** 0.5) for one in (embeddings, wanted))
    square = have**2 == embeddings.shape[1] and want**2 == wanted.shape[1]
    if embeddings.shape == wanted.shape or not square or embeddings.shape[2] != wanted.shape[2]:
        return embeddings
    grid = embeddings.reshape(1, have, have, -1).permute(0, 3, 1, 2).float()
    grid = functional.interpolate(grid, (want, want), mode="bicubic", antialias=True)
    log.info("position embeddings interpolated from %d x %d to %d x %d patches", have, have, want, want)
    return grid.permute(0, 2, 3, 1).reshape(1, want**2, -1)
