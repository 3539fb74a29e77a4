"""python -m inference.lm_eval --model s1web ...: lm-eval's own command line, with our model in it."""

import sys

from curation.errors import S1WebError
from inference.lm_eval.model import register


def main() -> int:
    """Carry out lm-eval's command line; its arguments are those of this process."""
    try:
        register()
        from lm_eval.__main__ import cli_evaluate

        cli_evaluate()
    except S1WebError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
