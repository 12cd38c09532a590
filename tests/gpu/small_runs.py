"""Training runs of a few steps, and what they leave: rows of metrics, checkpoints."""
import json, os, shutil, time

from runner import Trouble

RECIPE = '''seed = 7;
threads = 0;
deterministic = true;
data = {{ name = "shapes"; train_images = {images}; test_images = 40; valid_fraction = 0.0; }};
augment = {{ policy = "none"; }};
model = {{ arch = "{arch}"; stem = "cifar"; }};
objective = {{ name = "supcon"; }};
optimizer = {{ name = "sgd"; lr = 0.001; momentum = 0.9; weight_decay = 0.0; }};
schedule = {{ name = "constant"; }};
train = {{ epochs = 1000; batch_size = {batch}; log_every = 1; }};
checkpoint = {{ every_iters = 0; every_epochs = 0; keep = 100; }};
'''


class Trained:
    def __init__(self, folder, command):
        self.folder, self.command = folder, command
        self.rows = []
        metrics = os.path.join(folder, 'metrics.jsonl')
        if os.path.exists(metrics):  # a run that was refused has none
            with open(metrics) as f:
                self.rows = [row for row in map(json.loads, f) if row['ev'] == 'iter']

    def logged(self, words):
        """The line of the run's log that has the words; '' where there is none."""
        with open(os.path.join(self.folder, 'run.log')) as f:
            return next((line for line in f if words in line), '')

    @property
    def losses(self):
        return [r['loss'] for r in self.rows]

    def checkpoint(self, step=None, file=None):
        folder = os.path.join(self.folder, 'checkpoints', f'step-{step:08d}' if step is not None else 'latest')
        if not os.path.isdir(folder):
            raise Trouble(f'{folder} was not written')
        return os.path.join(folder, file) if file else folder


def recipe(run):
    path = os.path.join(run.work, 'small.cfg')
    if not os.path.exists(path):
        arch, images, batch = ('resnet8', 88, 8) if run.dry else ('resnet18', 640, 64)
        with open(path, 'w') as f:
            f.write(RECIPE.format(arch=arch, images=images, batch=batch))
    return path


def argv_of(run, device, settings, folder):
    argv = [run.supcon, '--batch', recipe(run), '--format', 'none', '--run-dir', folder, '--set', f'device={device}']
    for key, value in settings.items():
        argv += ['--set', f'{key}={value}']
    return argv


def train(run, name, device, settings, env=None, limit=None, ok=(0,)):
    """One run in a folder of its own; trouble unless it ends with a code in ok."""
    folder = os.path.join(run.work, 'runs', name)
    shutil.rmtree(folder, ignore_errors=True)
    argv = argv_of(run, device, settings, folder)
    run.command(argv, env, limit, ok)
    return Trained(folder, argv)


def resume(run, trained, name, step, device=None, env=None):
    """A copy of a run that knows only the checkpoints up to `step`, continued; on another device if one is given."""
    folder = os.path.join(run.work, 'runs', name)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(trained.folder, folder, symlinks=True)
    for entry in os.listdir(os.path.join(folder, 'checkpoints')):
        path = os.path.join(folder, 'checkpoints', entry)
        if os.path.islink(path):
            os.unlink(path)
        elif entry > f'step-{step:08d}':
            shutil.rmtree(path)
    if device:
        config = os.path.join(folder, 'config.cfg')
        with open(config) as f:
            lines = [f'device = "{device}";\n' if x.startswith('device = ') else x for x in f]
        with open(config, 'w') as f:
            f.writelines(lines)
    argv = [run.supcon, '--batch', '--format', 'none', '--resume', folder]
    run.command(argv, env)
    return Trained(folder, argv)


def differing_files(a, b, step):
    """How many of the two files of a checkpoint differ."""
    n = 0
    for file in ('model.safetensors', 'train.safetensors'):
        with open(a.checkpoint(step, file), 'rb') as x, open(b.checkpoint(step, file), 'rb') as y:
            n += x.read() != y.read()
    return n


def first_line(run, argv, env, word, limit):
    """Starts argv, waits for a line with `word` on its standard output; (seconds, process, line)."""
    import select, subprocess
    begin = time.monotonic()
    process = run.start(argv, env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    seen = ''
    while time.monotonic() - begin < min(limit, run.left()):
        if not select.select([process.stdout], [], [], 0.2)[0]:
            continue
        line = process.stdout.readline()
        if not line:
            break
        seen = line
        if word in line:
            return time.monotonic() - begin, process, line
    from runner import end_group
    end_group(process)
    raise Trouble(f'{argv[0]} printed no line with {word}; the last was: {seen.strip()[:200] or "none"}')
