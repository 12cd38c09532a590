"""Phase parity: the device computes what the CPU computes."""
import glob, math, os, re, shutil, signal

import small_runs as small, tensors
from runner import Skip, Trouble, shell_words

BF16 = {'model.dtype': 'bf16'}


def devices(run):
    command = f'{run.supcon} devices --json'
    mine = [d for d in run.facts.get('devices', []) if run.device in (d['id'], d['id'].split(':')[0])]
    usable = [d for d in mine if d['usable']]
    run.record('device.usable', len(usable), command, note=usable[0]['detail'])
    run.record('device.memory', usable[0]['memory_bytes'] / 2**30, command)


# --- without a device ---------------------------------------------------------------------------------------------------
def refusals(run):
    hidden = {'CUDA_VISIBLE_DEVICES': ''}
    settings = {'train.max_iters': 1, 'model.arch': 'resnet8'}

    def refused(name, device, env):
        argv = small.argv_of(run, device, settings, os.path.join(run.work, 'runs', 'refused'))
        done = run.command(argv, env, ok=None)
        sentences = [x for x in done.err.splitlines() if x.strip()]
        note = sentences[0] if len(sentences) == 1 else f'{len(sentences)} lines: {done.last_words()}'
        run.record(name, done.rc if len(sentences) == 1 else -1, argv, note=note)

    refused('refusal.hidden', 'cuda', hidden)
    refused('refusal.index', 'cuda:99', None)
    trained = small.train(run, 'auto', 'auto', settings, env=hidden)
    with open(os.path.join(trained.folder, 'run.log')) as f:
        reasons = [x.strip() for x in f if re.search('device auto: using cpu; .*cuda', x)]
    run.record('refusal.auto', len(reasons), trained.command, note=reasons[0] if reasons else 'run.log gives no reason')


def memory(run):
    """More than fits, in f32: refused before the start, with what is needed, what is free, and what would fit."""
    device = next(d for d in run.facts['devices'] if d['usable'] and run.device in (d['id'], d['id'].split(':')[0]))
    if run.dry:
        raise Skip('small sizes fit')
    batch = int(device['memory_bytes'] / 4e6)  # views take 5 MB or more each, and there are two of every image
    argv = small.argv_of(run, run.device, {'model.arch': 'resnet18', 'train.batch_size': batch, 'data.train_images': batch},
                         os.path.join(run.work, 'runs', 'large'))
    done = run.command(argv, ok=None)
    words = done.last_words()
    amounts = re.findall(r'\d[\d.,]* ?[KMGT]i?B', words)
    run.record('memory.refusal', int(done.rc == 71 and len(amounts) >= 2 and 'would fit' in words), argv, note=f'exit code {done.rc}: {words}')


# --- ops and stored vectors -----------------------------------------------------------------------------------------------
def ops(run):
    argv = [run.find('tests/op/ops')]
    done = run.command(argv, run.beside_tests(), ok=None)
    device = run.device.split(':')[0]
    lines = [x for x in done.out.splitlines() if re.match(r'(not )?ok \d+ - ' + device, x)]
    skipped = sum('# SKIP' in x for x in lines)
    failed = [x for x in lines if x.startswith('not ok')]
    if not lines or not re.search(r'^1\.\.\d+$', done.out, re.M):
        raise Trouble(f'the op cases did not end (exit code {done.rc}): {done.last_words()}')
    if skipped == len(lines):
        raise Skip(lines[0].split('# SKIP ')[-1])
    run.record('ops.failed', len(failed), argv, note='; '.join(x.split(' - ', 1)[1] for x in failed[:5]))
    run.record('ops.passed', len(lines) - len(failed) - skipped, argv, note=f'{skipped} of {len(lines)} skipped')


