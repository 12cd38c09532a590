/* Text for a grid of cells: decoding, widths, and figures as people read them. */
#ifndef SUPCON_TUI_TEXT_H
#define SUPCON_TUI_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* Next code point; *s moves on. Bytes that are no UTF-8 give U+FFFD, one each. 0 at the end, where
 * *s stays. */
uint32_t text_next(const char **s);

/* Columns of a code point: 1 or 2; 0 for marks that join others and for what must not reach a
 * terminal (they are left out); -1 for control characters, which are shown escaped ("\x1b"). */
int text_columns(uint32_t ch);

/* Each of these writes at most size bytes and returns out. NaN is shown as "-". */
char *text_duration(char *out, size_t size, double seconds); /* "42 s", "9m51s", "1h12m", "3d04h" */
char *text_bytes(char *out, size_t size, double bytes);      /* "42.7M", 1024 based */
char *text_number(char *out, size_t size, double x);         /* about five significant digits */
char *text_percent(char *out, size_t size, double percent);  /* "93.41" */
char *text_time(char *out, size_t size, int64_t usec);       /* local "14:02:09", "-" for 0 */

#endif
