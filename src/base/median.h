/* The median, which is what a handful of times on a shared machine is worth. */
#ifndef SUPCON_BASE_MEDIAN_H
#define SUPCON_BASE_MEDIAN_H

/* The upper one of two middle values. Sorts x[0 .. n-1], n > 0. */
double median(double *x, int n);

#endif