def golden_losses(run):
    run.shared_file('golden')
    worst, argv, unknown = {'loss': (0.0, ''), 'grad': (0.0, '')}, '', []
    files = sorted(f for f in glob.glob(os.path.join(run.shared, 'golden', '*.safetensors')) if not os.path.basename(f).startswith('model_'))
    for file in files:
        name = os.path.basename(file)[:-len('.safetensors')]
        want, metadata = tensors.read(file)
        out = os.path.join(run.work, 'loss.safetensors')
        argv = [run.supcon, 'loss', '--loss', metadata['loss'], '--json', '--output', out, '--set', f'device={run.device}']
        for key, value in metadata.items():
            if key != 'loss' and key != 'layout':
                argv += ['--set', f'objective.{key}={value}']
        done = run.command(argv + [file], ok=None)
        if done.rc in (64, 78):  # an objective that this version does not have
            unknown.append(name)
            continue
        if done.rc:
            raise Trouble(f'{name}: {done.last_words()}')
        loss = want['loss'][0]
        off = {'loss': abs(done.last_json()['loss'] - loss) / max(abs(loss), 1e-3),
               'grad': tensors.distance({'grad': tensors.read(out)[0]['grad']}, {'grad': want['grad']})}
        for kind, value in off.items():
            worst[kind] = max(worst[kind], (value, name))
    if len(unknown) == len(files):
        raise Trouble(f'none of {len(files)} vectors could be computed')
    for kind, (value, name) in worst.items():
        run.record(f'golden.{kind}', value, argv, note=f'worst of {len(files) - len(unknown)} vectors: {name or "all exact"}'
                   + (f'; not known: {", ".join(unknown)}' if unknown else ''))


def golden_models(run):
    run.shared_file('golden')
    argv = [run.find('tests/gpu/golden')] + (['resnet18_cifar'] if run.dry else [])
    done = run.command(argv, run.beside_tests(), ok=None)
    worst, seen, skipped = {}, set(), re.findall(r'# SKIP (.*)', done.out)
    for model, dtype, what, value in re.findall(r'^# measured (\S+) (\S+) (\S+) (\S+)$', done.out, re.M):
        seen.add(model)
        value = float(value)
        worst[(dtype, what)] = max(worst.get((dtype, what), (-1.0, '')), (math.inf if math.isnan(value) else value, model))
    if not worst:
        raise Skip(skipped[0]) if skipped else Trouble(f'exit code {done.rc}: {done.last_words()}')
    for dtype, what in [('f32', 'logits'), ('f32', 'loss'), ('f32', 'statistics'), ('f32', 'grad_norm'), ('f32', 'gradient'), ('bf16', 'gradient')]:
        if (dtype, what) in worst:
            value, model = worst[(dtype, what)]
            own = worst.get((dtype, 'cpu-itself'))
            by = 'by another algorithm' if dtype == 'f32' else 'in bf16'
            run.record(f'model.{dtype}.{what}', value, argv, note=f'worst of {len(seen)} models: {model}'
                       + (f'; the CPU itself, {by}, is off by {own[0]:.2e}' if own and what == 'gradient' else ''))
    bad = [x for x in done.out.splitlines() if x.startswith('not ok')]
    if bad or done.rc:
        raise Trouble(f'exit code {done.rc}: {"; ".join(bad[:3]) or done.last_words()}')


# --- training -------------------------------------------------------------------------------------------------------------
def momentum(trained):
    """After one step of SGD with momentum and no decay the buffers are the gradients."""
    path = trained.checkpoint(1, 'train.safetensors')
    return tensors.read(path, lambda n: n.startswith('slot0.') and not n.startswith(('slot0.fc.', 'slot0.probe.')))[0]


def gradients(run):
    one = {'train.max_iters': 1, 'checkpoint.every_iters': 1}
    cpu = momentum(small.train(run, 'gradient-cpu', 'cpu', one))
    narrow = small.train(run, 'gradient-narrow', 'cpu', {**one, **BF16}, ok=(0, 69, 78))
    own = f'; the CPU itself in bf16 is off by {tensors.distance(momentum(narrow), cpu):.2e}' if narrow.rows else ''
    for dtype in ('f32', 'bf16'):
        trained = small.train(run, f'gradient-{dtype}', run.device, {**one, 'model.dtype': dtype})
        mine = momentum(trained)
        # Above the last ReLU that can fall on the other side by chance: the projection head's last layer.
        head = lambda g: {n: v for n, v in g.items() if n.startswith('slot0.projection.2')}
        run.record(f'gradient.{dtype}', tensors.distance(mine, cpu), trained.command,
                   note=f'against f32 on the CPU; last layer alone {tensors.distance(head(mine), head(cpu)):.2e}' + (own if dtype == 'bf16' else ''))


