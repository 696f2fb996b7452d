"""Encoders of gene tokens against explicit loops, and the context of each token."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from contigwas.pretrain import sequence
from contigwas.pretrain.normalise import fit
from contigwas.pretrain.sequence import GeneEncoder, MambaBlocks, Tokens, require_memory, scan_bytes
from contigwas.runtime.errors import UserError

KINDS = ["mamba", "transformer", "mlp"]


def encoder(kind, genes=22, each=4, **more):
    torch.manual_seed(0)
    normaliser = fit("expression", torch.randn(50, genes))
    return GeneEncoder(normaliser, kind, each, 16, 2, 32, 8, **more).eval()


def test_each_token_is_a_linear_map_of_its_own_genes():
    torch.manual_seed(0)
    tokens, values = Tokens(7, 3, 5), torch.randn(4, 7)
    found = tokens(values)
    assert found.shape == (4, 3, 5)
    for sample in range(4):
        for token in range(3):
            wanted = tokens.bias[token].clone()
            for place in range(3):
                gene = 3 * token + place
                if gene < 7:
                    wanted = wanted + values[sample, gene] * tokens.weight[token, place]
            assert torch.allclose(found[sample, token], wanted, atol=1e-6)


def test_a_mamba_block_is_the_recurrence_of_its_paper():
    torch.manual_seed(0)
    blocks = MambaBlocks(8, 1).eval()
    tokens = torch.randn(2, 11, 8)
    layer, states = blocks.model.layers[0], sequence.STATES
    mixer = layer.mixer
    with torch.no_grad():
        found = blocks(tokens)
        for sample in range(2):
            inner, gate = mixer.in_proj(layer.norm(tokens[sample])).chunk(2, dim=1)
            padded = functional.pad(inner, (0, 0, sequence.KERNEL - 1, 0))
            state, given = torch.zeros(inner.shape[1], states), []
            for step in range(len(inner)):
                window = padded[step : step + sequence.KERNEL]
                here = functional.silu((window * mixer.conv1d.weight[:, 0].T).sum(dim=0) + mixer.conv1d.bias)
                rank = mixer.time_step_rank
                time, enters, leaves = mixer.x_proj(here).split([rank, states, states])
                delta = functional.softplus(mixer.dt_proj(time))
                decay = torch.exp(-delta[:, None] * mixer.A_log.exp())
                state = decay * state + delta[:, None] * enters[None, :] * here[:, None]
                given.append((state @ leaves + mixer.D * here) * functional.silu(gate[step]))
            wanted = blocks.model.norm_f(tokens[sample] + mixer.out_proj(torch.stack(given)))
            assert torch.allclose(found[sample], wanted, atol=1e-5)


def test_a_mamba_token_depends_on_earlier_tokens_and_a_transformer_token_on_all():
    values = torch.randn(1, 22)
    other = values.clone()
    other[0, 9] += 1  # the third of six tokens
    with torch.no_grad():
        for kind, first in (("mamba", 2), ("transformer", 0)):
            model = encoder(kind)
            changed = (model.tokens(values) - model.tokens(other)).abs().amax(dim=2)[0] > 1e-6
            assert changed.tolist() == [number >= first for number in range(6)]


@pytest.mark.parametrize("kind", KINDS)
def test_samples_do_not_depend_on_one_another(kind):
    model, values = encoder(kind), torch.randn(5, 22)
    with torch.no_grad():
        assert torch.allclose(model(values)[2:3], model(values[2:3]), atol=1e-5)
        assert model(values).shape == (5, 8) and model(values[:0]).shape == (0, 8)
        assert torch.allclose(model(values), model.head(model.tokens(values).mean(dim=1)))


@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_has_a_gradient(kind):
    model = encoder(kind, corruption=0.2, dropout=0.1).train()
    model(torch.randn(16, 22)).square().mean().backward()
    assert not [name for name, one in model.named_parameters() if one.grad is None or not one.grad.abs().sum() > 0]


def test_variable_genes_are_chosen_among_the_training_samples_in_either_order():
    rng = np.random.default_rng(0)
    sds = np.array([1.0, 5.0, 0.0, 3.0, 2.0, 4.0])
    values = torch.from_numpy((rng.normal(size=(400, 6)) * sds).astype(np.float32))
    assert fit("expression", values, max_features=3).keep.tolist() == [1, 3, 5]
    assert fit("expression", values, max_features=3, by_variance=True).keep.tolist() == [1, 5, 3]
    assert fit("expression", values, by_variance=True).keep.tolist() == [1, 5, 3, 4, 0]
    scaled = fit("expression", values, max_features=3, by_variance=True)(values)
    assert torch.allclose(scaled.mean(dim=0), torch.zeros(3), atol=1e-5)
    assert torch.allclose(scaled.std(dim=0, correction=0), torch.ones(3), atol=1e-5)


def test_a_sequence_longer_than_memory_reports_what_to_lower(monkeypatch):
    settings = {"gene_encoder": "mamba", "genes_per_token": 1, "batch": 32, "gene_width": 16, "gene_depth": 2}
    normalisers = {"expression": fit("expression", torch.randn(20, 500))}
    needed = scan_bytes(32, 500, 16, 2)
    monkeypatch.setattr(sequence, "available", lambda: needed)
    require_memory(normalisers, settings, "batch")
    monkeypatch.setattr(sequence, "available", lambda: needed - 1)
    with pytest.raises(UserError, match="500 tokens .500 genes. in batches of 32 samples .* are free: lower batch"):
        require_memory(normalisers, settings, "batch")
    require_memory(normalisers, settings | {"genes_per_token": 2}, "batch")
    require_memory(normalisers, settings | {"gene_encoder": "transformer"}, "batch")
