"""Stage `cascade`: the cnn, and Whisper where the cnn is in doubt; what is learnt of their out-of-fold predictions."""
