"""From a trained graph to the one that is served: the same answers, for a fraction of the arithmetic.

A trained graph takes clips of any lengths in one batch, and masks what is padding after every step. A compiled one
takes clips that have equally many frames, so that there is nothing to mask; what cancels or can be multiplied out
beforehand is (the cosine transform and its inverse, scales and offsets, distances); and the Fourier transform and the
inner convolutions are products of 8-bit integers. What that costs is measured on every split.
"""
