"""The command line of tests/gpu/run; see there and docs/gpu/README.md."""
import argparse, datetime, json, os, sys

import bench, parity, report, train
from runner import PHASE_SECONDS, Run, Sampler, Trouble

PHASES = {'parity': parity.STEPS, 'bench': bench.STEPS, 'train': train.STEPS}
HERE = os.path.dirname(os.path.abspath(__file__))


def docs_folder():
    """docs/gpu beside the sources; in a bundle the working directory."""
    if os.environ.get('OUT'):
        return os.environ['OUT']
    docs = os.path.normpath(os.path.join(HERE, '../../docs/gpu'))
    return docs if os.path.isdir(docs) else os.getcwd()


def arguments():
    p = argparse.ArgumentParser(prog='run', description='Checks of a machine with an NVIDIA GPU; see docs/gpu/README.md.')
    p.add_argument('--phase', choices=sorted(PHASES))
    p.add_argument('--part', choices=['supcon', 'cross-entropy'], help='with --phase train: the objective (default: supcon, or what the results lack)')
    p.add_argument('--device', default='cuda', help='cuda, cuda:N; cpu is a dry run (default: cuda)')
    p.add_argument('--small', action='store_true', help='a dry run on any device: small sizes, which prove nothing')
    p.add_argument('--out', default=docs_folder(), help='folder of results and report (default: $OUT, docs/gpu, or here)')
    p.add_argument('--seconds', type=float, default=PHASE_SECONDS, help='time of the phase (default: %(default)s)')
    p.add_argument('--only', action='append', metavar='WORD', help='only steps with a check whose name contains WORD; may be repeated')
    p.add_argument('--python', help='the Python that has PyTorch (default: the first found)')
    p.add_argument('--recipes', default=os.path.normpath(os.path.join(HERE, '../../conf')), help='recipes, where the bundle has none')
    p.add_argument('--merge', nargs='+', metavar='RESULTS', help='join these files of results into the report')
    p.add_argument('--readme', action='store_true', help='bring the table in docs/gpu/README.md up to date')
    p.add_argument('--check', action='store_true', help='with --readme: only say whether it is')
    p.add_argument('bundle', nargs='?')
    p.add_argument('shared', nargs='?')
    a = p.parse_args()
    if not (a.merge or a.readme) and not (a.phase and a.bundle and a.shared):
        p.error('--phase, BUNDLE and SHARED are needed; or --merge, or --readme')
    return a


def run_phase(a, table, results):
    if a.phase == 'train' and not a.part:
        have = {c['name'] for c in results['checks'] if c['status'] in ('pass', 'fail')}
        a.part = 'cross-entropy' if 'supcon.linear' in have and 'cross-entropy.linear' not in have else 'supcon'
    run = Run(a, table)
    try:
        run.libs = report.cuda_folders(run)
        run.facts.update(report.machine(run))
        try:
            look_for_device(run)
        except (Trouble, ValueError, KeyError) as e:
            run.facts['device'] = a.device
            run.unusable = str(e)
        run.sampler = Sampler() if a.phase == 'bench' and not run.dry else None
        for name, seconds, function in PHASES[a.phase]:
            run.step(name, seconds, function)
            report.save(a.out, report.joined(results, run, a))
        if run.sampler:
            run.sampler.close()
    finally:
        run.close()
    return run


def look_for_device(run):
    """Every result carries the device's name; without a device nothing else is worth its time."""
    found = json.loads(run.command([run.supcon, 'devices', '--json'], limit=60).out)
    mine = [d for d in found if run.device in (d['id'], d['id'].split(':')[0])]
    usable = [d for d in mine if d['usable']]
    run.facts.update(devices=found, device=usable[0]['name'] if usable else run.device)
    if not usable:
        run.unusable = mine[0]['detail'] if mine else f'there is no device {run.device}'


def main():
    a = arguments()
    table = report.Table(os.path.join(HERE, 'checks.json'))
    if a.readme:
        return report.readme(table, os.path.normpath(os.path.join(HERE, '../../docs/gpu')), a.check)
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
    return 1 if 'fail' in said or 'error' in said else 0


if __name__ == '__main__':
    try:
        sys.exit(main())
    except Trouble as e:
        print(f'run: {e}', file=sys.stderr)
        sys.exit(66)
