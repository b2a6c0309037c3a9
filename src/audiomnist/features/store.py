"""What the files in a folder of MFCC tensors are called.

`mfcc.npy` is float32 `(rows, coefficients, frames)`, `index.parquet` has a row for each of its rows (file, copy,
frames), `front_end.json` says how they were computed. In a folder of synthetic voices, `clips.csv` says what is spoken
by whom, and `speakers.json` how the voices were drawn; it stands in the folder of the recordings as `synthetic`.
"""

TENSOR = "mfcc.npy"
INDEX = "index.parquet"
SETTINGS = "front_end.json"
CLIPS = "clips.csv"
SPEAKERS = "speakers.json"
SYNTHETIC = "synthetic"
