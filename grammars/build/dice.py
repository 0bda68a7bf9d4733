"""Seeded chance: the same for a seed, everywhere."""

import random


class Dice(random.Random):
    """Python's generator, asked in the words of the builder."""

    def come_up(self, share: float) -> bool:
        """True in `share` of cases."""
        return self.random() < share
