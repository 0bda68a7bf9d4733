"""Builds one language's model from nothing to a folder that Vosk loads."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grammars.build import corpus, debian, espeak, features, graph, kaldi, lexicon, network
from grammars.build.corpus import STEP, Recording, Studio
from grammars.build.graph import Costs, Free
from grammars.build.lexicon import Lexicon
from grammars.build.phones import SOUNDS
from grammars.build.vocabulary import Vocabulary, load

# The application decides when speech ends; Vosk must not cut an answer at a pause.
MODEL_CONFIGURATION = f"""\
--min-active=200
--max-active=5000
--beam=13.0
--lattice-beam=6.0
--phone-determinize=false
--acoustic-scale={{scale}}
--frame-subsampling-factor={STEP}
--endpoint.silence-phones=1:2
--endpoint.rule1.min-trailing-silence=60
--endpoint.rule2.min-trailing-silence=60
--endpoint.rule3.min-trailing-silence=60
--endpoint.rule4.min-trailing-silence=60
--endpoint.rule5.min-utterance-length=300
"""


@dataclass(frozen=True)
class Recipe:
    """What may be turned; the values are those of the shipped models."""

    utterances: int = 20_000
    width: int = 256
    layers: int = 5
    passes: int = 6
    seed: int = 2026
    scale: float = 0.5
    # Sounds rarer than this are taken to be this common.
    rarest: float = 0.004
    costs: Costs = field(default_factory=Costs)


MODEL = "am/final.mdl"
RECIPES = {"en": Recipe(), "es": Recipe()}


def build(
    studio: Studio, language: str, folder: Path, recipe: Recipe, tell: Callable[[str], None]
) -> None:
    """Record, train and compile a model into `folder`."""
    recordings: list[Recording] = []
    for lot in corpus.record(studio, language, recipe.utterances, recipe.seed):
        recordings += lot
    hours = sum(len(one.features) for one in recordings) / 360_000
    tell(f"{language}: {len(recordings)} utterances, {hours:.1f} hours")
    sounds = len(SOUNDS[language].names)
    trained, shares = network.train(
        recordings,
        sounds,
        width=recipe.width,
        layers=recipe.layers,
        passes=recipe.passes,
        seed=recipe.seed,
        tell=tell,
    )
    kaldi.write_model(
        folder / MODEL,
        trained.folded(),
        np.maximum(shares, recipe.rarest),
        staying(recordings, sounds),
    )
    compile_words(studio, language, folder, recipe, tell)


def compile_words(
    studio: Studio, language: str, folder: Path, recipe: Recipe, tell: Callable[[str], None]
) -> None:
    """Everything in `folder` but the network: for new words and other costs, without training."""
    vocabulary = load(studio.words, language)
    said = lexicon.make(vocabulary, espeak.Espeak(studio.data))
    tell(f"{language}: {len(said)} words, {sum(map(len, said.values()))} pronunciations")
    (folder / "conf").mkdir(exist_ok=True)
    (folder / "conf/mfcc.conf").write_text(features.CONFIGURATION)
    (folder / "conf/model.conf").write_text(MODEL_CONFIGURATION.format(scale=recipe.scale))
    compiled = graph.write(
        folder / "graph",
        said,
        SOUNDS[language],
        kaldi.read_staying(folder / MODEL),
        recipe.costs,
        debian.Tools(studio.tools),
    )
    graph.write_free(folder / "graph/Gr.fst", compiled, free_talk(vocabulary, said))


def staying(recordings: Sequence[Recording], sounds: int) -> list[float]:
    """Each sound's chance of lasting another output frame."""
    frames, runs = np.zeros(sounds), np.zeros(sounds)
    for one in recordings:
        labels: NDArray[np.uint8] = one.labels[0]
        frames += np.bincount(labels, minlength=sounds)
        begins = np.concatenate(([True], labels[1:] != labels[:-1]))
        runs += np.bincount(labels[begins], minlength=sounds)
    return [float(1 - (run + 1) / (frame + 2)) for run, frame in zip(runs, frames, strict=True)]


def free_talk(vocabulary: Vocabulary, said: Lexicon) -> Free:
    """Without a grammar: names one after the other, or any of the general words."""
    half = math.log(2)
    classes = {
        "given": _by_rank((*vocabulary.given,), said),
        "surname": _by_rank((*vocabulary.surnames,), said),
        "general": _by_rank((*vocabulary.general, *vocabulary.company), said),
    }
    steps = {
        ("start", "given"): half,
        ("start", "surname"): 3 * half,
        ("start", "general"): 2 * half,
        ("given", "surname"): half / 2,
        ("given", "given"): 4 * half,
        ("given", "end"): 3 * half,
        ("surname", "end"): half,
        ("surname", "surname"): half if vocabulary.language == "es" else 4 * half,
        ("general", "general"): half,
        ("general", "end"): half,
        ("general", "given"): 3 * half,
        ("given", "general"): 6 * half,
        ("surname", "general"): 6 * half,
    }
    return Free(classes, steps)


def _by_rank(words: Sequence[str], said: Lexicon) -> Mapping[str, float]:
    """One word of those that sound the same, the more frequent a little cheaper."""
    costs: dict[str, float] = {}
    taken: set[tuple[str, ...]] = set()
    words = tuple(dict.fromkeys(words))
    for rank, word in enumerate(words):
        if not set(said[word]) <= taken:
            costs[word] = 0.5 * math.log(rank + 20) + 0.5 * math.log(len(words))
        taken.update(said[word])
    return costs
