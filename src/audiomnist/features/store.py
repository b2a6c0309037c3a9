"""Names of the files in a folder of MFCC tensors.

`mfcc.npy` is float32 `(rows, coefficients, frames)`, zero after the frames of each row, and can be mapped into memory.
`index.parquet` has the file, copy and frames of each row. `front_end.json` has the parameters of the front end. The
subfolder `synthetic`, of synthetic speakers, has besides these `clips.csv`, with digit and speaker of each file, and
`speakers.json`, with the parameters of the speakers.
"""

TENSOR = "mfcc.npy"
INDEX = "index.parquet"
SETTINGS = "front_end.json"
CLIPS = "clips.csv"
SPEAKERS = "speakers.json"
SYNTHETIC = "synthetic"
