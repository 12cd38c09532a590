"""Phase train: ResNet-18 on 60,000 photographs in a folder, five minutes of SupCon or of cross-entropy, then linear evaluation.

Both do not fit into one phase of eight minutes: --part names the one to run; without it the first that the results do not have.
"""
import json, os, shutil, signal, subprocess, tarfile, time

from runner import Skip, Trouble, end_group
from small_runs import Trained

SET = 'cifar10-jpeg'
TRAIN_SECONDS, LINEAR_SECONDS = 300, 100
RATES = {'supcon': 0.5, 'cross-entropy': 0.2}  # for 1024 and 512 images
BATCH = {'supcon': 1024, 'cross-entropy': 512}


def unzstd(run, archive, folder):
    """The bundle carries zstd, since few machines do."""
    for tool in (os.path.join(run.bundle, 'tests/gpu/zstd'), shutil.which('zstd')):
        if tool and os.path.exists(tool):
            with subprocess.Popen([tool, '-dcq', '--long=27', archive], stdout=subprocess.PIPE) as process:
                with tarfile.open(fileobj=process.stdout, mode='r|') as tar:
                    tar.extractall(folder, **({'filter': 'data'} if hasattr(tarfile, 'data_filter') else {}))
            if process.returncode == 0:
                return
    raise Skip(f'{archive} cannot be unpacked: zstd is neither in the bundle nor on this machine')


def images(run):
    """The folder with train/CLASS/*.jpg and test/CLASS/*.jpg."""
    ready = os.path.join(run.shared, 'data', SET)
    if os.path.isdir(os.path.join(ready, 'train')):
        return ready
    folder = os.path.join(run.work, 'images')
    if not os.path.isdir(folder):
        unzstd(run, run.shared_file('data', SET + '.tar.zst'), folder)
    for path, folders, _ in os.walk(folder):
        if 'train' in folders and 'test' in folders:
            return path
    raise Trouble(f'{SET} has no folders train and test')


def argv_of(run, objective, folder, settings):
    recipe = {'supcon': 'cifar10-supcon-resnet18.cfg', 'cross-entropy': 'cifar10-crossentropy-resnet18.cfg'}[objective]
    path = next(p for p in (os.path.join(run.bundle, 'share/supcon/conf', recipe), os.path.join(run.args.recipes, recipe)) if os.path.exists(p))
    common = {'device': run.device, 'linear.at_end': 'false', 'checkpoint.every_epochs': 0}
    if run.dry:
        common.update({'data.name': 'shapes', 'data.train_images': 80, 'data.test_images': 40, 'data.valid_fraction': 0.2, 'model.arch': 'resnet8'})
    else:
        common.update({'data.name': 'folder', 'data.path': images(run), 'model.dtype': 'bf16', 'deterministic': 'false'})
    argv = [run.supcon, '--batch', path, '--format', 'none', '--run-dir', folder]
    for key, value in {**common, **settings}.items():
        argv += ['--set', f'{key}={value}']
    return argv


def run_for(run, argv, seconds):
    """To its end, or to SIGTERM after `seconds`: then it saves and ends with 75."""
    begin = time.monotonic()
    process = run.start(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        out, err = process.communicate(timeout=min(seconds, run.left()))
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM)
        try:
            out, err = process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            end_group(process)
            raise Trouble('SIGTERM did not end the run within 20 s')
    if process.returncode not in (0, 75):
        raise Trouble(f'ended with {process.returncode}: {(err or out).strip()[-300:]}')
    return time.monotonic() - begin


def epochs_that_fit(run, objective, seconds, settings):
    """From a short run of the same thing: so many epochs that the schedule comes to its end in time."""
    folder = os.path.join(run.work, 'runs', 'pace')
    n = 8 if run.dry else 200
    run_for(run, argv_of(run, objective, folder, {**settings, 'train.epochs': 100, 'train.max_iters': n}), seconds)
    rows = Trained(folder, []).rows
    if len(rows) < n:
        raise Trouble(f'{len(rows)} of {n} iterations in {seconds} s: too slow for this phase')
    tail = rows[n // 4:]
    pace = (tail[-1]['t'] - tail[0]['t']) / (len(tail) - 1) * rows[0]['iters']
    return max(2, int(0.9 * seconds / pace))


def part(objective):
    def train(run):
        if run.args.part != objective:
            raise Skip(f'not asked for; --part {objective} runs it')
        seconds = 3 if run.dry else TRAIN_SECONDS
        settings = {'train.batch_size': 16 if run.dry else BATCH[objective], 'optimizer.lr': RATES[objective]}
        if objective == 'cross-entropy':
            settings['augment.policy'] = 'simaugment'  # the same images for both
        epochs = 2 if run.dry else epochs_that_fit(run, objective, seconds, settings)
        warmup = 0 if run.dry else min(5, epochs // 10)
        folder = os.path.join(run.work, 'runs', objective)
        argv = argv_of(run, objective, folder, {**settings, 'train.epochs': epochs, 'schedule.warmup_epochs': warmup})
        took = run_for(run, argv, seconds)
        trained = Trained(folder, argv)
        if not trained.rows:
            raise Trouble('the run left no metrics')
        views = 1 if objective == 'cross-entropy' else 2
        last = trained.rows[-1]
        run.record(f'{objective}.seconds', took, argv, note=f'{last["epoch"] + 1} of {epochs} epochs, loss {last["loss"]:.4f}')
        run.record(f'{objective}.views', len(trained.rows) * views * settings['train.batch_size'] / took, argv, note='whole run, start and validation included')
        evaluate(run, objective, trained)
    return train


def evaluate(run, objective, trained):
    argv = [run.supcon, 'linear', trained.checkpoint(), '--json', '--set', 'linear.epochs=' + ('2' if run.dry else '50')]
    done = run.command(argv, limit=LINEAR_SECONDS)
    result = done.last_json()
    run.record(f'{objective}.linear', result['top1'], argv, note=f'top-5 {result["top5"]:.2f} %, rate {result["lr"]}, {done.seconds:.0f} s')
    with open(os.path.join(trained.folder, 'metrics.jsonl')) as f:
        valid = [json.loads(x)['top1'] for x in f if x.startswith('{"ev":"valid"')]
    if valid:
        run.record(f'{objective}.valid', valid[-1], trained.command, note='of the classifier' if objective == 'cross-entropy' else 'of the online probe')


STEPS = [('train-supcon', 465, part('supcon')), ('train-cross-entropy', 465, part('cross-entropy'))]
