"""Weights from files with the names of torchvision and timm, against forward passes in plain torch."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.networks.nets import ViT
from PIL import Image
from safetensors.torch import save_file
from torch.nn import functional

from contigwas.pretrain.networks import image_encoder
from contigwas.pretrain.weights import load_weights, read_weights
from contigwas.runtime.errors import UserError

LAYERS = {"resnet18": [2, 2, 2, 2], "resnet50": [3, 4, 6, 3]}
WIDTH, HEADS, DEPTH, PATCH = 192, 3, 12, 16  # vit_tiny


def trunk_of(name, size, **changed):
    recipe = {"method": "simclr", "image_encoder": name, "width": 64, "norm": "batch", "patch": PATCH, "weights": None}
    torch.manual_seed(0)
    return image_encoder(recipe | changed, (3, size, size))


def draw(shapes):
    """Return random tensors of the given shapes: variance-preserving weights and positive variances."""
    generator = torch.Generator().manual_seed(1)
    state = {}
    for name, shape in shapes.items():
        values = torch.randn(shape, generator=generator, dtype=torch.float64)
        if len(shape) > 1:
            values *= (2 / values[0].numel()) ** 0.5
        state[name] = values.abs() + 0.5 if name.endswith("running_var") else values
    return state


def resnet_shapes(name):
    """torchvision's (and timm's) names and shapes, with the classifier of ImageNet."""
    deep = name == "resnet50"
    shapes = {"conv1.weight": (64, 3, 7, 7)}

    def norm(place, width):
        shapes.update({f"{place}.{one}": (width,) for one in ("weight", "bias", "running_mean", "running_var")})

    norm("bn1", 64)
    inside = 64
    for stage, blocks in enumerate(LAYERS[name], 1):
        width = 64 * 2 ** (stage - 1)
        out = 4 * width if deep else width
        for block in range(blocks):
            at = f"layer{stage}.{block}"
            if deep:
                kernels = [(width, inside, 1, 1), (width, width, 3, 3), (out, width, 1, 1)]
            else:
                kernels = [(width, inside, 3, 3), (width, width, 3, 3)]
            for number, kernel in enumerate(kernels, 1):
                shapes[f"{at}.conv{number}.weight"] = kernel
                norm(f"{at}.bn{number}", kernel[0])
            if block == 0 and (stage > 1 or deep):
                shapes[f"{at}.downsample.0.weight"] = (out, inside, 1, 1)
                norm(f"{at}.downsample.1", out)
            inside = out
    return shapes | {"fc.weight": (1000, inside), "fc.bias": (1000,)}


def resnet(name, state, images):
    """The pooled features of torchvision's ResNet (its version 1.5: a bottleneck strides in its 3 x 3)."""

    def norm(place, values):
        kept = [state[f"{place}.{one}"] for one in ("running_mean", "running_var", "weight", "bias")]
        return functional.batch_norm(values, *kept)

    def convolve(place, values, stride=1):
        kernel = state[f"{place}.weight"]
        return functional.conv2d(values, kernel, stride=stride, padding=kernel.shape[-1] // 2)

    values = norm("bn1", convolve("conv1", images, 2)).relu()
    values = functional.max_pool2d(values, 3, 2, 1)
    for stage, blocks in enumerate(LAYERS[name], 1):
        for block in range(blocks):
            at, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            inner = values
            convolutions = [one for one in (1, 2, 3) if f"{at}.conv{one}.weight" in state]
            strided = 2 if len(convolutions) == 3 else 1
            for number in convolutions:
                inner = convolve(f"{at}.conv{number}", inner, stride if number == strided else 1)
                inner = norm(f"{at}.bn{number}", inner)
                if number != convolutions[-1]:
                    inner = inner.relu()
            if f"{at}.downsample.0.weight" in state:
                values = norm(f"{at}.downsample.1", convolve(f"{at}.downsample.0", values, stride))
            values = (values + inner).relu()
    return values.mean(dim=(2, 3))


def timm_shapes(size=64):
    """timm's vit_tiny_patch16: a class token, positions of it and of every patch."""
    grid = (size // PATCH) ** 2
    shapes = {
        "cls_token": (1, 1, WIDTH),
        "pos_embed": (1, grid + 1, WIDTH),
        "patch_embed.proj.weight": (WIDTH, 3, PATCH, PATCH),
        "patch_embed.proj.bias": (WIDTH,),
        "norm.weight": (WIDTH,),
        "norm.bias": (WIDTH,),
        "head.weight": (1000, WIDTH),
        "head.bias": (1000,),
    }
    inner = {
        "norm1": (WIDTH,),
        "attn.qkv": (3 * WIDTH, WIDTH),
        "attn.proj": (WIDTH, WIDTH),
        "norm2": (WIDTH,),
        "mlp.fc1": (4 * WIDTH, WIDTH),
        "mlp.fc2": (WIDTH, 4 * WIDTH),
    }
    for block in range(DEPTH):
        for name, shape in inner.items():
            shapes |= {f"blocks.{block}.{name}.weight": shape, f"blocks.{block}.{name}.bias": shape[:1]}
    return shapes


def torchvision_names(state, linear=("0", "3")):
    """The same weights by the names of torchvision's VisionTransformer; `linear` are those of its MLP's layers."""
    plain = {
        "cls_token": "class_token",
        "pos_embed": "encoder.pos_embedding",
        "patch_embed.proj.weight": "conv_proj.weight",
        "patch_embed.proj.bias": "conv_proj.bias",
        "norm.weight": "encoder.ln.weight",
        "norm.bias": "encoder.ln.bias",
        "head.weight": "heads.head.weight",
        "head.bias": "heads.head.bias",
    }
    inner = {
        "norm1.": "ln_1.",
        "attn.qkv.": "self_attention.in_proj_",
        "attn.proj.": "self_attention.out_proj.",
        "norm2.": "ln_2.",
        "mlp.fc1.": f"mlp.{linear[0]}.",
        "mlp.fc2.": f"mlp.{linear[1]}.",
    }
    for block in range(DEPTH):
        for old, new in inner.items():
            for one in ("weight", "bias"):
                plain[f"blocks.{block}.{old}{one}"] = f"encoder.layers.encoder_layer_{block}.{new}{one}"
    return {plain[name]: value for name, value in state.items()}


def vit(state, images):
    """Mean over the patches' tokens of a pre-norm ViT without its class token, by timm's names (Dosovitskiy 2021)."""

    def linear(place, values):
        return values @ state[f"{place}.weight"].T + state[f"{place}.bias"]

    def norm(place, values):
        centred = values - values.mean(dim=-1, keepdim=True)
        scaled = centred / (centred.square().mean(dim=-1, keepdim=True) + 1e-6).sqrt()
        return scaled * state[f"{place}.weight"] + state[f"{place}.bias"]

    rows = []
    for top in range(0, images.shape[2], PATCH):  # the patches are numbered row by row
        for left in range(0, images.shape[3], PATCH):
            pixels = images[:, :, top : top + PATCH, left : left + PATCH].flatten(1)
            rows.append(pixels @ state["patch_embed.proj.weight"].flatten(1).T + state["patch_embed.proj.bias"])
    tokens = torch.stack(rows, dim=1) + state["pos_embed"][:, 1:]
    each = WIDTH // HEADS
    for block in range(DEPTH):
        at = f"blocks.{block}"
        mixed = linear(f"{at}.attn.qkv", norm(f"{at}.norm1", tokens))
        seen = []
        for head in range(HEADS):
            # all queries come first, then all keys, then all values; inside each, head after head
            query, key, value = (
                mixed[..., kind * WIDTH + head * each : kind * WIDTH + (head + 1) * each] for kind in range(3)
            )
            weight = torch.softmax(query @ key.transpose(1, 2) / each**0.5, dim=-1)
            seen.append(weight @ value)
        tokens = tokens + linear(f"{at}.attn.proj", torch.cat(seen, dim=-1))
        hidden = linear(f"{at}.mlp.fc1", norm(f"{at}.norm2", tokens))
        hidden = hidden * 0.5 * (1 + torch.erf(hidden / 2**0.5))
        tokens = tokens + linear(f"{at}.mlp.fc2", hidden)
    return norm("norm", tokens).mean(dim=1)


def images_of(size, count=2):
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def saved(folder, state, name="weights.pth"):
    torch.save(state, folder / name)
    return folder / name


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_a_resnet_of_torchvision(name, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    state = draw(resnet_shapes(name))
    trunk = trunk_of(name, 128).double().eval()
    load_weights(trunk, saved(tmp_path, state))
    images = images_of(128)
    with torch.no_grad():
        torch.testing.assert_close(trunk(images), resnet(name, state, images), rtol=1e-9, atol=1e-9)
    assert f"loaded {len(state) - 2} weights" in caplog.text
    assert "skipped 2 of a classifier" in caplog.text


@pytest.mark.parametrize("kind", ["timm", "torchvision", "older torchvision"])
def test_a_vit(kind, tmp_path):
    state = draw(timm_shapes())
    file = state if kind == "timm" else torchvision_names(state)
    if kind == "older torchvision":
        file = torchvision_names(state, ("linear_1", "linear_2"))
    assert len(file) == len(state)
    trunk = trunk_of("vit_tiny", 64).double().eval()
    load_weights(trunk, saved(tmp_path, file))
    images = images_of(64)
    with torch.no_grad():
        torch.testing.assert_close(trunk(images), vit(state, images), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("classification", [False, True])
def test_a_vit_of_monai(classification, tmp_path):
    """It has unused norms, no bias in its attention, and a class token without a position."""
    torch.manual_seed(3)
    theirs = ViT(3, (64, 64), PATCH, WIDTH, 4 * WIDTH, DEPTH, HEADS, spatial_dims=2, classification=classification)
    trunk = trunk_of("vit_tiny", 64).eval()
    load_weights(trunk, saved(tmp_path, theirs.state_dict()))
    images = images_of(64).float()
    with torch.no_grad():
        tokens = theirs.patch_embedding(images)
        for block in theirs.blocks:
            tokens = block(tokens)
        expected = theirs.norm(tokens).mean(dim=1)
        torch.testing.assert_close(trunk(images), expected, rtol=1e-4, atol=1e-4)  # its eps is 1e-5


@pytest.mark.parametrize("size", [96, 32])
def test_positions_are_interpolated_to_another_grid(size, tmp_path, caplog):
    """Bicubic with antialiasing, as in Pillow; the other weights are unchanged."""
    caplog.set_level(logging.INFO)
    state = draw(timm_shapes(64))
    trunk = trunk_of("vit_tiny", size)
    load_weights(trunk, saved(tmp_path, state))
    want = size // PATCH
    got = trunk.state_dict()["patch_embedding.position_embeddings"][0]
    for feature in (0, 77, WIDTH - 1):
        grid = state["pos_embed"][0, 1:, feature].reshape(4, 4).float().numpy()
        expected = np.asarray(Image.fromarray(grid).resize((want, want), Image.Resampling.BICUBIC))
        np.testing.assert_allclose(got[:, feature].reshape(want, want).numpy(), expected, atol=1e-5)
    assert f"interpolated position embeddings from 4 x 4 to {want} x {want} patches" in caplog.text
    torch.testing.assert_close(
        trunk.state_dict()["blocks.7.mlp.linear1.weight"], state["blocks.7.mlp.fc1.weight"].float()
    )


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {"state_dict": {f"module.backbone.{name}": value for name, value in state.items()}, "epoch": 3},
        lambda state: {"model": state, "args": {"lr": 0.1}},
        lambda state: {"teacher": {f"backbone.{name}": value for name, value in state.items()}},
        lambda state: {
            "state_dict": {"pixels.mean": torch.zeros(3)} | {f"trunk.{name}": value for name, value in state.items()},
            "settings": {"method": "simclr"},
        },
    ],
    ids=["lightning", "model", "teacher", "own checkpoint"],
)
def test_checkpoints_that_hold_a_state_dict(wrap, tmp_path):
    state = draw(resnet_shapes("resnet18"))
    trunk = trunk_of("resnet18", 128)
    load_weights(trunk, saved(tmp_path, wrap(state)))
    for name, value in trunk.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            torch.testing.assert_close(value, state[name].float())


def test_safetensors(tmp_path):
    state = {name: value.float() for name, value in draw(timm_shapes()).items()}
    save_file(state, tmp_path / "weights.safetensors")
    trunk = trunk_of("vit_tiny", 64)
    load_weights(trunk, tmp_path / "weights.safetensors")
    torch.testing.assert_close(trunk.state_dict()["blocks.11.attn.qkv.weight"], state["blocks.11.attn.qkv.weight"])
    recipe = {"method": "simclr", "image_encoder": "vit_tiny", "width": 64, "norm": "batch", "patch": PATCH}
    again = image_encoder(recipe | {"weights": str(tmp_path / "weights.safetensors")}, (3, 64, 64))
    torch.testing.assert_close(again.state_dict(), trunk.state_dict())


@pytest.mark.parametrize(
    ("shapes", "trunk", "reported"),
    [
        (
            "resnet18",
            ("resnet50", 128, {}),
            r"missing: layer1\.0\.conv3\.weight.* and \d+ more; of another shape: layer1",
        ),
        ("resnet50", ("resnet18", 128, {}), r"unknown: layer1\.0\.conv3\.weight, .* and \d+ more"),
        (
            "resnet18",
            ("resnet18", 128, {"width": 32}),
            r"of another shape: conv1\.weight \(64, 3, 7, 7\) instead of \(32,",
        ),
        (
            "resnet18",
            ("resnet18", 64, {}),
            r"of another shape: conv1\.weight \(64, 3, 7, 7\) instead of \(64, 3, 3, 3\)\)",
        ),
        ("resnet18", ("resnet18", 128, {"norm": "group"}), r"unknown: bn1\.running_mean, "),
        (
            "resnet18",
            ("vit_tiny", 64, {}),
            r"missing: patch_embedding\.position_embeddings, .*; unknown: conv1\.weight",
        ),
        (
            "timm",
            ("vit_small", 64, {}),
            r"of another shape: .*position_embeddings \(1, 16, 192\) instead of \(1, 16, 384\)",
        ),
        ("timm", ("vit_tiny", 64, {"patch": 8}), r"\(192, 3, 16, 16\) instead of \(192, 3, 8, 8\)\)"),
    ],
)
def test_mismatches_are_listed_and_nothing_is_loaded(shapes, trunk, reported, tmp_path):
    state = draw(timm_shapes() if shapes == "timm" else resnet_shapes(shapes))
    name, size, changed = trunk
    network = trunk_of(name, size, **changed)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with pytest.raises(UserError, match=reported) as error:
        load_weights(network, saved(tmp_path, state))
    assert "correct image_encoder, width, norm or patch in the recipe, or images.size" in str(error.value)
    torch.testing.assert_close(dict(network.state_dict()), before, rtol=0, atol=0)


class Trap:
    """Unpickling this would run code that creates a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_nothing_but_tensors_is_unpickled(tmp_path):
    file, proof = tmp_path / "trap.pth", tmp_path / "code was run"
    torch.save({"conv1.weight": torch.zeros(1), "trap": Trap(proof)}, file)
    with pytest.raises(UserError, match=r"trap\.pth holds no weights: supply a state dict"):
        read_weights(file)
    assert not proof.exists()
    torch.load(file, weights_only=False)
    assert proof.exists(), "the trap works"


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.pth", b""), ("a.pth", b"no weights at all"), ("a.safetensors", b"\x08\x00\x00\x00\x00\x00\x00\x00nonsense")],
)
def test_other_files_are_refused(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match="holds no weights"):
        read_weights(tmp_path / name)
    with pytest.raises(UserError, match="holds no weights"):
        read_weights(saved(tmp_path, {"epoch": 3}))
    with pytest.raises(UserError, match=r"absent\.pth does not exist: correct the weights"):
        read_weights(tmp_path / "absent.pth")


@pytest.mark.parametrize("content", [b"hello, this is a note about eyes", b""])
def test_arbitrary_files_hold_no_weights(tmp_path, content):
    (tmp_path / "note.pth").write_bytes(content)
    with pytest.raises(UserError, match="holds no weights"):
        read_weights(tmp_path / "note.pth")


def test_a_list_and_values_that_are_not_finite(tmp_path):
    torch.save([torch.ones(2)], tmp_path / "list.pth")
    with pytest.raises(UserError, match="holds no weights"):
        read_weights(tmp_path / "list.pth")
    torch.save({"conv1.weight": torch.tensor([1.0, float("nan")])}, tmp_path / "nan.pth")
    with pytest.raises(UserError, match=r"conv1\.weight and 0 other weights hold values that are not finite"):
        read_weights(tmp_path / "nan.pth")
