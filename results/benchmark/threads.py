"""Time of a training step on two threads, beside others that want the cores.

``python -m results.benchmark.threads --output results/threads.csv``
"""

import argparse
import csv
import os
import subprocess
import sys
import time
from statistics import median

from summarymixing_sb.evaluation import environment_record
from summarymixing_sb.files import atomic_open

#: Environment of a process; the package sets the third where nothing is set.
SETTINGS = ("GOMP_SPINCOUNT=300000", "OMP_WAIT_POLICY=PASSIVE", "GOMP_SPINCOUNT=1000")
BESIDE = ("nothing", "a loop on one core", "the same training")
COLUMNS = ("setting", "beside", "step_ms", "ratio", "torch", "commit", "cpu", "date")
STEPS = """
import time, torch
from summarymixing_sb import TransformerASR
torch.set_num_threads(2), torch.manual_seed(0)
options = {"local_hidden": [144], "summary_hidden": [144], "local_out": 144, "summary_out": 144}
model = TransformerASR(
    tgt_vocab=100, input_size=640, d_model=144, nhead=4, num_encoder_layers=4,
    num_decoder_layers=0, d_ffn=384, encoder_module="conformer", attention_type="SummaryMixing",
    causal=False, mixer_options={"SummaryMixing": options},
)
x = torch.randn(8, 100, 640)
for _ in range(14):
    started = time.perf_counter()
    model(x, None, torch.ones(8))[0].sum().backward()
    print(time.perf_counter() - started, flush=True)
"""


def measure(setting, beside):
    """Milliseconds of a step, the median of those after the first four."""
    name, value = setting.split("=")
    known = {key: v for key, v in os.environ.items() if not key.startswith(("OMP_", "GOMP_"))}
    environment = {**known, name: value}
    others = {
        BESIDE[0]: [],
        BESIDE[1]: ["while True: pass"],
        BESIDE[2]: [STEPS.replace("range(14)", "range(999)")],
    }
    started = [
        subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.DEVNULL)
        for code in others[beside]
    ]
    time.sleep(8 * len(started))  # until it trains, too
    try:
        done = subprocess.run(
            [sys.executable, "-c", STEPS],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
    finally:
        for process in started:
            process.kill()
            process.wait()
    return 1000 * median(map(float, done.stdout.split()[4:]))


def main(argv=None):
    """Measure all settings and write a CSV file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", required=True)
    options = parser.parse_args(argv)
    record = environment_record()
    about = {"torch": record["versions"]["torch"], "commit": record["commit"]}
    about |= {"cpu": record["machine"]["cpu"], "date": record["date"]}
    rows = []
    for beside in BESIDE:
        for setting in SETTINGS:
            step = measure(setting, beside)
            ratio = step / rows[0]["step_ms"] if rows else 1.0
            rows.append({"setting": setting, "beside": beside, "step_ms": step, "ratio": ratio})
            print(f"{beside}, {setting}: {step:.0f} ms, {ratio:.2f} times")
    with atomic_open(options.output) as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {**row, **about, "step_ms": f"{row['step_ms']:.1f}", "ratio": f"{row['ratio']:.2f}"}
            for row in rows
        )


if __name__ == "__main__":
    main()
