/* Text for a grid of cells; see text.h. */
#include "tui/text.h"

#include <math.h>
#include <stdio.h>
#include <time.h>
#include <wchar.h>

enum { REPLACEMENT = 0xfffd };

/* Length of the sequence a first byte announces, 0 if it cannot start one. */
static int sequence_length(unsigned char c)
{
    if (c < 0x80)
        return 1;
    if (c >= 0xc2 && c <= 0xdf)
        return 2;
    if (c >= 0xe0 && c <= 0xef)
        return 3;
    return c >= 0xf0 && c <= 0xf4 ? 4 : 0;
}

static int is_legal(uint32_t ch, int length)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    return ch >= least[length] && ch <= 0x10ffff && (ch < 0xd800 || ch > 0xdfff);
}

uint32_t text_next(const char **s)
{
    static const unsigned char mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    const unsigned char *p = (const unsigned char *)*s;
    if (!*p)
        return 0;
    int length = sequence_length(*p);
    if (length == 0) {
        ++*s;
        return REPLACEMENT;
    }
    uint32_t ch = *p & mask[length];
    for (int i = 1; i < length; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            ++*s;
            return REPLACEMENT;
        }
        ch = ch << 6 | (p[i] & 0x3f);
    }
    if (!is_legal(ch, length)) {
        ++*s;
        return REPLACEMENT;
    }
    *s += length;
    return ch;
}

int text_columns(uint32_t ch)
{
    if (ch < 0x20 || (ch >= 0x7f && ch < 0xa0))
        return -1;
    if (ch < 0x7f)
        return 1;
    /* direction overrides and their kin would turn the rest of the row around */
    if ((ch >= 0x200b && ch <= 0x200f) || (ch >= 0x202a && ch <= 0x202e) ||
        (ch >= 0x2060 && ch <= 0x206f) || ch == 0xfeff)
        return 0;
    int width = wcwidth((wchar_t)ch);
    return width < 0 ? 1 : width; /* unknown here: shown as a replacement */
}

char *text_duration(char *out, size_t size, double seconds)
{
    if (!(seconds >= 0) || seconds > 1e9) {
        snprintf(out, size, "-");
        return out;
    }
    long s = lround(seconds);
    if (s < 60)
        snprintf(out, size, "%ld s", s);
    else if (s < 3600)
        snprintf(out, size, "%ldm%02lds", s / 60, s % 60);
    else if (s < 86400)
        snprintf(out, size, "%ldh%02ldm", s / 3600, s / 60 % 60);
    else
        snprintf(out, size, "%ldd%02ldh", s / 86400, s / 3600 % 24);
    return out;
}

char *text_bytes(char *out, size_t size, double bytes)
{
    static const char unit[] = "BKMGTP";
    int i = 0;
    if (!(bytes >= 0)) {
        snprintf(out, size, "-");
        return out;
    }
    for (; bytes >= 1000 && unit[i + 1]; i++)
        bytes /= 1024;
    snprintf(out, size, i == 0 ? "%.0f%c" : "%.1f%c", bytes, unit[i]);
    return out;
}

char *text_number(char *out, size_t size, double x)
{
    double a = fabs(x);
    if (isnan(x))
        snprintf(out, size, "-");
    else if (isinf(x))
        snprintf(out, size, x > 0 ? "inf" : "-inf");
    else if (a != 0 && (a < 1e-3 || a >= 1e6))
        snprintf(out, size, "%.3e", x);
    else
        snprintf(out, size, "%.*f", a < 100 ? 4 : a < 10000 ? 1 : 0, x);
    return out;
}

char *text_percent(char *out, size_t size, double percent)
{
    if (isfinite(percent))
        snprintf(out, size, "%.2f", percent);
    else
        snprintf(out, size, "-");
    return out;
}

char *text_time(char *out, size_t size, int64_t usec)
{
    time_t t = (time_t)(usec / 1000000);
    struct tm tm;
    if (usec <= 0 || !localtime_r(&t, &tm) || strftime(out, size, "%H:%M:%S", &tm) == 0)
        snprintf(out, size, "-");
    return out;
}
