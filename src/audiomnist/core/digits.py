"""The ten classes."""

CLASSES = 10
DIGIT_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
# The columns of a table of predictions with the probability of each digit.
PROBABILITIES = [f"p{digit}" for digit in range(CLASSES)]
# The columns of a table of outputs with the logit of each digit.
LOGITS = [f"l{digit}" for digit in range(CLASSES)]
