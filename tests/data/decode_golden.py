#!/usr/bin/env python3
"""Images of every kind that Pillow writes, decoded by decode_dump and by Pillow. Speaks TAP.

decode_golden.py DECODE_DUMP FOLDER
"""
import os
import subprocess
import sys

import numpy
from PIL import Image

program, folder = sys.argv[1:3]


def pattern(width, height):
    """Smooth, with edges: what a lossy codec can keep."""
    y, x = numpy.mgrid[0:height, 0:width].astype(float)
    planes = [127 + 90 * numpy.sin(x / 17 + c) * numpy.cos(y / 23 - c) + 30 * ((x // 29 + y // 31 + c) % 2)
              for c in range(3)]
    return Image.fromarray(numpy.clip(numpy.stack(planes, 2), 0, 255).astype('uint8'), 'RGB')


def fit(image, side, by):
    """torchvision's Resize(side) and CenterCrop(side); averages of by x by pixels first."""
    w, h = image.size
    short, long = min(w, h), max(w, h)
    other = int(side * long / short)
    box = (0, 0, w / by, h / by)
    image = image.reduce(by) if by > 1 else image
    image = image.resize((side, other) if w < h else (other, side), Image.BILINEAR, box)
    w, h = image.size
    left, top = int(round((w - side) / 2.)), int(round((h - side) / 2.))
    return image.crop((left, top, left + side, top + side))


def opaque(image, alpha):
    image = image.copy()
    image.putalpha(alpha)
    return image


photo, small = pattern(150, 110), pattern(32, 32)
grey16 = numpy.asarray(photo.convert('L')).astype('uint32') * 257 - 100 * (numpy.arange(150) % 2)
grey16 = numpy.clip(grey16, 0, 65535)
alpha = Image.fromarray((numpy.indices((110, 150)).sum(0) % 256).astype('uint8'), 'L')
# name, image, options of save, expected image (None: the file as Pillow reads it), side
cases = [
    ('rgb.png', photo, {}, None, 64),
    ('same.png', small, {}, None, 32),
    ('enlarged.png', small, {}, None, 50),
    ('tall.png', pattern(61, 203), {}, None, 40),
    ('narrow.png', pattern(3, 300), {}, None, 16),
    ('one.png', pattern(1, 1), {}, None, 8),
    ('grey.png', photo.convert('L'), {}, None, 64),
    ('grey-alpha.png', opaque(photo.convert('L'), alpha), {}, None, 64),
    ('rgba.png', opaque(photo, alpha), {}, None, 64),
    ('palette.png', photo.quantize(64), {}, None, 64),
    ('palette-16.png', photo.quantize(11), {'bits': 4}, None, 64),
    ('palette-transparent.png', photo.quantize(64), {'transparency': 3}, None, 64),
    ('bilevel.png', photo.convert('1'), {}, None, 64),
    ('grey-16-bits.png', Image.fromarray(grey16.astype('uint16')), {},
     Image.fromarray(((grey16 * 255 + 32895) >> 16).astype('uint8'), 'L'), 64),
    ('rgb.jpg', photo, {'quality': 90}, None, 64),
    ('rgb-444.jpeg', photo, {'quality': 95, 'subsampling': 0}, None, 64),
    ('small.jpg', small, {'quality': 75}, None, 32),
    ('progressive.jpg', photo, {'progressive': True}, None, 64),
    ('optimised.JPG', photo, {'optimize': True}, None, 64),
    ('grey.jpg', photo.convert('L'), {}, None, 64),
    ('cmyk.jpg', photo.convert('CMYK'), {'quality': 95}, None, 64),
    ('jpeg-named.png', photo, {'format': 'JPEG'}, None, 64),
    ('png-named.jpg', photo, {'format': 'PNG'}, None, 64),
    ('large.jpg', pattern(700, 530), {'quality': 92}, None, 64),
    ('large-cmyk.jpg', pattern(700, 530).convert('CMYK'), {'quality': 92}, None, 64),
]
print('1..%d' % len(cases))
for n, (name, image, options, want, side) in enumerate(cases, 1):
    path = os.path.join(folder, name)
    image.save(path, **options)
    if want is None:
        want = Image.open(path)
    large = name.startswith('large')
    want = numpy.asarray(fit(want.convert('RGB'), side, 8 if large else 1)).astype(int).transpose(2, 0, 1)
    run = subprocess.run([program, str(side), path], capture_output=True)
    if run.returncode:
        print('not ok %d - %s # %s' % (n, name, run.stderr.decode().strip()))
        continue
    got = numpy.frombuffer(run.stdout, 'uint8').astype(int).reshape(want.shape)
    diff = abs(got - want)
    # Both round twice to 8 bits, Pillow's weights have 22 bits: one step. Large JPEGs are shrunk
    # before rounding, clipping and interpolating chroma, Pillow's after: a few steps.
    most, mean = (6, 1) if large else (1, .1)
    good = diff.max() <= most and diff.mean() <= mean
    print('%sok %d - %s # largest %d, mean %.4f' % ('' if good else 'not ', n, name, diff.max(), diff.mean()))
