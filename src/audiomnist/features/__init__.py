"""Stage `featurize`: MFCC tensors, and the dataset that training reads."""
