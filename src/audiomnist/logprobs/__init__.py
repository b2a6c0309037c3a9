"""Log-probabilities of a recognizer's first token: the table that stage `logprobs` writes, and its dataset."""