def windows(a, b, width=50):
    """Largest relative difference of the means over whole windows."""
    mean = lambda x, i: sum(x[i:i + width]) / width
    starts = range(0, len(a) - width + 1, width)
    return max(abs(mean(b, i) / mean(a, i) - 1) for i in starts)


def trajectory(run):
    n = 50 if run.dry else 150
    many = {'train.max_iters': n}
    cpu = small.train(run, 'path-cpu', 'cpu', many)
    for dtype in ('f32', 'bf16'):
        mine = small.train(run, f'path-{dtype}', run.device, {**many, 'model.dtype': dtype})
        if len(mine.losses) != n or len(cpu.losses) != n:
            raise Trouble(f'{len(mine.losses)} and {len(cpu.losses)} rows of metrics, expected {n}')
        first = max(abs(x / y - 1) for x, y in zip(mine.losses[:3], cpu.losses[:3]))
        run.record(f'trajectory.{dtype}.first', first, mine.command, note=f'{mine.losses[0]:.6f} against {cpu.losses[0]:.6f} at the first step')
        run.record(f'trajectory.{dtype}.windows', windows(cpu.losses, mine.losses), mine.command, note=f'{n // 50} windows')


def sums(run):
    """Batch-norms whose sums convolutions may have made, and batch-norms that make them."""
    three = {'train.max_iters': 3, 'deterministic': 'false', **BF16}
    made, apart = (small.train(run, f'sums-{name}', run.device, three, env=env) for name, env in (('made', None), ('apart', {'SUPCON_CUDA_SUMS': 'off'})))
    run.record('sums.loss', max(abs(x / y - 1) for x, y in zip(made.losses, apart.losses)), made.command,
               note='worst of three steps; 0 where no convolution was found to make them faster')


def augmentation(run):
    one = {'train.max_iters': 3, 'augment.policy': 'simaugment'}
    cpu = small.train(run, 'augment-cpu', 'cpu', one)
    mine = small.train(run, 'augment', run.device, one)
    run.record('augment.loss', max(abs(x / y - 1) for x, y in zip(mine.losses, cpu.losses)), mine.command, note='worst of three steps')


def repeats(run):
    """The same bits again: a second run, without capture, without overlap, in one stream, and resumed."""
    settings = {'train.max_iters': 6, 'checkpoint.every_iters': 1, 'augment.policy': 'simaugment', 'optimizer.lr': 0.05}
    for dtype in ('f32', 'bf16'):
        once = small.train(run, f'once-{dtype}', run.device, {**settings, 'model.dtype': dtype})
        twice = small.train(run, f'twice-{dtype}', run.device, {**settings, 'model.dtype': dtype})
        run.record(f'repeat.{dtype}', small.differing_files(once, twice, 6), twice.command)
        eager = small.train(run, f'eager-{dtype}', run.device, {**settings, 'model.dtype': dtype}, env={'SUPCON_CUDA_GRAPH': 'off'})
        recorded = not once.logged('could not be recorded')
        run.record(f'capture.{dtype}', small.differing_files(once, eager, 6) + (not recorded), 'SUPCON_CUDA_GRAPH=off ' + shell_words(eager.command),
                   note='' if recorded else 'the step could not be recorded')
        apart = small.train(run, f'apart-{dtype}', run.device, {**settings, 'model.dtype': dtype}, env={'SUPCON_CUDA_OVERLAP': 'off'})
        run.record(f'overlap.{dtype}', small.differing_files(once, apart, 6), 'SUPCON_CUDA_OVERLAP=off ' + shell_words(apart.command))
        straight = small.train(run, f'straight-{dtype}', run.device, {**settings, 'model.dtype': dtype}, env={'SUPCON_CUDA_FORK': 'off'})
        run.record(f'fork.{dtype}', small.differing_files(once, straight, 6), 'SUPCON_CUDA_FORK=off ' + shell_words(straight.command))
        again = small.resume(run, once, f'again-{dtype}', 3)
        run.record(f'resume.{dtype}', small.differing_files(once, again, 6), again.command)


