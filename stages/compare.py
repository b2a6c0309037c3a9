"""Stage `compare`: the models on the same test clips, with each other and with the paper."""

from audiomnist.core import stage
from audiomnist.report.compare import compare

if __name__ == "__main__":
    stage.run(compare)
