"""python -m benchmarks: the pool's long work on a pool of s1's size, how it grows, and jobs; prints JSON."""

import argparse
import json
import os
import platform
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import atlas, browse, cases, engines, jobs, methods, metrics, pools, preview, vectors, vllm_batch
from benchmarks.measure import manage

S1_ROWS = 59_029
PARTS = ("pool", "jobs", "vectors", "browse", "preview", "atlas", "metrics", "engines", "methods", "vllm")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rows", type=int, default=S1_ROWS, help=f"rows of the pool (default: {S1_ROWS})")
    parser.add_argument("--growth", type=int, default=10, help="also a pool of so many times the rows; 1: none")
    parser.add_argument("--growth-with-traces", action="store_true", help="the larger pool has full traces too")
    parser.add_argument("--pool", type=Path, help="a folder of parquet files to use instead of a generated pool")
    parser.add_argument("--benchmark", type=Path, help="an evaluation set to use instead of a generated one")
    parser.add_argument("--length-traces", type=int, default=6_000, help="traces whose length is counted")
    parser.add_argument("--only", choices=PARTS, help="one part alone (default: all but vllm)")
    parser.add_argument("--vectors", type=Path, help="an array (.npy) of vectors to use instead of invented ones")
    parser.add_argument(
        "--browse-rows", type=int, default=1_000_000, help="also browse a pool of so many rows with short traces"
    )
    parser.add_argument("--engine-model", choices=engines.SIZES, default="tiny", help="random weights of this shape")
    parser.add_argument("--engine-device", default="cpu", help="cpu or cuda")
    parser.add_argument("--engine-prompts", type=int, default=64, help="prompts of the engine (default: 64)")
    parser.add_argument("--engine-tokens", type=int, default=192, help="thinking tokens a prompt at most")
    parser.add_argument("--engine-baseline", type=int, default=64, help="prompts of the loop it is compared with")
    parser.add_argument("--vllm-model", type=Path, help="a trained model that thinks between s1's delimiters")
    parser.add_argument("--vllm-problems", type=Path, help="what it is asked, as JSON lines")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="s1web-benchmark-") as name:
        print(json.dumps(measure(options, Path(name)), indent=2))


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run the cases asked for; everything they write stays in `folder`."""
    figures: dict[str, Any] = {"machine": {"cores": os.cpu_count(), "python": platform.python_version()}}
    if options.only in (None, "pool"):
        figures |= _pool(options, folder)
    if options.only in (None, "jobs"):
        figures["jobs"] = jobs.measure(folder / "jobs")
    if options.only in (None, "vectors"):
        figures["vectors"] = vectors.measure(folder / "vectors", vectors=options.vectors)
    if options.only in (None, "browse"):
        figures["browse"] = browse.measure(folder / "browse", options.rows, options.browse_rows, pool=options.pool)
    if options.only in (None, "preview"):
        figures["preview"] = preview.measure(folder / "preview", options.rows)
    if options.only in (None, "atlas"):
        figures["atlas"] = atlas.measure(folder / "atlas", options.rows)
    if options.only in (None, "metrics"):
        figures["metrics"] = metrics.measure()
    if options.only in (None, "engines"):
        figures["engines"] = engines.measure(
            size=options.engine_model,
            device=options.engine_device,
            num_prompts=options.engine_prompts,
            thinking_tokens=options.engine_tokens,
            baseline=min(options.engine_baseline, options.engine_prompts),
        )
    if options.only in (None, "methods"):
        figures["methods"] = methods.measure(device=options.engine_device)
    if options.only == "vllm":  # it needs make all-extras
        figures["vllm"] = vllm_batch.measure(model=options.vllm_model, problems=options.vllm_problems)
    return figures


def _pool(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    data = manage({}, "demo_data", str(folder / "demo")).output
    pool = options.pool or pools.write_pool(folder / "pool", options.rows, with_traces=True)
    benchmark = options.benchmark or pools.write_benchmark(folder / "benchmark.jsonl")
    bare = pools.write_pool(folder / "bare", options.rows, with_traces=False)
    figures["load_with_traces"], environment = cases.load(pool, folder / "with-traces")
    figures["contamination"] = cases.contamination(pool, benchmark, environment)
    figures["curate"] = cases.curate(environment)
    figures["lengths"] = cases.lengths(pool, Path(data["tokenizer"]), environment, options.length_traces)
    figures["load_without_traces"], environment = cases.load(bare, folder / "without-traces")
    if options.growth > 1:
        figures["growth"] = _growth(options, folder, figures, environment, benchmark)
    return figures


def _growth(
    options: argparse.Namespace, folder: Path, figures: dict[str, Any], small: dict[str, str], benchmark: Path
) -> dict[str, Any]:
    """The same work on a pool `options.growth` times as large; factors are large over small."""
    with_traces = options.growth_with_traces
    large_pool = pools.write_pool(folder / "large", options.rows * options.growth, with_traces=with_traces)
    base = figures["load_with_traces" if with_traces else "load_without_traces"]
    if with_traces:
        base_contamination, base_curate = figures["contamination"], figures["curate"]["presets"]["paper"]
    else:
        base_contamination = cases.contamination(folder / "bare", benchmark, small)
        base_curate = cases.curate_without_traces(folder, small)
    load, environment = cases.load(large_pool, folder / "grown")
    contamination = cases.contamination(large_pool, benchmark, environment)
    if with_traces:
        curate = cases.curate(environment)["presets"]["paper"]
    else:
        curate = cases.curate_without_traces(folder, environment)
    pairs = {
        "load": (load, base),
        "contamination": (contamination, base_contamination),
        "curate": (curate, base_curate),
    }
    return {
        "rows_factor": options.growth,
        "with_traces": with_traces,
        **{
            name: {
                "seconds": large["seconds"],
                "seconds_factor": round(large["seconds"] / before["seconds"], 2),
                "peak_mb": large["peak_mb"],
                "peak_mb_before": before["peak_mb"],
            }
            for name, (large, before) in pairs.items()
        },
    }


if __name__ == "__main__":
    main()
