"""Training methods of the image encoder: one per file, by the name in a recipe."""

from contigwas.pretrain.methods.autoencoder import Autoencoder
from contigwas.pretrain.methods.barlow_twins import BarlowTwins
from contigwas.pretrain.methods.base import Pretraining
from contigwas.pretrain.methods.byol import BYOL
from contigwas.pretrain.methods.contig import Contig
from contigwas.pretrain.methods.contrastive_autoencoder import ContrastiveAutoencoder
from contigwas.pretrain.methods.mgi import MGI
from contigwas.pretrain.methods.nnclr import NNCLR
from contigwas.pretrain.methods.simclr import SimCLR
from contigwas.pretrain.methods.simsiam import SimSiam
from contigwas.pretrain.methods.untrained import PixelPCA, Untrained

METHODS: dict[str, type[Pretraining]] = {
    "contig": Contig,
    "mgi": MGI,
    "simclr": SimCLR,
    "byol": BYOL,
    "simsiam": SimSiam,
    "barlow_twins": BarlowTwins,
    "nnclr": NNCLR,
    "autoencoder": Autoencoder,
    "contrastive_autoencoder": ContrastiveAutoencoder,
    "untrained": Untrained,
    "pixel_pca": PixelPCA,
}

__all__ = ["METHODS", "Pretraining"]
