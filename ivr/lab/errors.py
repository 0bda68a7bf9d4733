"""What the lab tells its user when something cannot be done."""

from __future__ import annotations


class LabError(Exception):
    """The lab cannot do what was asked; the text is one sentence that says what to do."""
