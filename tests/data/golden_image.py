#!/usr/bin/env python3
"""Writes image_golden.h: what torchvision's tensor functions give on a small image (needs torch)."""
import torch
import torchvision.transforms.functional as F

H, W = 8, 10
u8 = torch.tensor([[[(c * 97 + y * 31 + x * 17 + x * y * 5) % 256 for x in range(W)]
                    for y in range(H)] for c in range(3)], dtype=torch.uint8)
image = u8.float() / 255
cases = [('CROP', box, F.resized_crop(image, *box, [H, W]))
         for box in [(0, 0, 8, 10), (2, 3, 4, 5), (1, 0, 7, 3), (5, 9, 1, 1), (0, 2, 3, 8)]]
for name, f, amounts in [('BRIGHTNESS', F.adjust_brightness, (0.6, 1.4, 0.0)),
                         ('CONTRAST', F.adjust_contrast, (0.6, 1.4, 0.0)),
                         ('SATURATION', F.adjust_saturation, (0.6, 1.4, 0.0)),
                         ('HUE', F.adjust_hue, (0.1, -0.1, 0.37, 0.5, -0.5, 0.0))]:
    cases += [(name, (a,), f(image, a)) for a in amounts]
cases.append(('GRAYSCALE', (0.,), F.rgb_to_grayscale(image, 3)))
cases.append(('FLIP', (0.,), F.hflip(image)))
picks = [0, 9, 34, 79, 80, 117, 141, 160, 203, 239]
print('/* Written by golden_image.py with torchvision: values at the positions of golden_picks. */')
print('static const int golden_picks[%d] = {%s};' % (len(picks), ', '.join(map(str, picks))))
print('/* clang-format off */')
print('static const struct golden {\n    enum change change;\n    float amount[4];\n    float value[%d];'
      '\n} goldens[] = {' % len(picks))
for name, args, out in cases:
    flat = out.contiguous().flatten()
    print('    {CHANGE_%s, {%s},\n     {%s}},' % (
        name, ', '.join('%gf' % a if '.' in '%g' % a else '%g' % a for a in args),
        ', '.join('%.7gf' % v if '.' in '%.7g' % v else '%.7g' % v
                  for v in (flat[i].item() for i in picks))))
print('};\n/* clang-format on */')
