"""What callers say: grammars, words, nicknames, and the speech models that know them."""
