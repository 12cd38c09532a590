#!/usr/bin/env python3
"""Measures supcon and its PyTorch peer in turn (A B B A ...) on the same cores, and prints a Markdown table of ratios.

The two programs time the same step: encoder, projection head, contrastive loss, backward pass, SGD update, inputs resident.
Each round gives one ratio per row; the table shows the median ratio and the spread, because absolute times on shared machines
mean little. Needs a Python with PyTorch (--python) and the peer's bench_step.py.

    compare.py --supcon build/supcon --peer DIR/bench_step.py [--rounds 3] [--only NAME]
"""
import argparse, json, os, statistics, subprocess, sys

STEP = '--arch resnet18 --stem cifar --size 32 --loss supcon --device cpu'
ROWS = {  # name: (supcon arguments, peer arguments, what is compared)
    'f32': (f'{STEP} --batch-size 64 --dtype f32', f'{STEP} --batch 64 --dtype f32', 'ms'),
    'best-dtype': (f'{STEP} --batch-size 64 --dtype bf16', f'{STEP} --batch 64 --dtype bf16', 'ms'),
    'loss-2048': ('--loss-only --rows 2048 --dim 128 --device cpu', '--loss-only --rows 2048 --dim 128 --device cpu', 'ms'),
    'loss-8192': ('--loss-only --rows 8192 --dim 128 --device cpu', '--loss-only --rows 8192 --dim 128 --device cpu', 'ms'),
    'memory-f32': (f'{STEP} --batch-size 64 --dtype f32 --steps 2 --warmup 1', f'{STEP} --batch 64 --dtype f32 --steps 2 --warmup 1', 'peak_mib'),
    'memory-bf16': (f'{STEP} --batch-size 64 --dtype bf16 --steps 2 --warmup 1', f'{STEP} --batch 64 --dtype bf16 --steps 2 --warmup 1', 'peak_mib'),
}


def last_json(command, env=None):
    out = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=env).stdout
    return json.loads([line for line in out.splitlines() if line.startswith('{')][-1])


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--supcon', default='build/supcon')
    p.add_argument('--peer', required=True)
    p.add_argument('--python', default='/usr/bin/python3')
    p.add_argument('--rounds', type=int, default=3)
    p.add_argument('--cores', default='0,1')
    p.add_argument('--only', action='append')
    a = p.parse_args()
    pin = ['taskset', '-c', a.cores]
    # The peer's BLAS is to choose its own kernels and blocking.
    own = {k: v for k, v in os.environ.items() if not k.startswith('OPENBLAS_')}
    print('| what | unit | supcon | PyTorch | PyTorch / supcon, median (min to max) |\n|---|---|---|---|---|')
    for name, (ours, theirs, key) in ROWS.items():
        if a.only and name not in a.only:
            continue
        # Peak memory is taken with the C library's defaults; for speed the peer sets its own allocator up.
        env = dict(own, MALLOC_TOP_PAD_='0') if key == 'peak_mib' else own
        run = {
            'A': lambda: last_json(pin + [a.supcon, 'bench', '--json'] + ours.split())[key],
            'B': lambda: last_json(pin + [a.python, a.peer] + theirs.split(), env)[key],
        }
        seen, ratios = {'A': [], 'B': []}, []
        for r in range(a.rounds):
            pair = {who: run[who]() for who in ('AB' if r % 2 == 0 else 'BA')}
            for who, v in pair.items():
                seen[who].append(v)
            ratios.append(pair['B'] / pair['A'])
        m = {who: statistics.median(v) for who, v in seen.items()}
        print(f"| {name} | {'MiB' if key == 'peak_mib' else 'ms'} | {m['A']:.1f} | {m['B']:.1f} | "
              f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) |", flush=True)


if __name__ == '__main__':
    sys.exit(main())
