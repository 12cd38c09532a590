"""Safetensors files and distances, with the standard library alone."""
import array, json, math, operator, struct, sys


def read(path, want=lambda name: True):
    """{name: array of floats} and the metadata."""
    with open(path, 'rb') as f:
        header = json.loads(f.read(struct.unpack('<Q', f.read(8))[0]))
        start = f.tell()
        metadata = header.pop('__metadata__', {})
        out = {}
        for name, t in header.items():
            if not want(name) or t['dtype'] not in CODES:
                continue
            begin, end = t['data_offsets']
            f.seek(start + begin)
            out[name] = array.array(CODES[t['dtype']])
            out[name].frombytes(f.read(end - begin))
            if sys.byteorder == 'big':
                out[name].byteswap()
        return out, metadata


CODES = {'F32': 'f', 'F64': 'd', 'I32': 'i', 'I64': 'q'}


def squares(a):
    return sum(map(operator.mul, a, a))


def distance(got, want):
    """|got - want| / |want| in the L2 norm over all tensors of two dictionaries; the names must agree."""
    if got.keys() != want.keys():
        raise ValueError(f'other tensors: {sorted(got.keys() ^ want.keys())[:4]}')
    off = norm = 0.0
    for name, w in want.items():
        if len(got[name]) != len(w):
            raise ValueError(f'{name} has {len(got[name])} elements, expected {len(w)}')
        d = list(map(operator.sub, got[name], w))
        off += squares(d)
        norm += squares(w)
    return math.sqrt(off / norm) if norm > 0 else math.sqrt(off)
