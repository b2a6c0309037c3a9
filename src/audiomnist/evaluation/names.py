"""Titles of the models, for plots and tables."""

TITLES = {
    "cnn": "CNN on MFCC",
    "rnn": "RNN on MFCC",
    "lstm": "LSTM on text",
    "whisper": "Linear head on Whisper",
    "cascade": "CNN, Whisper in doubt",
}
