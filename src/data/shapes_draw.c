/*
 * One shape on a textured ground. A class is a signed distance function (negative inside) in the
 * shape's own frame; coverage of a pixel is the distance at its centre clamped to half a pixel, so
 * edges are antialiased. Colours, position, size, rotation, textures, clutter and pixel noise are
 * nuisance: neither a colour, nor the share of bright pixels, nor any single pixel tells the class.
 */
#include "data/shapes_draw.h"

#include <math.h>
#include <stddef.h>

/* --- the shapes: distances in a frame where they reach about 1 from the centre -------------- */

static double box(double x, double y, double half_x, double half_y)
{
    return fmax(fabs(x) - half_x, fabs(y) - half_y);
}

static double disk(double x, double y)
{
    return sqrt(x * x + y * y) - .85;
}

static double ring(double x, double y)
{
    return fabs(sqrt(x * x + y * y) - .74) - .16;
}

static double square(double x, double y)
{
    return box(x, y, .75, .75);
}

static double frame(double x, double y)
{
    return fabs(box(x, y, .68, .68)) - .15;
}

static double triangle(double x, double y)
{
    return fmax(fabs(x) * .8660254 + y * .5, -y) - .5;
}

static double cross(double x, double y)
{
    return fmin(box(x, y, .95, .27), box(x, y, .27, .95));
}

/* Two bars side by side. */
static double bars(double x, double y)
{
    return box(fabs(x) - .5, y, .24, .85);
}

static double crescent(double x, double y)
{
    double cut = x - .5;
    return fmax(sqrt(x * x + y * y) - .92, .72 - sqrt(cut * cut + y * y));
}

/* Two triangles meeting in a point. */
static double hourglass(double x, double y)
{
    return fmax(fabs(y) - .85, (fabs(x) - fabs(y) - .06) * .7071068);
}

/* Two sides of a square. */
static double corner(double x, double y)
{
    return fmin(box(x, y - .55, .85, .27), box(x + .58, y, .27, .82));
}

/* In the order of the labels. */
const char *const shapes_names[SHAPES_CLASSES] = {
    "disk",  "ring", "square",   "frame",     "triangle",
    "cross", "bars", "crescent", "hourglass", "corner",
};

static double (*const distances[SHAPES_CLASSES])(double x, double y) = {
    disk, ring, square, frame, triangle, cross, bars, crescent, hourglass, corner,
};

/* --- colours and textures ------------------------------------------------------------------- */

static double range(struct rng *r, double low, double high)
{
    return low + (high - low) * (double)rng_float(r);
}

/* Smooth noise: random values on a lattice, in between bilinear. */
enum { LATTICE = 6 };

struct texture {
    double value[3][LATTICE][LATTICE];
};

static void texture_draw(struct texture *t, struct rng *r, double amount)
{
    for (int y = 0; y < LATTICE; y++)
        for (int x = 0; x < LATTICE; x++) {
            double shade = range(r, -amount, amount);
            for (int c = 0; c < 3; c++)
                t->value[c][y][x] = shade + range(r, -amount, amount) / 2;
        }
}

static double texture_at(const struct texture *t, int c, int x, int y)
{
    const double step = (double)(LATTICE - 1) / (SHAPES_SIDE - 1);
    double u = x * step, v = y * step;
    int i = u >= LATTICE - 1 ? LATTICE - 2 : (int)u, j = v >= LATTICE - 1 ? LATTICE - 2 : (int)v;
    u -= i;
    v -= j;
    const double(*value)[LATTICE] = t->value[c];
    double top = value[j][i] + u * (value[j][i + 1] - value[j][i]);
    double bottom = value[j + 1][i] + u * (value[j + 1][i + 1] - value[j + 1][i]);
    return top + v * (bottom - top);
}

struct paint {
    double colour[3];
    struct texture texture;
};

static void paint_draw(struct paint *p, struct rng *r, double low, double high)
{
    for (int c = 0; c < 3; c++)
        p->colour[c] = range(r, low, high);
    texture_draw(&p->texture, r, .12);
}

/* --- where things are ------------------------------------------------------------------------ */

