/* The nearest word by edit distance (insert, delete, replace, swap of neighbours). */
#include "base/conf.h"

#include <ctype.h>
#include <string.h>

enum { MAX_WORD = 63 };

static int min3(int a, int b, int c)
{
    int m = a < b ? a : b;
    return m < c ? m : c;
}

static bool same(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static int distance(const char *a, const char *b)
{
    int rows[3][MAX_WORD + 2];
    int n = (int)strnlen(a, MAX_WORD), m = (int)strnlen(b, MAX_WORD);
    for (int j = 0; j <= m; j++)
        rows[0][j] = j;
    for (int i = 1; i <= n; i++) {
        int *row = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];
        row[0] = i;
        for (int j = 1; j <= m; j++) {
            row[j] = min3(up[j] + 1, row[j - 1] + 1, up[j - 1] + !same(a[i - 1], b[j - 1]));
            bool swapped = i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]);
            if (swapped && up2[j - 2] + 1 < row[j])
                row[j] = up2[j - 2] + 1;
        }
    }
    return rows[n % 3][m];
}

const char *nearest_word(const char *word, const char *(*candidates)(void *ctx, int i), void *ctx)
{
    const char *best = NULL, *candidate;
    int limit = 1 + (int)strnlen(word, MAX_WORD) / 3;
    for (int i = 0; (candidate = candidates(ctx, i)); i++) {
        int d = *candidate ? distance(word, candidate) : limit + 1;
        if (d <= limit) {
            limit = d - 1; /* the first of equals */
            best = candidate;
        }
    }
    return best;
}
