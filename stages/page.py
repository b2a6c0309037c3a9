"""Stage `page`: the report as one HTML file, and the model card."""

from audiomnist.core import stage
from audiomnist.page.build import page

if __name__ == "__main__":
    stage.run(page)
