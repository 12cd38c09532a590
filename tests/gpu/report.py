"""Results as JSON, as a report to read, and as the table of what is proven in docs/gpu/README.md.

checks.json is the one list: what must be shown, by which checks, within which bounds. Nothing here names a check.
"""
import datetime, glob, json, os, platform, re, shutil, subprocess, sys

from runner import Trouble


class Table:
    def __init__(self, path):
        with open(path) as f:
            data = json.load(f)
        self.checks = {}
        for c in data['checks']:
            if c['name'] in self.checks:
                raise Trouble(f'{path}: {c["name"]} is there twice')
            self.checks[c['name']] = c
        self.shows = data['shows']
        shown = [n for s in self.shows for n in s['checks']]
        for name in shown:
            self.check(name)

    def check(self, name):
        if name not in self.checks:
            raise Trouble(f'checks.json has no check {name}')
        return self.checks[name]

    def of_step(self, step):
        return [c for c in self.checks.values() if c['step'] == step]


# --- the machine ----------------------------------------------------------------------------------------------------------
CUDA_SONAMES = ['libcudart.so.13', 'libcublasLt.so.13', 'libcublas.so.13', 'libcudnn.so.9', 'libcudnn_graph.so.9', 'libnvrtc.so.13', 'libnccl.so.2']
PACKAGES = '''
import importlib.util as u, glob, os
for name in ("nvidia", "torch"):
    spec = u.find_spec(name)
    for place in (spec.submodule_search_locations if spec else []):
        print("\\n".join(glob.glob(os.path.join(place, "lib")) + glob.glob(os.path.join(place, "*", "lib"))))
'''


def cuda_folders(run):
    """Folders with CUDA's libraries, for SUPCON_CUDA_LIBS: what is set, else PyTorch's packages, else the usual places."""
    if os.environ.get('SUPCON_CUDA_LIBS') or run.dry:
        return os.environ.get('SUPCON_CUDA_LIBS', '')
    places = []
    for python in [run.args.python or 'python3', '/usr/bin/python3']:
        if shutil.which(python):
            places += run.command([python, '-c', PACKAGES], ok=None).out.split('\n')
    places += ['/usr/local/cuda/lib64', '/usr/local/cuda/targets/x86_64-linux/lib', '/usr/lib/x86_64-linux-gnu']
    found, missing = [], list(CUDA_SONAMES)
    for place in places:
        here = [s for s in missing if place and os.path.exists(os.path.join(place, s))]
        if here and not place.startswith('/usr/lib/'):
            found.append(place)
        missing = [s for s in missing if s not in here]
    run.facts['libraries'] = {'folders': found, 'not found': missing}
    return ':'.join(found)


def first_line(argv):
    try:
        out = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=60).stdout.strip()
        return out.splitlines()[0] if out else ''
    except (OSError, subprocess.TimeoutExpired):
        return ''


def machine(run):
    fields = 'name,memory.total,driver_version,compute_cap,clocks.max.sm,power.limit,temperature.gpu'
    facts = {'gpu': first_line(['nvidia-smi', '--query-gpu=' + fields, '--format=csv,noheader']), 'glibc': ' '.join(platform.libc_ver()),
             'kernel': platform.release(), 'cores': os.cpu_count(), 'python': platform.python_version(),
             'version': first_line([run.supcon, '--version'])}
    with open('/proc/cpuinfo') as f:
        facts['processor'] = next((x.split(':', 1)[1].strip() for x in f if x.startswith('model name')), '')
    if not run.dry:
        torch = 'import torch; print(torch.__version__, "cuDNN", torch.backends.cudnn.version())'
        facts['pytorch'] = first_line([run.args.python or 'python3', '-c', torch])
    return facts


# --- results ---------------------------------------------------------------------------------------------------------------
def path(out, date, ending='json'):
    return os.path.join(out, f'results-{date}.{ending}')


def load(out, date):
    try:
        with open(path(out, date)) as f:
            return json.load(f)
    except FileNotFoundError:
        return {'format': 1, 'date': date, 'runs': [], 'checks': []}


def put(results, checks, facts):
    """New checks take the place of older ones of the same name; a skipped one does not push a real one out."""
    old = {c['name']: c for c in results['checks']}
    for c in checks:
        was = old.get(c['name'])
        if not (c['status'] == 'skipped' and was and was['status'] in ('pass', 'fail') and was['dry'] == c['dry']):
            old[c['name']] = c
    runs = [r for r in results['runs'] if r['when'] != facts['when']] + [facts]
    return {**results, 'runs': sorted(runs, key=lambda r: r['when']), 'checks': list(old.values())}


def joined(results, run, a):
    run.facts.setdefault('when', datetime.datetime.now(datetime.timezone.utc).strftime('%Y-%m-%dT%H:%M:%SZ'))
    run.facts.update(phase=a.phase, part=a.part if a.phase == 'train' else None, dry=run.dry)
    return put(results, run.checks.values(), run.facts)


