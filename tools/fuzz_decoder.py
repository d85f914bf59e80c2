"""Throw hostile files at the decoder, until one is neither an image nor one of our errors.

    python tools/fuzz_decoder.py --mutations 100000          the mutator of tests/mutations.py: by seed, needs nothing else
    python tools/fuzz_decoder.py -max_total_time=1800 DIR    guided by coverage, its corpus kept in DIR: needs atheris

A finding is left as a file in the working directory: an error that is not ours, more than two seconds of the processor for one
file, more than a gigabyte of memory. Options of the second form are libFuzzer's; those in `fuzz` are given unless others are.
Its memory grows by some 10 KiB a file. That is not the decoder's: the same files without atheris leave it as it is.
"""

from __future__ import annotations

import argparse
import resource
import sys
from collections import Counter
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import process_time

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))  # aecodec is imported late: atheris must be there first

SECONDS = 2
MEBIBYTES = 1024


def main() -> None:
    """Choose by the first argument."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutations", type=int, metavar="N", help="how many files to try, without atheris")
    parser.add_argument("--seed", type=int, default=0, help="the first of them")
    options, others = parser.parse_known_args()
    if options.mutations is None:
        fuzz(others)
    elif others:
        parser.error(f"unknown: {' '.join(others)}")
    else:
        run_mutations(range(options.seed, options.seed + options.mutations))


def run_mutations(seeds: range) -> None:
    """Try every seed; stops with a traceback at a finding and leaves its file in the working directory."""
    from tests.mutations import decompress, mutate, sample_files, small_codec

    codec = small_codec()
    files = sample_files(codec)
    outcomes: Counter[str] = Counter()
    slowest = (0.0, seeds.start)
    for seed in seeds:
        rng = Random(seed)
        data = mutate(rng, files)
        start = process_time()
        try:
            outcomes[decompress(codec, data, allow_partial=rng.random() < 0.3)] += 1
            slowest = max(slowest, (process_time() - start, seed))
            if slowest[0] > SECONDS:
                raise TimeoutError(f"{slowest[0]:.2f} s of the processor")
            if peak_memory() > MEBIBYTES:
                raise MemoryError(f"{peak_memory():.0f} MiB")
        except KeyboardInterrupt:
            raise
        except BaseException:  # a panic of Rust code is no Exception
            Path(f"finding-{seed}.aec").write_bytes(data)
            raise
        if (seed - seeds.start + 1) % 1000 == 0 or seed == seeds[-1]:
            counts = ", ".join(f"{count} {name}" for name, count in outcomes.most_common())
            print(f"{outcomes.total()} files: {counts}; peak {peak_memory():.0f} MiB;", end=" ")
            print(f"slowest {slowest[0]:.2f} s of the processor (seed {slowest[1]})", flush=True)


def peak_memory() -> float:
    """Of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def fuzz(arguments: list[str]) -> None:
    """Hand over to libFuzzer; never returns."""
    import atheris

    with atheris.instrument_imports(include=["aecodec"]):
        from tests.mutations import decompress, mutate, repair, sample_files, small_codec

    codec = small_codec()
    sample = sample_files(codec)

    def try_one(data: bytes) -> None:
        start = process_time()
        decompress(codec, data, allow_partial=bool(len(data) % 2))
        if process_time() - start > SECONDS:
            raise TimeoutError(f"{process_time() - start:.2f} s of the processor")

    def mutate_one(data: bytes, max_size: int, seed: int) -> bytes:
        """Coverage guides; half of the mutants are ours, and most get checksums that hold."""
        rng = Random(seed)
        mutant = mutate(rng, sample) if rng.random() < 0.1 else bytes(atheris.Mutate(data, max_size))
        return (repair(mutant) if rng.random() < 0.8 else mutant)[:max_size]

    with TemporaryDirectory() as seeds:
        for number, data in enumerate(sample):
            Path(seeds, f"{number}.aec").write_bytes(data)
        # libFuzzer's timeout is of the clock, which runs on while a busy machine does other things
        given = ["-timeout=120", "-rss_limit_mb=4096", "-max_len=8192", *arguments, seeds]
        atheris.Setup([sys.argv[0], *given], try_one, custom_mutator=mutate_one)
        atheris.Fuzz()


if __name__ == "__main__":
    np.seterr(all="raise")  # a decoder that computes nonsense is a finding too
    main()
