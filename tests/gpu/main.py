"""The command line of tests/gpu/run; see there and docs/gpu/README.md."""
import argparse, datetime, json, os, sys

import bench, parity, report, train
from runner import PHASE_SECONDS, Run, Sampler, Trouble

PHASES = {'parity': parity.STEPS, 'bench': bench.STEPS, 'train': train.STEPS}
HERE = os.path.dirname(os.path.abspath(__file__))


ROOT = os.path.normpath(os.path.join(HERE, '../..'))
NO_DEVICE = 77  # exit code, as test programs say "skipped"
EPILOG = f'''exit codes: 0: no check failed; 1: a check failed or is an error; {NO_DEVICE}: no usable GPU, every check is skipped;
2: wrong arguments; 66: BUNDLE, SHARED or results cannot be used.'''


def docs_folder():
    """docs/gpu of the sources; a bundle has that folder to read, and no sources."""
    return os.path.join(ROOT, 'docs/gpu') if os.path.exists(os.path.join(ROOT, 'configure.ac')) else None


def arguments():
    p = argparse.ArgumentParser(prog='run', description='Checks of a machine with an NVIDIA GPU; see docs/gpu/README.md.', epilog=EPILOG)
    p.add_argument('--phase', choices=sorted(PHASES))
    p.add_argument('--part', choices=['supcon', 'cross-entropy'], help='with --phase train: the objective (default: supcon, or what the results lack)')
    p.add_argument('--device', default='cuda', help='cuda, cuda:N; cpu is a dry run (default: cuda)')
    p.add_argument('--small', action='store_true', help='a dry run on any device: small sizes, which prove nothing')
    p.add_argument('--out', default=os.environ.get('OUT') or docs_folder() or os.getcwd(),
                   help='folder of results and report (default: $OUT, docs/gpu of the sources, or here)')
    p.add_argument('--seconds', type=float, default=PHASE_SECONDS, help='time of the phase (default: %(default)s)')
    p.add_argument('--only', action='append', metavar='WORD', help='only steps with a check whose name contains WORD; may be repeated')
    p.add_argument('--python', help='the Python that has PyTorch (default: the first found)')
    p.add_argument('--recipes', default=os.path.join(ROOT, 'conf'), help='recipes, where the bundle has none')
    p.add_argument('--merge', nargs='+', metavar='RESULTS', help='join these files of results into the report')
    p.add_argument('--readme', action='store_true', help='bring the table in docs/gpu/README.md up to date')
    p.add_argument('--check', action='store_true', help='with --readme: only say whether it is')
    p.add_argument('bundle', nargs='?')
    p.add_argument('shared', nargs='?')
    a = p.parse_args()
    if not (a.merge or a.readme) and not (a.phase and a.bundle and a.shared):
        p.error('--phase, BUNDLE and SHARED are needed; or --merge, or --readme')
    return a


def check_arguments(a, table):
    """What argparse cannot know: that SHARED is there, and that every --only means something."""
    if not os.path.isdir(a.shared):
        raise Trouble(f'{a.shared}: no such folder; SHARED is a folder with golden/, peer/ and data/')
    names = [c['name'] for c in table.checks.values() if c['phase'] == a.phase]
    for word in a.only or []:
        if not any(word in name for name in names):
            raise Trouble(f'--only {word}: no check of the phase {a.phase} has it in its name; there are {", ".join(names)}')


def run_phase(a, table, results):
    if a.phase == 'train' and not a.part:
        have = {c['name'] for c in results['checks'] if c['status'] in ('pass', 'fail')}
        a.part = 'cross-entropy' if 'supcon.linear' in have and 'cross-entropy.linear' not in have else 'supcon'
    run = Run(a, table)
    try:
        run.libs = report.cuda_folders(run)
        run.facts.update(report.machine(run))
        look_for_device(run)
        if run.facts.get('unusable'):
            skip_all(run, table)
            report.save(a.out, report.joined(results, run, a))
            return run
        run.sampler = Sampler() if a.phase == 'bench' and not run.dry else None
        for name, seconds, function in PHASES[a.phase]:
            run.step(name, seconds, function)
            report.save(a.out, report.joined(results, run, a))
        if run.sampler:
            run.sampler.close()
    finally:
        run.close()
    return run


def skip_all(run, table):
    """Without a device nothing fails and nothing is shown: one line says why, and every check says that it was skipped."""
    print(f'no usable GPU here, so nothing is tried: {run.facts["unusable"]}', flush=True)
    for check in table.checks.values():
        if check['phase'] == run.args.phase and run.wants(check['step']):
            run.record(check['name'], status='skipped', note='no usable GPU', quiet=True)


def look_for_device(run):
    """Every result carries the device's name; without a device nothing else is worth its time."""
    try:
        found = json.loads(run.command([run.supcon, 'devices', '--json'], limit=60).out)
        mine = [d for d in found if run.device in (d['id'], d['id'].split(':')[0])]
        usable = [d for d in mine if d['usable']]
    except (ValueError, KeyError, TypeError) as e:
        raise Trouble(f'{run.supcon} devices --json did not print a list of devices: {type(e).__name__}: {e}')
    run.facts.update(devices=found, device=usable[0]['name'] if usable else run.device)
    if not usable:
        run.facts['unusable'] = mine[0]['detail'] if mine else f'there is no device {run.device}'


def main():
    a = arguments()
    table = report.Table(os.path.join(HERE, 'checks.json'))
    if a.readme:
        if not docs_folder():
            raise Trouble('--readme changes docs/gpu/README.md of the sources; this is a bundle, which has no sources')
        return report.readme(table, docs_folder(), a.check)
    if not a.merge:
        check_arguments(a, table)
    os.makedirs(a.out, exist_ok=True)
    date = datetime.date.today().isoformat()
    results = report.load(a.out, date)
    if a.merge:
        report.save(a.out, report.merge(results, a.merge))
        report.write(table, a.out, date)
        return 0
    run = run_phase(a, table, results)
    report.write(table, a.out, date)
    said = [c['status'] for c in run.checks.values()]
    print(', '.join(f'{said.count(s)} {s}' for s in ('pass', 'fail', 'skipped', 'error')) + f'; {report.path(a.out, date)}')
    if run.facts.get('unusable'):
        return NO_DEVICE
    return 1 if 'fail' in said or 'error' in said else 0


if __name__ == '__main__':
    try:
        sys.exit(main())
    except Trouble as e:
        print(f'run: {e}', file=sys.stderr)
        sys.exit(66)
