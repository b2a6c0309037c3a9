"""What each data gate measures and demands; `audiomnist.expectations` holds the data against it.

A gate's module has its bounds (a section of params.yaml), its measurements (a table with one row per
recording, feature matrix or transcript, named in the column `recording`) and its rules. What is missing
and what is too much are rows of the table too, so that every broken rule can name its recordings.
"""
