"""What people read: metrics, plots, comparisons."""

TITLES = {"cnn": "CNN on MFCC", "rnn": "RNN on MFCC", "lstm": "LSTM on text"}
