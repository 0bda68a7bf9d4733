"""What is shipped for understanding speech, read once for all tests of a process."""

from ivr.settings import PROJECT
from ivr.speech.grammar import load

GRAMMARS = load(PROJECT / "grammars")
