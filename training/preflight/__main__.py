"""python -m training.preflight run.json: what a run will cut off, need, take and cost, before it starts."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace

from curation.errors import ConfigError, S1WebError
from training.command_line import run_parser
from training.config import TrainingConfig, read_config_with
from training.devices import DEVICES, Device, find_device
from training.preflight.check import Preflight, check_options, preflight
from training.preflight.cost import USUAL_MFU
from training.preflight.lengths import RowLengths, lengths_of
from training.preflight.shape import ModelShape, UnknownFamilyError, read_shape
from training.preflight.showing import preflight_lines, preflight_to_json
from training.prepared import prepare


def main(arguments: Sequence[str] | None = None) -> int:
    parser = run_parser("training.preflight", __doc__)
    parser.add_argument("--device", help=f"{', '.join(DEVICES)} (default: this machine's, if one of them)")
    parser.add_argument("--devices", type=int, help="how many share a step (default: this machine's, else 1)")
    parser.add_argument("--dollars-per-hour", type=float, help="of one device (default: a usual price to rent one)")
    parser.add_argument(
        "--mfu", type=float, default=USUAL_MFU, help="share of its peak that a device reaches (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object, and nothing else")
    options = parser.parse_args(arguments)
    try:
        result = _check(options)
    except S1WebError as error:
        print(error, file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(preflight_to_json(result), ensure_ascii=False))
    else:
        print("\n".join(preflight_lines(result)))
    if result.problems:
        count = f" (and {len(result.problems) - 1} more)" if len(result.problems) > 1 else ""
        print(f"the run would fail: {result.problems[0]}{count}", file=sys.stderr)
        return 1
    return 0


def _check(options: argparse.Namespace) -> Preflight:
    config = read_config_with(options.run, options.set)
    device, here = _device(options.device, config)
    num_devices = here if options.devices is None else options.devices
    check_options(num_devices, options.mfu, options.dollars_per_hour)
    warnings: list[str] = []
    shape: ModelShape | None = None
    try:
        shape = read_shape(config.model, allows_remote_code=config.allows_remote_code)
    except UnknownFamilyError as error:
        warnings.append(str(error))
    return preflight(
        config,
        read_lengths(config),
        shape,
        device,
        num_devices,
        mfu=options.mfu,
        dollars_per_hour=options.dollars_per_hour,
        warnings=warnings,
    )


def read_lengths(config: TrainingConfig) -> RowLengths:
    """Lengths of the run's rows before cutting.

    Raises:
        InputError: the data cannot be read, or a row cannot be trained on.
        ConfigError: the model has no tokenizer that fits.
    """
    whole = prepare(replace(config, block_size=sys.maxsize))
    return lengths_of((row.number for row in whole.rows), whole.examples)


def _device(name: str | None, config: TrainingConfig) -> tuple[Device | None, int]:
    """The device that was named, or this machine's; and how many of it are here.

    Raises:
        ConfigError: the name is not known.
    """
    if name is not None:
        device = find_device(name)
        if device is None:
            raise ConfigError(f"--device {name!r:.60} is unknown; allowed: {', '.join(DEVICES)}")
        return device, 1
    import torch

    if config.device == "cpu" or not torch.cuda.is_available():
        return None, 1
    return find_device(torch.cuda.get_device_name()), torch.cuda.device_count()


if __name__ == "__main__":
    sys.exit(main())
