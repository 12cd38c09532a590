"""Steps with deadlines, commands that cannot outlive them, and results that are on disk after every step.

A step is a function that records checks by name; the table (checks.json) knows each check's bound. A step that
ends early, by a refusal or by its time, leaves the checks it did not reach as skipped or as errors, with the reason.
"""
import datetime, json, operator, os, shutil, signal, subprocess, tempfile, threading, time

PHASE_SECONDS = 470  # of 480, so that the report is written as well


class Skip(Exception):
    """What this step asks for is not on this machine."""


class Trouble(Exception):
    """Something that should have worked did not."""


class Done:
    def __init__(self, argv, rc, out, err, seconds):
        self.argv, self.rc, self.out, self.err, self.seconds = argv, rc, out, err, seconds

    def last_json(self):
        for line in reversed(self.out.splitlines()):
            if line.startswith('{'):
                return json.loads(line)
        raise Trouble(f'{self.argv[0]} printed no JSON object')

    def last_words(self):
        lines = [x for x in (self.err + '\n' + self.out).splitlines() if x.strip()]
        return lines[-1][:300] if lines else 'no output'


def shell_words(argv):
    return ' '.join(w if w and all(c.isalnum() or c in '-_=./:,+%' for c in w) else "'" + w + "'" for w in argv)


