"""Phase bench: speed against PyTorch in turn on one device, the loss alone, whole training, memory, the share of the roofline."""
import os, re, shutil, statistics, sys, time

import small_runs as small
from runner import Skip, Trouble, end_group, shell_words

# Seconds per view of the two-pass roofline of an H200: every kernel at the larger of its time for arithmetic (790 TFLOP/s) and
# for memory (4.3 TB/s), batch-norm, add and ReLU in two passes each way.
ROOFLINE_US = {'r18-2048': 6.75, 'r18-256': 6.75, 'r50-512': 83.0}
STEPS_OF = {'r18-2048': ('resnet18', 'cifar', 32, 1024), 'r18-256': ('resnet18', 'cifar', 32, 128), 'r50-512': ('resnet50', 'imagenet', 224, 256)}
ORDER = ['ours', 'eager', 'compile', 'compile', 'eager', 'ours']


def peer_python(run):
    for python in [run.args.python] if run.args.python else ['python3', '/usr/bin/python3']:
        path = shutil.which(python)
        if path and run.command([path, '-c', 'import importlib.util as u, sys; sys.exit(u.find_spec("torch") is None)'], ok=None).rc == 0:
            return path
    if run.dry:
        return sys.executable
    raise Skip('no Python with PyTorch was found; --python names one')


class InTurn:
    """Results of commands in the given order; what there is no time for is left out. env: of some labels.

    seen: label: rows, or the trouble that kept it from any; first: seconds of its first run; spans: when it ran.
    """

    def __init__(self, run, commands, order, env={}):
        self.seen, self.spans, self.first, slowest = {label: [] for label in commands}, {label: [] for label in commands}, {}, {}
        for label in order:
            if run.left() < 1.1 * slowest.get(label, 0) + 2:
                continue
            begin = time.monotonic()
            try:
                done = run.command(commands[label], env=env.get(label))
                row = done.last_json()
            except Trouble as e:
                if not self.seen[label]:
                    self.seen[label] = e
                continue
            self.first.setdefault(label, done.seconds)
            slowest[label] = done.seconds
            self.spans[label].append((begin, time.monotonic()))
            self.seen[label] = [row] if isinstance(self.seen[label], Trouble) else self.seen[label] + [row]

    def power(self, run, label, views_per_s):
        """What the GPU drew while this one ran, in words."""
        at = [run.sampler.between(*span) for span in self.spans[label]] if run.sampler else []
        at = [x for x in at if x]
        if not at:
            return ''
        watts, clock = (statistics.median(x[f] for x in at) for f in ('power.draw', 'clocks.sm'))
        return f'; SM clock {clock:.0f} MHz, {watts:.0f} W, {1000 * watts / views_per_s:.2f} J per 1000 views'


def median(rows, key):
    return statistics.median(r[key] for r in rows)


def spread(rows, key):
    values = [r[key] for r in rows]
    return f'{min(values):.4g} to {max(values):.4g} in {len(values)}'


def against(run, name, ours, theirs, kind, command, higher):
    """The ratio of two lists of results; an error in either is the check's error."""
    for rows in (ours, theirs):
        if isinstance(rows, Trouble) or not rows:
            run.record(name, status='error', note=str(rows) if rows else 'there was no time for it')
            return
    a, b = median(ours, kind), median(theirs, kind)
    run.record(name, a / b if higher else b / a, command, note=f'{kind}: ours {spread(ours, kind)}, {theirs[0].get("torch", "peer")} {spread(theirs, kind)}')


def step(name):
    arch, stem, size, batch = STEPS_OF[name]

    def compare(run):
        nonlocal size, batch
        arch_here = arch
        counts, extra = (['--steps', '100', '--warmup', '20'], ['--steps', '100', '--warmup', '20'])
        if run.dry:
            arch_here, size, batch, counts, extra = 'resnet8', 16, 4, ['--steps', '2', '--warmup', '1'], ['--steps', '1', '--warmup', '1']
        common = ['--size', str(size), '--loss', 'supcon', '--dtype', 'bf16', '--device', run.device]
        ours = [run.supcon, 'bench', '--json', '--arch', arch_here, '--stem', 'cifar' if run.dry else stem, '--batch-size', str(batch)] + common + counts
        if run.command(ours[:-4] + ['--steps', '1', '--warmup', '0'], ok=None).rc == 64:
            raise Skip(f'this version has no {arch}')
        peer = [peer_python(run), run.shared_file('peer', 'bench_step.py'), '--arch', arch, '--stem', stem, '--batch', str(batch)] + common + extra
        turns = InTurn(run, {'ours': ours, 'eager': peer, 'compile': peer + ['--compile']}, ORDER)
        seen, command = turns.seen, shell_words(ours)
        for other in ('compile', 'eager'):
            against(run, f'{name}.{other}', seen['ours'], seen[other], 'views_per_s', command + ' | ' + shell_words(peer), True)
        if isinstance(seen['ours'], Trouble):
            raise seen['ours']
        views = median(seen['ours'], 'views_per_s')
        run.record(f'{name}.views', views, command, note=spread(seen['ours'], 'views_per_s') + turns.power(run, 'ours', views)
                   + ''.join(f'; {label} took {turns.first[label]:.1f} s the first time' for label in turns.first))
        run.record(f'{name}.roofline', views * ROOFLINE_US[name] * 1e-4, command, note="of the two-pass roofline of an H200")
        run.record(f'{name}.memory', median(seen['ours'], 'peak_mib'), command,
                   note='' if isinstance(seen['eager'], Trouble) or not seen['eager'] else f'PyTorch eager {median(seen["eager"], "peak_mib"):.0f} MiB')
    return compare