def moves(run):
    """A run's checkpoint goes on on the other device; compared with the run that stayed."""
    settings = {'train.max_iters': 6, 'checkpoint.every_iters': 1}
    worst = 0.0
    for here, there in ((run.device, 'cpu'), ('cpu', run.device)):
        stayed = small.train(run, 'stayed', here, settings)
        moved = small.resume(run, stayed, 'moved', 3, device=there)
        worst = max([worst] + [abs(x / y - 1) for x, y in zip(moved.losses[3:], stayed.losses[3:])])
        if len(moved.losses) != 6:
            raise Trouble(f'the moved run has {len(moved.losses)} rows, expected 6')
    run.record('move.loss', worst, moved.command, note='three steps after the move, both ways')


def divergence(run):
    """A rate that explodes: exit code 81, and no weight that is not finite in the last checkpoint."""
    settings = {'objective.name': 'cross-entropy', 'optimizer.lr': 1000, 'optimizer.momentum': 0.99, 'train.max_iters': 200}
    trained = small.train(run, 'diverged', run.device, settings, ok=(81,))
    weights = tensors.read(trained.checkpoint(None, 'model.safetensors'))[0]
    # Running variances may overflow before the loss does.
    bad = [n for n, v in weights.items() if '.running_' not in n and not all(map(math.isfinite, v))]
    run.record('divergence.held', len(bad), trained.command, note=', '.join(bad[:3]))


def stopping(run):
    """SIGTERM between two steps; how many steps were still begun after it."""
    # Steps long enough for the signal to fall into the one after the line.
    size = {'train.batch_size': 128 if run.dry else 512, 'data.train_images': 2048}
    folder = os.path.join(run.work, 'runs', 'stopped')
    shutil.rmtree(folder, ignore_errors=True)
    argv = small.argv_of(run, run.device, {'train.max_iters': 100000, **size}, folder)
    argv[argv.index('none')] = 'jsonl'
    _, process, line = small.first_line(run, argv, None, '"giter":20,', 90)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=max(run.left(), 1))
    if process.returncode != 75:
        raise Trouble(f'ended with {process.returncode}, expected 75: {err.strip()[:200]}')
    last = max(int(x) for x in re.findall(r'"giter":(\d+),"loss"', line + out))
    run.record('stop.latency', last - 20, argv, note='steps after the one whose line was read')


def sanitizer(run):
    tool = shutil.which('compute-sanitizer') or next(iter(glob.glob('/usr/local/cuda*/bin/compute-sanitizer')), None)
    if run.dry or not tool:
        raise Skip('a dry run has no device to check' if run.dry else 'compute-sanitizer is not installed')
    bad, argv = [], []
    for objective in ('supcon', 'simclr', 'cross-entropy'):
        folder = os.path.join(run.work, 'runs', 'checked')
        shutil.rmtree(folder, ignore_errors=True)
        settings = {'objective.name': objective, 'model.arch': 'resnet8', 'train.max_iters': 1, 'train.batch_size': 16, 'augment.policy': 'simaugment'}
        argv = [tool, '--tool', 'memcheck', '--target-processes', 'all', '--error-exitcode', '99'] + small.argv_of(run, run.device, settings, folder)
        # The limit on spinning is set here already, so that the program does not start itself a second time.
        done = run.command(argv, {'GOMP_SPINCOUNT': '5000'}, ok=None)
        summary = re.findall(r'ERROR SUMMARY: (\d+)', done.out + done.err)
        if not summary:
            raise Trouble(f'compute-sanitizer gave no summary (exit code {done.rc}): {done.last_words()}')
        if done.rc or any(int(x) for x in summary):
            bad.append(f'{objective}: {summary[-1]} errors, exit code {done.rc}')
    run.record('memcheck.errors', len(bad), argv, note='; '.join(bad))


STEPS = [('devices', 30, devices), ('refusals', 30, refusals), ('ops', 90, ops), ('golden-losses', 60, golden_losses),
         ('golden-models', 80, golden_models), ('gradients', 60, gradients), ('trajectory', 120, trajectory),
         ('sums', 40, sums), ('augmentation', 40, augmentation),
         ('repeats', 110, repeats), ('moves', 40, moves), ('divergence', 20, divergence), ('stopping', 40, stopping), ('memory', 60, memory),
         ('sanitizer', 120, sanitizer)]