def end_group(process):
    """SIGKILL to everything the command started. A process that hangs in the driver may outlive even that."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    try:
        process.communicate(timeout=5)
    except subprocess.TimeoutExpired:
        pass


class Run:
    def __init__(self, args, table):
        self.args, self.table = args, table
        self.device, self.dry = args.device, args.small or args.device.startswith('cpu')
        self.shared = os.path.abspath(args.shared)
        self.work = tempfile.mkdtemp(prefix='supcon-gpu-')
        self.bundle = self.unpack(os.path.abspath(args.bundle))
        self.supcon = self.find('bin/supcon', 'supcon')
        self.started = time.monotonic()
        self.deadline = self.started + args.seconds
        self.step_deadline = self.deadline
        self.sampler = None
        self.libs = ''
        self.checks, self.facts = {}, {}

    def close(self):
        shutil.rmtree(self.work, ignore_errors=True)

    # --- where things are ---------------------------------------------------------------------------------------------
    def unpack(self, bundle):
        if os.path.isdir(bundle):
            return bundle
        if not os.path.isfile(bundle):
            raise Trouble(f'{bundle}: no such bundle')
        import tarfile
        with tarfile.open(bundle) as tar:
            tar.extractall(self.work, **({'filter': 'data'} if hasattr(tarfile, 'data_filter') else {}))
        inside = [d for d in os.listdir(self.work) if d.startswith('supcon-')]
        if len(inside) != 1:
            raise Trouble(f'{bundle}: expected one folder supcon-*, found {inside}')
        return os.path.join(self.work, inside[0])

    def find(self, *names):
        for name in names:
            path = os.path.join(self.bundle, name)
            if os.path.exists(path):
                return path
        raise Trouble(f'{self.bundle} has no {" or ".join(names)}; is it a bundle or a build folder?')

    def shared_file(self, *names):
        path = os.path.join(self.shared, *names)
        if not os.path.exists(path):
            raise Skip(f'{path} is not there')
        return path

    def beside_tests(self):
        """Test programs are not in bin/ and look for the module where they are told."""
        module = os.path.join(self.bundle, 'lib/supcon')
        return {'SUPCON_BACKEND_PATH': module} if os.path.exists(os.path.join(module, 'supcon-cuda.so')) else {}

    # --- commands -----------------------------------------------------------------------------------------------------
    def environment(self, extra=None):
        cache = self.dry and os.environ.get('XDG_CACHE_HOME') or os.path.join(self.work, 'cache')
        env = dict(os.environ, LC_ALL='C.UTF-8', XDG_CACHE_HOME=cache,
                   XDG_DATA_HOME=os.path.join(self.work, 'share'), SUPCON_SHARED=self.shared, SUPCON_TEST_DEVICE=self.device)
        if self.libs:
            env['SUPCON_CUDA_LIBS'] = self.libs
        env.update(extra or {})
        return env

    def left(self):
        return min(self.step_deadline, self.deadline) - time.monotonic()

    def start(self, argv, env=None, **options):
        return subprocess.Popen(argv, env=self.environment(env), cwd=self.work, stdin=subprocess.DEVNULL, text=True, errors='replace',
                                start_new_session=True, **options)

    def command(self, argv, env=None, limit=None, ok=(0,)):
        """Runs to the end or to the step's; ok: exit codes that are no trouble (None: any)."""
        left = min(self.left(), limit or 1e9)
        if left <= 1:
            raise Trouble('no time is left for ' + shell_words(argv))
        begin = time.monotonic()
        process = self.start(argv, env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            out, err = process.communicate(timeout=left)
        except subprocess.TimeoutExpired:
            end_group(process)
            raise Trouble(f'did not end within {left:.0f} s: {shell_words(argv)}')
        done = Done(argv, process.returncode, out, err, time.monotonic() - begin)
        if ok is not None and done.rc not in ok:
            raise Trouble(f'ended with {done.rc}: {shell_words(argv)}: {done.last_words()}')
        return done

    # --- results ------------------------------------------------------------------------------------------------------
    def judge(self, check, measured):
        bound = check.get('bound')
        if check.get('speed') and self.dry:
            return 'skipped', 'a dry run proves no speed'
        if bound is None:
            return 'pass', ''
        good = {'higher': operator.ge, 'equal': operator.eq, 'lower': operator.le}[check['better']](measured, bound)
        return ('pass' if good else 'fail'), ''

    def record(self, name, measured=None, command='', note='', status=None, quiet=False):
        check = self.table.check(name)
        said, why = (status, '') if status else self.judge(check, measured)
        note = ' '.join(note.split())
        self.checks[name] = {
            'name': name, 'phase': check['phase'], 'status': said, 'measured': measured, 'bound': check.get('bound'),
            'goal': check.get('goal'), 'unit': check['unit'], 'command': command if isinstance(command, str) else shell_words(command),
            'note': '; '.join(x for x in (note, why) if x), 'device': self.facts.get('device', self.device), 'dry': self.dry,
            'when': datetime.datetime.now(datetime.timezone.utc).strftime('%Y-%m-%dT%H:%M:%SZ')}
        if quiet:
            return
        shown = '' if measured is None else f' {measured:.6g} {check["unit"]}' if isinstance(measured, (int, float)) else f' {measured}'
        print(f'  {said:7} {name}:{shown}{" (" + self.checks[name]["note"] + ")" if self.checks[name]["note"] else ""}', flush=True)

    def wants(self, step):
        """Whether --only, if given, has a word of one of the step's checks."""
        return not self.args.only or any(word in c['name'] for word in self.args.only for c in self.table.of_step(step))

    def step(self, name, seconds, function):
        """One step; what it does not record itself is recorded for it."""
        wanted = self.table.of_step(name)
        if not self.wants(name):
            return
        begin = time.monotonic()
        self.step_deadline = begin + seconds
        print(f'== {name} (at most {max(0, min(seconds, self.deadline - begin)):.0f} s)', flush=True)
        status, why = 'error', 'the step ended without it'
        try:
            if self.left() <= 1:
                raise Trouble('the phase has no time left')
            function(self)
        except Skip as e:
            status, why = 'skipped', str(e)
        except Exception as e:  # whatever happens, the other steps go on
            status, why = 'error', str(e) if isinstance(e, Trouble) else f'{type(e).__name__}: {e}'
        for check in wanted:
            if check['name'] not in self.checks:
                self.record(check['name'], status=status, note=why)
        print(f'== {name}: {time.monotonic() - begin:.1f} s', flush=True)


class Sampler:
    """Clock, power, memory and use of the GPU while something runs, twice a second."""
    FIELDS = ['clocks.sm', 'power.draw', 'memory.used', 'utilization.gpu', 'temperature.gpu']

    def __init__(self):
        self.rows, self.process = [], None
        if shutil.which('nvidia-smi'):
            self.process = subprocess.Popen(['nvidia-smi', '--query-gpu=' + ','.join(self.FIELDS), '--format=csv,noheader,nounits', '-lms', '500'],
                                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True)
            threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            try:
                self.rows.append((time.monotonic(), [float(x) for x in line.split(',')]))
            except ValueError:
                pass  # "[N/A]"

    def between(self, begin, end):
        """Medians; the idle ends of a run are left out by asking for more than half of its power."""
        rows = [r for t, r in self.rows if begin <= t <= end]
        busy = [r for r in rows if r[1] >= max(x[1] for x in rows) / 2]
        if not busy:
            return {}
        return {f: sorted(r[i] for r in busy)[len(busy) // 2] for i, f in enumerate(self.FIELDS)}

    def close(self):
        if self.process:
            end_group(self.process)
