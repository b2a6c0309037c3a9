"""Stage `select`: the bundle and the scores of the selected model."""

from audiomnist.core import stage
from audiomnist.report.select import select

if __name__ == "__main__":
    stage.run(select)