struct pose {
    double x, y, scale; /* pixels */
    double cosine, sine, squeeze;
};

/* Up to about 30 degrees either way, without trigonometry: a point beside (1, 0), scaled to length
 * 1. */
static void direction_draw(struct pose *p, struct rng *r)
{
    double slope = range(r, -.6, .6), length = sqrt(1 + slope * slope);
    p->cosine = 1 / length;
    p->sine = slope / length;
}

static void pose_draw(struct pose *p, struct rng *r)
{
    p->scale = range(r, 7.5, 12.5);
    double reach = (SHAPES_SIDE - 1) / 2. - p->scale;
    p->x = (SHAPES_SIDE - 1) / 2. + range(r, -reach, reach);
    p->y = (SHAPES_SIDE - 1) / 2. + range(r, -reach, reach);
    p->squeeze = range(r, .88, 1.14);
    direction_draw(p, r);
}

static double coverage(const struct pose *p, int label, int px, int py)
{
    double dx = (px - p->x) / p->scale, dy = (py - p->y) / p->scale;
    double x = (p->cosine * dx + p->sine * dy) * p->squeeze;
    double y = (p->cosine * dy - p->sine * dx) / p->squeeze;
    double inside = .5 - distances[label](x, y) * p->scale;
    return inside < 0 ? 0 : inside > 1 ? 1 : inside;
}

/* Small dots that are part of no shape. */
enum { CLUTTER = 3 };

struct dot {
    double x, y, radius, colour[3];
};

static void dot_draw(struct dot *d, struct rng *r)
{
    d->x = range(r, 0, SHAPES_SIDE - 1);
    d->y = range(r, 0, SHAPES_SIDE - 1);
    d->radius = range(r, .8, 2.2);
    for (int c = 0; c < 3; c++)
        d->colour[c] = range(r, 0, 1);
}

static double dot_coverage(const struct dot *d, int px, int py)
{
    double dx = px - d->x, dy = py - d->y;
    double inside = .5 + d->radius - sqrt(dx * dx + dy * dy);
    return inside < 0 ? 0 : inside > 1 ? 1 : inside;
}

/* --- the image ------------------------------------------------------------------------------- */

struct scene {
    struct paint ground, figure;
    struct pose pose;
    struct dot dots[CLUTTER];
    double noise;
};

static void scene_draw(struct scene *s, struct rng *r)
{
    paint_draw(&s->ground, r, .0, .5);
    paint_draw(&s->figure, r, .4, 1);
    pose_draw(&s->pose, r);
    for (int i = 0; i < CLUTTER; i++)
        dot_draw(&s->dots[i], r);
    s->noise = range(r, .02, .10);
}

static uint8_t to_byte(double v)
{
    return v <= 0 ? 0 : v >= 1 ? 255 : (uint8_t)(v * 255 + .5);
}

static void pixel(const struct scene *s, struct rng *r, int label, int x, int y, uint8_t *at)
{
    double inside = coverage(&s->pose, label, x, y), dotted[CLUTTER];
    for (int i = 0; i < CLUTTER; i++)
        dotted[i] = dot_coverage(&s->dots[i], x, y);
    for (int c = 0; c < 3; c++) {
        double ground = s->ground.colour[c] + texture_at(&s->ground.texture, c, x, y);
        double figure = s->figure.colour[c] + texture_at(&s->figure.texture, c, x, y);
        double v = ground + inside * (figure - ground);
        for (int i = 0; i < CLUTTER; i++)
            v += dotted[i] * (s->dots[i].colour[c] - v);
        v += s->noise * (range(r, -1, 1) + range(r, -1, 1));
        at[c * SHAPES_SIDE * SHAPES_SIDE] = to_byte(v);
    }
}

void shapes_draw(struct rng *r, int label, uint8_t *image)
{
    struct scene scene;
    scene_draw(&scene, r);
    for (int y = 0; y < SHAPES_SIDE; y++)
        for (int x = 0; x < SHAPES_SIDE; x++)
            pixel(&scene, r, label, x, y, image + y * SHAPES_SIDE + x);
}