def switch(name, variable, batch, option=()):
    """A step of ResNet-18 with something the backend does, and without it: a variable that is off, or an option."""
    def measure(run):
        ours = [run.supcon, 'bench', '--json', '--device', run.device, '--arch', 'resnet8' if run.dry else 'resnet18', '--size', '16' if run.dry else '32',
                '--batch-size', '4' if run.dry else str(batch), '--dtype', 'bf16', '--steps', '2' if run.dry else '200' if batch < 512 else '50',
                '--warmup', '1' if run.dry else '20']
        seen = InTurn(run, {'on': ours, 'off': ours + list(option)}, ['on', 'off', 'off', 'on'], {'off': {variable: 'off'}} if variable else {}).seen
        for rows in seen.values():
            if isinstance(rows, Trouble) or not rows:
                raise rows if rows else Trouble('there was no time for it')
        run.record(f'{name}.step', median(seen['off'], 'ms') / median(seen['on'], 'ms'), ours,
                   note=f'ms: {spread(seen["on"], "ms")}, with {variable + "=off" if variable else " ".join(option)} {spread(seen["off"], "ms")}')
    return measure


def loss(run):
    rows = 64 if run.dry else 8192
    counts = ['--steps', '2', '--warmup', '1'] if run.dry else ['--steps', '100', '--warmup', '20']
    ours = lambda m: [run.supcon, 'bench', '--json', '--loss-only', '--rows', str(m), '--dim', '128', '--device', run.device] + counts
    memory = {m: run.command(ours(m)).last_json()['memory_mib'] for m in (rows, 2 * rows, 4 * rows)}
    run.record('loss.memory', max(memory[2 * rows] / memory[rows], memory[4 * rows] / memory[2 * rows]), ours(4 * rows),
               note=', '.join(f'{v:.1f} MiB at M = {m}' for m, v in memory.items()))
    peer = [peer_python(run), run.shared_file('peer', 'bench_step.py'), '--loss-only', '--rows', str(rows), '--dim', '128', '--device', run.device] + counts
    seen = InTurn(run, {'ours': ours(rows), 'eager': peer, 'compile': peer + ['--compile']}, ORDER).seen
    for other in ('eager', 'compile'):
        against(run, f'loss.{other}', seen['ours'], seen[other], 'ms', shell_words(ours(rows)) + ' | ' + shell_words(peer), False)


def engines(run):
    """Which fusions cuDNN makes plans of here; the whole list is in the notes."""
    argv = [os.path.join(run.bundle, 'tests/gpu/engines')]
    if not os.path.exists(argv[0]):
        raise Skip('this build has no CUDA backend')
    # It is linked with cuDNN, which a machine may have in PyTorch's packages alone.
    paths = [x for x in (run.libs, os.environ.get('LD_LIBRARY_PATH')) if x]
    done = run.command(argv, {'LD_LIBRARY_PATH': ':'.join(paths)} if paths else None, ok=None)
    found = re.findall(r'^# engine (\S+) (\S+) (yes|no): (.*)$', done.out, re.M)
    if not found:
        skipped = re.findall(r'# SKIP (.*)', done.out)
        raise Skip(skipped[0]) if skipped else Trouble(f'exit code {done.rc}: {done.last_words()}')
    for dtype in ('bf16', 'fp16'):
        here = [(name, yes == 'yes', text) for name, kind, yes, text in found if kind == dtype]
        run.record(f'engines.{dtype}', sum(yes for _, yes, _ in here), argv,
                   note='; '.join(f'{name}: {text if yes else "no, " + text}' for name, yes, text in here))


