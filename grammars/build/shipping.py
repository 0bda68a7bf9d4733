"""Builds one language's model from nothing to a folder that Vosk loads."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from grammars.build import corpus, debian, espeak, features, graph, kaldi, lexicon, training
from grammars.build.corpus import STEP, Studio
from grammars.build.graph import Costs, Free
from grammars.build.lexicon import Lexicon
from grammars.build.network import Shape
from grammars.build.phones import SOUNDS
from grammars.build.vocabulary import Vocabulary, load

# The application decides when speech ends; Vosk must not cut an answer at a pause.
MODEL_CONFIGURATION = f"""\
--min-active=200
--max-active=2000
--beam=13.0
--lattice-beam=4.0
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

    # New ones in every pass, and each once more in the next.
    utterances: int = 66_000
    passes: int = 7
    last_passes: int = 4
    shape: Shape = field(default_factory=Shape)
    seed: int = 2026
    scale: float = 0.5
    # The power of a sound's share that counts as its prior: with all of it (1) murmurs behind
    # the caller become words, for silence is what there is most of.
    prior: float = 0.4
    costs: Costs = field(default_factory=Costs)


MODEL = "am/final.mdl"
RECIPES = {"en": Recipe(costs=Costs(digit=-4.0)), "es": Recipe()}


def build(
    studio: Studio, language: str, folder: Path, recipe: Recipe, tell: Callable[[str], None]
) -> None:
    """Record, train and compile a model into `folder`."""
    sounds = len(SOUNDS[language].names)
    trained = training.Training(
        sounds, recipe.shape, recipe.passes, recipe.last_passes, recipe.seed, tell
    )
    recordings = corpus.record(studio, language, recipe.utterances, recipe.seed)
    for network in trained.run(recordings, recipe.utterances):
        counted = trained.counted
        shares = counted.shares() ** recipe.prior
        kaldi.write_model(folder / MODEL, network.layers(), shares, counted.staying())
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