def merge(results, files):
    for file in files:
        try:
            with open(file) as f:
                other = json.load(f)
            for facts in other['runs']:
                results = put(results, [], facts)
            results = put(results, other['checks'], other['runs'][-1])
        except OSError as e:
            raise Trouble(f'{file}: {e.strerror}; --merge takes files results-DATE.json')
        except (ValueError, KeyError, TypeError, IndexError):
            raise Trouble(f'{file} is not a file of results; --merge takes files results-DATE.json, made by --phase')
    return results


def save(out, results):
    target = path(out, results['date'])
    with open(target + '.part', 'w') as f:
        json.dump(results, f, indent=1)
        f.write('\n')
    os.replace(target + '.part', target)


# --- to read ---------------------------------------------------------------------------------------------------------------
def number(x):
    return '' if x is None else f'{x:.4g}' if isinstance(x, float) else str(x)


def bound_of(check):
    if check.get('bound') is None:
        return 'reported'
    sign = {'higher': '≥', 'lower': '≤', 'equal': '='}[check['better']]
    goal = f' (goal {number(check["goal"])})' if check.get('goal') is not None else ''
    return f'{sign} {number(check["bound"])}{goal}'


def state(show, seen):
    """proven: all its checks passed on a device; failed: one did not; else unproven, and how far it is."""
    found = [seen[n] for n in show['checks'] if n in seen and not seen[n]['dry'] and seen[n]['status'] in ('pass', 'fail')]
    if any(c['status'] == 'fail' for c in found):
        return '**failed**: ' + ', '.join(f'{c["name"]} {number(c["measured"])}' for c in found if c['status'] == 'fail')
    if len(found) < len(show['checks']):
        return 'unproven' + (f' ({len(found)} of {len(show["checks"])} checks)' if found else '')
    return 'proven on ' + ', '.join(sorted({c['device'] for c in found}))


def shows_table(table, seen):
    lines = ['| what must be shown | by the checks | state |', '|---|---|---|']
    for show in table.shows:
        lines.append(f'| {show["says"]} | {", ".join(f"`{n}`" for n in show["checks"])} | {state(show, seen)} |')
    return lines


def checks_table(table):
    lines = ['| check | phase, step | what it proves | bound | unit |', '|---|---|---|---|---|']
    for c in table.checks.values():
        lines.append(f'| `{c["name"]}` | {c["phase"]}, {c["step"]} | {c["says"]} | {bound_of(c)} | {c["unit"]} |')
    return lines


def write(table, out, date):
    results = load(out, date)
    seen = {c['name']: c for c in results['checks']}
    lines = [f'# Results of {date}', '']
    if any(c['dry'] for c in seen.values()):
        lines += ['Checks marked *dry* ran in small sizes or on the CPU: they try the script, and prove nothing about a GPU.', '']
    for r in results['runs']:
        known = ('gpu', 'processor', 'cores', 'glibc', 'kernel', 'pytorch', 'version', 'unusable')
        lines.append(f'- {r["when"]}, {r["phase"]}{" " + r["part"] if r.get("part") else ""}: {r["device"]}; '
                     + '; '.join(f'{k} {r[k]}' for k in known if r.get(k)))
    lines += ['', '## What must be shown', ''] + shows_table(table, seen)
    for phase in ('parity', 'bench', 'train'):
        lines += ['', f'## {phase.capitalize()}', '', '| check | status | measured | bound | unit | note |', '|---|---|---|---|---|---|']
        for name, check in table.checks.items():
            if check['phase'] == phase:
                c = seen.get(name, {'status': 'not run', 'measured': None, 'note': '', 'dry': False})
                note = c['note'].replace('|', '/').replace('\n', ' ')
                lines.append(f'| {name} | {c["status"]}{" (dry)" if c["dry"] else ""} | {number(c["measured"])} | {bound_of(check)} | {check["unit"]} | {note} |')
    commands = [f'- `{n}`: `{seen[n]["command"]}`' for n in table.checks if n in seen and seen[n]['command']]
    lines += ['', '## Commands', ''] + commands
    with open(path(out, date, 'md'), 'w') as f:
        f.write('\n'.join(lines) + '\n')


MARKS = ('<!-- from checks.json and the results, by tests/gpu/run --readme -->', '<!-- end -->')


def newest(docs):
    """The newest result on a device of each check, over all files of results."""
    seen = {}
    for file in sorted(glob.glob(os.path.join(docs, 'results-*.json'))):
        with open(file) as f:
            for c in json.load(f)['checks']:
                if not c['dry'] and c['status'] in ('pass', 'fail'):
                    seen[c['name']] = c
    return seen


def readme(table, docs, check_only):
    file = os.path.join(docs, 'README.md')
    with open(file) as f:
        text = f.read()
    parts = re.split('(' + '|'.join(map(re.escape, MARKS)) + ')', text)
    if len(parts) != 5:
        raise Trouble(f'{file}: expected the marks {MARKS[0]} and {MARKS[1]} once each')
    parts[2] = '\n\n' + '\n'.join(shows_table(table, newest(docs))) + '\n\n## The checks\n\n' + '\n'.join(checks_table(table)) + '\n\n'
    if ''.join(parts) == text:
        return 0
    if check_only:
        print(f'{file} does not say what checks.json and the results say; tests/gpu/run --readme mends it', file=sys.stderr)
        return 1
    with open(file, 'w') as f:
        f.write(''.join(parts))
    return 0