CEILINGS = '''
import json, time, torch
def best(f):
    for _ in range(3): f()
    torch.cuda.synchronize(); t = time.perf_counter()
    for _ in range(10): f()
    torch.cuda.synchronize(); return (time.perf_counter() - t) / 10
a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in "ab")
x = torch.randn(1 << 30, device="cuda"); y = torch.empty_like(x)
print(json.dumps({"tflops": 2 * 8192**3 / best(lambda: a @ b) / 1e12, "tb_per_s": 2 * x.nbytes / best(lambda: y.copy_(x)) / 1e12}))
'''


def ceilings(run):
    if run.dry:
        raise Skip('a dry run measures no GPU')
    seen = run.command([peer_python(run), '-c', CEILINGS]).last_json()
    run.record('ceiling.matrix', seen['tflops'], 'PyTorch, product of two random 8192 x 8192 bf16 matrices')
    run.record('ceiling.copy', seen['tb_per_s'], 'PyTorch, copy of 4 GiB, bytes read and written')


def plan(run):
    """The calls of a step, their algorithms and times, as a file beside the results: where the time goes."""
    settings = {'model.dtype': 'bf16', 'deterministic': 'false'}
    if not run.dry:
        settings.update({'train.batch_size': 1024, 'data.train_images': 2048})
    argv = [run.supcon, small.recipe(run), '--print-plan', '--set', f'device={run.device}']
    for key, value in settings.items():
        argv += ['--set', f'{key}={value}']
    text = run.command(argv).out
    lines = [x for x in text.splitlines() if re.match(r' *\d+  ', x)]
    if not lines:
        raise Trouble('the plan has no calls')
    with open(os.path.join(run.args.out, 'plan-r18-2048.txt'), 'w') as f:
        f.write(text)
    run.record('plan.calls', len(lines), argv, note=f'{sum("+relu" in x for x in lines)} with a fused ReLU; see plan-r18-2048.txt')


def seconds_per_step(rows):
    """Within epochs, without the first fifth; pauses between epochs are not the step's."""
    gaps = [(b['t'] - a['t']) for a, b in zip(rows, rows[1:]) if a['epoch'] == b['epoch'] and a['giter'] >= len(rows) // 5]
    if len(gaps) < 3:
        raise Trouble(f'{len(gaps)} steps are too few to time')
    return sum(gaps) / len(gaps)


def whole_training(run):
    """With augmentation and without, in turn; the same steps otherwise."""
    images, batch, n = (64, 8, 20) if run.dry else (20480, 1024, 80)
    settings = {'data.train_images': images, 'train.batch_size': batch, 'train.max_iters': n, 'model.dtype': 'bf16', 'deterministic': 'false'}
    times, command = {'simaugment': [], 'none': []}, ''
    for policy in ('none', 'simaugment', 'simaugment', 'none'):
        trained = small.train(run, f'whole-{policy}', run.device, {**settings, 'augment.policy': policy})
        times[policy].append(seconds_per_step(trained.rows))
        command = trained.command
    with_it, without = (statistics.median(times[p]) for p in ('simaugment', 'none'))
    run.record('training.views', 2 * batch / with_it, command)
    run.record('training.augment', max(0.0, 100 * (with_it / without - 1)), command, note=f'{1e3 * with_it:.3f} ms with, {1e3 * without:.3f} ms without, medians of two')


def start(run):
    """From the start of the program to its first step, when the plans are cached: the second start."""
    settings = {'model.dtype': 'bf16', 'train.max_iters': 100000} if run.dry else \
        {'model.dtype': 'bf16', 'train.max_iters': 100000, 'train.batch_size': 1024, 'data.train_images': 2048, 'deterministic': 'false'}
    seconds = []
    for _ in range(3):
        folder = os.path.join(run.work, 'runs', 'start')
        shutil.rmtree(folder, ignore_errors=True)
        argv = small.argv_of(run, run.device, settings, folder)
        argv[argv.index('none')] = 'jsonl'
        took, process, _ = small.first_line(run, argv, None, '"ev":"iter"', 120)
        end_group(process)
        seconds.append(took)
    run.record('start.first-step', statistics.median(seconds[1:]), argv, note=f'without cached plans {seconds[0]:.2f} s')


# What has to be shown comes first: a phase whose time is up leaves out the rest.
STEPS = [('ceilings', 30, ceilings), ('r18-2048', 130, step('r18-2048')), ('r18-256', 100, step('r18-256')), ('loss', 70, loss),
         ('whole-training', 60, whole_training), ('start', 40, start), ('r50-512', 120, step('r50-512')),
         ('overlap', 40, switch('overlap', 'SUPCON_CUDA_OVERLAP', 128)), ('fork', 40, switch('fork', 'SUPCON_CUDA_FORK', 128)),
         ('sums-step', 40, switch('sums', 'SUPCON_CUDA_SUMS', 128)), ('determinism', 60, switch('determinism', None, 1024, ['--deterministic'])),
         ('plan', 30, plan), ('engines', 60, engines)]
